/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/args.h"
#include "base/assert.h"
#include "unit/app/stderr.h"

enum { HOST, RETAIN, LONG_ONLY, ROWS };

static const struct arg rows[ROWS] = {
    [HOST] = {'h', "host", "NAME", "where"},
    [RETAIN] = {'r', "retain", NULL, "keep it"},
    [LONG_ONLY] = {0, "json", NULL, "as JSON"},
};

static const struct command command = {
    .name = "try", .what = "is tried", .operands = "", .args = rows, .nargs = ROWS};

#define ARGV(...) (char *[]){__VA_ARGS__}, sizeof((char *[]){__VA_ARGS__}) / sizeof(char *)

static struct args start(char **argv, size_t n)
{
    return args_of(&command, (int)n, argv);
}

static void values_may_stand_apart_or_joined(void **state)
{
    struct args a = start(ARGV("-h", "one", "-htwo", "--host", "three", "--host=four", "--host="));
    static const char *const expected[] = {"one", "two", "three", "four", ""};
    const char *value;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        assert_int_equal(args_next(&a, &value), HOST);
        assert_string_equal(value, expected[i]);
    }
    assert_int_equal(args_next(&a, &value), ARGS_END);
}

static void letters_may_be_joined_up_to_one_with_a_value(void **state)
{
    struct args a = start(ARGV("-rrh", "x", "-rhx"));
    const char *value;

    (void)state;
    assert_int_equal(args_next(&a, &value), RETAIN);
    assert_null(value);
    assert_int_equal(args_next(&a, &value), RETAIN);
    assert_int_equal(args_next(&a, &value), HOST);
    assert_string_equal(value, "x");
    assert_int_equal(args_next(&a, &value), RETAIN);
    assert_int_equal(args_next(&a, &value), HOST);
    assert_string_equal(value, "x");
    assert_int_equal(args_next(&a, &value), ARGS_END);
}

static void operands_stand_anywhere_and_behind_two_dashes_all_is_one(void **state)
{
    struct args a = start(ARGV("one", "-r", "-", "--", "-r", "--json"));
    const char *value;

    (void)state;
    assert_int_equal(args_next(&a, &value), ARGS_OPERAND);
    assert_string_equal(value, "one");
    assert_int_equal(args_next(&a, &value), RETAIN);
    assert_int_equal(args_next(&a, &value), ARGS_OPERAND);
    assert_string_equal(value, "-");
    assert_int_equal(args_next(&a, &value), ARGS_OPERAND);
    assert_string_equal(value, "-r");
    assert_int_equal(args_next(&a, &value), ARGS_OPERAND);
    assert_string_equal(value, "--json");
    assert_int_equal(args_next(&a, &value), ARGS_END);
}

static const struct {
    const char *given, *told;
} wrong[] = {
    {"--hots", "pinion try: unknown option --hots; did you mean --host?"},
    {"--xyzzy", "pinion try: unknown option --xyzzy\n"},
    {"--retain=1", "pinion try: --retain takes no value"},
    {"--host", "pinion try: --host needs a value: --host NAME"},
    {"-h", "pinion try: -h needs a value: -h NAME"},
    {"-x", "pinion try: unknown option -x"},
    {"--", NULL},
};

static void a_mistake_is_told_with_what_would_be_right(void **state)
{
    struct heard h;
    const char *value;

    (void)state;
    for (size_t i = 0; wrong[i].told; i++) {
        struct args a = start((char *[]){(char *)(uintptr_t)wrong[i].given}, 1);
        hear_start(&h);
        int row = args_next(&a, &value);
        const char *told = hear_end(&h);
        assert_int_equal(row, ARGS_ERROR);
        if (!strstr(told, wrong[i].told)) fail_msg("%s: %s", wrong[i].given, told);
        assert_non_null(strstr(told, "pinion help try"));
    }
}

static void the_help_has_every_option(void **state)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);

    (void)state;
    assert_non_null(out);
    args_help(&command, out);
    fclose(out);
    assert_non_null(strstr(text, "usage: pinion try [OPTION...]\n"));
    assert_non_null(strstr(text, "  -h, --host NAME             where\n"));
    assert_non_null(strstr(text, "  -r, --retain                keep it\n"));
    assert_non_null(strstr(text, "      --json                  as JSON\n"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_may_stand_apart_or_joined),
        cmocka_unit_test(letters_may_be_joined_up_to_one_with_a_value),
        cmocka_unit_test(operands_stand_anywhere_and_behind_two_dashes_all_is_one),
        cmocka_unit_test(a_mistake_is_told_with_what_would_be_right),
        cmocka_unit_test(the_help_has_every_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
