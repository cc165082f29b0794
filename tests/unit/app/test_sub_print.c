/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "app/client/sub_print.h"

static const struct mqtt_publish message = {.topic = {(const uint8_t *)"a/b", 3},
                                            .payload = {(const uint8_t *)"x\0y", 3},
                                            .qos = 1,
                                            .retain = true};

static void assert_printed(const char *format, const char *expected, size_t n)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    sub_print(out, format, &message);
    fclose(out);
    assert_int_equal(len, n);
    assert_memory_equal(text, expected, n);
    free(text);
}

static void a_format_puts_each_part_in_its_place(void **state)
{
    (void)state;
    assert_printed("%t=%p", "a/b=x\0y", 7);
    assert_printed("%q%r%l%%", "113%", 4);
    assert_printed("[\\n\\t\\\\]", "[\n\t\\]", 5);
    assert_printed("", "", 0);
}

static void a_format_that_is_not_known_is_found(void **state)
{
    (void)state;
    assert_null(sub_format_check("%t %p\\n"));
    assert_string_equal(sub_format_check("%t %x"), "%x");
    assert_string_equal(sub_format_check("%"), "%");
    assert_string_equal(sub_format_check("a\\"), "\\");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_format_puts_each_part_in_its_place),
        cmocka_unit_test(a_format_that_is_not_known_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
