/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "broker/access/hook_json.h"

static void out_free(struct bytes out)
{
    free((void *)(uintptr_t)out.p);
}

static void every_byte_of_a_text_is_read_back_by_somebody_else(void **state)
{
    struct bytes out;
    (void)state;
    for (unsigned c = 1; c < 128; c++) {
        uint8_t text[] = {'<', (uint8_t)c, '>'};
        struct hook_text t = {.action = HOOK_SUBSCRIBE, .topic = bytes_of(text, 3)};
        assert_int_equal(hook_json_write(&t, &out), 0);
        for (size_t i = 0; i < out.n; i++)
            assert_true(out.p[i] >= 0x20); /* no line ends, whatever the text */
        json_t *v = json_loadb((const char *)out.p, out.n, JSON_REJECT_DUPLICATES, NULL);
        assert_string_equal(json_string_value(json_object_get(v, "action")), "subscribe");
        json_t *topic = json_object_get(v, "topic");
        assert_int_equal(json_string_length(topic), 3);
        assert_memory_equal(json_string_value(topic), text, 3);
        json_decref(v);
        out_free(out);
    }
}

static void what_is_not_there_is_left_out_and_empty_is_there(void **state)
{
    struct hook_text t = {.action = HOOK_LOGIN, .user = BYTES(""), .address = BYTES("192.0.2.1")};
    struct bytes out;
    (void)state;
    assert_int_equal(hook_json_write(&t, &out), 0);
    assert_true(
        bytes_eq(out, BYTES("{\"action\":\"login\",\"user\":\"\",\"address\":\"192.0.2.1\"}")));
    out_free(out);
}

static void what_is_not_utf_8_stands_as_base64(void **state)
{
    struct hook_text t = {
        .action = HOOK_LOGIN, .password = BYTES("a\0b"), .certificate = BYTES("\xED\xA0\x80")};
    struct bytes out;
    (void)state;
    assert_int_equal(hook_json_write(&t, &out), 0);
    assert_true(bytes_eq(out, BYTES("{\"action\":\"login\",\"password_base64\":\"YQBi\","
                                    "\"certificate_base64\":\"7aCA\"}")));
    out_free(out);
}

static void question_of_any_size_is_whole_or_refused(void **state)
{
    static uint8_t text[HOOK_REQUEST_MAX + 2000];
    static const uint8_t fills[] = {'a', '"', 1, 0xFF};
    struct bytes out;
    (void)state;
    for (unsigned f = 0; f < ARRAY_LEN(fills); f++) {
        bool refused = false;
        memset(text, fills[f], sizeof text);
        for (size_t n = 0; n <= sizeof text; n += 997) {
            struct hook_text t = {.action = HOOK_LOGIN, .password = bytes_of(text, n)};
            int err = hook_json_write(&t, &out);
            assert_true(err == 0 ? !refused : err == -ERR_TOO_LARGE);
            refused = err < 0;
            if (err == 0) assert_int_equal(out.p[out.n - 1], '}');
            out_free(out);
        }
        assert_true(refused);
    }
}

static void answer_is_read(void **state)
{
    struct hook_answer a;
    (void)state;
    assert_int_equal(hook_json_read(BYTES("{\"result\":\"ignore\"}"), 5, &a), 0);
    assert_true(a.verdict == HOOK_IGNORE && a.expires_s == INT64_MAX && !a.rules.given);
    hook_answer_free(&a);
    assert_int_equal(hook_json_read(BYTES(" {\"expires\":7,\"user\":\"\xC3\xB6\",\"rules\":[],"
                                          "\"result\":\"allow\"}\n"),
                                    5, &a),
                     0);
    assert_true(a.verdict == HOOK_ALLOW && a.expires_s == 12 && a.rules.given);
    assert_true(bytes_eq(a.user, BYTES("\xC3\xB6")));
    hook_answer_free(&a);
    assert_null(a.user.p);
}

static void every_cut_answer_is_refused(void **state)
{
    static const char whole[] =
        "{\"result\":\"allow\",\"user\":\"u\",\"rules\":{\"pub\":[\"a\"]},\"expires\":1}";
    struct hook_answer a;
    (void)state;
    for (size_t n = 0; n < sizeof whole - 1; n++) {
        uint8_t *exact = malloc(n ? n : 1);
        assert_non_null(exact);
        memcpy(exact, whole, n);
        assert_int_equal(hook_json_read(bytes_of(exact, n), 0, &a), -ERR_MALFORMED);
        assert_true(a.verdict == HOOK_DENY && !a.user.p && !a.rules.rule);
        free(exact);
    }
    assert_int_equal(hook_json_read(bytes_str(whole), 0, &a), 0);
    hook_answer_free(&a);
}

static void what_is_not_understood_is_refused(void **state)
{
    static const char *const bad[] = {
        "{\"result\":\"allow\",\"user\":\"\"}",
        "{\"result\":\"allow\",\"user\":null}",
        "{\"result\":\"allow\",\"user\":[\"u\"]}",
        "{\"result\":\"allow\",\"expires\":-1}",
        "{\"result\":\"allow\",\"expires\":1.5}",
        "{\"result\":\"allow\",\"expires\":\"60\"}",
        "{\"result\":\"allow\",\"expires\":9223372036854775807}",
        "{\"result\":\"allow\",\"rules\":null}",
        "{\"result\":\"allow\",\"rules\":{\"pub\":[\"a#\"]}}",
        "{\"result\":\"allow\",\"Rules\":[]}",
        "{\"user\":\"u\"}",
        "[[[[[[[[[[\"deep\"]]]]]]]]]]",
    };
    struct hook_answer a;
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
        if (hook_json_read(bytes_str(bad[i]), 0, &a) != -ERR_MALFORMED || a.user.p)
            fail_msg("%s is taken", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_of_a_text_is_read_back_by_somebody_else),
        cmocka_unit_test(what_is_not_there_is_left_out_and_empty_is_there),
        cmocka_unit_test(what_is_not_utf_8_stands_as_base64),
        cmocka_unit_test(question_of_any_size_is_whole_or_refused),
        cmocka_unit_test(answer_is_read),
        cmocka_unit_test(every_cut_answer_is_refused),
        cmocka_unit_test(what_is_not_understood_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
