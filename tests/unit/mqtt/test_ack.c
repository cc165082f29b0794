/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit/mqtt/expect.h"

static void decode(const char *name, enum mqtt_version v, struct bytes *in, struct mqtt_ack *a)
{
    *in = good_bytes(name);
    struct mqtt_frame f = frame_in(*in);
    assert_int_equal(mqtt_decode_ack(&f, v, a), 0);
}

static void an_ack_without_a_reason_is_success(void **state)
{
    (void)state; /* [MQTT-3.4.2.1] */
    static const char *const names[] = {"puback_v311", "pubrec_v311", "pubrel_v311", "pubcomp_v311",
                                        "puback_v5"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct bytes in;
        struct mqtt_ack a;
        decode(names[i], i == 4 ? MQTT_V5 : MQTT_V311, &in, &a);
        assert_int_equal(a.packet_id, 10);
        assert_int_equal(a.reason, MQTT_RC_SUCCESS);
        assert_int_equal(a.props.have, 0);
        exact_free(in);
    }
}

static void a_reason_may_come_without_properties(void **state)
{
    (void)state;
    struct bytes in;
    struct mqtt_ack a;
    decode("puback_v5_reason", MQTT_V5, &in, &a);
    assert_int_equal(a.reason, MQTT_RC_NO_MATCHING_SUBSCRIBERS);
    assert_int_equal(a.props.have, 0);
    exact_free(in);
    decode("pubcomp_v5_no_properties", MQTT_V5, &in, &a);
    assert_int_equal(a.reason, MQTT_RC_PACKET_ID_NOT_FOUND);
    exact_free(in);
}

static void reason_string_and_user_properties_are_found(void **state)
{
    (void)state;
    struct bytes in;
    struct mqtt_ack a;
    decode("puback_v5_full", MQTT_V5, &in, &a);
    assert_int_equal(a.reason, MQTT_RC_UNSPECIFIED_ERROR);
    EXPECT_TEXT(a.props.reason_string, "bad");
    assert_int_equal(a.props.users, 1);
    exact_free(in);
}

static const struct {
    const char *name;
    enum mqtt_version version;
} same_again[] = {
    {"puback_v31", MQTT_V31},      {"puback_v311", MQTT_V311},  {"puback_v5", MQTT_V5},
    {"puback_v5_reason", MQTT_V5}, {"puback_v5_full", MQTT_V5}, {"pubrec_v311", MQTT_V311},
    {"pubrec_v5_full", MQTT_V5},   {"pubrel_v311", MQTT_V311},  {"pubrel_v5_reason", MQTT_V5},
    {"pubcomp_v311", MQTT_V311},
};

static void what_was_read_is_written_as_it_was(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(same_again); i++) {
        struct bytes in;
        struct mqtt_ack a;
        decode(same_again[i].name, same_again[i].version, &in, &a);
        struct writer w = writer_for(same_again[i].name);
        mqtt_encode_ack(&w, same_again[i].version, in.p[0] >> 4, &a);
        expect_written(&w, same_again[i].name);
        exact_free(in);
    }
}

static void below_5_an_ack_never_carries_its_reason(void **state)
{
    (void)state;
    struct mqtt_ack a = {.packet_id = 10, .reason = MQTT_RC_QUOTA_EXCEEDED};
    struct writer w = writer_for("puback_v311");
    mqtt_encode_ack(&w, MQTT_V311, MQTT_PUBACK, &a);
    expect_written(&w, "puback_v311");
}

static void the_short_form_is_the_same_four_bytes(void **state)
{
    (void)state;
    static const char *const names[] = {"puback_v311", "pubrec_v311", "pubrel_v311",
                                        "pubcomp_v311"};
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        struct writer w = writer_of(4);
        mqtt_encode_short_ack(w.p, MQTT_PUBACK + i, 10);
        w.p += 4;
        expect_written(&w, names[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ack_without_a_reason_is_success),
        cmocka_unit_test(a_reason_may_come_without_properties),
        cmocka_unit_test(reason_string_and_user_properties_are_found),
        cmocka_unit_test(what_was_read_is_written_as_it_was),
        cmocka_unit_test(below_5_an_ack_never_carries_its_reason),
        cmocka_unit_test(the_short_form_is_the_same_four_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
