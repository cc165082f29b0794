/* SPDX-License-Identifier: BSD-3-Clause */
#include "request.h"

enum { MOST = 64 };

static struct http_body body_of(bool chunked, uint64_t length)
{
    struct http_head h = {.length = length, .flags = chunked ? HTTP_CHUNKED : HTTP_LENGTH};
    struct http_body b;

    http_body_start(&b, &h, MOST);
    return b;
}

/* Reads `in` in pieces of `step` bytes. Returns the bytes taken, or a negated status; the body is
 * then in out[0..*n). */
static long read_in_steps(struct http_body *b, struct bytes in, size_t step, struct writer *out)
{
    size_t used = 0;

    while (used < in.n && !http_body_done(b)) {
        size_t n = step < in.n - used ? step : in.n - used;
        struct bytes piece, some = bytes_of(in.p + used, n);
        long took = http_body_read(b, some, &piece);
        if (took < 0) return took;
        assert_true(took > 0 && (size_t)took <= n);
        wr_bytes(out, piece);
        used += (size_t)took;
    }
    return (long)used;
}

/* `text` makes `want`, or is answered with `status`, in whatever steps it comes. */
static void judge(const char *text, const char *want, long status)
{
    struct bytes in = bytes_str(text);

    for (size_t step = 1; step <= in.n; step++) {
        uint8_t room[MOST];
        struct writer w = wr_of(room, sizeof room);
        struct http_body b = body_of(true, 0);
        long result = read_in_steps(&b, in, step, &w);
        if (status) {
            if (result != -status) fail_msg("%s: %ld instead of %ld", text, result, -status);
            continue;
        }
        if (result < 0 || !http_body_done(&b)) fail_msg("%s: %ld", text, result);
        assert_bytes(bytes_of(room, wr_len(&w)), want);
    }
}

static void chunks_are_put_together(void **state)
{
    (void)state;
    judge("0\r\n\r\n", "", 0);
    judge("5\r\nhello\r\n0\r\n\r\n", "hello", 0);
    judge("5\r\nhello\r\n1\r\n!\r\n000\r\n\r\n", "hello!", 0);
    judge("A\r\n0123456789\r\n0\r\n\r\n", "0123456789", 0);
    judge("a\r\n\r\n\r\n\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n\r\n\r\n\r\n", 0);
    judge("5;a=b;c=\"d\"\r\nhello\r\n0;e\r\n\r\n", "hello", 0);
    judge("0\r\nA: b\r\nC: d\r\n\r\n", "", 0);
}

static void bad_chunks_are_refused(void **state)
{
    (void)state;
    judge("\r\n", NULL, 400);
    judge("-5\r\nhello", NULL, 400);
    judge("+5\r\nhello", NULL, 400);
    judge("0x5\r\nhello", NULL, 400);
    judge(" 5\r\nhello", NULL, 400);
    judge("5 \r\nhello", NULL, 400);
    judge("g\r\n", NULL, 400);
    judge(";a\r\n", NULL, 400);
    judge("5\nhello", NULL, 400);
    judge("5\rhello", NULL, 400);
    judge("5;a\nhello", NULL, 400);
    judge("5;a\x01\r\nhello", NULL, 400);
    judge("5;a\x7f\r\nhello", NULL, 400);
    judge("5\r\nhelloXX\r\n", NULL, 400);
    judge("5\r\nhello\n0", NULL, 400);
    judge("5\r\nhello\rX", NULL, 400);
    judge("0\r\nA: b\n", NULL, 400);
    judge("0\r\nA: b\rC", NULL, 400);
    judge("0\r\n a: b\r\n", NULL, 400);
    judge("0\r\nA: \x01\r\n", NULL, 400);
    judge("0\r\n\rX", NULL, 400);
}

static void sizes_are_bounded(void **state)
{
    (void)state;
    judge("41\r\n", NULL, 413);
    judge("ffffffffffffffff\r\n", NULL, 413);
    judge("10000000000000005\r\n", NULL, 413);
    judge("00000000000000000\r\n", NULL, 400);
    judge("30\r\n012345678901234567890123456789012345678901234567\r\n11\r\n", NULL, 413);
}

static long feed_many(const char *first, const char *again, unsigned times)
{
    struct http_body b = body_of(true, 0);
    struct bytes piece, in = bytes_str(first);
    long result = http_body_read(&b, in, &piece);

    for (unsigned i = 0; result >= 0 && i < times; i++)
        result = http_body_read(&b, bytes_str(again), &piece);
    return result;
}

static void extensions_and_trailers_are_bounded(void **state)
{
    (void)state;
    assert_true(feed_many("1;", "a", 100) >= 0);
    assert_int_equal(feed_many("1;", "a", 200), -400);
    assert_true(feed_many("0\r\n", "A: b\r\n", 100) >= 0);
    assert_int_equal(feed_many("0\r\n", "A: b\r\n", 200), -431);
    assert_int_equal(feed_many("0\r\n", "a", 2000), -431);
}

static void a_length_is_kept_to(void **state)
{
    struct http_body b = body_of(false, 5);
    struct bytes piece;

    (void)state;
    assert_int_equal(http_body_read(&b, BYTES("hel"), &piece), 3);
    assert_bytes(piece, "hel");
    assert_false(http_body_done(&b));
    assert_int_equal(http_body_read(&b, BYTES("loGET /"), &piece), 2);
    assert_bytes(piece, "lo");
    assert_true(http_body_done(&b));
    assert_int_equal(http_body_read(&b, BYTES("GET /"), &piece), 0);
    assert_int_equal(piece.n, 0);
}

static void what_follows_the_last_chunk_is_left_alone(void **state)
{
    static const char text[] = "0\r\n\r\nGET / HTTP/1.1\r\n";
    struct http_body b = body_of(true, 0);
    struct bytes piece;

    (void)state;
    assert_int_equal(http_body_read(&b, bytes_str(text), &piece), 5);
    assert_true(http_body_done(&b));
}

static void nothing_announced_is_nothing_read(void **state)
{
    struct http_body b = body_of(false, 0);

    (void)state;
    assert_true(http_body_done(&b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_are_put_together),
        cmocka_unit_test(bad_chunks_are_refused),
        cmocka_unit_test(sizes_are_bounded),
        cmocka_unit_test(extensions_and_trailers_are_bounded),
        cmocka_unit_test(a_length_is_kept_to),
        cmocka_unit_test(what_follows_the_last_chunk_is_left_alone),
        cmocka_unit_test(nothing_announced_is_nothing_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
