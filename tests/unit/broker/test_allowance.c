/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/allowance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

enum { NOW = 1000 };

static void window_is_used_up_by_its_last_message_and_free_when_it_has_passed(void **state)
{
    static const uint32_t seconds[ALLOWANCE_WINDOWS] = {1, 60, 3600, 86400};

    (void)state;
    for (unsigned w = 0; w < ALLOWANCE_WINDOWS; w++) {
        struct allowance a = {.held = true};
        struct allowance_limits l = {.disconnects = 0};
        l.max[ALLOWANCE_MESSAGES][w] = 3;
        for (unsigned round = 0; round < 2; round++) {
            uint32_t now_s = NOW + round * seconds[w];
            for (int i = 0; i < 3; i++) {
                assert_int_equal(allowance_ended(&a, &l, now_s).wait_s, 0);
                allowance_spend(&a, now_s, 10);
            }
            struct allowance_end e = allowance_ended(&a, &l, now_s);
            assert_int_equal(e.wait_s, seconds[w]);
            assert_int_equal(e.unit, ALLOWANCE_MESSAGES);
            assert_int_equal(e.window, w);
            assert_int_equal(allowance_ended(&a, &l, now_s + seconds[w] - 1).wait_s, 1);
            assert_int_equal(allowance_ended(&a, &l, now_s + seconds[w]).wait_s, 0);
        }
    }
}

static void bytes_are_counted_beside_messages(void **state)
{
    struct allowance a = {.held = true};
    struct allowance_limits l = {.disconnects = 0};

    (void)state;
    l.max[ALLOWANCE_BYTES][ALLOWANCE_MINUTE] = 100;
    allowance_spend(&a, NOW, 99);
    assert_int_equal(allowance_ended(&a, &l, NOW).wait_s, 0);
    allowance_spend(&a, NOW + 10, 1);
    struct allowance_end e = allowance_ended(&a, &l, NOW + 10);
    assert_int_equal(e.wait_s, 50);
    assert_string_equal(allowance_setting(&e), "rates.bytes_per_minute");
}

static void longest_window_that_is_used_up_decides(void **state)
{
    struct allowance a = {.held = true};
    struct allowance_limits l = {.disconnects = 0};

    (void)state;
    l.max[ALLOWANCE_MESSAGES][ALLOWANCE_SECOND] = 1;
    l.max[ALLOWANCE_MESSAGES][ALLOWANCE_HOUR] = 2;
    allowance_spend(&a, NOW, 0);
    assert_int_equal(allowance_ended(&a, &l, NOW).window, ALLOWANCE_SECOND);
    allowance_spend(&a, NOW + 1, 0);
    assert_int_equal(allowance_ended(&a, &l, NOW + 1).window, ALLOWANCE_HOUR);
    assert_int_equal(allowance_ended(&a, &l, NOW + 1).wait_s, 3599);
}

static void limits_are_wanted_if_there_is_one(void **state)
{
    struct allowance_limits l = {.disconnects = 1};

    (void)state;
    assert_false(allowance_wanted(&l));
    l.max[ALLOWANCE_BYTES][ALLOWANCE_DAY] = 1;
    assert_true(allowance_wanted(&l));
}

static void client_that_comes_back_does_not_start_afresh(void **state)
{
    struct allowances all = {.gone = 0};
    struct allowance *a = allowance_hold(&all, 7);

    (void)state;
    allowance_spend(a, NOW, 1);
    allowance_let_go(&all, a, NOW);
    assert_int_equal(all.gone, 1);
    struct allowance *again = allowance_hold(&all, 7), *other = allowance_hold(&all, 7);
    assert_ptr_equal(again, a);
    assert_ptr_not_equal(other, a); /* a client whose hash is the same */
    assert_int_equal(all.gone, 0);
    assert_int_equal(again->used[ALLOWANCE_MESSAGES][ALLOWANCE_DAY], 1);
    allowance_let_go(&all, other, NOW); /* it has used nothing: forgotten */
    assert_int_equal(all.gone, 0);
    allowance_let_go(&all, again, NOW + 86400);
    assert_int_equal(all.by_key.used, 0);
    allowances_fini(&all);
}

static void of_too_many_that_are_gone_the_first_is_forgotten(void **state)
{
    struct allowances all = {.gone = 0};

    (void)state;
    for (uint64_t key = 1; key <= ALLOWANCES_GONE_MAX + 2; key++) {
        struct allowance *a = allowance_hold(&all, key * 0x9E3779B97F4A7C15u);
        allowance_spend(a, NOW, 1);
        allowance_let_go(&all, a, NOW);
    }
    assert_int_equal(all.gone, ALLOWANCES_GONE_MAX);
    struct allowance *first = allowance_hold(&all, 0x9E3779B97F4A7C15u);
    struct allowance *third = allowance_hold(&all, 3 * 0x9E3779B97F4A7C15u);
    assert_int_equal(first->used[ALLOWANCE_MESSAGES][ALLOWANCE_DAY], 0);
    assert_int_equal(third->used[ALLOWANCE_MESSAGES][ALLOWANCE_DAY], 1);
    allowances_fini(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(window_is_used_up_by_its_last_message_and_free_when_it_has_passed),
        cmocka_unit_test(bytes_are_counted_beside_messages),
        cmocka_unit_test(longest_window_that_is_used_up_decides),
        cmocka_unit_test(limits_are_wanted_if_there_is_one),
        cmocka_unit_test(client_that_comes_back_does_not_start_afresh),
        cmocka_unit_test(of_too_many_that_are_gone_the_first_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
