/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/rng.h"
#include "core/wheel.h"

enum { START = 1000 };

/* A timer that counts how often it fired. */
struct alarm {
    struct timer timer;
    struct wheel *wheel;
    unsigned fired;
    struct alarm *victim; /* cancelled when this one fires */
    uint32_t again_s;     /* armed again for this second when it fires, if not 0 */
};

static void on_fire(struct timer *t)
{
    struct alarm *a = CONTAINER_OF(t, struct alarm, timer);
    a->fired++;
    if (a->victim) wheel_cancel(a->wheel, &a->victim->timer);
    if (a->again_s) wheel_arm(a->wheel, t, a->again_s);
}

static void arm(struct wheel *w, struct alarm *a, uint32_t due_s)
{
    a->timer.fire = on_fire;
    a->wheel = w;
    wheel_arm(w, &a->timer, due_s);
}

static void timer_fires_once_in_its_second_and_not_before(void **state)
{
    (void)state;
    struct wheel w;
    struct alarm a = {0};
    wheel_init(&w, START);
    arm(&w, &a, START + 3);
    assert_true(timer_armed(&a.timer));
    assert_int_equal(wheel_run(&w, START + 2), 0);
    assert_int_equal(a.fired, 0);
    assert_int_equal(wheel_run(&w, START + 3), 1);
    assert_int_equal(a.fired, 1);
    assert_false(timer_armed(&a.timer));
    assert_int_equal(wheel_run(&w, START + 5000), 0);
    assert_int_equal(a.fired, 1);
}

static void timer_due_already_fires_at_the_next_run(void **state)
{
    (void)state;
    struct wheel w;
    struct alarm now = {0}, past = {0};
    wheel_init(&w, START);
    arm(&w, &now, START);
    arm(&w, &past, 0);
    assert_true(wheel_wait_ns(&w, START * NS_PER_S) == 0);
    assert_int_equal(wheel_run(&w, START), 2);
    assert_int_equal(now.fired + past.fired, 2);
}

static void timer_that_arms_itself_in_the_past_fires_once_a_run(void **state)
{
    (void)state;
    struct wheel w;
    struct alarm a = {.again_s = 1};
    wheel_init(&w, START);
    arm(&w, &a, START + 1);
    for (unsigned run = 1; run <= 5; run++) {
        assert_int_equal(wheel_run(&w, START + 1), 1);
        assert_int_equal(a.fired, run);
    }
}

static void timer_beyond_the_wheel_waits_for_its_round(void **state)
{
    (void)state;
    struct wheel w;
    struct alarm a = {0};
    wheel_init(&w, START);
    arm(&w, &a, START + 5 + 2 * WHEEL_SLOTS);
    for (uint32_t s = START; s < START + 5 + 2 * WHEEL_SLOTS; s++)
        wheel_run(&w, s);
    assert_int_equal(a.fired, 0);
    assert_true(timer_armed(&a.timer));
    wheel_run(&w, START + 5 + 2 * WHEEL_SLOTS);
    assert_int_equal(a.fired, 1);
}

static void moved_timer_fires_only_at_the_new_time(void **state)
{
    (void)state;
    struct wheel w;
    struct alarm a = {0};
    wheel_init(&w, START);
    arm(&w, &a, START + 2);
    arm(&w, &a, START + 9);
    assert_int_equal(w.armed, 1);
    wheel_run(&w, START + 8);
    assert_int_equal(a.fired, 0);
    wheel_run(&w, START + 9);
    assert_int_equal(a.fired, 1);
}

static void cancelled_timer_does_not_fire(void **state)
{
    (void)state;
    struct wheel w;
    struct alarm a = {0};
    wheel_init(&w, START);
    wheel_cancel(&w, &a.timer); /* not armed: nothing */
    arm(&w, &a, START + 1);
    wheel_cancel(&w, &a.timer);
    assert_int_equal(wheel_run(&w, START + 10), 0);
    assert_int_equal(a.fired, 0);
    assert_int_equal(w.armed, 0);
}

static void a_firing_timer_may_cancel_others_of_its_second(void **state)
{
    (void)state;
    struct wheel w;
    struct alarm a[4] = {0};
    wheel_init(&w, START);
    for (int i = 0; i < 4; i++) {
        a[i].victim = &a[i ^ 1];
        arm(&w, &a[i], START + 1);
    }
    wheel_run(&w, START + 1);
    assert_int_equal(a[0].fired + a[1].fired, 1);
    assert_int_equal(a[2].fired + a[3].fired, 1);
    assert_int_equal(w.armed, 0);
}

static void no_run_visits_more_than_a_chunk_and_none_is_forgotten(void **state)
{
    (void)state;
    static struct alarm a[3 * WHEEL_CHUNK + 10];
    struct wheel w;
    wheel_init(&w, START);
    for (size_t i = 0; i < ARRAY_LEN(a); i++)
        arm(&w, &a[i], START + 1 + i % 2);
    for (unsigned run = 0; run < 3; run++) {
        assert_int_equal(wheel_run(&w, START + 2), WHEEL_CHUNK);
        assert_true(wheel_wait_ns(&w, (START + 2) * NS_PER_S) == 0);
    }
    assert_int_equal(wheel_run(&w, START + 2), 10);
    for (size_t i = 0; i < ARRAY_LEN(a); i++)
        assert_int_equal(a[i].fired, 1);
}

static void after_a_long_pause_all_that_is_due_fires_and_nothing_else(void **state)
{
    (void)state;
    struct wheel w;
    struct alarm due[3] = {0}, later = {0};
    wheel_init(&w, START);
    arm(&w, &due[0], START + 1);
    arm(&w, &due[1], START + WHEEL_SLOTS + 1);
    arm(&w, &due[2], START + 1000000);
    arm(&w, &later, START + 1000001);
    wheel_run(&w, START + 1000000);
    for (int i = 0; i < 3; i++)
        assert_int_equal(due[i].fired, 1);
    assert_int_equal(later.fired, 0);
    wheel_run(&w, START + 1000001);
    assert_int_equal(later.fired, 1);
}

static void wait_ends_at_the_second_of_the_next_timer(void **state)
{
    (void)state;
    struct wheel w;
    struct alarm a = {0};
    uint64_t now_ns = START * NS_PER_S + 250 * NS_PER_MS;
    wheel_init(&w, START);
    assert_true(wheel_wait_ns(&w, now_ns) == UINT64_MAX);
    arm(&w, &a, START + 1);
    assert_true(wheel_wait_ns(&w, now_ns) == 750 * NS_PER_MS);
    assert_true(wheel_wait_ns(&w, (START + 7) * NS_PER_S) == 0);
    arm(&w, &a, START + WHEEL_SLOTS);
    assert_true(wheel_wait_ns(&w, START * NS_PER_S) == WHEEL_SLOTS * NS_PER_S);
    arm(&w, &a, START + WHEEL_SLOTS + 4); /* another round: looked at early, no later */
    assert_true(wheel_wait_ns(&w, START * NS_PER_S) == 4 * NS_PER_S);
}

/* Random arming, moving, cancelling and waiting against a plain array of due times. */
static void wheel_agrees_with_an_array(void **state)
{
    (void)state;
    enum { TIMERS = 500, STEPS = 20000 };
    static struct alarm a[TIMERS];
    static uint32_t due[TIMERS]; /* 0: not armed */
    struct rng r;
    struct wheel w;
    uint32_t now_s = START;
    unsigned fired = 0;
    rng_seed(&r, 5);
    wheel_init(&w, START);
    for (int step = 0; step < STEPS; step++) {
        size_t i = rng_below(&r, TIMERS);
        if (rng_below(&r, 4) == 0) {
            wheel_cancel(&w, &a[i].timer);
            due[i] = 0;
        } else {
            due[i] = now_s + 1 + (uint32_t)rng_below(&r, 3 * WHEEL_SLOTS);
            arm(&w, &a[i], due[i]);
        }
        if (rng_below(&r, 8)) continue;
        now_s += (uint32_t)rng_below(&r, rng_below(&r, 50) ? 4 : 2 * WHEEL_SLOTS);
        while (wheel_run(&w, now_s)) {
        }
        unsigned armed = 0;
        for (size_t k = 0; k < TIMERS; k++) {
            bool is_due = due[k] && due[k] <= now_s;
            assert_int_equal(a[k].fired, is_due);
            fired += is_due;
            a[k].fired = 0;
            if (is_due) due[k] = 0;
            armed += due[k] != 0;
        }
        assert_int_equal(w.armed, armed);
    }
    assert_true(fired > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timer_fires_once_in_its_second_and_not_before),
        cmocka_unit_test(timer_due_already_fires_at_the_next_run),
        cmocka_unit_test(timer_that_arms_itself_in_the_past_fires_once_a_run),
        cmocka_unit_test(timer_beyond_the_wheel_waits_for_its_round),
        cmocka_unit_test(moved_timer_fires_only_at_the_new_time),
        cmocka_unit_test(cancelled_timer_does_not_fire),
        cmocka_unit_test(a_firing_timer_may_cancel_others_of_its_second),
        cmocka_unit_test(no_run_visits_more_than_a_chunk_and_none_is_forgotten),
        cmocka_unit_test(after_a_long_pause_all_that_is_due_fires_and_nothing_else),
        cmocka_unit_test(wait_ends_at_the_second_of_the_next_timer),
        cmocka_unit_test(wheel_agrees_with_an_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
