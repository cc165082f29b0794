/* SPDX-License-Identifier: BSD-3-Clause */
/* test_utf8.c -- utf8_valid against a reference that is a table and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/utf8.h"

/* Unicode 15, table 3-7, but for U+0000: the range of each byte of a well-formed sequence. */
static const struct {
    size_t n;
    uint8_t lo[4], hi[4];
} ROW[] = {
    {1, {0x01}, {0x7F}},
    {2, {0xC2, 0x80}, {0xDF, 0xBF}},
    {3, {0xE0, 0xA0, 0x80}, {0xE0, 0xBF, 0xBF}},
    {3, {0xE1, 0x80, 0x80}, {0xEC, 0xBF, 0xBF}},
    {3, {0xED, 0x80, 0x80}, {0xED, 0x9F, 0xBF}},
    {3, {0xEE, 0x80, 0x80}, {0xEF, 0xBF, 0xBF}},
    {4, {0xF0, 0x90, 0x80, 0x80}, {0xF0, 0xBF, 0xBF, 0xBF}},
    {4, {0xF1, 0x80, 0x80, 0x80}, {0xF3, 0xBF, 0xBF, 0xBF}},
    {4, {0xF4, 0x80, 0x80, 0x80}, {0xF4, 0x8F, 0xBF, 0xBF}},
};

static size_t reference_sequence(const uint8_t *p, size_t n)
{
    for (size_t r = 0; r < ARRAY_LEN(ROW); r++) {
        size_t i = 0;
        while (i < ROW[r].n && i < n && p[i] >= ROW[r].lo[i] && p[i] <= ROW[r].hi[i])
            i++;
        if (i == ROW[r].n) return i;
    }
    return 0;
}

static bool reference(const uint8_t *p, size_t n)
{
    for (size_t at = 0; at < n;) {
        size_t k = reference_sequence(p + at, n - at);
        if (!k) return false;
        at += k;
    }
    return true;
}

static void check(const uint8_t *p, size_t n)
{
    if (utf8_valid(bytes_of(p, n)) == reference(p, n)) return;
    fail_msg("%zu bytes: %02x %02x %02x %02x ...", n, p[0], p[1], p[2], p[3]);
}

static void every_sequence_of_up_to_three_bytes_is_judged_right(void **state)
{
    (void)state;
    uint8_t b[4] = {0};
    for (uint32_t v = 0; v < 1u << 24; v++) {
        b[0] = (uint8_t)(v >> 16);
        b[1] = (uint8_t)(v >> 8);
        b[2] = (uint8_t)v;
        if ((v & 0xFFFF) == 0) check(b, 1);
        if ((v & 0xFF) == 0) check(b, 2);
        check(b, 3);
    }
}

static void four_bytes_at_all_limits_of_the_table_are_judged_right(void **state)
{
    (void)state;
    static const uint8_t EDGE[] = {0x00, 0x01, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0,
                                   0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED,
                                   0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF};
    size_t k = ARRAY_LEN(EDGE);
    for (size_t v = 0; v < k * k * k * k; v++) {
        uint8_t b[4] = {EDGE[v / (k * k * k)], EDGE[v / (k * k) % k], EDGE[v / k % k], EDGE[v % k]};
        check(b, 4);
    }
}

/* The eight-byte stride must not step over anything. */
static void every_byte_is_seen_at_every_place_in_a_run_of_ascii(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 26; n++) {
        for (size_t at = 0; at < n; at++) {
            for (unsigned v = 0; v < 256; v++) {
                uint8_t b[26];
                memset(b, 'x', sizeof b);
                b[at] = (uint8_t)v;
                check(b, n);
            }
        }
    }
}

static void a_character_may_lie_anywhere_but_not_be_cut(void **state)
{
    (void)state;
    static const char *const CHARACTER[] = {"\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
    for (size_t c = 0; c < ARRAY_LEN(CHARACTER); c++) {
        size_t k = strlen(CHARACTER[c]);
        for (size_t at = 0; at <= 20; at++) {
            uint8_t b[24];
            memset(b, 'x', sizeof b);
            memcpy(b + at, CHARACTER[c], k);
            assert_true(utf8_valid(bytes_of(b, sizeof b)));
            for (size_t cut = 1; cut < k; cut++)
                assert_false(utf8_valid(bytes_of(b, at + cut)));
        }
    }
}

static void nothing_is_well_formed(void **state)
{
    (void)state;
    assert_true(utf8_valid(bytes_of(NULL, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sequence_of_up_to_three_bytes_is_judged_right),
        cmocka_unit_test(four_bytes_at_all_limits_of_the_table_are_judged_right),
        cmocka_unit_test(every_byte_is_seen_at_every_place_in_a_run_of_ascii),
        cmocka_unit_test(a_character_may_lie_anywhere_but_not_be_cut),
        cmocka_unit_test(nothing_is_well_formed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
