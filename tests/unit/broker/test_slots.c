/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/slots.h"

enum { MANY = 1000 };

static void numbers_differ_and_lead_back(void **state)
{
    (void)state;
    static uint64_t item[MANY];
    uint32_t number[MANY];
    struct slots s = {0};
    for (unsigned i = 0; i < MANY; i++) {
        number[i] = slots_add(&s, &item[i], 1 << 20);
        assert_int_not_equal(number[i], 0);
    }
    for (unsigned i = 0; i < MANY; i += 2)
        slots_del(&s, number[i]);
    for (unsigned i = 0; i < MANY; i++)
        assert_ptr_equal(slots_find(&s, number[i]), i % 2 ? &item[i] : NULL);
    assert_null(slots_find(&s, 0));
    assert_null(slots_find(&s, UINT32_MAX));
    slots_fini(&s);
    assert_null(slots_find(&s, number[1]));
}

static void a_number_is_used_again_as_late_as_possible(void **state)
{
    (void)state;
    uint64_t item;
    struct slots s = {0};
    uint32_t first = slots_add(&s, &item, 64);
    slots_del(&s, first);
    for (unsigned i = 0; i < 62; i++) {
        uint32_t next = slots_add(&s, &item, 64);
        assert_int_not_equal(next, first);
        slots_del(&s, next);
    }
    assert_int_equal(slots_add(&s, &item, 64), first);
    slots_fini(&s);
}

static void when_all_are_taken_there_is_none_until_one_is_given_back(void **state)
{
    (void)state;
    uint64_t item;
    struct slots s = {0};
    for (unsigned i = 1; i < 128; i++)
        assert_int_not_equal(slots_add(&s, &item, 128), 0);
    assert_int_equal(slots_add(&s, &item, 128), 0);
    slots_del(&s, 77);
    assert_int_equal(slots_add(&s, &item, 128), 77);
    assert_int_equal(slots_add(&s, &item, 128), 0);
    slots_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_differ_and_lead_back),
        cmocka_unit_test(a_number_is_used_again_as_late_as_possible),
        cmocka_unit_test(when_all_are_taken_there_is_none_until_one_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
