/* SPDX-License-Identifier: BSD-3-Clause */
/* Connections behind a proxy that says for whom they are. */
#include "unit/net/tls_rig.h"

static const char header[] = "PROXY TCP4 192.0.2.1 10.0.0.1 12345 1883\r\n";
enum { HEADER = sizeof header - 1 };

/* Socket pairs have no address, which is what all zeros are. */
static const struct proxy_options anybody = {.nfrom = 1};
static const struct proxy_options loopback = {
    .from = {{.ip = {[10] = 0xFF, [11] = 0xFF, 127}, .bits = 104}},
    .nfrom = 1,
};

static struct rig *behind_a_proxy(void)
{
    struct rig *r = rig_default();
    r->listener.proxy = &anybody;
    return r;
}

static void assert_client(const struct rig *r)
{
    char text[PEER_TEXT];
    assert_non_null(r->probe.conn);
    assert_string_equal(conn_peer_text(r->probe.conn, text), "192.0.2.1:12345");
}

static void a_protocol_is_opened_when_the_header_has_told_who_it_is(void **state)
{
    struct rig *r = behind_a_proxy();
    int fd = rig_stream(r);

    (void)state;
    rig_say(fd, header, HEADER - 1);
    rig_turn(r, 2);
    assert_int_equal(r->probe.opens, 0);
    assert_int_equal(r->net[0]->handshakes, 1);
    rig_say(fd, "\nhello", 6);
    rig_turn(r, 2);
    assert_int_equal(r->probe.opens, 1);
    assert_client(r);
    assert_int_equal(r->probe.seen_n, 5);
    assert_int_equal(r->net[0]->handshakes, 0);
    assert_null(r->probe.conn->transport); /* plain from now on */
    close(fd);
    rig_turn(r, 2);
    assert_int_equal(r->probe.closes, 1);
    rig_free(r);
}

static void a_header_alone_opens_the_protocol_and_a_second_one_is_the_protocols(void **state)
{
    struct rig *r = behind_a_proxy();
    int fd = rig_stream(r);

    (void)state;
    rig_say(fd, header, HEADER);
    rig_turn(r, 2);
    assert_client(r);
    assert_int_equal(r->probe.calls, 0);
    rig_say(fd, header, HEADER);
    rig_turn(r, 2);
    assert_int_equal(r->probe.seen_n, HEADER);
    close(fd);
    rig_free(r);
}

static long move_at_once(struct probe *p, struct conn *c, struct bytes in)
{
    if (net_core(c->net)->id == 1) {
        probe_take(p, in);
        return (long)in.n;
    }
    assert_int_equal(conn_hand_over(c, 1, 7, in), 0);
    return (long)in.n;
}

static void who_the_client_is_moves_with_it(void **state)
{
    struct rig *r = behind_a_proxy();
    int fd = rig_stream(r);

    (void)state;
    r->probe.bytes = move_at_once;
    rig_say(fd, header, HEADER);
    rig_say(fd, "hello", 5);
    rig_turn(r, 4);
    assert_int_equal(net_core(r->probe.conn->net)->id, 1);
    assert_client(r);
    assert_int_equal(r->probe.seen_n, 5);
    close(fd);
    rig_free(r);
}

static void a_wrong_header_closes_before_the_protocol_sees_anything(void **state)
{
    struct rig *r = behind_a_proxy();
    int fd = rig_stream(r);
    char byte;

    (void)state;
    rig_say(fd, "\x10\x10\x00\x04MQTT", 8);
    rig_turn(r, 2);
    assert_int_equal(r->probe.opens, 0);
    assert_int_equal(r->probe.closes, 0);
    assert_int_equal(rig_count(r, 0, C_proxy_refused), 1);
    assert_int_equal(rig_count(r, 0, C_connections_dropped), 1);
    assert_int_equal(net_connections(r->net[0]), 0);
    assert_int_not_equal(rig_hear(fd, &byte, 1), 1);
    close(fd);
    rig_free(r);
}

static void only_listed_addresses_may_speak_for_others(void **state)
{
    struct rig *r = rig_default();
    int pair[2];

    (void)state;
    r->listener.proxy = &loopback;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    assert_int_equal(net_adopt_fd(r->net[0], &r->listener, pair[0], NULL), -ERR_DENIED);
    assert_int_equal(rig_count(r, 0, C_proxy_refused), 1);
    close(pair[1]);
    rig_listen(r);
    int fd = rig_connect(r);
    rig_say(fd, header, HEADER);
    rig_turn(r, 3);
    assert_client(r);
    close(fd);
    rig_free(r);
}

static void a_header_that_does_not_come_ends_the_connection(void **state)
{
    struct rig *r = behind_a_proxy();
    struct core *c = &r->core[0];
    int fd = rig_stream(r);

    (void)state;
    rig_say(fd, header, 10);
    rig_turn(r, 1);
    for (int i = 0; i < 20; i++)
        wheel_run(&c->wheel, core_now_s(c) + HANDSHAKE_S);
    rig_turn(r, 1);
    assert_int_equal(net_connections(r->net[0]), 1);
    for (int i = 0; i < 20; i++)
        wheel_run(&c->wheel, core_now_s(c) + HANDSHAKE_S + 2);
    rig_turn(r, 1);
    assert_int_equal(net_connections(r->net[0]), 0);
    assert_int_equal(r->probe.opens, 0);
    assert_int_equal(r->probe.closes, 0);
    close(fd);
    rig_free(r);
}

static int refuse_all(struct probe *p, struct conn *c)
{
    (void)p;
    (void)c;
    return -ERR_FULL;
}

static void a_protocol_that_refuses_the_client_gets_none_of_its_bytes(void **state)
{
    struct rig *r = behind_a_proxy();
    int fd = rig_stream(r);

    (void)state;
    r->probe.open = refuse_all;
    rig_say(fd, header, HEADER);
    rig_say(fd, "hello", 5);
    rig_turn(r, 3);
    assert_int_equal(r->probe.calls, 0);
    assert_int_equal(r->probe.closes, 0);
    assert_int_equal(net_connections(r->net[0]), 0);
    close(fd);
    rig_free(r);
}

static void tls_begins_behind_the_header_even_in_the_same_read(void **state)
{
    struct authority *a = authority_new();
    struct tls_options o = server_options(a);
    struct tls_context *x = context_of(&o);
    struct rig *r = behind_a_proxy();
    uint8_t buf[16];

    (void)state;
    atomic_store(&r->listener.tls, x);
    int fd = rig_stream(r);
    rig_say(fd, header, HEADER);
    struct visitor *t = client_new(a, fd); /* its hello follows before the core looks */
    assert_true(client_greet(r, t));
    client_say(t, "hello", 5);
    rig_turn(r, 2);
    assert_client(r);
    assert_int_equal(r->probe.seen_n, 5);
    assert_int_equal(conn_send(r->probe.conn, BYTES("answer")), 0);
    rig_turn(r, 1);
    assert_int_equal(client_hear(t, buf, sizeof buf), 6);
    client_free(t);
    rig_free(r);
    tls_context_free(&x);
    authority_free(a);
}

static void a_websocket_begins_behind_the_header(void **state)
{
    static const struct ws_options web = {.path = "/mqtt"};
    static const char request[] = "GET /mqtt HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                                  "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                  "Sec-WebSocket-Protocol: mqtt\r\n\r\n"
                                  "\x82\x85\0\0\0\0hello";
    struct rig *r = behind_a_proxy();
    char answer[512] = "";

    (void)state;
    r->listener.ws = &web;
    int fd = rig_stream(r);
    rig_say(fd, header, HEADER);
    rig_say(fd, request, sizeof request - 1);
    rig_turn(r, 2);
    assert_client(r);
    assert_int_equal(r->probe.seen_n, 5);
    assert_true(rig_hear(fd, answer, sizeof answer - 1) > 0);
    assert_memory_equal(answer, "HTTP/1.1 101 ", 13);
    close(fd);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_protocol_is_opened_when_the_header_has_told_who_it_is),
        cmocka_unit_test(a_header_alone_opens_the_protocol_and_a_second_one_is_the_protocols),
        cmocka_unit_test(who_the_client_is_moves_with_it),
        cmocka_unit_test(a_wrong_header_closes_before_the_protocol_sees_anything),
        cmocka_unit_test(only_listed_addresses_may_speak_for_others),
        cmocka_unit_test(a_header_that_does_not_come_ends_the_connection),
        cmocka_unit_test(a_protocol_that_refuses_the_client_gets_none_of_its_bytes),
        cmocka_unit_test(tls_begins_behind_the_header_even_in_the_same_read),
        cmocka_unit_test(a_websocket_begins_behind_the_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
