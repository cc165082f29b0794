/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/rng.h"

static void rng_is_xoshiro256_starstar(void **state)
{
    (void)state;
    /* The generator's output from the state 1, 2, 3, 4. */
    static const uint64_t WANT[] = {11520, 0, 1509978240, 1215971899390074240ull};
    struct rng r = {.s = {1, 2, 3, 4}};
    for (size_t i = 0; i < ARRAY_LEN(WANT); i++)
        assert_true(rng_u64(&r) == WANT[i]);
}

static void same_seed_same_luck(void **state)
{
    (void)state;
    struct rng a, b, c;
    rng_seed(&a, 42);
    rng_seed(&b, 42);
    rng_seed(&c, 43);
    unsigned equal = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t v = rng_u64(&a);
        assert_true(v == rng_u64(&b));
        equal += v == rng_u64(&c);
    }
    assert_int_equal(equal, 0);
}

static void seed_zero_is_as_good_as_any(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 0);
    uint64_t ones = 0;
    for (int i = 0; i < 64; i++)
        ones |= rng_u64(&r);
    assert_true(ones == UINT64_MAX);
}

static void below_stays_below_and_reaches_everything_evenly(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 1);
    unsigned seen[10] = {0};
    for (int i = 0; i < 100000; i++) {
        uint64_t v = rng_below(&r, 10);
        assert_true(v < 10);
        seen[v]++;
    }
    for (int v = 0; v < 10; v++)
        assert_in_range(seen[v], 9500, 10500); /* five standard deviations */
    assert_true(rng_below(&r, 1) == 0);
}

static void system_gives_different_seeds(void **state)
{
    (void)state;
    assert_true(rng_os_seed() != rng_os_seed());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rng_is_xoshiro256_starstar),
        cmocka_unit_test(same_seed_same_luck),
        cmocka_unit_test(seed_zero_is_as_good_as_any),
        cmocka_unit_test(below_stays_below_and_reaches_everything_evenly),
        cmocka_unit_test(system_gives_different_seeds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
