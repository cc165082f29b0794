/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <jansson.h>

#include "admin/json_out.h"

static void assert_wrote(struct json_out *j, const char *text)
{
    struct bytes b = json_out_bytes(j);

    assert_int_equal(b.n, strlen(text));
    assert_memory_equal(b.p, text, b.n);
    json_out_fini(j);
}

static void commas_stand_between_and_nowhere_else(void **state)
{
    struct json_out j = {.at = NULL};

    (void)state;
    json_out_open(&j, NULL, '{');
    json_out_open(&j, "a", '[');
    json_out_number(&j, NULL, 1);
    json_out_open(&j, NULL, '{');
    json_out_close(&j, '}');
    json_out_null(&j, NULL);
    json_out_close(&j, ']');
    json_out_bool(&j, "b", true);
    json_out_real(&j, "c", 1.5);
    json_out_close(&j, '}');
    assert_wrote(&j, "{\"a\":[1,{},null],\"b\":true,\"c\":1.500}");
}

static void comma_is_remembered_across_pieces(void **state)
{
    struct json_out j = {.at = NULL};

    (void)state;
    json_out_open(&j, NULL, '[');
    json_out_number(&j, NULL, 1);
    json_out_clear(&j);
    json_out_number(&j, NULL, 2);
    assert_wrote(&j, ",2");
}

static void any_bytes_become_a_text_that_others_can_read(void **state)
{
    (void)state;
    srand(7);
    for (unsigned round = 0; round < 5000; round++) {
        struct json_out j = {.at = NULL};
        uint8_t text[16];
        for (size_t i = 0; i < sizeof text; i++)
            text[i] = (uint8_t)((unsigned)rand() >> 4);
        json_out_open(&j, NULL, '[');
        json_out_text(&j, NULL, bytes_of(text, (size_t)rand() % sizeof text));
        json_out_close(&j, ']');
        struct bytes b = json_out_bytes(&j);
        json_t *back = json_loadb((const char *)b.p, b.n, JSON_ALLOW_NUL, NULL);
        assert_non_null(back);
        json_decref(back);
        json_out_fini(&j);
    }
}

static void text_is_escaped_and_bad_bytes_are_replaced(void **state)
{
    const struct {
        struct bytes in;
        const char *out;
    } cases[] = {
        {BYTES("a\"\\\n\x7F"), "\"a\\\"\\\\\\u000a\\u007f\""},
        {BYTES("\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80"), "\"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\""},
        {BYTES("x\xFFy\xC3"), "\"x\xEF\xBF\xBDy\xEF\xBF\xBD\""},
        {BYTES("\xED\xA0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
        {BYTES("\0"), "\"\\u0000\""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json_out j = {.at = NULL};
        json_out_text(&j, NULL, cases[i].in);
        assert_wrote(&j, cases[i].out);
    }
}

static void payload_is_text_if_it_can_be(void **state)
{
    struct json_out j = {.at = NULL}, k = {.at = NULL};

    (void)state;
    json_out_payload(&j, "payload", BYTES("text"));
    assert_wrote(&j, "\"payload\":\"text\"");
    json_out_payload(&k, "payload", BYTES("\xFF\x00\x01"));
    assert_wrote(&k, "\"payload_base64\":\"/wAB\"");
}

static void time_is_utc_to_the_millisecond(void **state)
{
    struct json_out j = {.at = NULL};

    (void)state;
    json_out_time(&j, NULL, 1795255200123);
    assert_wrote(&j, "\"2026-11-21T10:00:00.123Z\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_stand_between_and_nowhere_else),
        cmocka_unit_test(comma_is_remembered_across_pieces),
        cmocka_unit_test(any_bytes_become_a_text_that_others_can_read),
        cmocka_unit_test(text_is_escaped_and_bad_bytes_are_replaced),
        cmocka_unit_test(payload_is_text_if_it_can_be),
        cmocka_unit_test(time_is_utc_to_the_millisecond),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
