/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit/net/rig.h"

enum { FEW = 3, TURNS = 8, PART = 60000 };

static struct rig *rig_with_few(void)
{
    struct net_options o = NET_OPTIONS_DEFAULT;

    o.strangers_max = FEW;
    o.stranger_bytes_max = RIG_CORES * 128u << 10;
    return rig_new(&o);
}

static bool is_closed(int fd)
{
    uint8_t byte;

    return rig_hear(fd, &byte, 1) == 0;
}

static long take_nothing(struct probe *p, struct conn *c, struct bytes in)
{
    (void)p;
    (void)c;
    (void)in;
    return 0;
}

static void for_one_more_stranger_the_oldest_goes(void **state)
{
    struct rig *r = rig_with_few();
    int fd[FEW + 2];

    (void)state;
    for (int i = 0; i < FEW + 2; i++)
        fd[i] = rig_stream(r);
    rig_turn(r, TURNS);
    for (int i = 0; i < FEW + 2; i++)
        assert_int_equal(is_closed(fd[i]), i < 2);
    assert_int_equal(rig_count(r, 0, C_limited_strangers), 2);
    assert_int_equal(rig_count(r, 0, C_connections), FEW);
    for (int i = 0; i < FEW + 2; i++)
        close(fd[i]);
    rig_free(r);
}

static void who_is_known_or_gone_takes_no_place(void **state)
{
    struct rig *r = rig_with_few();
    int fd[3 * FEW];

    (void)state;
    for (int i = 0; i < 3 * FEW; i++) {
        fd[i] = rig_stream(r);
        if (i % 3 == 0) conn_known(r->probe.conn);
        if (i % 3 == 0) conn_known(r->probe.conn); /* once is enough */
        if (i % 3 == 1) conn_close(r->probe.conn, 0);
    }
    rig_turn(r, TURNS);
    assert_int_equal(rig_count(r, 0, C_limited_strangers), 0);
    for (int i = 0; i < 3 * FEW; i++) {
        assert_int_equal(is_closed(fd[i]), i % 3 == 1);
        close(fd[i]);
    }
    rig_turn(r, TURNS);
    for (int i = 0; i < FEW; i++) /* all places are free */
        fd[i] = rig_stream(r);
    rig_turn(r, TURNS);
    assert_int_equal(rig_count(r, 0, C_limited_strangers), 0);
    for (int i = 0; i < FEW; i++)
        close(fd[i]);
    rig_free(r);
}

static void of_those_that_leave_too_much_unread_the_oldest_goes(void **state)
{
    struct rig *r = rig_with_few();
    static uint8_t part[PART];
    int fd[FEW];

    (void)state;
    r->probe.bytes = take_nothing;
    for (int i = 0; i < FEW; i++)
        fd[i] = rig_stream(r);
    for (int i = 1; i < FEW; i++) { /* the first says nothing: it holds no bytes */
        rig_say(fd[i], part, sizeof part);
        rig_turn(r, TURNS);
    }
    assert_int_equal(rig_count(r, 0, C_limited_strangers), 0);
    rig_say(fd[0], part, sizeof part);
    rig_turn(r, TURNS);
    assert_int_equal(rig_count(r, 0, C_limited_strangers), 1);
    assert_true(is_closed(fd[0])); /* oldest by coming, and now it has bytes */
    assert_false(is_closed(fd[1]));
    for (int i = 0; i < FEW; i++)
        close(fd[i]);
    rig_free(r);
}

static void what_the_known_leave_unread_does_not_count(void **state)
{
    struct rig *r = rig_with_few();
    static uint8_t part[PART];
    int fd[FEW];

    (void)state;
    r->probe.bytes = take_nothing;
    for (int i = 0; i < FEW; i++) {
        fd[i] = rig_stream(r);
        struct conn *c = r->probe.conn;
        rig_say(fd[i], part, sizeof part);
        rig_turn(r, TURNS);
        conn_known(c);
    }
    assert_int_equal(rig_count(r, 0, C_limited_strangers), 0);
    for (int i = 0; i < FEW; i++)
        close(fd[i]);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(for_one_more_stranger_the_oldest_goes),
        cmocka_unit_test(who_is_known_or_gone_takes_no_place),
        cmocka_unit_test(of_those_that_leave_too_much_unread_the_oldest_goes),
        cmocka_unit_test(what_the_known_leave_unread_does_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
