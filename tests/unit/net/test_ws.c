/* SPDX-License-Identifier: BSD-3-Clause */
/* WebSocket connections of a rig; the client's frames are written by hand. */
#include "net/net_internal.h"
#include "net/transport.h"
#include "unit/net/rig.h"
#include "unit/net/tls_rig.h"

static const char request[] =
    "GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    "Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Version: 13\r\n\r\n";
static const struct ws_options options = {.path = "/mqtt"};

static struct rig *ws_rig(void)
{
    struct rig *r = rig_default();
    r->listener.ws = &options;
    return r;
}

/* A client whose handshake is done. */
static int ws_client(struct rig *r)
{
    char buf[512];
    int fd = rig_stream(r);
    rig_say(fd, request, sizeof request - 1);
    rig_turn(r, 1);
    long n = rig_hear(fd, buf, sizeof buf);
    assert_true(n > 12);
    assert_memory_equal(buf, "HTTP/1.1 101", 12);
    return fd;
}

/* A whole frame of up to 125 bytes with a mask of zeros. */
static void frame_say(int fd, unsigned first, const void *p, size_t n)
{
    uint8_t buf[256] = {(uint8_t)first, (uint8_t)(0x80 | n)};
    if (n) memcpy(buf + 6, p, n);
    rig_say(fd, buf, n + 6);
}

static void bytes_pass_both_ways_in_binary_frames(void **state)
{
    struct rig *r = ws_rig();
    char buf[64];

    (void)state;
    int fd = ws_client(r);
    frame_say(fd, 0x02, "hel", 3);
    frame_say(fd, 0x80, "lo", 2);
    rig_turn(r, 1);
    assert_int_equal(r->probe.seen_n, 5);
    assert_memory_equal(r->probe.seen, "hello", 5);
    for (int i = 0; i < 3; i++)
        assert_int_equal(conn_send(r->probe.conn, BYTES("ab")), 0);
    rig_turn(r, 1);
    assert_int_equal(rig_hear(fd, buf, sizeof buf), 8); /* one frame for the turn */
    assert_memory_equal(buf,
                        "\x82\x06"
                        "ababab",
                        8);
    close(fd);
    rig_turn(r, 2);
    assert_int_equal(r->probe.closes, 1);
    rig_free(r);
}

static void frames_may_follow_the_request_at_once(void **state)
{
    struct rig *r = ws_rig();
    char all[512];
    size_t n = sizeof request - 1;

    (void)state;
    memcpy(all, request, n);
    memcpy(all + n, "\x82\x82\0\0\0\0hi", 8);
    int fd = rig_stream(r);
    for (size_t i = 0; i < n + 8; i += 50) {
        rig_say(fd, all + i, n + 8 - i < 50 ? n + 8 - i : 50);
        rig_turn(r, 1);
    }
    assert_int_equal(r->probe.seen_n, 2);
    assert_memory_equal(r->probe.seen, "hi", 2);
    close(fd);
    rig_free(r);
}

static void a_flood_of_pings_is_answered_once_a_turn(void **state)
{
    struct rig *r = ws_rig();
    char buf[64];

    (void)state;
    int fd = ws_client(r);
    for (int i = 0; i < 50; i++)
        frame_say(fd, 0x89, i == 49 ? "last" : "more", 4);
    rig_turn(r, 1);
    assert_int_equal(rig_hear(fd, buf, sizeof buf), 6);
    assert_memory_equal(buf, "\x8A\x04last", 6);
    close(fd);
    rig_free(r);
}

static void a_close_is_echoed_after_what_was_said_before_it(void **state)
{
    struct rig *r = ws_rig();
    char buf[64];

    (void)state;
    int fd = ws_client(r);
    frame_say(fd, 0x82, "x", 1);
    frame_say(fd, 0x88, "\x0F\xA0", 2);
    rig_turn(r, 2);
    assert_int_equal(r->probe.seen_n, 1);
    assert_int_equal(r->probe.closes, 1);
    assert_int_equal(r->probe.why, -ERR_CLOSED);
    assert_int_equal(rig_hear(fd, buf, sizeof buf), 4);
    assert_memory_equal(buf, "\x88\x02\x0F\xA0", 4);
    assert_int_equal(rig_hear(fd, buf, sizeof buf), 0);
    close(fd);
    rig_free(r);
}

static void our_close_comes_after_the_last_output(void **state)
{
    struct rig *r = ws_rig();
    char buf[64];

    (void)state;
    int fd = ws_client(r);
    assert_int_equal(conn_send(r->probe.conn, BYTES("bye")), 0);
    conn_close(r->probe.conn, -ERR_PROTOCOL);
    rig_turn(r, 2);
    assert_int_equal(rig_hear(fd, buf, sizeof buf), 9);
    assert_memory_equal(buf,
                        "\x82\x03"
                        "bye\x88\x02\x03\xEA",
                        9);
    close(fd);
    rig_free(r);
}

static void a_bad_frame_is_answered_with_its_code(void **state)
{
    struct rig *r = ws_rig();
    char buf[64];

    (void)state;
    int fd = ws_client(r);
    frame_say(fd, 0x81, "text", 4);
    rig_turn(r, 2);
    assert_int_equal(r->probe.seen_n, 0);
    assert_int_equal(r->probe.why, -ERR_PROTOCOL);
    assert_int_equal(rig_hear(fd, buf, sizeof buf), 4);
    assert_memory_equal(buf, "\x88\x02\x03\xEB", 4);
    close(fd);
    rig_free(r);
}

static void a_refused_request_is_answered_and_no_protocol_hears_of_it(void **state)
{
    struct rig *r = ws_rig();
    char buf[256];
    int fd = rig_stream(r);

    (void)state;
    rig_say(fd, "GET /x HTTP/1.1\r\n\r\n\x82\x80", 21);
    rig_turn(r, 2);
    assert_true(rig_hear(fd, buf, sizeof buf) > 12);
    assert_memory_equal(buf, "HTTP/1.1 404", 12);
    assert_int_equal(r->probe.calls, 0);
    assert_int_equal(r->probe.closes, 1);
    assert_int_equal(rig_count(r, 0, C_handshakes_failed), 1);
    close(fd);
    rig_free(r);
}

static void a_silent_request_ends_after_five_seconds(void **state)
{
    struct rig *r = ws_rig();
    int fd = rig_stream(r);

    (void)state;
    rig_say(fd, request, 30);
    rig_turn(r, 1);
    for (int i = 0; i < 20; i++)
        wheel_run(&r->core[0].wheel, core_now_s(&r->core[0]) + HANDSHAKE_S + 2);
    rig_turn(r, 1);
    assert_int_equal(r->probe.why, -ERR_TIMEOUT);
    close(fd);
    rig_free(r);
}

static long take_when_moved(struct probe *p, struct conn *c, struct bytes in)
{
    if (net_core(c->net)->id == 0) {
        if (in.n < 2) return 0;
        assert_int_equal(conn_hand_over(c, 1, 7, in), 0);
        return (long)in.n;
    }
    probe_take(p, in);
    return (long)in.n;
}

static void a_connection_moves_in_the_middle_of_a_frame(void **state)
{
    struct rig *r = ws_rig();
    char buf[64];

    (void)state;
    r->probe.bytes = take_when_moved;
    int fd = ws_client(r);
    frame_say(fd, 0x89, "ping", 4); /* its answer moves too */
    rig_say(fd,
            "\x82\x88"
            "mask"
            "\x0A\x0E",
            8);
    rig_turn(r, 3);
    rig_say(fd, "\x1C\x0F\x0F\x18\x16\x4A\x82", 7); /* the rest, and half a header */
    rig_turn(r, 2);
    rig_say(fd, "\x81\0\0\0\0!", 6);
    rig_turn(r, 2);
    assert_int_equal(r->probe.moves, 1);
    assert_int_equal(r->probe.seen_n, 9);
    assert_memory_equal(r->probe.seen, "goodbye!!", 9);
    assert_int_equal(rig_hear(fd, buf, sizeof buf), 6);
    assert_memory_equal(buf, "\x8A\x04ping", 6);
    close(fd);
    rig_free(r);
}

static long pause_once(struct probe *p, struct conn *c, struct bytes in)
{
    if (p->calls == 1) {
        conn_pause(c);
        return 0;
    }
    probe_take(p, in);
    return (long)in.n;
}

static void a_protocol_that_pauses_still_gets_what_came_before_the_close(void **state)
{
    struct rig *r = ws_rig();

    (void)state;
    r->probe.bytes = pause_once;
    int fd = ws_client(r);
    frame_say(fd, 0x82, "abc", 3);
    frame_say(fd, 0x88, NULL, 0);
    rig_turn(r, 3);
    assert_int_equal(r->probe.closes, 0);
    conn_resume(r->probe.conn);
    rig_turn(r, 2);
    assert_int_equal(r->probe.seen_n, 3);
    assert_int_equal(r->probe.closes, 1);
    close(fd);
    rig_free(r);
}

static void a_websocket_works_inside_tls(void **state)
{
    struct authority *a = authority_new();
    struct tls_options o = server_options(a);
    struct tls_context *x = context_of(&o);
    struct rig *r = ws_rig();
    uint8_t buf[512];

    (void)state;
    atomic_store(&r->listener.tls, x);
    struct visitor *t = client_new(a, rig_stream(r));
    assert_true(client_greet(r, t));
    client_say(t, request, sizeof request - 1);
    rig_turn(r, 1);
    size_t n = client_hear(t, buf, sizeof buf);
    assert_true(n > 12);
    assert_memory_equal(buf, "HTTP/1.1 101", 12);
    client_say(t, "\x82\x82\0\0\0\0hi", 8);
    rig_turn(r, 1);
    assert_int_equal(r->probe.seen_n, 2);
    assert_int_equal(conn_send(r->probe.conn, BYTES("ok")), 0);
    conn_close(r->probe.conn, 0);
    rig_turn(r, 2);
    assert_int_equal(client_hear(t, buf, sizeof buf), 8);
    assert_memory_equal(buf, "\x82\x02ok\x88\x02\x03\xE8", 8);
    client_free(t);
    rig_free(r);
    tls_context_free(&x);
    authority_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_pass_both_ways_in_binary_frames),
        cmocka_unit_test(frames_may_follow_the_request_at_once),
        cmocka_unit_test(a_flood_of_pings_is_answered_once_a_turn),
        cmocka_unit_test(a_close_is_echoed_after_what_was_said_before_it),
        cmocka_unit_test(our_close_comes_after_the_last_output),
        cmocka_unit_test(a_bad_frame_is_answered_with_its_code),
        cmocka_unit_test(a_refused_request_is_answered_and_no_protocol_hears_of_it),
        cmocka_unit_test(a_silent_request_ends_after_five_seconds),
        cmocka_unit_test(a_connection_moves_in_the_middle_of_a_frame),
        cmocka_unit_test(a_protocol_that_pauses_still_gets_what_came_before_the_close),
        cmocka_unit_test(a_websocket_works_inside_tls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
