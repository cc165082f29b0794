/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit/net/rig.h"

#include "net/net_internal.h"

static long answer_and_close(struct probe *p, struct conn *c, struct bytes in)
{
    (void)p;
    assert_int_equal(conn_send(c, BYTES("sorry")), 0);
    conn_close(c, -ERR_PROTOCOL);
    return (long)in.n;
}

/* A client that has been answered and left, and does not know it yet. */
static int dismissed(struct rig *r)
{
    r->probe.bytes = answer_and_close;
    int fd = rig_connect(r);
    rig_turn(r, 3);
    rig_say(fd, "hello", 5);
    rig_turn(r, 3);
    assert_int_equal(net_connections(r->net[0]), 0);
    return fd;
}

static void one_who_goes_on_writing_still_reads_the_answer(void **state)
{
    struct rig *r = rig_default();
    char buf[16];

    (void)state;
    rig_listen(r);
    int fd = dismissed(r);
    for (int i = 0; i < 20; i++) {
        rig_say(fd, "more", 4);
        rig_turn(r, 2);
    }
    assert_int_equal(rig_hear(fd, buf, sizeof buf), 5);
    assert_int_equal(rig_hear(fd, buf, sizeof buf), 0); /* an end, not a reset */
    close(fd);
    rig_turn(r, 2);
    assert_int_equal(r->net[0]->nleavers, 0);
    rig_free(r);
}

static void one_who_never_closes_is_left_after_a_while(void **state)
{
    struct rig *r = rig_default();

    (void)state;
    rig_listen(r);
    int fd = dismissed(r);
    assert_int_equal(r->net[0]->nleavers, 1);
    wheel_run(&r->core[0].wheel, core_now_s(&r->core[0]) + 1);
    assert_int_equal(r->net[0]->nleavers, 1);
    for (int i = 0; i < 20; i++)
        wheel_run(&r->core[0].wheel, core_now_s(&r->core[0]) + 3);
    assert_int_equal(r->net[0]->nleavers, 0);
    close(fd);
    rig_free(r);
}

static void freeing_the_net_ends_all_farewells(void **state)
{
    struct rig *r = rig_default();
    int fd[10];

    (void)state;
    rig_listen(r);
    for (int i = 0; i < 10; i++)
        fd[i] = dismissed(r);
    assert_int_equal(r->net[0]->nleavers, 10);
    rig_free(r);
    for (int i = 0; i < 10; i++)
        close(fd[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_who_goes_on_writing_still_reads_the_answer),
        cmocka_unit_test(one_who_never_closes_is_left_after_a_while),
        cmocka_unit_test(freeing_the_net_ends_all_farewells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
