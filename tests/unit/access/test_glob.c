/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/rng.h"
#include "broker/access/glob.h"

static const struct {
    const char *pattern, *text;
    bool matches;
} rows[] = {
    {"", "", true},
    {"", "a", false},
    {"a", "", false},
    {"*", "", true},
    {"*", "anything", true},
    {"a*", "a", true},
    {"a*", "ab", true},
    {"a*", "ba", false},
    {"*a", "ba", true},
    {"*a", "ab", false},
    {"a*c", "abc", true},
    {"a*c", "ac", true},
    {"a*c", "acb", false},
    {"a*b*c", "aXbYc", true},
    {"a*b*c", "acb", false},
    {"**", "x", true},
    {"*.*", "a.b", true},
    {"*ab", "aab", true},
    {"*aab*b", "aaabb", true},
    {"a", "A", false},
    {"a?c", "abc", false},
    {"a*", "*", false},
    {"*", "*", true},
};

static void every_row_of_the_table_holds(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(glob_matches(bytes_str(rows[i].pattern), bytes_str(rows[i].text)),
                         rows[i].matches);
}

/* The definition, which takes exponential time. */
static bool by_definition(struct bytes p, struct bytes t)
{
    if (p.n == 0) return t.n == 0;
    if (p.p[0] == '*')
        return by_definition(bytes_skip(p, 1), t) || (t.n && by_definition(p, bytes_skip(t, 1)));
    return t.n && p.p[0] == t.p[0] && by_definition(bytes_skip(p, 1), bytes_skip(t, 1));
}

static void it_agrees_with_the_definition(void **state)
{
    struct rng rng;
    (void)state;
    rng_seed(&rng, 4711);
    for (unsigned round = 0; round < 200000; round++) {
        uint8_t p[6], t[8];
        struct bytes pattern = bytes_of(p, rng_below(&rng, sizeof p + 1));
        struct bytes text = bytes_of(t, rng_below(&rng, sizeof t + 1));
        for (size_t i = 0; i < pattern.n; i++)
            p[i] = (uint8_t) "ab*"[rng_below(&rng, 3)];
        for (size_t i = 0; i < text.n; i++)
            t[i] = (uint8_t) "ab"[rng_below(&rng, 2)];
        assert_int_equal(glob_matches(pattern, text), by_definition(pattern, text));
    }
}

static void bytes_of_zero_are_bytes_like_others(void **state)
{
    (void)state;
    assert_false(glob_matches(BYTES("ab"), BYTES("ab\0")));
    assert_true(glob_matches(BYTES("a*b"), BYTES("a\0b")));
}

/* 256 bytes of pattern against 64 KiB: by backtracking over every star it would never end. */
static void many_stars_cost_no_more_than_pattern_times_text(void **state)
{
    static uint8_t p[256], t[65535];
    (void)state;
    for (size_t i = 0; i < sizeof p; i++)
        p[i] = i % 2 ? '*' : 'a';
    p[254] = 'b';
    p[255] = 'b';
    memset(t, 'a', sizeof t);
    assert_false(glob_matches(bytes_of(p, sizeof p), bytes_of(t, sizeof t)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_of_the_table_holds),
        cmocka_unit_test(it_agrees_with_the_definition),
        cmocka_unit_test(bytes_of_zero_are_bytes_like_others),
        cmocka_unit_test(many_stars_cost_no_more_than_pattern_times_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
