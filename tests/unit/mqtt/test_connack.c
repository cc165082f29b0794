/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit/mqtt/expect.h"

static void decode(const char *name, enum mqtt_version v, struct bytes *in, struct mqtt_connack *c)
{
    *in = good_bytes(name);
    struct mqtt_frame f = frame_in(*in);
    assert_int_equal(mqtt_decode_connack(&f, v, c), 0);
}

static void session_present_and_code_are_found(void **state)
{
    (void)state;
    struct bytes in;
    struct mqtt_connack c;
    decode("connack_v311_present", MQTT_V311, &in, &c);
    assert_true(c.session_present);
    assert_int_equal(c.reason, 0);
    exact_free(in);
    decode("connack_v311_refused", MQTT_V311, &in, &c);
    assert_false(c.session_present);
    assert_int_equal(c.reason, 5);
    exact_free(in);
}

static void the_first_byte_of_31_says_nothing(void **state)
{
    (void)state; /* [MQTT31-3.2] */
    struct bytes in;
    struct mqtt_connack c;
    decode("connack_v31_byte_unused", MQTT_V31, &in, &c);
    assert_false(c.session_present);
    exact_free(in);
}

static void every_property_of_a_connack_is_found(void **state)
{
    (void)state;
    struct bytes in;
    struct mqtt_connack c;
    decode("connack_v5_full", MQTT_V5, &in, &c);
    assert_true(c.session_present);
    assert_int_equal(c.props.session_expiry, 1);
    assert_int_equal(c.props.receive_maximum, 16);
    assert_int_equal(c.props.maximum_qos, 1);
    assert_int_equal(c.props.retain_available, 1);
    assert_int_equal(c.props.maximum_packet_size, 65536);
    EXPECT_TEXT(c.props.assigned_client_id, "auto");
    assert_int_equal(c.props.topic_alias_maximum, 5);
    EXPECT_TEXT(c.props.reason_string, "ok");
    assert_int_equal(c.props.wildcard_available, 1);
    assert_int_equal(c.props.subscription_ids_available, 1);
    assert_int_equal(c.props.shared_available, 0);
    assert_int_equal(c.props.server_keep_alive, 60);
    EXPECT_TEXT(c.props.response_info, "ri");
    EXPECT_TEXT(c.props.server_reference, "s");
    exact_free(in);
}

static const struct {
    const char *name;
    enum mqtt_version version;
} same_again[] = {
    {"connack_v31", MQTT_V31},           {"connack_v311_present", MQTT_V311},
    {"connack_v311_refused", MQTT_V311}, {"connack_v5_smallest", MQTT_V5},
    {"connack_v5_refused", MQTT_V5},
};

static void what_was_read_is_written_as_it_was(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(same_again); i++) {
        struct bytes in;
        struct mqtt_connack c;
        decode(same_again[i].name, same_again[i].version, &in, &c);
        struct writer w = writer_for(same_again[i].name);
        mqtt_encode_connack(&w, same_again[i].version, &c);
        expect_written(&w, same_again[i].name);
        exact_free(in);
    }
}

static void session_present_is_no_word_of_31(void **state)
{
    (void)state;
    struct mqtt_connack c = {.session_present = true};
    struct writer w = writer_for("connack_v31");
    mqtt_encode_connack(&w, MQTT_V31, &c);
    expect_written(&w, "connack_v31");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(session_present_and_code_are_found),
        cmocka_unit_test(the_first_byte_of_31_says_nothing),
        cmocka_unit_test(every_property_of_a_connack_is_found),
        cmocka_unit_test(what_was_read_is_written_as_it_was),
        cmocka_unit_test(session_present_is_no_word_of_31),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
