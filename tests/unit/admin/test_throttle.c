/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/throttle.h"

static const uint8_t here[16] = {
    [10] = 0xFF, [11] = 0xFF, [12] = 192, [13] = 0, [14] = 2, [15] = 1};
static const uint8_t there[16] = {
    [10] = 0xFF, [11] = 0xFF, [12] = 192, [13] = 0, [14] = 2, [15] = 9};

static void the_first_failures_are_free_and_the_rest_cost_more_and_more(void **state)
{
    static const uint32_t want[] = {0, 0, 0, 1, 2, 4, 8, 8, 8};
    struct throttle t = {0};

    (void)state;
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        assert_int_equal(throttle_fail(&t, here, 100), want[i]);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(throttle_fail(&t, here, 100), THROTTLE_S_MAX);
}

static void it_is_forgotten_after_a_while(void **state)
{
    struct throttle t = {0};

    (void)state;
    for (unsigned i = 0; i < 10; i++)
        throttle_fail(&t, here, 100);
    assert_int_equal(throttle_fail(&t, here, 100 + THROTTLE_FORGETS_S), THROTTLE_S_MAX);
    assert_int_equal(throttle_fail(&t, here, 101 + 2 * THROTTLE_FORGETS_S), 0);
}

static void others_do_not_pay(void **state)
{
    struct throttle t = {0};

    (void)state;
    for (unsigned i = 0; i < 10; i++)
        throttle_fail(&t, here, 100);
    assert_int_equal(throttle_fail(&t, there, 100), 0);
}

static void one_customer_of_ipv6_has_many_addresses(void **state)
{
    struct throttle t = {0};
    uint8_t ip[16] = {0x20, 0x01, 0x0d, 0xb8};
    uint32_t wait = 0;

    (void)state;
    for (uint8_t i = 0; i < 10; i++) {
        ip[15] = i;
        wait = throttle_fail(&t, ip, 100);
    }
    assert_int_equal(wait, THROTTLE_S_MAX);
    ip[7] = 1; /* another */
    assert_int_equal(throttle_fail(&t, ip, 100), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_failures_are_free_and_the_rest_cost_more_and_more),
        cmocka_unit_test(it_is_forgotten_after_a_while),
        cmocka_unit_test(others_do_not_pay),
        cmocka_unit_test(one_customer_of_ipv6_has_many_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
