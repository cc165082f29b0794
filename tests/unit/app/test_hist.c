/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "app/bench/hist.h"

static struct hist *new_hist(void)
{
    struct hist *h = calloc(1, sizeof *h);

    assert_non_null(h);
    return h;
}

static void a_histogram_without_values_says_zero(void **state)
{
    struct hist *h = new_hist();

    (void)state;
    assert_int_equal(hist_quantile(h, 0.5), 0);
    free(h);
}

static void small_values_are_exact(void **state)
{
    struct hist *h = new_hist();

    (void)state;
    for (uint64_t v = 1; v <= 100; v++)
        hist_add(h, v);
    assert_int_equal(hist_quantile(h, 0.5), 50);
    assert_int_equal(hist_quantile(h, 0.99), 99);
    assert_int_equal(hist_quantile(h, 1), 100);
    assert_int_equal(h->n, 100);
    assert_int_equal(h->sum, 5050);
    free(h);
}

static void any_value_is_known_to_one_part_in_64(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        for (int d = -1; d <= 1; d++) {
            struct hist *h = new_hist();
            uint64_t v = ((uint64_t)1 << bit) + (uint64_t)d;
            hist_add(h, v);
            hist_add(h, UINT64_MAX); /* so that the maximum does not help */
            uint64_t q = hist_quantile(h, 0.5);
            assert_true(q >= v && q - v <= v / 64);
            free(h);
        }
    }
}

static void merged_histograms_count_as_one(void **state)
{
    struct hist *a = new_hist(), *b = new_hist(), *both = new_hist();

    (void)state;
    for (uint64_t v = 1; v < 1000000; v = v * 3 + 1) {
        hist_add(v % 2 ? a : b, v);
        hist_add(both, v);
    }
    hist_merge(a, b);
    assert_memory_equal(a, both, sizeof *a);
    free(a);
    free(b);
    free(both);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_histogram_without_values_says_zero),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(any_value_is_known_to_one_part_in_64),
        cmocka_unit_test(merged_histograms_count_as_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
