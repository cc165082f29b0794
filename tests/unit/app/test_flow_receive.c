/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/bench/flow.h"

static void in_order_once_each_is_in_order(void **state)
{
    struct seen s = {0};

    (void)state;
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(seen_add(&s, i), SEEN_IN_ORDER);
}

static void the_same_again_is_seen_twice(void **state)
{
    struct seen s = {0};

    (void)state;
    for (uint32_t i = 0; i < 100; i++)
        seen_add(&s, i);
    for (uint32_t back = 0; back < RECENT; back++)
        assert_int_equal(seen_add(&s, 99 - back), SEEN_TWICE);
}

static void a_gap_that_is_filled_later_is_late_once(void **state)
{
    struct seen s = {0};

    (void)state;
    assert_int_equal(seen_add(&s, 0), SEEN_IN_ORDER);
    assert_int_equal(seen_add(&s, 3), SEEN_IN_ORDER);
    assert_int_equal(seen_add(&s, 1), SEEN_LATE);
    assert_int_equal(seen_add(&s, 1), SEEN_TWICE);
    assert_int_equal(seen_add(&s, 2), SEEN_LATE);
    assert_int_equal(seen_add(&s, 4), SEEN_IN_ORDER);
}

static void a_jump_beyond_what_is_remembered_forgets(void **state)
{
    struct seen s = {0};

    (void)state;
    seen_add(&s, 0);
    assert_int_equal(seen_add(&s, RECENT), SEEN_IN_ORDER);
    assert_int_equal(seen_add(&s, 1), SEEN_LATE);
    assert_int_equal(seen_add(&s, 1), SEEN_TWICE);
    assert_int_equal(seen_add(&s, 0), SEEN_LATE); /* too old to know better */
    assert_int_equal(seen_add(&s, 1000000), SEEN_IN_ORDER);
    assert_int_equal(seen_add(&s, 1000000 - 1), SEEN_LATE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order_once_each_is_in_order),
        cmocka_unit_test(the_same_again_is_seen_twice),
        cmocka_unit_test(a_gap_that_is_filled_later_is_late_once),
        cmocka_unit_test(a_jump_beyond_what_is_remembered_forgets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
