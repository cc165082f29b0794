/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "net/ws_frame.h"

enum { STREAM = 200000 };

/* A client's frame, written with an encoder of the test's own. Returns its bytes. */
static size_t put(uint8_t *to, unsigned first, const void *payload, size_t n, const char *mask)
{
    size_t h = 2;
    const uint8_t *p = payload;

    to[0] = (uint8_t)first;
    if (n < 126) {
        to[1] = (uint8_t)(0x80 | n);
    } else if (n < 65536) {
        to[1] = 0x80 | 126;
        to[2] = (uint8_t)(n >> 8);
        to[3] = (uint8_t)n;
        h = 4;
    } else {
        to[1] = 0x80 | 127;
        memset(to + 2, 0, 4);
        for (int i = 0; i < 4; i++)
            to[6 + i] = (uint8_t)(n >> (24 - 8 * i));
        h = 10;
    }
    memcpy(to + h, mask, 4);
    for (size_t i = 0; i < n; i++)
        to[h + 4 + i] = p[i] ^ (uint8_t)mask[i % 4];
    return h + 4 + n;
}

/* Fragments, empty ones, a ping in between, every length form. Returns the stream's bytes and
 * writes the payload that should come of it. */
static size_t sample(uint8_t *stream, uint8_t *payload, size_t *npayload)
{
    static const size_t sizes[] = {1, 0, 7, 8, 125, 126, 300, 65535, 65536};
    size_t n = 0, total = 0;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (size_t k = 0; k < sizes[i]; k++)
            payload[total + k] = (uint8_t)(total + k * 31);
        bool last = i + 1 == sizeof sizes / sizeof *sizes;
        unsigned first = (i == 0 ? 0x02u : 0x00u) | (last ? 0x80u : 0u);
        n += put(stream + n, first, payload + total, sizes[i], "\x12\x80\xFF\x07");
        total += sizes[i];
        if (i == 3) n += put(stream + n, 0x89, "are you there", 13, "abcd");
        if (i == 4) n += put(stream + n, 0x8A, "unasked", 7, "\0\0\0\0");
    }
    *npayload = total;
    return n;
}

static void payload_is_the_same_however_the_stream_is_cut(void **state)
{
    uint8_t *stream = malloc(STREAM), *payload = malloc(STREAM), *got = malloc(STREAM);
    size_t npayload;

    (void)state;
    assert_true(stream && payload && got);
    size_t n = sample(stream, payload, &npayload);
    for (size_t step = 1; step < 700; step = step < 40 ? step + 1 : step * 3 / 2) {
        struct ws_frames f = {.left = 0};
        uint8_t piece[1024];
        size_t kept = 0;
        for (size_t i = 0; i < n; i += step) {
            size_t now = step < n - i ? step : n - i;
            memcpy(piece, stream + i, now);
            size_t k = ws_frames_read(&f, piece, now);
            assert_true(k <= now);
            memcpy(got + kept, piece, k);
            kept += k;
        }
        assert_int_equal(f.error, 0);
        assert_int_equal(kept, npayload);
        assert_memory_equal(got, payload, npayload);
        assert_true(f.pong_due);
        assert_int_equal(f.npong, 13);
        assert_memory_equal(f.pong, "are you there", 13);
        assert_false(f.in_message);
    }
    free(stream);
    free(payload);
    free(got);
}

static void a_stream_cut_once_at_each_byte_gives_the_same(void **state)
{
    uint8_t stream[400], both[400], payload[200];
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = (uint8_t)(i * 7);
    n += put(stream, 0x02, payload, 60, "wxyz");
    n += put(stream + n, 0x89, "p", 1, "1234");
    n += put(stream + n, 0x80, payload + 60, 140, "\xFF\x01\x02\x03");
    for (size_t cut = 0; cut <= n; cut++) {
        struct ws_frames f = {.left = 0};
        memcpy(both, stream, n);
        size_t a = ws_frames_read(&f, both, cut);
        size_t b = ws_frames_read(&f, both + cut, n - cut);
        assert_int_equal(a + b, sizeof payload);
        assert_memory_equal(both, payload, a);
        assert_memory_equal(both + cut, payload + a, b);
        assert_true(f.pong_due);
    }
}

struct bad_case {
    const char *name, *bytes;
    size_t n;
    unsigned code;
};

#define BAD(name_, bytes_, code_)                                                                  \
    {                                                                                              \
        name_, bytes_, sizeof(bytes_) - 1, code_                                                   \
    }

static const struct bad_case bad[] = {
    BAD("not masked", "\x82\x01x", 1002),
    BAD("RSV1",
        "\xC2\x81"
        "mmmm"
        "x",
        1002),
    BAD("RSV2",
        "\xA2\x81"
        "mmmm"
        "x",
        1002),
    BAD("RSV3",
        "\x92\x81"
        "mmmm"
        "x",
        1002),
    BAD("data opcode 3",
        "\x83\x80"
        "mmmm",
        1002),
    BAD("data opcode 7",
        "\x87\x80"
        "mmmm",
        1002),
    BAD("control opcode 11",
        "\x8B\x80"
        "mmmm",
        1002),
    BAD("control opcode 15",
        "\x8F\x80"
        "mmmm",
        1002),
    BAD("text",
        "\x81\x81"
        "mmmm"
        "x",
        1003),
    BAD("a ping of 126 bytes",
        "\x89\xFE\x00\x7E"
        "mmmm",
        1002),
    BAD("a fragmented ping",
        "\x09\x80"
        "mmmm",
        1002),
    BAD("a continuation of nothing",
        "\x80\x80"
        "mmmm",
        1002),
    BAD("a new message within one",
        "\x02\x80"
        "mmmm"
        "\x82\x80"
        "mmmm",
        1002),
    BAD("top bit of the length",
        "\x82\xFF\x80\0\0\0\0\0\0\0"
        "mmmm",
        1002),
    BAD("a length of 2^64-1",
        "\x82\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"
        "mmmm",
        1002),
    BAD("a length of 2^63-1",
        "\x82\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF"
        "mmmm",
        1009),
    BAD("a length of 2^30+1",
        "\x82\xFF\0\0\0\0\x40\0\0\x01"
        "mmmm",
        1009),
    BAD("125 in 16 bits",
        "\x82\xFE\x00\x7D"
        "mmmm",
        1002),
    BAD("65535 in 64 bits",
        "\x82\xFF\0\0\0\0\0\0\xFF\xFF"
        "mmmm",
        1002),
    BAD("close with 1 byte", "\x88\x81\0\0\0\0\x03", 1002),
    BAD("close 999", "\x88\x82\0\0\0\0\x03\xE7", 1002),
    BAD("close 1004", "\x88\x82\0\0\0\0\x03\xEC", 1002),
    BAD("close 1005", "\x88\x82\0\0\0\0\x03\xED", 1002),
    BAD("close 1006", "\x88\x82\0\0\0\0\x03\xEE", 1002),
    BAD("close 1015", "\x88\x82\0\0\0\0\x03\xF7", 1002),
    BAD("close 2999", "\x88\x82\0\0\0\0\x0B\xB7", 1002),
    BAD("close 5000", "\x88\x82\0\0\0\0\x13\x88", 1002),
    BAD("close with half a character", "\x88\x84\0\0\0\0\x03\xE8\xC3\x28", 1007),
};

static void every_bad_frame_is_refused_with_its_code_and_nothing_after_it_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        for (size_t cut = 0; cut < bad[i].n; cut++) {
            struct ws_frames f = {.left = 0};
            uint8_t p[64];
            memcpy(p, bad[i].bytes, bad[i].n);
            ws_frames_read(&f, p, cut);
            ws_frames_read(&f, p + cut, bad[i].n - cut);
            if (f.error != bad[i].code) fail_msg("%s: %u", bad[i].name, f.error);
            size_t good = put(p, 0x82, "x", 1, "mmmm");
            assert_int_equal(ws_frames_read(&f, p, good), 0);
        }
    }
}

static void codes_that_may_close_are_taken(void **state)
{
    static const unsigned codes[] = {1000, 1003, 1007, 1014, 3000, 4999};

    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        struct ws_frames f = {.left = 0};
        const uint8_t code[] = {(uint8_t)(codes[i] >> 8), (uint8_t)codes[i], 'b', 'y', 'e'};
        uint8_t p[64];
        size_t n = put(p, 0x88, code, 5, "mask");
        ws_frames_read(&f, p, n);
        assert_int_equal(f.error, 0);
        assert_int_equal(f.peer_code, codes[i]);
    }
}

static void payload_before_a_close_counts_and_what_follows_does_not(void **state)
{
    struct ws_frames f = {.left = 0};
    uint8_t p[64];
    size_t n = put(p, 0x82, "abc", 3, "mask");

    (void)state;
    n += put(p + n, 0x88, NULL, 0, "mask");
    n += put(p + n, 0x82, "def", 3, "mask");
    assert_int_equal(ws_frames_read(&f, p, n), 3);
    assert_memory_equal(p, "abc", 3);
    assert_int_equal(f.peer_code, WS_NO_CODE);
    assert_int_equal(f.error, 0);
}

static void frames_without_payload_are_counted_in_a_row(void **state)
{
    struct ws_frames f = {.left = 0};
    uint8_t p[16];

    (void)state;
    for (int i = 0; i < WS_EMPTY_MAX - 1; i++) {
        size_t n = put(p, i ? 0x00 : 0x02, NULL, 0, "mask");
        ws_frames_read(&f, p, n);
    }
    ws_frames_read(&f, p, put(p, 0x00, "x", 1, "mask"));
    assert_int_equal(f.error, 0);
    for (int i = 0; i < WS_EMPTY_MAX; i++)
        ws_frames_read(&f, p, put(p, 0x00, NULL, 0, "mask"));
    assert_int_equal(f.error, 0);
    ws_frames_read(&f, p, put(p, 0x00, NULL, 0, "mask"));
    assert_int_equal(f.error, WS_POLICY);
}

static void our_headers_use_the_shortest_length(void **state)
{
    static const struct {
        uint64_t n;
        const char *bytes;
        size_t len;
    } rows[] = {
        {0, "\x82\x00", 2},
        {125, "\x82\x7D", 2},
        {126, "\x82\x7E\x00\x7E", 4},
        {65535, "\x82\x7E\xFF\xFF", 4},
        {65536, "\x82\x7F\0\0\0\0\0\x01\0\0", 10},
        {1ull << 33, "\x82\x7F\0\0\0\x02\0\0\0\0", 10},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint8_t room[WS_PUT_HEADER_MAX];
        struct writer w = wr_of(room, sizeof room);
        ws_frame_put_header(&w, WS_BINARY, rows[i].n);
        assert_int_equal(wr_len(&w), rows[i].len);
        assert_memory_equal(room, rows[i].bytes, rows[i].len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(payload_is_the_same_however_the_stream_is_cut),
        cmocka_unit_test(a_stream_cut_once_at_each_byte_gives_the_same),
        cmocka_unit_test(every_bad_frame_is_refused_with_its_code_and_nothing_after_it_is_read),
        cmocka_unit_test(codes_that_may_close_are_taken),
        cmocka_unit_test(payload_before_a_close_counts_and_what_follows_does_not),
        cmocka_unit_test(frames_without_payload_are_counted_in_a_row),
        cmocka_unit_test(our_headers_use_the_shortest_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
