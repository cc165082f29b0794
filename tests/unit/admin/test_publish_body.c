/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "admin/publish_body.h"
#include "base/assert.h"

static void message_is_as_it_was_described(void **state)
{
    struct publish_body p = {.json = NULL};
    const char *field;

    (void)state;
    assert_null(
        publish_body_read(&p,
                          BYTES("{\"topic\":\"a/b\",\"payload\":\"hi\",\"qos\":2,\"retain\":true,"
                                "\"expiry_seconds\":7,\"properties\":{\"content_type\":\"t\","
                                "\"user\":[[\"n\",\"v\"]],\"correlation_data\":\"AQI=\","
                                "\"payload_is_utf8\":true,\"response_topic\":\"r\"}}"),
                          &field));
    assert_true(bytes_eq(p.publication.topic, BYTES("a/b")));
    assert_true(bytes_eq(p.publication.payload, BYTES("hi")));
    assert_int_equal(p.publication.qos, 2);
    assert_true(p.publication.retain && p.publication.has_expiry);
    assert_int_equal(p.publication.expiry_s, 7);
    assert_true(
        bytes_eq(p.publication.props, BYTES("\x03\0\1t\x26\0\1n\0\1v\x09\0\2\1\2\1\1\x08\0\1r")));
    publish_body_fini(&p);
}

static void payload_may_be_any_bytes(void **state)
{
    struct publish_body p = {.json = NULL};
    const char *field;

    (void)state;
    assert_null(
        publish_body_read(&p, BYTES("{\"topic\":\"a\",\"payload_base64\":\"/wAB\"}"), &field));
    assert_true(bytes_eq(p.publication.payload, BYTES("\xFF\x00\x01")));
    publish_body_fini(&p);
}

static void fault_names_its_member(void **state)
{
    const struct {
        struct bytes text;
        const char *field;
    } cases[] = {
        {BYTES(""), NULL},
        {BYTES("[]"), NULL},
        {BYTES("{\"topic\":\"a\""), NULL},
        {BYTES("{\"topic\":\"a\",\"topic\":\"b\"}"), NULL},
        {BYTES("{}"), "topic"},
        {BYTES("{\"topic\":7}"), "topic"},
        {BYTES("{\"topic\":\"\"}"), "topic"},
        {BYTES("{\"topic\":\"a/+\"}"), "topic"},
        {BYTES("{\"topic\":\"$SYS/x\"}"), "topic"},
        {BYTES("{\"topic\":\"a\",\"qos\":3}"), "qos"},
        {BYTES("{\"topic\":\"a\",\"qos\":\"1\"}"), "qos"},
        {BYTES("{\"topic\":\"a\",\"retain\":1}"), "retain"},
        {BYTES("{\"topic\":\"a\",\"expiry_seconds\":-1}"), "expiry_seconds"},
        {BYTES("{\"topic\":\"a\",\"payload\":{}}"), "payload"},
        {BYTES("{\"topic\":\"a\",\"payload_base64\":\"A\"}"), "payload_base64"},
        {BYTES("{\"topic\":\"a\",\"payload\":\"x\",\"payload_base64\":\"AQI=\"}"),
         "payload_base64"},
        {BYTES("{\"topic\":\"a\",\"colour\":1}"), "colour"},
        {BYTES("{\"topic\":\"a\",\"properties\":[]}"), "properties"},
        {BYTES("{\"topic\":\"a\",\"properties\":{\"user\":[[\"a\"]]}}"), "user"},
        {BYTES("{\"topic\":\"a\",\"properties\":{\"response_topic\":\"#\"}}"), "response_topic"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct publish_body p = {.json = NULL};
        const char *field = "?";
        assert_non_null(publish_body_read(&p, cases[i].text, &field));
        if (cases[i].field)
            assert_string_equal(field, cases[i].field);
        else
            assert_null(field);
        publish_body_fini(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(message_is_as_it_was_described),
        cmocka_unit_test(payload_may_be_any_bytes),
        cmocka_unit_test(fault_names_its_member),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
