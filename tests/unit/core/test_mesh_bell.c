/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <unistd.h>

#include "mesh_rig.h"

static void an_idle_core_may_sleep_and_its_bell_is_quiet(void **state)
{
    (void)state;
    struct rig g = rig_make(2, 2);
    assert_true(may_sleep(&g, 0));
    assert_false(bell_rings(&g, 0));
    awake(&g, 0);
    assert_true(may_sleep(&g, 0));
    rig_free(&g);
}

static void a_core_must_not_sleep_on_mail_of_any_kind(void **state)
{
    (void)state;
    struct rig g = rig_make(2, 2);
    note(&g, 0, 1, 0);
    assert_false(may_sleep(&g, 0)); /* staged */
    post(&g, 0);
    assert_false(may_sleep(&g, 1)); /* waits in the ring */
    note(&g, 0, 0, 0);
    assert_false(may_sleep(&g, 0)); /* to itself */
    assert_int_equal(take(&g, 0), 1);
    assert_true(may_sleep(&g, 0));
    assert_false(bell_rings(&g, 0));
    assert_false(bell_rings(&g, 1));
    rig_free(&g);
}

static void a_sleeper_is_woken_once_by_however_many_ring(void **state)
{
    (void)state;
    struct rig g = rig_make(4, 16);
    assert_true(may_sleep(&g, 0));
    for (unsigned from = 1; from < 4; from++) {
        for (uint32_t i = 0; i < 3; i++) {
            note(&g, from, 0, i);
            post(&g, from);
        }
    }
    assert_true(bell_rings(&g, 0));
    uint64_t bells = 0;
    for (unsigned from = 1; from < 4; from++)
        bells += mesh_counts(g.ear[from].port).bells;
    assert_int_equal(bells, 1);
    awake(&g, 0);
    assert_false(bell_rings(&g, 0));
    assert_int_equal(take(&g, 0), 9);
    rig_free(&g);
}

static void nobody_wakes_a_core_that_is_awake(void **state)
{
    (void)state;
    struct rig g = rig_make(2, 64);
    for (uint32_t i = 0; i < 40; i++) {
        note(&g, 0, 1, i);
        post(&g, 0);
    }
    assert_false(bell_rings(&g, 1));
    assert_int_equal(mesh_counts(g.ear[0].port).bells, 0);
    rig_free(&g);
}

static void a_core_can_sleep_and_wake_again_and_again(void **state)
{
    (void)state;
    struct rig g = rig_make(2, 2);
    for (uint32_t i = 0; i < 100; i++) {
        assert_true(may_sleep(&g, 1));
        assert_false(bell_rings(&g, 1));
        note(&g, 0, 1, i);
        post(&g, 0);
        assert_true(bell_rings(&g, 1));
        awake(&g, 1);
        assert_int_equal(take(&g, 1), 1);
        post(&g, 1);
    }
    assert_heard(&g, 1, 0, 0, 100);
    assert_int_equal(mesh_counts(g.ear[0].port).bells, 100);
    rig_free(&g);
}

static void waking_twice_does_no_harm(void **state)
{
    (void)state;
    struct rig g = rig_make(2, 2);
    assert_true(may_sleep(&g, 1));
    note(&g, 0, 1, 0);
    post(&g, 0);
    awake(&g, 1);
    awake(&g, 1);
    assert_false(bell_rings(&g, 1));
    take(&g, 1);
    post(&g, 1);
    assert_true(may_sleep(&g, 1));
    note(&g, 0, 1, 1);
    post(&g, 0);
    assert_true(bell_rings(&g, 1));
    rig_free(&g);
}

/* The winner of the flag may write the descriptor only after the sleeper woke by itself
 * (a timer): that wake-up comes late, once, and must not end all later sleeps. */
static void a_wake_up_that_comes_late_is_drained_by_the_next_awake(void **state)
{
    (void)state;
    struct rig g = rig_make(2, 2);
    uint64_t one = 1, stolen;
    int fd = mesh_bell_fd(g.ear[1].port);

    assert_true(may_sleep(&g, 1));
    note(&g, 0, 1, 0);
    post(&g, 0);
    assert_int_equal(read(fd, &stolen, sizeof stolen), sizeof stolen); /* as if not written yet */
    awake(&g, 1);
    take(&g, 1);
    post(&g, 1);
    assert_true(may_sleep(&g, 1));
    assert_int_equal(write(fd, &one, sizeof one), sizeof one);
    assert_true(bell_rings(&g, 1));
    awake(&g, 1);
    assert_false(bell_rings(&g, 1));
    rig_free(&g);
}

static void a_stranger_can_wake_a_core_or_keep_it_awake_for_one_turn(void **state)
{
    (void)state;
    struct rig g = rig_make(1, 2);
    mesh_ring(g.ear[0].port);
    assert_false(bell_rings(&g, 0)); /* it was awake */
    assert_false(may_sleep(&g, 0));
    assert_true(may_sleep(&g, 0));
    mesh_ring(g.ear[0].port);
    mesh_ring(g.ear[0].port);
    assert_true(bell_rings(&g, 0));
    awake(&g, 0);
    assert_false(bell_rings(&g, 0));
    assert_true(may_sleep(&g, 0));
    rig_free(&g);
}

static void a_sender_asleep_with_a_full_outbox_is_rung_back(void **state)
{
    (void)state;
    struct rig g = rig_make(2, 2);
    unsigned turns = 0;
    for (uint32_t i = 0; i < 20; i++)
        note(&g, 0, 1, i);
    post(&g, 0);
    while (g.ear[1].notes < 20) {
        bool outbox_waits = g.ear[1].notes + 2 < 20;
        assert_true(may_sleep(&g, 0));
        assert_int_equal(take(&g, 1), 2);
        assert_false(may_sleep(&g, 1)); /* a ring-back is still owed, for all it knows */
        post(&g, 1);
        assert_int_equal(bell_rings(&g, 0), outbox_waits);
        awake(&g, 0);
        take(&g, 0);
        post(&g, 0);
        assert_true(++turns <= 20);
    }
    assert_heard(&g, 1, 0, 0, 20);
    rig_free(&g);
}

static void a_sender_does_not_sleep_on_an_outbox_that_could_move(void **state)
{
    (void)state;
    struct rig g = rig_make(2, 2);
    for (uint32_t i = 0; i < 3; i++)
        note(&g, 0, 1, i);
    post(&g, 0);
    take(&g, 1);
    assert_false(may_sleep(&g, 0));
    assert_int_equal(post(&g, 0), 1);
    assert_true(may_sleep(&g, 0));
    rig_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_core_may_sleep_and_its_bell_is_quiet),
        cmocka_unit_test(a_core_must_not_sleep_on_mail_of_any_kind),
        cmocka_unit_test(a_sleeper_is_woken_once_by_however_many_ring),
        cmocka_unit_test(nobody_wakes_a_core_that_is_awake),
        cmocka_unit_test(a_core_can_sleep_and_wake_again_and_again),
        cmocka_unit_test(waking_twice_does_no_harm),
        cmocka_unit_test(a_wake_up_that_comes_late_is_drained_by_the_next_awake),
        cmocka_unit_test(a_stranger_can_wake_a_core_or_keep_it_awake_for_one_turn),
        cmocka_unit_test(a_sender_asleep_with_a_full_outbox_is_rung_back),
        cmocka_unit_test(a_sender_does_not_sleep_on_an_outbox_that_could_move),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
