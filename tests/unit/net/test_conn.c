/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit/net/rig.h"

static int refuse_with_words(struct probe *p, struct conn *c)
{
    (void)p;
    assert_int_equal(conn_send(c, BYTES("no")), 0);
    return -ERR_DENIED;
}

static int close_in_open(struct probe *p, struct conn *c)
{
    (void)p;
    conn_close(c, -ERR_DENIED);
    return 0;
}

static int pause_in_open(struct probe *p, struct conn *c)
{
    (void)p;
    conn_pause(c);
    return 0;
}

/* Answers the first byte and closes, whatever else has come. */
static long answer_and_close(struct probe *p, struct conn *c, struct bytes in)
{
    (void)p;
    (void)in;
    assert_int_equal(conn_send(c, BYTES("sorry")), 0);
    return -ERR_PROTOCOL;
}

static long busy_then_close(struct probe *p, struct conn *c, struct bytes in)
{
    (void)p;
    (void)in;
    assert_int_equal(conn_send(c, BYTES("x")), 0);
    conn_again(c);
    conn_close(c, 0);
    return 0;
}

/* Closes when it is called again, which is after this turn's output was sent. */
static long close_on_second_call(struct probe *p, struct conn *c, struct bytes in)
{
    (void)in;
    if (p->calls == 1) {
        conn_again(c);
        return 1;
    }
    assert_int_equal(conn_send(c, BYTES("bye")), 0);
    conn_close(c, 0);
    return 1;
}

static void closing_twice_calls_back_once_with_the_first_reason(void **state)
{
    struct rig *r = rig_default();
    int fd = rig_stream(r);

    (void)state;
    conn_close(r->probe.conn, -ERR_TIMEOUT);
    conn_close(r->probe.conn, 0);
    assert_int_equal(r->probe.closes, 0); /* only marked */
    rig_turn(r, 2);
    assert_int_equal(r->probe.closes, 1);
    assert_int_equal(r->probe.why, -ERR_TIMEOUT);
    assert_int_equal(net_connections(r->net[0]), 0);
    assert_int_equal(rig_count(r, 0, C_connections_dropped), 1);
    close(fd);
    rig_free(r);
}

static void a_closing_connection_hears_no_more_bytes(void **state)
{
    struct rig *r = rig_default();
    int fd = rig_stream(r);

    (void)state;
    rig_say(fd, "hello", 5);
    conn_close(r->probe.conn, 0);
    rig_turn(r, 2);
    assert_int_equal(r->probe.calls, 0);
    close(fd);
    rig_free(r);
}

static void a_refused_open_speaks_but_is_not_closed_again(void **state)
{
    struct rig *r = rig_default();
    char buf[8];

    (void)state;
    r->probe.open = refuse_with_words;
    int fd = rig_stream(r);
    rig_turn(r, 1);
    assert_int_equal(r->probe.closes, 0);
    assert_int_equal(rig_hear(fd, buf, sizeof buf), 2);
    assert_int_equal(rig_hear(fd, buf, sizeof buf), 0);
    assert_int_equal(net_connections(r->net[0]), 0);
    close(fd);
    rig_free(r);
}

static void closing_while_opening_calls_back(void **state)
{
    struct rig *r = rig_default();

    (void)state;
    r->probe.open = close_in_open;
    int fd = rig_stream(r);
    rig_turn(r, 1);
    assert_int_equal(r->probe.closes, 1);
    close(fd);
    rig_free(r);
}

static void pausing_while_opening_holds_the_first_bytes(void **state)
{
    struct rig *r = rig_default();

    (void)state;
    r->probe.open = pause_in_open;
    int fd = rig_stream(r);
    rig_say(fd, "hello", 5);
    rig_turn(r, 2);
    assert_int_equal(r->probe.seen_n, 0);
    conn_resume(r->probe.conn);
    rig_turn(r, 2);
    assert_int_equal(r->probe.seen_n, 5);
    close(fd);
    rig_free(r);
}

static void last_words_reach_a_peer_whose_input_was_not_read(void **state)
{
    struct net_options o = NET_OPTIONS_DEFAULT;
    o.read_bytes = 1000; /* so that much stays in the kernel */
    struct rig *r = rig_new(&o);
    static const char noise[3000];
    char buf[16];
    int broken = -1;
    socklen_t len = sizeof broken;

    (void)state;
    r->probe.bytes = answer_and_close;
    rig_listen(r);
    int fd = rig_connect(r);
    rig_say(fd, noise, sizeof noise);
    rig_turn(r, 3);
    assert_int_equal(r->probe.closes, 1);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &broken, &len), 0);
    assert_int_equal(broken, 0);
    assert_int_equal(recv(fd, buf, sizeof buf, 0), 5);
    assert_memory_equal(buf, "sorry", 5);
    assert_int_equal(recv(fd, buf, sizeof buf, 0), 0); /* an end, not a reset */
    close(fd);
    rig_free(r);
}

static void last_words_that_do_not_fit_are_dropped(void **state)
{
    struct rig *r = rig_default();
    int fd = rig_stream(r);
    static uint8_t much[4 << 20];

    (void)state;
    assert_int_equal(conn_send(r->probe.conn, bytes_of(much, sizeof much)), 0);
    rig_turn(r, 3);
    conn_close(r->probe.conn, 0);
    rig_turn(r, 1);
    assert_int_equal(r->probe.closes, 1);
    assert_int_equal(net_connections(r->net[0]), 0);
    close(fd);
    rig_free(r);
}

static void one_that_is_on_every_list_is_buried_once(void **state)
{
    struct rig *r = rig_default();
    char buf[8];

    (void)state;
    r->probe.bytes = busy_then_close;
    int fd = rig_stream(r);
    rig_say(fd, "hello", 5);
    rig_turn(r, 3);
    assert_int_equal(r->probe.closes, 1);
    assert_int_equal(r->probe.calls, 1);
    assert_int_equal(rig_hear(fd, buf, sizeof buf), 1);
    close(fd);
    rig_free(r);
}

static void one_that_closes_behind_the_flush_is_buried_after_the_next(void **state)
{
    struct rig *r = rig_default();
    char buf[8];

    (void)state;
    r->probe.bytes = close_on_second_call;
    int fd = rig_stream(r);
    rig_say(fd, "hello", 5);
    rig_turn(r, 3);
    assert_int_equal(r->probe.calls, 2);
    assert_int_equal(r->probe.closes, 1);
    assert_int_equal(rig_hear(fd, buf, sizeof buf), 3);
    assert_int_equal(rig_hear(fd, buf, sizeof buf), 0);
    assert_int_equal(rig_turn(r, 1), 0);
    close(fd);
    rig_free(r);
}

static void freeing_the_net_closes_everything(void **state)
{
    struct rig *r = rig_default();
    int fd[3];

    (void)state;
    for (int i = 0; i < 3; i++)
        fd[i] = rig_stream(r);
    rig_say(fd[0], "half", 4);
    assert_int_equal(conn_send(r->probe.conn, BYTES("bye")), 0);
    conn_again(r->probe.conn);
    net_free(&r->net[0]);
    assert_null(r->net[0]);
    assert_int_equal(r->probe.closes, 3);
    char buf[8];
    assert_int_equal(rig_hear(fd[2], buf, sizeof buf), 3);
    for (int i = 0; i < 3; i++)
        close(fd[i]);
    rig_free(r);
}

static void count_and_close(struct conn *c, void *arg)
{
    ++*(int *)arg;
    conn_close(c, 0);
}

static void each_open_connection_is_visited_and_may_be_closed(void **state)
{
    struct rig *r = rig_default();
    int fd[3];
    int visits = 0;

    (void)state;
    for (int i = 0; i < 3; i++)
        fd[i] = rig_stream(r);
    conn_close(r->probe.conn, 0);
    net_each(r->net[0], count_and_close, &visits);
    assert_int_equal(visits, 2);
    net_each(r->net[0], count_and_close, &visits);
    assert_int_equal(visits, 2);
    rig_turn(r, 1);
    assert_int_equal(r->probe.closes, 3);
    for (int i = 0; i < 3; i++)
        close(fd[i]);
    rig_free(r);
}

static void a_broken_connection_that_is_paused_is_noticed(void **state)
{
    struct rig *r = rig_default();
    struct linger hard = {.l_onoff = 1};

    (void)state;
    rig_listen(r);
    int fd = rig_connect(r);
    rig_turn(r, 2);
    conn_pause(r->probe.conn);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
    close(fd); /* resets */
    rig_turn(r, 2);
    assert_int_equal(r->probe.closes, 1);
    assert_int_equal(r->probe.why, -ERR_RESET);
    rig_free(r);
}

static void the_end_of_a_paused_stream_waits_behind_its_bytes(void **state)
{
    struct rig *r = rig_default();

    (void)state;
    rig_listen(r);
    int fd = rig_connect(r);
    rig_turn(r, 2);
    conn_pause(r->probe.conn);
    rig_say(fd, "hello", 5);
    close(fd);
    rig_turn(r, 2);
    assert_int_equal(r->probe.closes, 0);
    conn_resume(r->probe.conn);
    rig_turn(r, 3);
    assert_int_equal(r->probe.seen_n, 5);
    assert_int_equal(r->probe.why, -ERR_CLOSED);
    rig_free(r);
}

static void without_memory_a_connection_is_refused(void **state)
{
    struct rig *r = rig_default();
    struct pool *pool = r->core[0].pool;
    int fd[2];
    char byte;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
    pool_set_max(pool, 1);
    assert_int_equal(net_adopt_fd(r->net[0], &r->listener, fd[0], NULL), -ERR_NOMEM);
    assert_int_equal(rig_hear(fd[1], &byte, 1), 0);
    assert_int_equal(rig_count(r, 0, C_connections_refused), 1);
    close(fd[1]);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closing_twice_calls_back_once_with_the_first_reason),
        cmocka_unit_test(a_closing_connection_hears_no_more_bytes),
        cmocka_unit_test(a_refused_open_speaks_but_is_not_closed_again),
        cmocka_unit_test(closing_while_opening_calls_back),
        cmocka_unit_test(pausing_while_opening_holds_the_first_bytes),
        cmocka_unit_test(last_words_reach_a_peer_whose_input_was_not_read),
        cmocka_unit_test(last_words_that_do_not_fit_are_dropped),
        cmocka_unit_test(one_that_is_on_every_list_is_buried_once),
        cmocka_unit_test(one_that_closes_behind_the_flush_is_buried_after_the_next),
        cmocka_unit_test(freeing_the_net_closes_everything),
        cmocka_unit_test(each_open_connection_is_visited_and_may_be_closed),
        cmocka_unit_test(a_broken_connection_that_is_paused_is_noticed),
        cmocka_unit_test(the_end_of_a_paused_stream_waits_behind_its_bytes),
        cmocka_unit_test(without_memory_a_connection_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
