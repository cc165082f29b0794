/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "app/ctl/ctl_table.h"
#include "app/ctl/top_view.h"

static json_t *read_json(const char *text)
{
    json_t *v = json_loads(text, 0, NULL);

    assert_non_null(v);
    return v;
}

static void columns_are_as_wide_as_what_is_in_them(void **state)
{
    static const struct ctl_column columns[CTL_COLUMNS_MAX] = {
        {"NAME", "name"}, {"N", "in.n"}, {"UP", "up"}};
    json_t *rows = read_json("[{\"name\":\"longer\",\"in\":{\"n\":7},\"up\":true},"
                             "{\"name\":\"\\u00e4\",\"up\":false}]");
    char *text;
    size_t n;
    FILE *f = open_memstream(&text, &n);

    (void)state;
    assert_int_equal(ctl_table(f, columns, rows, true), 2);
    fclose(f);
    assert_string_equal(text, "NAME    N  UP\nlonger  7  yes\n\xC3\xA4       -  no\n");
    free(text);
    json_decref(rows);
}

static void no_control_reaches_the_terminal(void **state)
{
    json_t *row = read_json("{\"a\":\"x\\u001b[2J\\u007f\\u009by\"}");
    char cell[CTL_CELL_MAX];

    (void)state;
    ctl_cell(row, "a", cell);
    assert_string_equal(cell, "x\\x1b[2J\\x7f\\x9by");
    json_decref(row);
}

static void long_text_is_cut(void **state)
{
    char text[4096] = "{\"a\":\"", cell[CTL_CELL_MAX];

    (void)state;
    memset(text + 6, 'x', 4000);
    memcpy(text + 4006, "\"}", 3);
    json_t *row = read_json(text);
    ctl_cell(row, "a", cell);
    assert_true(strlen(cell) < CTL_CELL_MAX && strlen(cell) > CTL_CELL_MAX - 32);
    json_decref(row);
}

static void rates_are_per_second_and_summed(void **state)
{
    json_t *before = read_json("[{\"core\":0,\"up\":true,\"clock_seconds\":10,\"slept_seconds\":5,"
                               "\"counters\":{\"messages_received\":100}},"
                               "{\"core\":1,\"up\":false}]");
    json_t *now = read_json("[{\"core\":0,\"up\":true,\"clock_seconds\":12,\"slept_seconds\":6.5,"
                            "\"longest_turn_us\":321,\"counters\":{\"messages_received\":300}},"
                            "{\"core\":1,\"up\":false}]");
    char *text;
    size_t n;
    FILE *f = open_memstream(&text, &n);

    (void)state;
    top_view(f, before, now, "\n");
    fclose(f);
    assert_non_null(strstr(text, "MSG IN/s"));
    assert_non_null(strstr(text, "    0    25        0        321"));
    assert_non_null(strstr(text, "       100"));
    assert_non_null(strstr(text, "    1  no answer\n"));
    free(text);
    json_decref(before);
    json_decref(now);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_as_wide_as_what_is_in_them),
        cmocka_unit_test(no_control_reaches_the_terminal),
        cmocka_unit_test(long_text_is_cut),
        cmocka_unit_test(rates_are_per_second_and_summed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
