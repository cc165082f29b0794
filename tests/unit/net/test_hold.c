/* SPDX-License-Identifier: BSD-3-Clause */
/* Connections whose output waits for the log. */
#include "unit/net/hold_rig.h"

static void where_there_is_no_log_nothing_waits(void **state)
{
    struct rig *r = rig_default();
    int fd = rig_stream(r);

    (void)state;
    send_behind(r->probe.conn, UINT64_MAX, "a");
    assert_null(r->probe.conn->hold);
    rig_turn(r, 1);
    assert_hears(fd, "a");
    close(fd);
    rig_free(r);
}

static void nothing_waits_for_what_is_on_disk(void **state)
{
    struct rig *r = hold_rig();
    int fd = rig_stream(r);

    (void)state;
    disk_has(r, 100);
    send_behind(r->probe.conn, 100, "a");
    assert_null(r->probe.conn->hold);
    rig_turn(r, 1);
    assert_hears(fd, "a");
    close(fd);
    rig_free(r);
}

static void what_is_behind_waits_and_what_is_before_leaves(void **state)
{
    struct rig *r = hold_rig();
    int fd = rig_stream(r);
    struct conn *c = r->probe.conn;

    (void)state;
    send_text(c, "before ");
    send_behind(c, 100, "behind ");
    rig_turn(r, 1);
    assert_hears(fd, "before ");
    assert_int_equal(conn_unsent(c), 7);
    send_text(c, "later");
    assert_int_equal(conn_unsent(c), 12);
    rig_turn(r, 3);
    assert_hears(fd, "");
    disk_has(r, 99);
    assert_hears(fd, "");
    disk_has(r, 100);
    assert_hears(fd, "behind later");
    assert_null(c->hold);
    assert_null(r->net[0]->holds);
    assert_at_rest(r);
    close(fd);
    rig_free(r);
}

static void who_waits_costs_no_turns(void **state)
{
    struct rig *r = hold_rig();
    int fd = rig_stream(r);

    (void)state;
    send_behind(r->probe.conn, 100, "a");
    rig_turn(r, 2);
    assert_at_rest(r);
    disk_has(r, 50); /* is looked at, and rests again */
    assert_at_rest(r);
    assert_hears(fd, "");
    close(fd);
    rig_free(r);
}

static void a_hold_that_nothing_follows_holds_nothing(void **state)
{
    struct rig *r = hold_rig();
    int fd = rig_stream(r);

    (void)state;
    send_text(r->probe.conn, "a");
    conn_hold(r->probe.conn, 100);
    rig_turn(r, 1);
    assert_hears(fd, "a");
    disk_has(r, 100);
    assert_null(r->probe.conn->hold);
    close(fd);
    rig_free(r);
}

static void a_position_before_the_last_is_no_shorter_way(void **state)
{
    struct rig *r = hold_rig();
    int fd = rig_stream(r);

    (void)state;
    send_behind(r->probe.conn, 100, "a");
    send_behind(r->probe.conn, 50, "b");
    disk_has(r, 50);
    assert_hears(fd, "");
    disk_has(r, 100);
    assert_hears(fd, "ab");
    close(fd);
    rig_free(r);
}

static void a_higher_position_before_any_byte_counts(void **state)
{
    struct rig *r = hold_rig();
    int fd = rig_stream(r);

    (void)state;
    conn_hold(r->probe.conn, 100);
    send_behind(r->probe.conn, 200, "a");
    disk_has(r, 100);
    assert_hears(fd, "");
    disk_has(r, 200);
    assert_hears(fd, "a");
    close(fd);
    rig_free(r);
}

/* Records of 10 bytes, one and its answer each step; a commit lasts three steps and takes all that
 * was appended before it began. */
static void each_commit_releases_what_depended_on_it_though_more_comes(void **state)
{
    struct rig *r = hold_rig();
    int fd = rig_stream(r);
    uint64_t tail = 0;
    size_t heard = 0;
    char got[64];

    (void)state;
    for (unsigned step = 0; step < 300; step++) {
        tail += 10;
        send_behind(r->probe.conn, tail, "x");
        if (step % 3 == 0) {
            r->core[0].durable = r->core[0].commit_pos;
            disk_begins(r, tail);
        }
        rig_turn(r, 1);
        long n = rig_hear(fd, got, sizeof got);
        if (n > 0) heard += (size_t)n;
        assert_int_equal(heard, r->core[0].durable / 10);
    }
    close(fd);
    rig_free(r);
}

/* Whatever commit_pos says. */
static void a_stream_of_holds_starves_nobody_though_nobody_says_what_is_committed(void **state)
{
    struct rig *r = hold_rig();
    int fd = rig_stream(r);
    uint64_t tail = 0, before = 0;
    size_t heard = 0;
    char got[64];

    (void)state;
    for (unsigned step = 0; step < 300; step++) {
        tail += 10;
        send_behind(r->probe.conn, tail, "x");
        if (step % 3 == 0) {
            assert_true(heard >= before / 10); /* one commit later, at the worst */
            before = r->core[0].durable;
            r->core[0].durable = tail > 30 ? tail - 30 : 0;
        }
        rig_turn(r, 1);
        long n = rig_hear(fd, got, sizeof got);
        if (n > 0) heard += (size_t)n;
        assert_true(heard <= r->core[0].durable / 10);
    }
    assert_true(heard > 250);
    close(fd);
    rig_free(r);
}

static void many_holds_cost_as_much_memory_as_one(void **state)
{
    struct rig *r = hold_rig();
    int fd = rig_stream(r);
    struct conn *c = r->probe.conn;

    (void)state;
    rig_turn(r, 1);
    size_t idle = pool_bytes_used(r->core[0].pool);
    send_behind(c, 1, "x");
    size_t one = pool_bytes_used(r->core[0].pool);
    for (uint64_t pos = 2; pos < 500; pos++) {
        if (pos % 100 == 0) disk_begins(r, pos);
        send_behind(c, pos, "x");
    }
    assert_int_equal(pool_bytes_used(r->core[0].pool), one);
    assert_true(one - idle <= OUTQ_CHUNK_MIN + 128);
    disk_has(r, 500);
    assert_int_equal(pool_bytes_used(r->core[0].pool), idle);
    close(fd);
    rig_free(r);
}

static void without_memory_for_a_hold_the_connection_closes_and_says_nothing(void **state)
{
    struct rig *r = hold_rig();
    int fd = rig_stream(r);

    (void)state;
    pool_set_max(r->core[0].pool, 1);
    conn_hold(r->probe.conn, 100);
    assert_int_equal(conn_send(r->probe.conn, BYTES("a")), -ERR_NOMEM);
    rig_turn(r, 1);
    assert_int_equal(r->probe.why, -ERR_NOMEM);
    assert_hears_the_end(fd);
    pool_set_max(r->core[0].pool, 0);
    close(fd);
    rig_free(r);
}

static unsigned released;

static void on_release(void *ctx, void *owner)
{
    (void)ctx;
    (void)owner;
    released++;
}

static void a_hold_may_begin_inside_a_chunk_and_among_shared_pieces(void **state)
{
    struct rig *r = hold_rig();
    int fd = rig_client(r, SOCK_SEQPACKET); /* keeps sends apart */
    struct conn *c = r->probe.conn;

    (void)state;
    released = 0;
    send_text(c, "ab");
    send_behind(c, 100, "cd");
    assert_int_equal(conn_send_shared(c, BYTES("ef"), on_release, NULL, NULL), 0);
    conn_hold(c, 200);
    assert_int_equal(conn_send_shared(c, BYTES("gh"), on_release, NULL, NULL), 0);
    send_text(c, "ij");
    rig_turn(r, 1);
    assert_hears(fd, "ab");
    disk_has(r, 100);
    assert_hears(fd, "cdef");
    assert_int_equal(released, 1);
    disk_has(r, 200);
    assert_hears(fd, "ghij");
    assert_int_equal(released, 2);
    close(fd);
    rig_free(r);
}

static void more_pieces_than_one_send_takes_stop_at_the_hold(void **state)
{
    enum { BEFORE = OUTQ_IOV_MAX + 10 };
    struct rig *r = hold_rig();
    int fd = rig_client(r, SOCK_SEQPACKET);
    char buf[512];

    (void)state;
    for (unsigned i = 0; i < BEFORE + 5; i++) {
        if (i == BEFORE) conn_hold(r->probe.conn, 100);
        assert_int_equal(conn_send_shared(r->probe.conn, BYTES("ab"), on_release, NULL, NULL), 0);
    }
    rig_turn(r, 3);
    assert_int_equal(rig_hear(fd, buf, sizeof buf), 2 * OUTQ_IOV_MAX);
    assert_int_equal(rig_hear(fd, buf, sizeof buf), 20);
    assert_int_equal(rig_hear(fd, buf, sizeof buf), -1);
    assert_at_rest(r);
    disk_has(r, 100);
    assert_int_equal(rig_hear(fd, buf, sizeof buf), 10);
    close(fd);
    rig_free(r);
}

/* Queues `n` bytes of the stream from `from` on. */
static void send_stream(struct conn *c, size_t from, size_t n)
{
    for (size_t end = from + n; from < end;) {
        size_t part = end - from < 3000 ? end - from : 3000;
        uint8_t *at = conn_reserve(c, part);
        assert_non_null(at);
        rig_fill(at, part, from);
        conn_commit(c, part);
        from += part;
    }
}

/* Reads and turns till nothing more comes; returns the byte of the stream that is next. */
static size_t hear_all(struct rig *r, int fd, size_t from)
{
    uint8_t buf[8192];

    for (unsigned idle = 0; idle < 10;) {
        long got = rig_hear(fd, buf, sizeof buf);
        idle = got > 0 ? 0 : idle + 1;
        if (got > 0) {
            assert_stream(buf, (size_t)got, from);
            from += (size_t)got;
        }
        rig_turn(r, 1);
    }
    return from;
}

static void a_full_socket_and_the_disk_are_both_waited_for(void **state)
{
    enum { PART = 1000000 };
    struct rig *r = hold_rig();
    int fd = rig_stream(r);
    struct conn *c = r->probe.conn;

    (void)state;
    send_stream(c, 0, PART);
    conn_hold(c, 100);
    send_stream(c, PART, PART);
    rig_turn(r, 3);
    assert_true(c->flags & CONN_WANT_WRITE);
    assert_int_equal(hear_all(r, fd, 0), PART);
    assert_false(c->flags & CONN_WANT_WRITE);
    assert_at_rest(r);
    disk_has(r, 100);
    assert_true(c->flags & CONN_WANT_WRITE);
    conn_hold(c, 200); /* while the socket is full */
    send_stream(c, 2 * PART, 1000);
    assert_int_equal(hear_all(r, fd, PART), 2 * PART);
    disk_has(r, 200);
    assert_int_equal(hear_all(r, fd, 2 * PART), 2 * PART + 1000);
    close(fd);
    rig_free(r);
}

static void a_rise_while_the_socket_is_full_is_not_lost(void **state)
{
    enum { PART = 1000000 };
    struct rig *r = hold_rig();
    int fd = rig_stream(r);

    (void)state;
    send_stream(r->probe.conn, 0, PART);
    conn_hold(r->probe.conn, 100);
    send_stream(r->probe.conn, PART, 1000);
    rig_turn(r, 3);
    disk_has(r, 100);
    assert_int_equal(hear_all(r, fd, 0), PART + 1000);
    close(fd);
    rig_free(r);
}

static void what_is_held_counts_as_unsent_and_the_protocol_hears_when_it_has_gone(void **state)
{
    struct net_options o = NET_OPTIONS_DEFAULT;
    o.out_bytes_max = 10000;
    struct rig *r = rig_new(&o);
    int fd = rig_stream(r);

    (void)state;
    r->core[0].durable = 0;
    conn_hold(r->probe.conn, 100);
    send_stream(r->probe.conn, 0, 6000);
    rig_turn(r, 2);
    assert_int_equal(conn_unsent(r->probe.conn), 6000);
    assert_true(r->probe.conn->flags & CONN_OVER);
    assert_int_equal(r->probe.drains, 0);
    disk_has(r, 100);
    assert_int_equal(r->probe.drains, 1);
    assert_int_equal(hear_all(r, fd, 0), 6000);
    close(fd);
    rig_free(r);
}

/* The disk answers while the turn goes on, and then a new hold is put on. */
static void what_is_released_leaves_though_a_new_hold_comes_before_the_flush(void **state)
{
    struct rig *r = hold_rig();
    int fd = rig_stream(r);

    (void)state;
    send_behind(r->probe.conn, 100, "a");
    rig_turn(r, 1);
    r->core[0].durable = 100;
    conn_hold(r->probe.conn, 200);
    rig_turn(r, 1);
    assert_hears(fd, "a");
    close(fd);
    rig_free(r);
}

static void only_who_holds_is_looked_at_and_once_for_each_rise(void **state)
{
    struct rig *r = hold_rig();
    int fd[3];
    struct conn *c[3];

    (void)state;
    for (int i = 0; i < 3; i++) {
        fd[i] = rig_stream(r);
        c[i] = r->probe.conn;
    }
    send_behind(c[0], 100, "a");
    send_behind(c[2], 200, "b");
    rig_turn(r, 1);
    r->core[0].durable = 50;
    assert_int_equal(hold_lift(r->net[0]), 2);
    assert_at_rest(r);
    r->core[0].durable = 150;
    assert_int_equal(hold_lift(r->net[0]), 2);
    assert_int_equal(hold_lift(r->net[0]), 1);
    rig_turn(r, 1);
    assert_hears(fd[0], "a");
    assert_hears(fd[2], "");
    for (int i = 0; i < 3; i++)
        close(fd[i]);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_there_is_no_log_nothing_waits),
        cmocka_unit_test(nothing_waits_for_what_is_on_disk),
        cmocka_unit_test(what_is_behind_waits_and_what_is_before_leaves),
        cmocka_unit_test(who_waits_costs_no_turns),
        cmocka_unit_test(a_hold_that_nothing_follows_holds_nothing),
        cmocka_unit_test(a_position_before_the_last_is_no_shorter_way),
        cmocka_unit_test(a_higher_position_before_any_byte_counts),
        cmocka_unit_test(each_commit_releases_what_depended_on_it_though_more_comes),
        cmocka_unit_test(a_stream_of_holds_starves_nobody_though_nobody_says_what_is_committed),
        cmocka_unit_test(many_holds_cost_as_much_memory_as_one),
        cmocka_unit_test(without_memory_for_a_hold_the_connection_closes_and_says_nothing),
        cmocka_unit_test(a_hold_may_begin_inside_a_chunk_and_among_shared_pieces),
        cmocka_unit_test(more_pieces_than_one_send_takes_stop_at_the_hold),
        cmocka_unit_test(a_full_socket_and_the_disk_are_both_waited_for),
        cmocka_unit_test(a_rise_while_the_socket_is_full_is_not_lost),
        cmocka_unit_test(what_is_held_counts_as_unsent_and_the_protocol_hears_when_it_has_gone),
        cmocka_unit_test(what_is_released_leaves_though_a_new_hold_comes_before_the_flush),
        cmocka_unit_test(only_who_holds_is_looked_at_and_once_for_each_rise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
