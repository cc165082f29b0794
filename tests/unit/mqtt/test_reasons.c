/* SPDX-License-Identifier: BSD-3-Clause */
#include "proto/mqtt/wire.h"
#include "unit/mqtt/expect.h"

/* The reason codes of each packet, as its own section lists them. */
static const struct {
    unsigned type;
    const char *codes;
} lists[] = {
    /* [MQTT-3.2.2.2] */
    {MQTT_CONNACK, "00 80 81 82 83 84 85 86 87 88 89 8A 8C 90 95 97 99 9A 9B 9C 9D 9F"},
    {MQTT_PUBACK, "00 10 80 83 87 90 91 97 99"},          /* [MQTT-3.4.2.1] */
    {MQTT_PUBREC, "00 10 80 83 87 90 91 97 99"},          /* [MQTT-3.5.2.1] */
    {MQTT_PUBREL, "00 92"},                               /* [MQTT-3.6.2.1] */
    {MQTT_PUBCOMP, "00 92"},                              /* [MQTT-3.7.2.1] */
    {MQTT_SUBACK, "00 01 02 80 83 87 8F 91 97 9E A1 A2"}, /* [MQTT-3.9.3] */
    {MQTT_UNSUBACK, "00 11 80 83 87 8F 91"},              /* [MQTT-3.11.3] */
    /* [MQTT-3.14.2.1]; 8C by the table of section 2.4 alone */
    {MQTT_DISCONNECT, "00 04 80 81 82 83 87 89 8B 8C 8D 8E 8F 90 93 94 95 96 97 98 99 9A 9B 9C 9D"
                      "9E 9F A0 A1 A2"},
    {MQTT_AUTH, "00 18 19"}, /* [MQTT-3.15.2.1] */
};

static bool listed(struct bytes codes, unsigned code)
{
    return memchr(codes.p, (int)code, codes.n) != NULL;
}

static void each_packet_carries_the_reasons_of_its_list_and_no_other(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        struct bytes codes = bytes_from(lists[i].codes);
        for (unsigned code = 0; code < 256; code++)
            if (mqtt_reason_fits(lists[i].type, (uint8_t)code) != listed(codes, code))
                fail_msg("%s 0x%02x", mqtt_type_name(lists[i].type), code);
        exact_free(codes);
    }
}

static void packets_without_reasons_carry_none(void **state)
{
    (void)state;
    for (unsigned code = 0; code < 256; code++) {
        assert_false(mqtt_reason_fits(MQTT_CONNECT, (uint8_t)code));
        assert_false(mqtt_reason_fits(MQTT_PUBLISH, (uint8_t)code));
        assert_false(mqtt_reason_fits(MQTT_PINGREQ, (uint8_t)code));
    }
}

static void reasons_and_types_have_names(void **state)
{
    (void)state;
    assert_string_equal(mqtt_reason_text(0x81), "malformed packet");
    assert_string_equal(mqtt_reason_text(0x00), "success");
    assert_string_equal(mqtt_reason_text(0x55), "unknown reason");
    assert_string_equal(mqtt_reason_text(5000), "unknown reason");
    assert_string_equal(mqtt_type_name(0), "reserved");
    assert_string_equal(mqtt_type_name(MQTT_CONNECT), "CONNECT");
    assert_string_equal(mqtt_type_name(MQTT_SUBSCRIBE), "SUBSCRIBE");
    assert_string_equal(mqtt_type_name(MQTT_AUTH), "AUTH");
    assert_string_equal(mqtt_type_name(16), "reserved");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_packet_carries_the_reasons_of_its_list_and_no_other),
        cmocka_unit_test(packets_without_reasons_carry_none),
        cmocka_unit_test(reasons_and_types_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
