/* SPDX-License-Identifier: BSD-3-Clause */
/* Output that waits for the log inside TLS and WebSocket: what is held is not sealed. */
#include <zlib.h>

#include "unit/net/hold_rig.h"
#include "unit/net/tls_rig.h"

#define REQUEST                                                                                    \
    "GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"               \
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: mqtt\r\n"              \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"

static const struct ws_options web = {.path = "/mqtt"};
static const struct ws_options zipping_web = {.path = "/mqtt", .deflate = true};

/* ---- TLS ----------------------------------------------------------------------------------- */

struct scene {
    struct authority *a;
    struct tls_context *x;
    struct rig *r;
    struct visitor *t;
};

/* A TLS client that has been greeted and has read its ticket. */
static struct scene scene_new(const struct ws_options *o)
{
    struct scene s = {.a = authority_new(), .r = hold_rig()};
    struct tls_options tls = server_options(s.a);
    uint8_t buf[16];

    s.x = context_of(&tls);
    atomic_store(&s.r->listener.tls, s.x);
    s.r->listener.ws = o;
    s.t = client_new(s.a, rig_stream(s.r));
    assert_true(client_greet(s.r, s.t));
    client_hear(s.t, buf, sizeof buf);
    return s;
}

static void scene_free(struct scene *s)
{
    client_free(s->t);
    rig_free(s->r);
    tls_context_free(&s->x);
    authority_free(s->a);
}

static void assert_client_hears(struct visitor *t, const char *wanted)
{
    uint8_t got[256] = "";
    assert_int_equal(client_hear(t, got, sizeof got - 1), strlen(wanted));
    assert_string_equal((const char *)got, wanted);
}

static void tls_seals_what_is_held_when_the_disk_has_answered(void **state)
{
    struct scene s = scene_new(NULL);
    struct conn *c = s.r->probe.conn;

    (void)state;
    send_text(c, "before ");
    send_behind(c, 100, "behind ");
    rig_turn(s.r, 1);
    assert_client_hears(s.t, "before ");
    send_text(c, "later");
    rig_turn(s.r, 2);
    assert_int_equal(records_waiting(s.t->fd), 0);
    assert_at_rest(s.r);
    disk_has(s.r, 100);
    assert_int_equal(records_waiting(s.t->fd), 1);
    assert_client_hears(s.t, "behind later");
    assert_null(c->hold);
    scene_free(&s);
}

static void tls_says_goodbye_behind_what_was_held(void **state)
{
    struct scene s = scene_new(NULL);

    (void)state;
    send_behind(s.r->probe.conn, 100, "behind");
    conn_close(s.r->probe.conn, 0);
    rig_turn(s.r, 2);
    assert_int_equal(records_waiting(s.t->fd), 0);
    disk_has(s.r, 100);
    assert_client_hears(s.t, "behind");
    assert_true(SSL_get_shutdown(s.t->ssl) & SSL_RECEIVED_SHUTDOWN);
    scene_free(&s);
}

static void tls_says_only_goodbye_when_the_log_has_failed(void **state)
{
    struct scene s = scene_new(NULL);

    (void)state;
    send_text(s.r->probe.conn, "before ");
    send_behind(s.r->probe.conn, 100, "behind");
    net_drop_held(s.r->net[0]);
    rig_turn(s.r, 1);
    assert_client_hears(s.t, "before ");
    assert_true(SSL_get_shutdown(s.t->ssl) & SSL_RECEIVED_SHUTDOWN);
    scene_free(&s);
}

static void much_behind_much_through_a_slow_tls_socket_keeps_its_order(void **state)
{
    enum { PART = 1 << 20, PARTS = 3 };
    struct scene s = scene_new(NULL);
    uint8_t *p = malloc(PART * PARTS), *q = malloc(PART * PARTS);
    size_t got = 0;

    (void)state;
    assert_true(p && q);
    rig_fill(p, PART * PARTS, 0);
    for (uint64_t i = 0; i < PARTS; i++) {
        conn_hold(s.r->probe.conn, i * 100);
        assert_int_equal(conn_send(s.r->probe.conn, bytes_of(p + i * PART, PART)), 0);
    }
    for (uint64_t i = 0; i < PARTS; i++) {
        disk_has(s.r, i * 100);
        for (int k = 0; k < 500; k++) {
            got += client_hear(s.t, q + got, PART * PARTS - got);
            rig_turn(s.r, 1);
        }
        assert_int_equal(got, (i + 1) * PART);
    }
    assert_stream(q, got, 0);
    free(p);
    free(q);
    scene_free(&s);
}

/* ---- WebSocket --------------------------------------------------------------------------------
 */

static int ws_client(struct rig *r, const struct ws_options *o)
{
    char answer[512];

    r->listener.ws = o;
    int fd = rig_stream(r);
    rig_say(fd, REQUEST, sizeof REQUEST - 1);
    rig_turn(r, 1);
    assert_true(rig_hear(fd, answer, sizeof answer) > 12);
    assert_memory_equal(answer, "HTTP/1.1 101", 12);
    return fd;
}

static void a_frame_has_only_what_may_leave_and_a_pong_waits_for_no_disk(void **state)
{
    struct rig *r = hold_rig();
    int fd = ws_client(r, &web);

    (void)state;
    send_text(r->probe.conn, "ab");
    send_behind(r->probe.conn, 100, "cd");
    rig_turn(r, 1);
    assert_hears(fd, "\x82\x02"
                     "ab");
    rig_say(fd, "\x89\x82\0\0\0\0hi", 8);
    rig_turn(r, 1);
    assert_hears(fd, "\x8A\x02hi");
    assert_at_rest(r);
    disk_has(r, 100);
    assert_hears(fd, "\x82\x02"
                     "cd");
    close(fd);
    rig_free(r);
}

static void a_close_frame_comes_behind_what_was_held(void **state)
{
    struct rig *r = hold_rig();
    int fd = ws_client(r, &web);

    (void)state;
    send_behind(r->probe.conn, 100, "ab");
    rig_say(fd, "\x88\x80\0\0\0\0", 6); /* the client's */
    rig_turn(r, 2);
    assert_int_equal(r->probe.closes, 1);
    assert_hears(fd, "");
    disk_has(r, 100);
    char got[16];
    assert_int_equal(rig_hear(fd, got, sizeof got), 6);
    assert_memory_equal(got,
                        "\x82\x02"
                        "ab\x88\x00",
                        6);
    assert_hears_the_end(fd);
    close(fd);
    rig_free(r);
}

/* What a compressed frame of up to 125 bytes stands for. */
static size_t unpack(const uint8_t *frame, uint8_t *out, size_t room)
{
    uint8_t in[256];
    size_t n = frame[1];
    z_stream z = {.next_in = in, .avail_in = (uInt)n + 4, .next_out = out};

    assert_int_equal(frame[0], 0xC2);
    memcpy(in, frame + 2, n);
    memcpy(in + n, "\0\0\xFF\xFF", 4);
    z.avail_out = (uInt)room;
    assert_int_equal(inflateInit2(&z, -15), Z_OK);
    assert_true(inflate(&z, Z_SYNC_FLUSH) >= 0);
    inflateEnd(&z);
    return room - z.avail_out;
}

static void only_what_may_leave_is_compressed(void **state)
{
    struct rig *r = hold_rig();
    int fd = ws_client(r, &zipping_web);
    uint8_t buf[256], out[1024], text[300];

    (void)state;
    memset(text, 'a', sizeof text);
    assert_int_equal(conn_send(r->probe.conn, bytes_of(text, 200)), 0);
    conn_hold(r->probe.conn, 100);
    assert_int_equal(conn_send(r->probe.conn, bytes_of(text, 300)), 0);
    rig_turn(r, 2);
    assert_true(rig_hear(fd, buf, sizeof buf) > 2);
    assert_int_equal(unpack(buf, out, sizeof out), 200);
    assert_hears(fd, "");
    disk_has(r, 100);
    assert_true(rig_hear(fd, buf, sizeof buf) > 2);
    assert_int_equal(unpack(buf, out, sizeof out), 300);
    close(fd);
    rig_free(r);
}

static void a_websocket_in_tls_holds_as_well(void **state)
{
    struct scene s = scene_new(&web);
    uint8_t buf[512];

    (void)state;
    client_say(s.t, REQUEST, sizeof REQUEST - 1);
    rig_turn(s.r, 2);
    assert_true(client_hear(s.t, buf, sizeof buf) > 12);
    send_text(s.r->probe.conn, "ab");
    send_behind(s.r->probe.conn, 100, "cd");
    rig_turn(s.r, 2);
    assert_client_hears(s.t, "\x82\x02"
                             "ab");
    disk_has(s.r, 100);
    assert_client_hears(s.t, "\x82\x02"
                             "cd");
    scene_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tls_seals_what_is_held_when_the_disk_has_answered),
        cmocka_unit_test(tls_says_goodbye_behind_what_was_held),
        cmocka_unit_test(tls_says_only_goodbye_when_the_log_has_failed),
        cmocka_unit_test(much_behind_much_through_a_slow_tls_socket_keeps_its_order),
        cmocka_unit_test(a_frame_has_only_what_may_leave_and_a_pong_waits_for_no_disk),
        cmocka_unit_test(a_close_frame_comes_behind_what_was_held),
        cmocka_unit_test(only_what_may_leave_is_compressed),
        cmocka_unit_test(a_websocket_in_tls_holds_as_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
