/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/number.h"
#include "base/assert.h"
#include "base/err.h"

static const struct {
    enum number_kind kind;
    const char *text;
    int err;
    uint64_t value;
} rows[] = {
    {NUMBER_COUNT, "0", 0, 0},
    {NUMBER_COUNT, "100000", 0, 100000},
    {NUMBER_COUNT, "100k", 0, 100000},
    {NUMBER_COUNT, "2M", 0, 2000000},
    {NUMBER_COUNT, "18446744073709551615", 0, UINT64_MAX},
    {NUMBER_COUNT, "18446744073709551616", -ERR_TOO_LARGE, 0},
    {NUMBER_COUNT, "99999999999999999999", -ERR_TOO_LARGE, 0},
    {NUMBER_COUNT, "18446744073709551615k", -ERR_TOO_LARGE, 0},
    {NUMBER_COUNT, "", -ERR_INVALID, 0},
    {NUMBER_COUNT, " 1", -ERR_INVALID, 0},
    {NUMBER_COUNT, "-1", -ERR_INVALID, 0},
    {NUMBER_COUNT, "+1", -ERR_INVALID, 0},
    {NUMBER_COUNT, "0x10", -ERR_INVALID, 0},
    {NUMBER_COUNT, "1.5", -ERR_INVALID, 0},
    {NUMBER_COUNT, "1e3", -ERR_INVALID, 0},
    {NUMBER_COUNT, "1 KiB", -ERR_INVALID, 0},
    {NUMBER_SIZE, "64 MiB", 0, 64u << 20},
    {NUMBER_SIZE, "64MiB", 0, 64u << 20},
    {NUMBER_SIZE, "64m", 0, 64u << 20},
    {NUMBER_SIZE, "512", 0, 512},
    {NUMBER_SIZE, "1 TiB", 0, 1ull << 40},
    {NUMBER_SIZE, "64 MB", -ERR_INVALID, 0}, /* 10^6 or 2^20? */
    {NUMBER_SIZE, "64  MiB", -ERR_INVALID, 0},
    {NUMBER_SIZE, "MiB", -ERR_INVALID, 0},
    {NUMBER_SIZE, "16777216 TiB", -ERR_TOO_LARGE, 0},
    {NUMBER_MS, "10s", 0, 10000},
    {NUMBER_MS, "250ms", 0, 250},
    {NUMBER_MS, "3", 0, 3000},
    {NUMBER_S, "2h", 0, 7200},
    {NUMBER_S, "1d", 0, 86400},
    {NUMBER_S, "2000ms", 0, 2},
    {NUMBER_S, "1500ms", -ERR_INVALID, 0},
    {NUMBER_S, "never", -ERR_INVALID, 0},
};

static void text_becomes_exactly_the_number_it_says_or_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t v = 0;
        int err = number_parse(rows[i].kind, rows[i].text, &v);
        if (err != rows[i].err || v != rows[i].value)
            fail_msg("\"%s\": error %d, value %llu", rows[i].text, err, (unsigned long long)v);
    }
}

static void what_is_written_reads_back_as_the_same_number(void **state)
{
    static const uint64_t values[] = {0,         1,     999,      1000,       1023,
                                      1024,      3600,  3601,     1u << 20,   86400,
                                      64u << 20, 90000, 1u << 30, UINT32_MAX, 3ull << 40};
    static const enum number_kind kinds[] = {NUMBER_COUNT, NUMBER_SIZE, NUMBER_MS, NUMBER_S};

    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        for (size_t i = 0; i < ARRAY_LEN(values); i++) {
            char text[NUMBER_TEXT];
            uint64_t v = 1;
            assert_int_equal(number_parse(kinds[k], number_text(kinds[k], values[i], text), &v), 0);
            assert_int_equal(v, values[i]);
        }
    }
}

static void a_person_sees_the_largest_whole_unit(void **state)
{
    char text[NUMBER_TEXT];

    (void)state;
    assert_string_equal(number_text(NUMBER_SIZE, 64u << 20, text), "64 MiB");
    assert_string_equal(number_text(NUMBER_SIZE, 1025, text), "1025 B");
    assert_string_equal(number_text(NUMBER_S, 7200, text), "2h");
    assert_string_equal(number_text(NUMBER_MS, 1500, text), "1500ms");
    assert_string_equal(number_text(NUMBER_COUNT, 100000, text), "100000");
    assert_string_equal(number_text(NUMBER_S, 0, text), "0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_becomes_exactly_the_number_it_says_or_is_refused),
        cmocka_unit_test(what_is_written_reads_back_as_the_same_number),
        cmocka_unit_test(a_person_sees_the_largest_whole_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
