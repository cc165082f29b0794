/* SPDX-License-Identifier: BSD-3-Clause */
/* TLS connections of a rig against OpenSSL's own client. */
#include "unit/net/tls_rig.h"

struct scene {
    struct authority *a;
    struct rig *r;
    struct tls_context *x;
};

static struct scene scene_with(struct authority *a, const struct tls_options *o)
{
    struct scene s = {.a = a, .r = rig_default(), .x = context_of(o)};
    atomic_store(&s.r->listener.tls, s.x);
    return s;
}

static struct scene scene_new(void)
{
    struct authority *a = authority_new();
    struct tls_options o = server_options(a);
    return scene_with(a, &o);
}

static void scene_free(struct scene *s)
{
    rig_free(s->r);
    tls_context_free(&s->x);
    authority_free(s->a);
}

static struct visitor *connected(struct scene *s)
{
    struct visitor *t = client_new(s->a, rig_stream(s->r));
    assert_true(client_greet(s->r, t));
    return t;
}

static void bytes_pass_both_ways_once_the_handshake_is_done(void **state)
{
    struct scene s = scene_new();
    uint8_t buf[16];

    (void)state;
    struct visitor *t = connected(&s);
    client_say(t, "hello", 5);
    rig_turn(s.r, 1);
    assert_int_equal(s.r->probe.seen_n, 5);
    assert_memory_equal(s.r->probe.seen, "hello", 5);
    assert_int_equal(conn_send(s.r->probe.conn, BYTES("answer")), 0);
    rig_turn(s.r, 1);
    assert_int_equal(client_hear(t, buf, sizeof buf), 6);
    assert_memory_equal(buf, "answer", 6);
    assert_int_equal(rig_count(s.r, 0, C_tls_handshakes), 1);
    assert_int_equal(s.r->net[0]->handshakes, 0);
    client_free(t);
    rig_turn(s.r, 2);
    assert_int_equal(s.r->probe.closes, 1);
    scene_free(&s);
}

static void all_frames_of_a_turn_share_one_record(void **state)
{
    struct scene s = scene_new();
    uint8_t buf[4096];

    (void)state;
    struct visitor *t = connected(&s);
    client_hear(t, buf, sizeof buf); /* the ticket */
    for (int i = 0; i < 100; i++)
        assert_int_equal(conn_send(s.r->probe.conn, BYTES("0123456789")), 0);
    rig_turn(s.r, 1);
    assert_int_equal(records_waiting(t->fd), 1);
    assert_int_equal(client_hear(t, buf, sizeof buf), 1000);
    client_free(t);
    scene_free(&s);
}

static void much_output_arrives_whole_through_a_slow_socket(void **state)
{
    enum { MUCH = 3 << 20 };
    struct scene s = scene_new();
    uint8_t *p = malloc(MUCH), *q = malloc(MUCH);
    size_t got = 0;

    (void)state;
    assert_true(p && q);
    rig_fill(p, MUCH, 0);
    struct visitor *t = connected(&s);
    assert_int_equal(conn_send(s.r->probe.conn, bytes_of(p, MUCH)), 0);
    rig_turn(s.r, 20);
    assert_true(s.r->probe.conn->out.bytes > 0); /* sealed only as the socket takes it */
    assert_true(s.r->probe.conn->transport->sealed.bytes < 256 << 10);
    for (int i = 0; i < 2000 && got < MUCH; i++) {
        got += client_hear(t, q + got, MUCH - got);
        rig_turn(s.r, 1);
    }
    assert_int_equal(got, MUCH);
    assert_stream(q, MUCH, 0);
    client_free(t);
    free(p);
    free(q);
    scene_free(&s);
}

static long only_whole(struct probe *p, struct conn *c, struct bytes in)
{
    c->in_need = 200000;
    if (in.n < 200000) return 0;
    probe_take(p, in);
    return (long)in.n;
}

static void much_input_arrives_whole_though_the_protocol_waits_for_all_of_it(void **state)
{
    enum { MUCH = 200000 };
    struct scene s = scene_new();
    uint8_t *p = malloc(MUCH);

    (void)state;
    assert_non_null(p);
    rig_fill(p, MUCH, 0);
    s.r->probe.bytes = only_whole;
    struct visitor *t = connected(&s);
    for (size_t i = 0; i < MUCH; i += 1000) {
        client_say(t, p + i, 1000);
        if (i % 7000 == 0) rig_turn(s.r, 1);
    }
    rig_turn(s.r, 3);
    assert_int_equal(s.r->probe.seen_n, MUCH);
    assert_stream(s.r->probe.seen, MUCH, 0);
    client_free(t);
    free(p);
    scene_free(&s);
}

static void a_handshake_may_come_byte_by_byte(void **state)
{
    struct scene s = scene_new();
    struct visitor *t = client_new(s.a, rig_stream(s.r));
    BIO *ours = BIO_new(BIO_s_mem()), *theirs = BIO_new(BIO_s_mem());
    uint8_t buf[8192];

    (void)state;
    SSL_set_bio(t->ssl, ours, theirs);
    for (int round = 0; round < 4 && SSL_do_handshake(t->ssl) != 1; round++) {
        int n = BIO_read(theirs, buf, sizeof buf);
        for (int i = 0; i < n; i++) {
            rig_say(t->fd, buf + i, 1);
            rig_turn(s.r, 1);
        }
        long back = rig_hear(t->fd, buf, sizeof buf);
        if (back > 0) BIO_write(ours, buf, (int)back);
    }
    int n = BIO_read(theirs, buf, sizeof buf); /* the client's last words */
    for (int i = 0; i < n; i++) {
        rig_say(t->fd, buf + i, 1);
        rig_turn(s.r, 1);
    }
    assert_int_equal(rig_count(s.r, 0, C_tls_handshakes), 1);
    client_free(t);
    scene_free(&s);
}

static void a_session_is_resumed_with_its_ticket(void **state)
{
    struct scene s = scene_new();
    uint8_t buf[16];

    (void)state;
    struct visitor *first = connected(&s);
    client_hear(first, buf, sizeof buf);
    assert_non_null(first->session);
    struct visitor *second = client_new(s.a, rig_stream(s.r));
    SSL_set_session(second->ssl, first->session);
    assert_true(client_greet(s.r, second));
    assert_int_equal(SSL_session_reused(second->ssl), 1);
    assert_int_equal(rig_count(s.r, 0, C_tls_resumed), 1);
    client_free(first);
    client_free(second);
    scene_free(&s);
}

static long move_after_go(struct probe *p, struct conn *c, struct bytes in)
{
    if (net_core(c->net)->id == 1) {
        probe_take(p, in);
        return (long)in.n;
    }
    if (in.n < 3) return 0;
    assert_int_equal(conn_hand_over(c, 1, 7, bytes_skip(in, 3)), 0);
    return (long)in.n;
}

static void a_connection_moves_with_its_keys_and_its_unread_bytes(void **state)
{
    struct scene s = scene_new();
    uint8_t buf[16];

    (void)state;
    s.r->probe.bytes = move_after_go;
    struct visitor *t = connected(&s);
    client_say(t, "go:unread", 9);
    core_turn(&s.r->core[0]);
    client_say(t, " later", 6);
    rig_turn(s.r, 4);
    assert_int_equal(net_core(s.r->probe.conn->net)->id, 1);
    assert_int_equal(s.r->probe.seen_n, 12);
    assert_memory_equal(s.r->probe.seen, "unread later", 12);
    assert_int_equal(conn_send(s.r->probe.conn, BYTES("answer")), 0);
    rig_turn(s.r, 1);
    assert_int_equal(client_hear(t, buf, sizeof buf), 6);
    client_free(t);
    scene_free(&s);
}

static void a_close_is_said(void **state)
{
    struct scene s = scene_new();
    uint8_t buf[16];

    (void)state;
    struct visitor *t = connected(&s);
    assert_int_equal(conn_send(s.r->probe.conn, BYTES("bye")), 0);
    conn_close(s.r->probe.conn, 0);
    rig_turn(s.r, 2);
    assert_int_equal(client_hear(t, buf, sizeof buf), 3);
    assert_int_equal(SSL_get_shutdown(t->ssl), SSL_RECEIVED_SHUTDOWN);
    client_free(t);
    scene_free(&s);
}

static void bytes_before_the_clients_goodbye_still_count(void **state)
{
    struct scene s = scene_new();

    (void)state;
    struct visitor *t = connected(&s);
    client_say(t, "last", 4);
    SSL_shutdown(t->ssl);
    rig_turn(s.r, 2);
    assert_int_equal(s.r->probe.seen_n, 4);
    assert_int_equal(s.r->probe.closes, 1);
    assert_int_equal(s.r->probe.why, -ERR_CLOSED);
    client_free(t);
    scene_free(&s);
}

static void bytes_that_are_no_tls_close_the_connection(void **state)
{
    struct scene s = scene_new();
    int fd = rig_stream(s.r);
    char buf[64];

    (void)state;
    rig_say(fd, "GET / HTTP/1.1\r\n\r\n", 18);
    rig_turn(s.r, 2);
    assert_int_equal(s.r->probe.closes, 1);
    assert_int_equal(s.r->probe.why, -ERR_PROTOCOL);
    assert_int_equal(s.r->probe.calls, 0);
    assert_int_equal(rig_count(s.r, 0, C_handshakes_failed), 1);
    while (rig_hear(fd, buf, sizeof buf) > 0)
        ;
    assert_int_equal(rig_hear(fd, buf, sizeof buf), 0);
    close(fd);
    scene_free(&s);
}

static void a_silent_handshake_ends_after_five_seconds(void **state)
{
    struct scene s = scene_new();
    int fd = rig_stream(s.r);
    struct core *c = &s.r->core[0];

    (void)state;
    rig_say(fd, "\x16\x03\x01", 3);
    rig_turn(s.r, 1);
    for (int i = 0; i < 20; i++)
        wheel_run(&c->wheel, core_now_s(c) + HANDSHAKE_S);
    rig_turn(s.r, 1);
    assert_int_equal(s.r->probe.closes, 0);
    for (int i = 0; i < 20; i++)
        wheel_run(&c->wheel, core_now_s(c) + HANDSHAKE_S + 2);
    rig_turn(s.r, 1);
    assert_int_equal(s.r->probe.closes, 1);
    assert_int_equal(s.r->probe.why, -ERR_TIMEOUT);
    close(fd);
    scene_free(&s);
}

static void too_many_handshakes_at_a_time_are_refused(void **state)
{
    struct authority *a = authority_new();
    struct tls_options o = server_options(a);
    struct scene s = scene_with(a, &o);
    int pair[2];

    (void)state;
    s.r->net[0]->options.handshakes_max = 1;
    int fd = rig_stream(s.r);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    assert_int_equal(net_adopt_fd(s.r->net[0], &s.r->listener, pair[0], NULL), -ERR_FULL);
    close(pair[1]);
    struct visitor *t = client_new(a, fd);
    assert_true(client_greet(s.r, t));
    struct visitor *next = connected(&s); /* the first is no longer one of them */
    client_free(t);
    client_free(next);
    scene_free(&s);
}

static void many_key_updates_end_the_connection(void **state)
{
    struct scene s = scene_new();

    (void)state;
    struct visitor *t = connected(&s);
    for (int i = 0; i < 16; i++) {
        SSL_key_update(t->ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
        client_say(t, "x", 1);
    }
    rig_turn(s.r, 2);
    assert_int_equal(s.r->probe.seen_n, 16);
    assert_int_equal(s.r->probe.closes, 0);
    SSL_key_update(t->ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
    client_say(t, "x", 1);
    rig_turn(s.r, 2);
    assert_int_equal(s.r->probe.closes, 1);
    assert_int_equal(s.r->probe.why, -ERR_PROTOCOL);
    client_free(t);
    scene_free(&s);
}

static void who_sends_much_may_change_the_key_now_and_then(void **state)
{
    enum { MUCH = 1 << 20, PIECE = 16384 };
    struct scene s = scene_new();
    uint8_t *p = calloc(1, PIECE);

    (void)state;
    assert_non_null(p);
    struct visitor *t = connected(&s);
    for (int i = 0; i < 40; i++) {
        SSL_key_update(t->ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
        for (int k = 0; k < MUCH / PIECE / 8; k++) { /* an eighth of what makes one good */
            client_say(t, p, PIECE);
            rig_turn(s.r, 1);
        }
        s.r->probe.seen_n = 0;
    }
    assert_int_equal(s.r->probe.closes, 0);
    client_free(t);
    free(p);
    scene_free(&s);
}

static void old_versions_get_no_handshake(void **state)
{
    struct scene s = scene_new();
    struct visitor *t = client_new(s.a, rig_stream(s.r));

    (void)state;
    SSL_set_security_level(t->ssl, 0);
    SSL_set_min_proto_version(t->ssl, TLS1_VERSION);
    SSL_set_max_proto_version(t->ssl, TLS1_1_VERSION);
    assert_false(client_greet(s.r, t));
    assert_int_equal(rig_count(s.r, 0, C_handshakes_failed), 1);
    client_free(t);
    scene_free(&s);
}

static void version_1_2_works_unless_1_3_is_demanded(void **state)
{
    struct authority *a = authority_new();
    struct tls_options o = server_options(a);

    (void)state;
    for (int only = 0; only < 2; only++) {
        o.only_v13 = only;
        struct rig *r = rig_default();
        struct tls_context *x = context_of(&o);
        atomic_store(&r->listener.tls, x);
        struct visitor *t = client_new(a, rig_stream(r));
        SSL_set_max_proto_version(t->ssl, TLS1_2_VERSION);
        assert_int_equal(client_greet(r, t), !only);
        client_free(t);
        rig_free(r);
        tls_context_free(&x);
    }
    authority_free(a);
}

static void renegotiation_is_refused(void **state)
{
    struct scene s = scene_new();
    struct visitor *t = client_new(s.a, rig_stream(s.r));

    (void)state;
    SSL_set_max_proto_version(t->ssl, TLS1_2_VERSION);
    assert_true(client_greet(s.r, t));
    assert_int_equal(SSL_renegotiate(t->ssl), 1);
    SSL_do_handshake(t->ssl);
    rig_turn(s.r, 2);
    assert_int_not_equal(SSL_do_handshake(t->ssl), 1);
    assert_int_equal(rig_count(s.r, 0, C_tls_handshakes), 1);
    client_free(t);
    scene_free(&s);
}

static bool greets_with_alpn(struct scene *s, const char *protos, unsigned n, const char *want)
{
    const unsigned char *chosen = NULL;
    unsigned len = 0;
    struct visitor *t = client_new(s->a, rig_stream(s->r));

    SSL_set_alpn_protos(t->ssl, (const unsigned char *)protos, n);
    bool ok = client_greet(s->r, t);
    SSL_get0_alpn_selected(t->ssl, &chosen, &len);
    if (ok) {
        assert_int_equal(len, strlen(want));
        assert_memory_equal(chosen, want, len);
    }
    client_free(t);
    return ok;
}

static void all_records_of_one_read_are_opened_in_its_turn(void **state)
{
    struct scene s = scene_new();

    (void)state;
    struct visitor *t = connected(&s);
    for (int i = 0; i < 5; i++)
        client_say(t, "record", 6);
    rig_turn(s.r, 1);
    assert_int_equal(s.r->probe.seen_n, 30);
    client_free(t);
    scene_free(&s);
}

/* The cipher that a client gets who offers these, in its order. */
static const char *chosen(struct scene *s, const char *offered)
{
    struct visitor *t = client_new(s->a, rig_stream(s->r));
    assert_int_equal(SSL_set_ciphersuites(t->ssl, offered), 1);
    assert_true(client_greet(s->r, t));
    const char *name = SSL_get_cipher_name(t->ssl);
    client_free(t);
    return name;
}

static void aes_has_128_bits_unless_the_client_would_rather_not_have_aes(void **state)
{
    struct scene s = scene_new();

    (void)state;
    assert_string_equal(chosen(&s, "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:"
                                   "TLS_AES_128_GCM_SHA256"),
                        "TLS_AES_128_GCM_SHA256");
    assert_string_equal(chosen(&s, "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256"),
                        "TLS_CHACHA20_POLY1305_SHA256");
    assert_string_equal(chosen(&s, "TLS_AES_256_GCM_SHA384"), "TLS_AES_256_GCM_SHA384");
    scene_free(&s);
}

static void alpn_is_mqtt_or_nothing(void **state)
{
    struct scene s = scene_new();

    (void)state;
    assert_true(greets_with_alpn(&s, "\x02h2\x04mqtt", 8, "mqtt"));
    assert_false(greets_with_alpn(&s, "\x02h2", 3, ""));
    scene_free(&s);
}

static void a_client_that_asks_for_another_name_gets_its_certificate(void **state)
{
    struct authority *a = authority_new();
    struct tls_options o = server_options(a);

    (void)state;
    o.names[o.nnames++] = (struct tls_pair){file_in(a, "other.pem"), file_in(a, "other.key")};
    struct scene s = scene_with(a, &o);
    struct visitor *t = client_new(a, rig_stream(s.r));
    SSL_set1_host(t->ssl, "other.test");
    SSL_set_tlsext_host_name(t->ssl, "other.test");
    assert_true(client_greet(s.r, t));
    struct visitor *plain = connected(&s);
    client_free(t);
    client_free(plain);
    scene_free(&s);
}

static void an_open_connection_outlives_a_reload_and_new_ones_use_the_new_files(void **state)
{
    struct scene s = scene_new();

    (void)state;
    struct visitor *old = connected(&s);
    struct tls_options o = server_options(s.a);
    o.pair = (struct tls_pair){file_in(s.a, "other.pem"), file_in(s.a, "other.key")};
    struct tls_context *fresh = context_of(&o);
    tls_context_replace(&s.x, fresh);
    atomic_store(&s.r->listener.tls, fresh);
    client_say(old, "still here", 10);
    rig_turn(s.r, 1);
    assert_int_equal(s.r->probe.seen_n, 10);
    struct visitor *t = client_new(s.a, rig_stream(s.r));
    SSL_set1_host(t->ssl, "other.test");
    assert_true(client_greet(s.r, t));
    client_free(old);
    client_free(t);
    scene_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_pass_both_ways_once_the_handshake_is_done),
        cmocka_unit_test(all_frames_of_a_turn_share_one_record),
        cmocka_unit_test(much_output_arrives_whole_through_a_slow_socket),
        cmocka_unit_test(much_input_arrives_whole_though_the_protocol_waits_for_all_of_it),
        cmocka_unit_test(a_handshake_may_come_byte_by_byte),
        cmocka_unit_test(a_session_is_resumed_with_its_ticket),
        cmocka_unit_test(a_connection_moves_with_its_keys_and_its_unread_bytes),
        cmocka_unit_test(a_close_is_said),
        cmocka_unit_test(bytes_before_the_clients_goodbye_still_count),
        cmocka_unit_test(bytes_that_are_no_tls_close_the_connection),
        cmocka_unit_test(a_silent_handshake_ends_after_five_seconds),
        cmocka_unit_test(too_many_handshakes_at_a_time_are_refused),
        cmocka_unit_test(many_key_updates_end_the_connection),
        cmocka_unit_test(who_sends_much_may_change_the_key_now_and_then),
        cmocka_unit_test(old_versions_get_no_handshake),
        cmocka_unit_test(version_1_2_works_unless_1_3_is_demanded),
        cmocka_unit_test(renegotiation_is_refused),
        cmocka_unit_test(all_records_of_one_read_are_opened_in_its_turn),
        cmocka_unit_test(aes_has_128_bits_unless_the_client_would_rather_not_have_aes),
        cmocka_unit_test(alpn_is_mqtt_or_nothing),
        cmocka_unit_test(a_client_that_asks_for_another_name_gets_its_certificate),
        cmocka_unit_test(an_open_connection_outlives_a_reload_and_new_ones_use_the_new_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
