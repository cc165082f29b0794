/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit/net/rig.h"

enum { NOTE = 4711 };

/* On core 0: takes "go:" and moves to core 1 with the rest; on core 1: takes all. */
static long go_then_take(struct probe *p, struct conn *c, struct bytes in)
{
    if (net_core(c->net)->id == 1) {
        probe_take(p, in);
        return (long)in.n;
    }
    if (in.n < 3) return 0;
    assert_memory_equal(in.p, "go:", 3);
    int err = conn_hand_over(c, 1, NOTE, bytes_skip(in, 3));
    assert_int_equal(err, 0);
    return (long)in.n;
}

static long go_to_myself(struct probe *p, struct conn *c, struct bytes in)
{
    if (p->moves > 0) {
        probe_take(p, in);
        return (long)in.n;
    }
    assert_int_equal(conn_hand_over(c, 0, NOTE, in), 0);
    return (long)in.n;
}

static int refuse_moved(struct probe *p, struct conn *c)
{
    (void)c;
    return p->moves > 0 ? -ERR_FULL : 0;
}

static int pause_moved(struct probe *p, struct conn *c)
{
    if (p->moves > 0) conn_pause(c);
    return 0;
}

static void unread_bytes_move_in_front_of_those_still_to_come(void **state)
{
    struct rig *r = rig_default();
    char buf[8];

    (void)state;
    r->probe.bytes = go_then_take;
    int fd = rig_stream(r);
    rig_say(fd, "g", 1);
    rig_turn(r, 1);
    rig_say(fd, "o:unread", 8);
    core_turn(&r->core[0]);
    rig_say(fd, " later", 6);
    assert_int_equal(r->probe.closes, 1);
    assert_int_equal(r->probe.why, -ERR_AGAIN);
    rig_turn(r, 3);

    assert_int_equal(r->probe.moves, 1);
    assert_int_equal(r->probe.note, NOTE);
    assert_int_equal(r->probe.seen_n, 12);
    assert_memory_equal(r->probe.seen, "unread later", 12);
    assert_int_equal(net_connections(r->net[0]), 0);
    assert_int_equal(net_connections(r->net[1]), 1);
    assert_int_equal(rig_count(r, 0, C_connections_moved), 1);
    assert_int_equal(rig_count(r, 0, C_connections_dropped), 0);
    assert_int_equal(rig_count(r, 1, C_connections_accepted), 0);

    assert_int_equal(conn_send(r->probe.conn, BYTES("answer")), 0);
    rig_turn(r, 1);
    assert_int_equal(rig_hear(fd, buf, sizeof buf), 6);
    close(fd);
    rig_turn(r, 2);
    assert_int_equal(r->probe.closes, 2);
    assert_int_equal(r->probe.why, -ERR_CLOSED);
    rig_free(r);
}

static void much_unread_input_moves_whole(void **state)
{
    struct rig *r = rig_default();
    uint8_t s[100000];

    (void)state;
    memcpy(s, "go:", 3);
    rig_fill(s + 3, sizeof s - 3, 0);
    r->probe.bytes = go_then_take;
    int fd = rig_stream(r);
    rig_say(fd, s, sizeof s);
    rig_turn(r, 3);
    assert_int_equal(r->probe.seen_n, sizeof s - 3);
    assert_stream(r->probe.seen, sizeof s - 3, 0);
    close(fd);
    rig_free(r);
}

static void nothing_unread_calls_nobody(void **state)
{
    struct rig *r = rig_default();

    (void)state;
    r->probe.bytes = go_then_take;
    int fd = rig_stream(r);
    rig_say(fd, "go:", 3);
    rig_turn(r, 2);
    assert_int_equal(r->probe.moves, 1);
    assert_int_equal(r->probe.calls, 1);
    close(fd);
    rig_free(r);
}

static void the_peer_is_still_known_after_the_move(void **state)
{
    struct rig *r = rig_default();
    struct sock_addr local;
    char ours[SOCK_ADDR_TEXT];
    char theirs[SOCK_ADDR_TEXT];

    (void)state;
    r->probe.bytes = go_then_take;
    rig_listen(r);
    int fd = rig_connect(r);
    rig_say(fd, "go:", 3);
    rig_turn(r, 4);
    assert_int_equal(r->probe.moves, 1);
    assert_int_equal(sock_local(fd, &local), 0);
    assert_string_equal(conn_peer_text(r->probe.conn, theirs), sock_addr_text(&local, ours));
    close(fd);
    rig_free(r);
}

static void a_core_may_hand_over_to_itself(void **state)
{
    struct rig *r = rig_default();

    (void)state;
    r->probe.bytes = go_to_myself;
    int fd = rig_stream(r);
    rig_say(fd, "hello", 5);
    rig_turn(r, 3);
    assert_int_equal(r->probe.seen_n, 5);
    assert_int_equal(net_connections(r->net[0]), 1);
    close(fd);
    rig_free(r);
}

static void a_receiver_at_its_limit_closes_the_socket(void **state)
{
    struct net_options o = NET_OPTIONS_DEFAULT;
    o.connections_max = 1;
    struct rig *r = rig_new(&o);
    int pair[2];
    char byte;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    assert_int_equal(net_adopt_fd(r->net[1], &r->listener, pair[0], NULL), 0);
    r->probe.bytes = go_then_take;
    int fd = rig_stream(r);
    rig_say(fd, "go:x", 4);
    rig_turn(r, 3);
    assert_int_equal(r->probe.moves, 0);
    assert_int_equal(r->probe.seen_n, 0);
    assert_int_equal(rig_hear(fd, &byte, 1), 0);
    assert_int_equal(rig_count(r, 1, C_connections_refused), 1);
    close(fd);
    close(pair[1]);
    rig_free(r);
}

static void a_moved_connection_may_be_refused_by_its_protocol(void **state)
{
    struct rig *r = rig_default();
    char byte;

    (void)state;
    r->probe.bytes = go_then_take;
    r->probe.open = refuse_moved;
    int fd = rig_stream(r);
    rig_say(fd, "go:x", 4);
    rig_turn(r, 3);
    assert_int_equal(r->probe.moves, 1);
    assert_int_equal(r->probe.seen_n, 0);
    assert_int_equal(rig_hear(fd, &byte, 1), 0);
    close(fd);
    rig_free(r);
}

static void one_that_pauses_on_arrival_gets_its_bytes_when_it_resumes(void **state)
{
    struct rig *r = rig_default();

    (void)state;
    r->probe.bytes = go_then_take;
    r->probe.open = pause_moved;
    int fd = rig_stream(r);
    rig_say(fd, "go:xyz", 6);
    rig_turn(r, 3);
    assert_int_equal(r->probe.moves, 1);
    assert_int_equal(r->probe.seen_n, 0);
    conn_resume(r->probe.conn);
    rig_turn(r, 2);
    assert_int_equal(r->probe.seen_n, 3);
    close(fd);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unread_bytes_move_in_front_of_those_still_to_come),
        cmocka_unit_test(much_unread_input_moves_whole),
        cmocka_unit_test(nothing_unread_calls_nobody),
        cmocka_unit_test(the_peer_is_still_known_after_the_move),
        cmocka_unit_test(a_core_may_hand_over_to_itself),
        cmocka_unit_test(a_receiver_at_its_limit_closes_the_socket),
        cmocka_unit_test(a_moved_connection_may_be_refused_by_its_protocol),
        cmocka_unit_test(one_that_pauses_on_arrival_gets_its_bytes_when_it_resumes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
