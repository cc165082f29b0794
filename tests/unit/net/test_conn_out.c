/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit/net/rig.h"

static unsigned released;

static void on_release(void *ctx, void *owner)
{
    (void)ctx;
    assert_ptr_equal(owner, &released);
    released++;
}

static int send_shared(struct conn *c, const void *p, size_t n)
{
    return conn_send_shared(c, bytes_of(p, n), on_release, NULL, &released);
}

/* Queues `n` bytes of the stream in frames of up to 3000, none of them shared. */
static void send_stream(struct conn *c, size_t n)
{
    for (size_t from = 0; from < n; from += 3000) {
        size_t part = n - from < 3000 ? n - from : 3000;
        uint8_t *at = conn_reserve(c, part);
        assert_non_null(at);
        rig_fill(at, part, from);
        conn_commit(c, part);
    }
}

/* Reads and turns until `n` bytes of the stream have come. */
static void hear_stream(struct rig *r, int fd, size_t n)
{
    uint8_t buf[8192];
    unsigned idle = 0;

    for (size_t from = 0; from < n;) {
        long got = rig_hear(fd, buf, sizeof buf);
        if (got > 0) {
            assert_stream(buf, (size_t)got, from);
            from += (size_t)got;
            idle = 0;
        } else {
            assert_true(++idle < 100);
        }
        rig_turn(r, 1);
    }
}

static void all_frames_of_a_turn_leave_in_one_send(void **state)
{
    struct rig *r = rig_default();
    int fd = rig_client(r, SOCK_SEQPACKET); /* keeps sends apart */
    char buf[4096];

    (void)state;
    for (int i = 0; i < 100; i++)
        assert_int_equal(conn_send(r->probe.conn, BYTES("0123456789")), 0);
    assert_int_equal(send_shared(r->probe.conn, "shared", 6), 0);
    assert_int_equal(conn_send(r->probe.conn, BYTES("tail")), 0);
    assert_int_equal(rig_hear(fd, buf, sizeof buf), -1); /* nothing before the end of the turn */
    rig_turn(r, 1);
    assert_int_equal(rig_hear(fd, buf, sizeof buf), 1010);
    assert_memory_equal(buf + 1000, "sharedtail", 10);
    assert_int_equal(rig_hear(fd, buf, sizeof buf), -1);
    assert_int_equal(rig_count(r, 0, C_bytes_sent), 1010);
    assert_int_equal(rig_turn(r, 1), 0);
    close(fd);
    rig_free(r);
}

static void a_full_socket_is_waited_for_and_order_kept(void **state)
{
    struct rig *r = rig_default();
    int fd = rig_stream(r);
    size_t n = 2000000;

    (void)state;
    send_stream(r->probe.conn, n);
    rig_turn(r, 5);
    struct conn *c = r->probe.conn;
    assert_true(c->flags & CONN_WANT_WRITE);
    assert_true(c->watch.wants & READY_WRITE);
    assert_int_equal(rig_turn(r, 1), 0); /* no busy loop while the peer does not read */
    hear_stream(r, fd, n);
    assert_false(c->flags & CONN_WANT_WRITE);
    assert_int_equal(c->watch.wants, READY_READ);
    assert_int_equal(conn_unsent(c), 0);
    assert_int_equal(rig_turn(r, 1), 0);
    close(fd);
    rig_free(r);
}

static void a_send_of_any_length_arrives(void **state)
{
    struct rig *r = rig_default();
    int fd = rig_stream(r);
    size_t n = 3 * OUTQ_COPY_MAX + 1;
    uint8_t *s = malloc(n);

    (void)state;
    assert_non_null(s);
    rig_fill(s, n, 0);
    assert_int_equal(conn_send(r->probe.conn, bytes_of(s, n)), 0);
    assert_int_equal(conn_send(r->probe.conn, bytes_of(NULL, 0)), 0);
    free(s);
    hear_stream(r, fd, n);
    close(fd);
    rig_free(r);
}

static void more_pieces_than_one_send_takes_leave_in_later_turns(void **state)
{
    struct rig *r = rig_default();
    int fd = rig_client(r, SOCK_SEQPACKET);
    char buf[512];

    (void)state;
    released = 0;
    for (int i = 0; i < OUTQ_IOV_MAX + 1; i++)
        assert_int_equal(send_shared(r->probe.conn, "ab", 2), 0);
    assert_true(rig_turn(r, 1) > 0);
    assert_int_equal(rig_hear(fd, buf, sizeof buf), 2 * OUTQ_IOV_MAX);
    rig_turn(r, 1);
    assert_int_equal(rig_hear(fd, buf, sizeof buf), 2);
    assert_int_equal(released, OUTQ_IOV_MAX + 1);
    close(fd);
    rig_free(r);
}

static void shared_bytes_are_released_once_when_sent(void **state)
{
    struct rig *r = rig_default();
    int fd = rig_stream(r);

    (void)state;
    released = 0;
    assert_int_equal(send_shared(r->probe.conn, "abc", 3), 0);
    assert_int_equal(send_shared(r->probe.conn, "", 0), 0);
    assert_int_equal(released, 0);
    rig_turn(r, 1);
    assert_int_equal(released, 2);
    close(fd);
    rig_turn(r, 2);
    assert_int_equal(r->probe.closes, 1);
    assert_int_equal(released, 2);
    rig_free(r);
}

static void nothing_but_an_empty_shared_piece_is_released_too(void **state)
{
    struct rig *r = rig_default();
    int fd = rig_stream(r);

    (void)state;
    released = 0;
    assert_int_equal(send_shared(r->probe.conn, "", 0), 0);
    rig_turn(r, 1);
    assert_int_equal(released, 1);
    close(fd);
    rig_free(r);
}

static void shared_bytes_are_released_once_when_the_connection_closes(void **state)
{
    struct rig *r = rig_default();
    int fd = rig_stream(r);
    char buf[16];

    (void)state;
    released = 0;
    assert_int_equal(send_shared(r->probe.conn, "abc", 3), 0);
    conn_close(r->probe.conn, 0);
    rig_turn(r, 1);
    assert_int_equal(released, 1);
    assert_int_equal(rig_hear(fd, buf, sizeof buf), 3);
    assert_int_equal(rig_hear(fd, buf, sizeof buf), 0);
    close(fd);
    rig_free(r);
}

static void shared_bytes_are_released_once_when_the_peer_has_gone(void **state)
{
    struct rig *r = rig_default();
    int fd = rig_stream(r);

    (void)state;
    released = 0;
    close(fd);
    assert_int_equal(send_shared(r->probe.conn, "abc", 3), 0);
    rig_turn(r, 2);
    assert_int_equal(r->probe.closes, 1);
    assert_int_equal(released, 1);
    rig_free(r);
}

static void a_failed_send_closes_as_a_reset(void **state)
{
    struct rig *r = rig_default();
    int fd = rig_stream(r);

    (void)state;
    conn_pause(r->probe.conn); /* so that the send meets the error first */
    close(fd);
    assert_int_equal(conn_send(r->probe.conn, BYTES("x")), 0);
    net_flush(r->net[0]);
    assert_int_equal(r->probe.closes, 1);
    assert_int_equal(r->probe.why, -ERR_RESET);
    rig_free(r);
}

static void the_protocol_hears_when_the_queue_has_drained(void **state)
{
    struct net_options o = NET_OPTIONS_DEFAULT;
    o.out_bytes_max = 1000000;
    struct rig *r = rig_new(&o);
    int fd = rig_stream(r);

    (void)state;
    send_stream(r->probe.conn, 1500000);
    rig_turn(r, 2);
    assert_true(conn_unsent(r->probe.conn) > o.out_bytes_max);
    assert_true(r->probe.conn->flags & CONN_OVER);
    assert_int_equal(r->probe.drains, 0);
    hear_stream(r, fd, 1500000);
    assert_int_equal(r->probe.drains, 1);
    assert_false(r->probe.conn->flags & CONN_OVER);

    /* A small answer now is no event. */
    assert_int_equal(conn_send(r->probe.conn, BYTES("x")), 0);
    rig_turn(r, 2);
    assert_int_equal(r->probe.drains, 1);
    close(fd);
    rig_free(r);
}

/* Between the new mark and the old one a protocol would wait for ever. */
static void a_lower_limit_is_drained_to_by_connections_that_there_are(void **state)
{
    struct net_options o = NET_OPTIONS_DEFAULT;
    struct rig *r = rig_default();
    int fd = rig_stream(r);

    (void)state;
    o.out_bytes_max = 1u << 20;
    net_set_options(r->net[0], &o);
    send_stream(r->probe.conn, 2u << 20); /* above half of the new limit, below half of the old */
    rig_turn(r, 3);
    hear_stream(r, fd, 2u << 20);
    assert_int_equal(r->probe.drains, 1);
    close(fd);
    rig_free(r);
}

static void a_protocol_may_want_to_hear_earlier(void **state)
{
    struct rig *r = rig_default();
    int fd = rig_stream(r);

    (void)state;
    r->probe.conn->drain_at = 64u << 10;
    assert_int_equal(conn_drain_at(r->probe.conn), 64u << 10);
    send_stream(r->probe.conn, 1u << 20);
    rig_turn(r, 3);
    assert_int_equal(r->probe.drains, 0);
    hear_stream(r, fd, 1u << 20);
    assert_int_equal(r->probe.drains, 1);
    close(fd);
    rig_free(r);
}

static void send_more(struct probe *p, struct conn *c)
{
    if (p->drains == 1) assert_int_equal(conn_send(c, BYTES("more")), 0);
}

static void what_is_sent_while_draining_leaves_too(void **state)
{
    struct net_options o = NET_OPTIONS_DEFAULT;
    o.out_bytes_max = 10;
    struct rig *r = rig_new(&o);
    int fd = rig_stream(r);
    char buf[64];

    (void)state;
    r->probe.drain = send_more;
    assert_int_equal(conn_send(r->probe.conn, BYTES("0123456789")), 0);
    assert_true(rig_turn(r, 1) > 0); /* must not sleep */
    rig_turn(r, 1);
    assert_int_equal(rig_hear(fd, buf, sizeof buf), 14);
    assert_memory_equal(buf, "0123456789more", 14);
    close(fd);
    rig_free(r);
}

static void a_closing_connection_takes_no_more_output(void **state)
{
    struct rig *r = rig_default();
    int fd = rig_stream(r);
    struct conn *c = r->probe.conn;
    char buf[16];

    (void)state;
    released = 0;
    assert_int_equal(conn_send(c, BYTES("bye")), 0);
    conn_close(c, -ERR_PROTOCOL);
    assert_null(conn_reserve(c, 1));
    assert_int_equal(conn_send(c, BYTES("late")), -ERR_CLOSED);
    assert_int_equal(send_shared(c, "late", 4), -ERR_CLOSED);
    assert_int_equal(released, 1);
    rig_turn(r, 1);
    assert_int_equal(rig_hear(fd, buf, sizeof buf), 3);
    assert_int_equal(rig_hear(fd, buf, sizeof buf), 0);
    close(fd);
    rig_free(r);
}

static void without_memory_for_output_the_connection_closes(void **state)
{
    struct rig *r = rig_default();
    int fd = rig_stream(r);
    struct pool *pool = r->core[0].pool;

    (void)state;
    released = 0;
    pool_set_max(pool, pool_bytes_used(pool));
    assert_int_equal(conn_send(r->probe.conn, BYTES("x")), -ERR_NOMEM);
    assert_int_equal(send_shared(r->probe.conn, "late", 4), -ERR_CLOSED);
    pool_set_max(pool, SIZE_MAX);
    rig_turn(r, 1);
    assert_int_equal(r->probe.closes, 1);
    assert_int_equal(r->probe.why, -ERR_NOMEM);
    assert_int_equal(released, 1);
    close(fd);
    rig_free(r);
}

static void half_a_message_is_never_sent(void **state)
{
    struct rig *r = rig_default();
    int fd = rig_stream(r);
    struct pool *pool = r->core[0].pool;
    static const uint8_t whole[20000];
    char byte;

    (void)state;
    assert_int_equal(conn_send(r->probe.conn, BYTES("x")), 0);
    pool_set_max(pool, pool_bytes_used(pool) + 8192); /* enough for a part of it */
    assert_int_equal(conn_send(r->probe.conn, bytes_of(whole, sizeof whole)), -ERR_NOMEM);
    assert_true(conn_unsent(r->probe.conn) > 1);
    pool_set_max(pool, SIZE_MAX);
    rig_turn(r, 1);
    assert_int_equal(r->probe.why, -ERR_NOMEM);
    assert_int_equal(rig_hear(fd, &byte, 1), 0);
    close(fd);
    rig_free(r);
}

static void let_go(void *ctx, void *owner)
{
    (void)ctx;
    (void)owner;
}

/* A core that is alone sleeps as soon as nothing is left to do; this is. */
static void what_one_send_does_not_take_keeps_the_core_awake(void **state)
{
    struct rig *r = rig_default();
    int fd = rig_stream(r);
    char buf[OUTQ_IOV_MAX + 10];

    (void)state;
    rig_turn(r, 3);
    for (int i = 0; i < OUTQ_IOV_MAX + 10; i++)
        assert_int_equal(conn_send_shared(r->probe.conn, BYTES("x"), let_go, NULL, NULL), 0);
    r->core[0].again = false;
    net_flush(r->net[0]);
    assert_int_equal(conn_unsent(r->probe.conn), 10);
    assert_true(r->core[0].again);
    r->core[0].again = false;
    net_flush(r->net[0]);
    assert_int_equal(conn_unsent(r->probe.conn), 0);
    assert_false(r->core[0].again);
    assert_int_equal(rig_hear(fd, buf, sizeof buf), OUTQ_IOV_MAX + 10);
    close(fd);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_frames_of_a_turn_leave_in_one_send),
        cmocka_unit_test(a_full_socket_is_waited_for_and_order_kept),
        cmocka_unit_test(a_send_of_any_length_arrives),
        cmocka_unit_test(more_pieces_than_one_send_takes_leave_in_later_turns),
        cmocka_unit_test(shared_bytes_are_released_once_when_sent),
        cmocka_unit_test(nothing_but_an_empty_shared_piece_is_released_too),
        cmocka_unit_test(shared_bytes_are_released_once_when_the_connection_closes),
        cmocka_unit_test(shared_bytes_are_released_once_when_the_peer_has_gone),
        cmocka_unit_test(a_failed_send_closes_as_a_reset),
        cmocka_unit_test(the_protocol_hears_when_the_queue_has_drained),
        cmocka_unit_test(a_lower_limit_is_drained_to_by_connections_that_there_are),
        cmocka_unit_test(a_protocol_may_want_to_hear_earlier),
        cmocka_unit_test(what_is_sent_while_draining_leaves_too),
        cmocka_unit_test(a_closing_connection_takes_no_more_output),
        cmocka_unit_test(without_memory_for_output_the_connection_closes),
        cmocka_unit_test(half_a_message_is_never_sent),
        cmocka_unit_test(what_one_send_does_not_take_keeps_the_core_awake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
