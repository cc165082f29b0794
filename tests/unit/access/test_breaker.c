/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/access/breaker.h"

static void fail_times(struct breaker *b, unsigned n, uint64_t now_ns)
{
    for (unsigned i = 0; i < n; i++)
        breaker_tell(b, BREAKER_ADMITS, false, now_ns);
}

static void it_opens_after_failures_in_a_row(void **state)
{
    struct breaker b = {.open = false};
    (void)state;
    fail_times(&b, BREAKER_FAILURES - 1, 0);
    breaker_tell(&b, BREAKER_ADMITS, true, 0);
    fail_times(&b, BREAKER_FAILURES - 1, 0);
    assert_int_equal(breaker_ask(&b, 0), BREAKER_ADMITS);
    fail_times(&b, 1, 0);
    assert_int_equal(breaker_ask(&b, 0), BREAKER_REFUSES);
}

static void one_probe_passes_after_the_wait(void **state)
{
    struct breaker b = {.open = false};
    (void)state;
    fail_times(&b, BREAKER_FAILURES, 7);
    assert_int_equal(breaker_ask(&b, 7 + NS_PER_S - 1), BREAKER_REFUSES);
    assert_int_equal(breaker_ask(&b, 7 + NS_PER_S), BREAKER_PROBES);
    assert_int_equal(breaker_ask(&b, 100 * NS_PER_S), BREAKER_REFUSES);
    breaker_tell(&b, BREAKER_PROBES, true, 100 * NS_PER_S);
    assert_int_equal(breaker_ask(&b, 100 * NS_PER_S), BREAKER_ADMITS);
    fail_times(&b, BREAKER_FAILURES - 1, 0); /* it counts from the start again */
    assert_int_equal(breaker_ask(&b, 100 * NS_PER_S), BREAKER_ADMITS);
}

static void wait_doubles_with_each_failed_probe_up_to_its_end(void **state)
{
    static const unsigned waits_s[] = {1, 2, 4, 8, 16, 30, 30, 30};
    struct breaker b = {.open = false};
    uint64_t now_ns = 0;
    (void)state;
    fail_times(&b, BREAKER_FAILURES, now_ns);
    for (unsigned i = 0; i < sizeof waits_s / sizeof *waits_s; i++) {
        now_ns += waits_s[i] * NS_PER_S;
        assert_int_equal(breaker_ask(&b, now_ns - 1), BREAKER_REFUSES);
        assert_int_equal(breaker_ask(&b, now_ns), BREAKER_PROBES);
        breaker_tell(&b, BREAKER_PROBES, false, now_ns);
    }
}

static void late_failure_from_before_changes_nothing(void **state)
{
    struct breaker b = {.open = false};
    (void)state;
    fail_times(&b, BREAKER_FAILURES, 0);
    assert_int_equal(breaker_ask(&b, NS_PER_S), BREAKER_PROBES);
    fail_times(&b, 3, NS_PER_S);
    assert_int_equal(breaker_ask(&b, 10 * NS_PER_S), BREAKER_REFUSES); /* the probe is out */
    breaker_tell(&b, BREAKER_PROBES, false, 10 * NS_PER_S);
    assert_int_equal(breaker_ask(&b, 12 * NS_PER_S), BREAKER_PROBES); /* 2 s, not more */
}

static void late_success_closes_it(void **state)
{
    struct breaker b = {.open = false};
    (void)state;
    fail_times(&b, BREAKER_FAILURES, 0);
    breaker_tell(&b, BREAKER_ADMITS, true, 1);
    assert_int_equal(breaker_ask(&b, 1), BREAKER_ADMITS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_opens_after_failures_in_a_row),
        cmocka_unit_test(one_probe_passes_after_the_wait),
        cmocka_unit_test(wait_doubles_with_each_failed_probe_up_to_its_end),
        cmocka_unit_test(late_failure_from_before_changes_nothing),
        cmocka_unit_test(late_success_closes_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
