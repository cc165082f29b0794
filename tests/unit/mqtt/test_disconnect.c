/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit/mqtt/expect.h"

static void decode(const char *name, enum mqtt_version v, struct bytes *in,
                   struct mqtt_disconnect *d)
{
    *in = good_bytes(name);
    struct mqtt_frame f = frame_in(*in);
    bool auth = f.type == MQTT_AUTH;
    assert_int_equal(auth ? mqtt_decode_auth(&f, d) : mqtt_decode_disconnect(&f, v, d), 0);
}

static void without_a_body_the_reason_is_normal(void **state)
{
    (void)state; /* [MQTT-3.14.2.1] [MQTT-3.15.2.1] */
    static const char *const names[] = {"disconnect_v311", "disconnect_v5", "auth_success"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct bytes in;
        struct mqtt_disconnect d;
        decode(names[i], i ? MQTT_V5 : MQTT_V311, &in, &d);
        assert_int_equal(d.reason, MQTT_RC_SUCCESS);
        assert_int_equal(d.props.have, 0);
        exact_free(in);
    }
}

static void reason_and_properties_are_found(void **state)
{
    (void)state;
    struct bytes in;
    struct mqtt_disconnect d;
    decode("disconnect_v5_reason", MQTT_V5, &in, &d);
    assert_int_equal(d.reason, MQTT_RC_DISCONNECT_WITH_WILL);
    exact_free(in);
    decode("disconnect_v5_expiry", MQTT_V5, &in, &d);
    assert_int_equal(d.props.session_expiry, 60);
    exact_free(in);
    decode("disconnect_v5_moved", MQTT_V5, &in, &d);
    assert_int_equal(d.reason, MQTT_RC_USE_ANOTHER_SERVER);
    EXPECT_TEXT(d.props.server_reference, "b:1");
    EXPECT_TEXT(d.props.reason_string, "go");
    exact_free(in);
    decode("auth_continue", MQTT_V5, &in, &d);
    assert_int_equal(d.reason, MQTT_RC_CONTINUE_AUTHENTICATION);
    EXPECT_TEXT(d.props.auth_method, "SCRAM");
    EXPECT_TEXT(d.props.auth_data, "\x01\x02\x03");
    exact_free(in);
}

static const char *const same_again[] = {
    "disconnect_v5", "disconnect_v5_reason", "disconnect_v5_expiry", "disconnect_v5_moved",
    "auth_success",  "auth_continue",        "auth_success_full",
};

static void what_was_read_is_written_as_it_was(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(same_again); i++) {
        struct bytes in;
        struct mqtt_disconnect d;
        decode(same_again[i], MQTT_V5, &in, &d);
        struct writer w = writer_for(same_again[i]);
        if (in.p[0] >> 4 == MQTT_AUTH)
            mqtt_encode_auth(&w, &d);
        else
            mqtt_encode_disconnect(&w, MQTT_V5, &d);
        expect_written(&w, same_again[i]);
        exact_free(in);
    }
}

static void below_5_a_disconnect_has_no_reason(void **state)
{
    (void)state;
    struct mqtt_disconnect d = {.reason = MQTT_RC_SERVER_BUSY};
    struct writer w = writer_for("disconnect_v311");
    mqtt_encode_disconnect(&w, MQTT_V311, &d);
    expect_written(&w, "disconnect_v311");
}

static void pings_are_two_bytes(void **state)
{
    (void)state;
    struct writer w = writer_for("pingreq");
    mqtt_encode_ping(&w, MQTT_PINGREQ);
    expect_written(&w, "pingreq");
    w = writer_for("pingresp");
    mqtt_encode_ping(&w, MQTT_PINGRESP);
    expect_written(&w, "pingresp");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_body_the_reason_is_normal),
        cmocka_unit_test(reason_and_properties_are_found),
        cmocka_unit_test(what_was_read_is_written_as_it_was),
        cmocka_unit_test(below_5_a_disconnect_has_no_reason),
        cmocka_unit_test(pings_are_two_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
