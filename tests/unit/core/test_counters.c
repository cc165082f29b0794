/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "core/counters.h"

static void every_counter_has_a_name_of_its_own_a_kind_and_a_help(void **state)
{
    (void)state;
    for (int i = 0; i < COUNTERS; i++) {
        enum counter c = (enum counter)i;
        const char *name = counter_name(c), *kind = counter_kind(c);
        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name));
        assert_true(strcmp(kind, "total") == 0 || strcmp(kind, "now") == 0);
        assert_true(strlen(counter_help(c)) > 0);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(name, counter_name((enum counter)k));
    }
    assert_string_equal(counter_name(C_messages_received), "messages_received");
    assert_string_equal(counter_kind(C_messages_received), "total");
    assert_string_equal(counter_kind(C_sessions), "now");
}

static void counting_goes_up_and_down_and_touches_one_counter(void **state)
{
    (void)state;
    struct counters c = {0};
    count(&c, C_sessions);
    count_add(&c, C_sessions, 41);
    count_sub(&c, C_sessions, 2);
    for (int i = 0; i < COUNTERS; i++)
        assert_int_equal(counter_read(&c, (enum counter)i), i == C_sessions ? 40 : 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_counter_has_a_name_of_its_own_a_kind_and_a_help),
        cmocka_unit_test(counting_goes_up_and_down_and_touches_one_counter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
