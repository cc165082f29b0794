/* SPDX-License-Identifier: BSD-3-Clause */
/* Connections that end while their output waits for the log, and logs that end. */
#include "unit/net/hold_rig.h"

enum { LEAVE_S = 2 };

static int closing_client(struct rig *r)
{
    int fd = rig_stream(r);
    send_text(r->probe.conn, "before ");
    send_behind(r->probe.conn, 100, "behind");
    conn_close(r->probe.conn, -ERR_PROTOCOL);
    rig_turn(r, 1);
    return fd;
}

static void who_closes_says_the_last_words_when_the_disk_has_answered(void **state)
{
    struct rig *r = hold_rig();
    int fd = closing_client(r);

    (void)state;
    assert_int_equal(r->probe.closes, 1); /* the protocol knows at once */
    assert_int_equal(r->probe.why, -ERR_PROTOCOL);
    assert_int_equal(rig_count(r, 0, C_connections), 0);
    assert_true(net_lingers(r->net[0]));
    rig_turn(r, 2);
    assert_hears(fd, "");
    disk_has(r, 100);
    assert_hears(fd, "before behind");
    assert_hears_the_end(fd);
    assert_int_equal(r->probe.closes, 1);
    assert_int_equal(net_connections(r->net[0]), 0);
    close(fd);
    rig_turn(r, 2);
    assert_false(net_lingers(r->net[0]));
    assert_int_equal(r->core[0].wheel.armed, 0);
    rig_free(r);
}

static void who_has_nothing_behind_the_hold_does_not_wait(void **state)
{
    struct rig *r = hold_rig();
    int fd = rig_stream(r);

    (void)state;
    send_text(r->probe.conn, "a");
    conn_hold(r->probe.conn, 100);
    conn_close(r->probe.conn, 0);
    rig_turn(r, 1);
    assert_hears(fd, "a");
    assert_hears_the_end(fd);
    close(fd);
    rig_free(r);
}

static void who_is_released_in_the_turn_of_the_close_does_not_wait(void **state)
{
    struct rig *r = hold_rig();
    int fd = rig_stream(r);

    (void)state;
    send_behind(r->probe.conn, 100, "a");
    conn_close(r->probe.conn, 0);
    disk_has(r, 100);
    assert_hears(fd, "a");
    assert_hears_the_end(fd);
    close(fd);
    rig_free(r);
}

static void who_waits_to_leave_is_not_read_and_costs_no_turns(void **state)
{
    struct rig *r = hold_rig();
    int fd = closing_client(r);

    (void)state;
    rig_say(fd, "more", 4);
    rig_turn(r, 2);
    assert_at_rest(r);
    assert_int_equal(r->probe.seen_n, 0);
    disk_has(r, 100);
    assert_hears(fd, "before behind");
    close(fd);
    rig_free(r);
}

static void who_hangs_up_is_not_waited_for(void **state)
{
    struct rig *r = hold_rig();
    int fd = closing_client(r);

    (void)state;
    close(fd);
    rig_turn(r, 2);
    assert_int_equal(net_connections(r->net[0]), 0);
    assert_null(r->net[0]->holds);
    assert_at_rest(r);
    rig_free(r);
}

static void who_has_gone_before_leaves_nothing_behind(void **state)
{
    struct rig *r = hold_rig();
    int fd = rig_stream(r);

    (void)state;
    send_behind(r->probe.conn, 100, "a");
    rig_turn(r, 1);
    conn_close(r->probe.conn, -ERR_RESET);
    rig_turn(r, 1);
    assert_int_equal(net_connections(r->net[0]), 0);
    assert_null(r->net[0]->holds);
    assert_hears_the_end(fd);
    close(fd);
    rig_free(r);
}

/* Turns the wheel of core 0 on, in steps in which it visits all. */
static void pass_seconds(struct rig *r, uint32_t s)
{
    for (int i = 0; i < 20; i++)
        wheel_run(&r->core[0].wheel, core_now_s(&r->core[0]) + s);
}

static void what_is_not_on_disk_in_time_is_never_said(void **state)
{
    struct rig *r = hold_rig();
    int fd = closing_client(r);

    (void)state;
    pass_seconds(r, LEAVE_S - 1);
    rig_turn(r, 1);
    assert_int_equal(net_connections(r->net[0]), 1);
    pass_seconds(r, LEAVE_S + 1);
    rig_turn(r, 1);
    assert_int_equal(net_connections(r->net[0]), 0);
    assert_hears(fd, "before ");
    assert_hears_the_end(fd);
    disk_has(r, 100);
    close(fd);
    rig_free(r);
}

static void a_limit_and_a_rise_in_one_turn_end_it_once(void **state)
{
    struct rig *r = hold_rig();
    int fd = closing_client(r);

    (void)state;
    pass_seconds(r, LEAVE_S + 1);
    disk_has(r, 100);
    assert_hears(fd, "before behind");
    assert_hears_the_end(fd);
    close(fd);
    rig_free(r);
}

static void what_is_put_when_closing_is_held_by_nobody(void **state)
{
    struct rig *r = hold_rig();
    int fd = rig_stream(r);

    (void)state;
    conn_close(r->probe.conn, 0);
    conn_hold(r->probe.conn, 100);
    assert_null(r->probe.conn->hold);
    assert_int_equal(conn_send(r->probe.conn, BYTES("a")), -ERR_CLOSED);
    rig_turn(r, 1);
    assert_hears_the_end(fd);
    close(fd);
    rig_free(r);
}

static void the_end_of_the_net_waits_for_no_disk(void **state)
{
    struct rig *r = hold_rig();
    int leaving = closing_client(r), online = rig_stream(r);

    (void)state;
    send_behind(r->probe.conn, 100, "a");
    rig_turn(r, 1);
    rig_free(r);
    assert_hears(online, "");
    assert_hears(leaving, "before ");
    close(leaving);
    close(online);
}

/* ---- the log fails ------------------------------------------------------------------------- */

static void who_holds_when_the_log_fails_is_closed_without_what_is_held(void **state)
{
    struct rig *r = hold_rig();
    int other = rig_stream(r);
    struct conn *free_one = r->probe.conn;
    int fd = rig_stream(r);

    (void)state;
    send_text(r->probe.conn, "before ");
    send_behind(r->probe.conn, 100, "behind");
    net_drop_held(r->net[0]);
    rig_turn(r, 1);
    assert_int_equal(r->probe.closes, 1);
    assert_int_equal(r->probe.why, -ERR_STORAGE);
    assert_hears(fd, "before ");
    assert_hears_the_end(fd);
    assert_null(r->net[0]->holds);
    send_text(free_one, "still here");
    rig_turn(r, 1);
    assert_hears(other, "still here");
    close(fd);
    close(other);
    rig_free(r);
}

static void who_holds_when_the_log_has_no_room_is_closed_and_others_may_hold_again(void **state)
{
    struct rig *r = hold_rig();
    int other = rig_stream(r);
    struct conn *free_one = r->probe.conn;
    int fd = rig_stream(r);

    (void)state;
    send_text(r->probe.conn, "before ");
    send_behind(r->probe.conn, 100, "behind");
    net_drop_late(r->net[0]);
    rig_turn(r, 1);
    assert_int_equal(r->probe.closes, 1);
    assert_int_equal(r->probe.why, -ERR_DISK_FULL);
    assert_hears(fd, "before ");
    assert_hears_the_end(fd);
    send_behind(free_one, 100, "still here");
    rig_turn(r, 1);
    assert_hears(other, "");
    r->core[0].durable = 100;
    rig_turn(r, 1);
    assert_hears(other, "still here");
    close(fd);
    close(other);
    rig_free(r);
}

static void what_was_on_disk_before_the_log_failed_is_said(void **state)
{
    struct rig *r = hold_rig();
    int fd = rig_stream(r);

    (void)state;
    send_behind(r->probe.conn, 100, "a");
    r->core[0].durable = 100;
    net_drop_held(r->net[0]);
    rig_turn(r, 1);
    assert_int_equal(r->probe.closes, 0);
    assert_hears(fd, "a");
    close(fd);
    rig_free(r);
}

static void who_waits_to_leave_does_not_wait_for_a_log_that_has_failed(void **state)
{
    struct rig *r = hold_rig();
    int fd = closing_client(r);

    (void)state;
    net_drop_held(r->net[0]);
    rig_turn(r, 1);
    assert_int_equal(net_connections(r->net[0]), 0);
    assert_int_equal(r->probe.closes, 1);
    assert_hears(fd, "before ");
    assert_hears_the_end(fd);
    close(fd);
    rig_free(r);
}

static void who_is_to_hold_after_the_log_has_failed_is_closed(void **state)
{
    struct rig *r = hold_rig();
    int fd = rig_stream(r);

    (void)state;
    net_drop_held(r->net[0]);
    conn_hold(r->probe.conn, 100);
    assert_int_equal(conn_send(r->probe.conn, BYTES("a")), -ERR_CLOSED);
    rig_turn(r, 1);
    assert_int_equal(r->probe.why, -ERR_STORAGE);
    assert_hears_the_end(fd);
    close(fd);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_closes_says_the_last_words_when_the_disk_has_answered),
        cmocka_unit_test(who_has_nothing_behind_the_hold_does_not_wait),
        cmocka_unit_test(who_is_released_in_the_turn_of_the_close_does_not_wait),
        cmocka_unit_test(who_waits_to_leave_is_not_read_and_costs_no_turns),
        cmocka_unit_test(who_hangs_up_is_not_waited_for),
        cmocka_unit_test(who_has_gone_before_leaves_nothing_behind),
        cmocka_unit_test(what_is_not_on_disk_in_time_is_never_said),
        cmocka_unit_test(a_limit_and_a_rise_in_one_turn_end_it_once),
        cmocka_unit_test(what_is_put_when_closing_is_held_by_nobody),
        cmocka_unit_test(the_end_of_the_net_waits_for_no_disk),
        cmocka_unit_test(who_holds_when_the_log_fails_is_closed_without_what_is_held),
        cmocka_unit_test(who_holds_when_the_log_has_no_room_is_closed_and_others_may_hold_again),
        cmocka_unit_test(what_was_on_disk_before_the_log_failed_is_said),
        cmocka_unit_test(who_waits_to_leave_does_not_wait_for_a_log_that_has_failed),
        cmocka_unit_test(who_is_to_hold_after_the_log_has_failed_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
