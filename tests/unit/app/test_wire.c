/* SPDX-License-Identifier: BSD-3-Clause */
/* The load generator's WebSocket, against bytes written by hand. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "app/bench/wire.h"
#include "base/err.h"

static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";

struct scene {
    struct wire_rules rules;
    struct wire wire;
    int peer;
};

static struct scene *scene_new(void)
{
    static struct scene s;
    int fd[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
    memset(&s, 0, sizeof s);
    assert_int_equal(wire_rules_init(&s.rules, WIRE_WS, false), 0);
    assert_int_equal(wire_open(&s.wire, &s.rules, fd[0]), 0);
    s.peer = fd[1];
    return &s;
}

static void scene_free(struct scene *s)
{
    wire_close(&s->wire);
    wire_rules_fini(&s->rules);
    close(s->wire.fd);
    close(s->peer);
}

static void say(const struct scene *s, const void *p, size_t n)
{
    assert_int_equal(write(s->peer, p, n), n);
}

static struct scene *opened(void)
{
    struct scene *s = scene_new();
    assert_int_equal(wire_step(&s->wire), -ERR_AGAIN);
    say(s, answer, sizeof answer - 1);
    assert_int_equal(wire_step(&s->wire), 0);
    return s;
}

static void names_of_transports_are_known(void **state)
{
    (void)state;
    assert_int_equal(wire_kind_find("tcp"), WIRE_TCP);
    assert_int_equal(wire_kind_find("wss"), WIRE_WSS);
    assert_int_equal(wire_kind_find("quic"), -ERR_INVALID);
}

static void an_answer_may_come_byte_by_byte(void **state)
{
    (void)state;
    struct scene *s = scene_new();
    for (size_t i = 0; i < sizeof answer - 1; i++) {
        assert_int_equal(wire_step(&s->wire), -ERR_AGAIN);
        say(s, answer + i, 1);
    }
    assert_int_equal(wire_step(&s->wire), 0);
    scene_free(s);
}

static void another_answer_than_101_is_refused(void **state)
{
    (void)state;
    struct scene *s = scene_new();
    assert_int_equal(wire_step(&s->wire), -ERR_AGAIN);
    say(s, "HTTP/1.1 403 Forbidden\r\n\r\n", 26);
    assert_int_equal(wire_step(&s->wire), -ERR_PROTOCOL);
    scene_free(s);
}

/* "abc", a ping, and 300 bytes of "x", cut at each byte: the payload comes out whole. */
static void payload_comes_out_of_frames_however_they_are_cut(void **state)
{
    uint8_t in[600], out[600];
    size_t n = 0;

    (void)state;
    memcpy(in,
           "\x82\x03"
           "abc"
           "\x89\x02hi"
           "\x82\x7e\x01\x2c",
           13);
    memset(in + 13, 'x', 300);
    n = 313;
    for (size_t cut = 1; cut < n; cut++) {
        struct scene *s = opened();
        size_t got = 0;
        for (int part = 0; part < 2; part++) {
            say(s, part ? in + cut : in, part ? n - cut : cut);
            long r = wire_recv(&s->wire, out + got, sizeof out - got);
            assert_true(r > 0 || r == -ERR_AGAIN);
            got += r > 0 ? (size_t)r : 0;
        }
        assert_int_equal(got, 303);
        assert_memory_equal(out, "abc", 3);
        for (size_t i = 3; i < got; i++)
            assert_int_equal(out[i], 'x');
        scene_free(s);
    }
}

static void a_close_frame_is_the_end(void **state)
{
    uint8_t out[16];

    (void)state;
    struct scene *s = opened();
    say(s, "\x88\x02\x03\xe8", 4);
    assert_int_equal(wire_recv(&s->wire, out, sizeof out), -ERR_CLOSED);
    scene_free(s);
}

static void frames_have_the_shortest_length_and_a_mask(void **state)
{
    static const struct {
        size_t payload, header;
        uint8_t length;
    } rows[] = {{1, 6, 1}, {125, 6, 125}, {126, 8, 126}, {65535, 8, 126}, {65536, 14, 127}};
    static uint8_t in[65536], out[65536 + WIRE_HEADER_MAX];

    (void)state;
    struct scene *s = opened();
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (uint8_t)(i * 7);
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct bytes f = wire_frame(&s->wire, out, bytes_of(in, rows[r].payload));
        assert_int_equal(f.n, rows[r].payload + rows[r].header);
        assert_int_equal(f.p[0], 0x82);
        assert_int_equal(f.p[1], 0x80 | rows[r].length);
        const uint8_t *mask = f.p + rows[r].header - 4;
        for (size_t i = 0; i < rows[r].payload; i++)
            assert_int_equal(f.p[rows[r].header + i] ^ mask[i % 4], in[i]);
    }
    scene_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_transports_are_known),
        cmocka_unit_test(an_answer_may_come_byte_by_byte),
        cmocka_unit_test(another_answer_than_101_is_refused),
        cmocka_unit_test(payload_comes_out_of_frames_however_they_are_cut),
        cmocka_unit_test(a_close_frame_is_the_end),
        cmocka_unit_test(frames_have_the_shortest_length_and_a_mask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
