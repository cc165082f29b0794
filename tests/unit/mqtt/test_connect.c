/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit/mqtt/expect.h"

/* Decodes a good vector into *c, which borrows from *in. */
static void decode(const char *name, struct bytes *in, struct mqtt_connect *c)
{
    *in = good_bytes(name);
    struct mqtt_frame f = frame_in(*in);
    assert_int_equal(mqtt_decode_connect(&f, c), 0);
}

static void the_smallest_connect_of_311_says_nothing_but_clean(void **state)
{
    (void)state;
    struct bytes in;
    struct mqtt_connect c;
    decode("connect_v311_smallest", &in, &c);
    assert_int_equal(c.version, MQTT_V311);
    assert_true(c.clean);
    assert_false(c.bridge || c.has_will || c.has_user || c.has_password);
    assert_int_equal(c.keep_alive_s, 0);
    assert_int_equal(c.client_id.n, 0); /* [MQTT311-3.1.3-6] */
    assert_int_equal(c.props.have, 0);
    assert_int_equal(c.will.props.have, 0);
    exact_free(in);
}

static void every_field_of_311_is_found(void **state)
{
    (void)state;
    struct bytes in;
    struct mqtt_connect c;
    decode("connect_v311_full", &in, &c);
    assert_false(c.clean);
    assert_int_equal(c.keep_alive_s, 300);
    EXPECT_TEXT(c.client_id, "dev1");
    assert_true(c.has_will && c.will.retain);
    assert_int_equal(c.will.qos, 2);
    EXPECT_TEXT(c.will.topic, "w/t");
    EXPECT_TEXT(c.will.payload, "gone");
    assert_true(c.has_user && c.has_password);
    EXPECT_TEXT(c.user, "alice");
    EXPECT_TEXT(c.password, "\x01\x00\xFF");
    exact_free(in);
}

static void bridges_of_3_are_told_by_the_top_bit(void **state)
{
    (void)state;
    struct bytes in;
    struct mqtt_connect c;
    decode("connect_v311_bridge", &in, &c);
    assert_true(c.bridge);
    assert_int_equal(c.version, MQTT_V311);
    exact_free(in);
    decode("connect_v31_bridge", &in, &c);
    assert_true(c.bridge);
    assert_int_equal(c.version, MQTT_V31);
    exact_free(in);
}

static void what_31_announces_may_be_missing_at_the_end(void **state)
{
    (void)state; /* [MQTT31-3.1] */
    struct bytes in;
    struct mqtt_connect c;
    decode("connect_v31_user_left_out", &in, &c);
    assert_false(c.has_user || c.has_password);
    exact_free(in);
    decode("connect_v31_password_left_out", &in, &c);
    assert_true(c.has_user && !c.has_password);
    EXPECT_TEXT(c.user, "me");
    exact_free(in);
}

static void every_field_of_5_is_found(void **state)
{
    (void)state;
    struct bytes in;
    struct mqtt_connect c;
    decode("connect_v5_full", &in, &c);
    assert_int_equal(c.version, MQTT_V5);
    assert_int_equal(c.will.qos, 1);
    assert_false(c.will.retain);
    assert_int_equal(c.props.session_expiry, 3600);
    assert_int_equal(c.props.receive_maximum, 20);
    assert_int_equal(c.props.maximum_packet_size, 65536);
    assert_int_equal(c.props.topic_alias_maximum, 10);
    assert_int_equal(c.props.request_response_info, 1);
    assert_int_equal(c.props.request_problem_info, 0);
    assert_int_equal(c.props.users, 2);
    EXPECT_TEXT(c.props.auth_method, "PLAIN");
    assert_int_equal(c.props.auth_data.n, 2);
    assert_false(MQTT_HAS(&c.props, topic_alias));
    assert_int_equal(c.will.props.will_delay, 5);
    assert_int_equal(c.will.props.message_expiry, 60);
    EXPECT_TEXT(c.will.props.response_topic, "r");
    assert_int_equal(c.will.props.users, 1);
    EXPECT_TEXT(c.password, "pw");
    exact_free(in);
}

static void a_password_without_a_user_is_fine_in_5(void **state)
{
    (void)state;
    struct bytes in;
    struct mqtt_connect c;
    decode("connect_v5_password_only", &in, &c);
    assert_true(c.has_password && !c.has_user);
    EXPECT_TEXT(c.password, "p");
    exact_free(in);
}

static void the_version_is_known_even_if_the_rest_is_bad(void **state)
{
    (void)state;
    struct bytes in = bytes_from("10 0D 00 04 'MQTT' 04 03 00 3C 00 01 'x'");
    struct mqtt_frame f = frame_in(in);
    struct mqtt_connect c;
    assert_int_equal(mqtt_decode_connect(&f, &c), MQTT_RC_MALFORMED_PACKET);
    assert_int_equal(c.version, MQTT_V311);
    exact_free(in);
    in = bytes_from("10 0D 00 04 'MQTT' 06 02 00 3C 00 01 'x'");
    f = frame_in(in);
    assert_int_equal(mqtt_decode_connect(&f, &c), MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION);
    assert_int_equal(c.version, 0);
    exact_free(in);
}

/* Read and written again, these are the same bytes. */
static const char *const same_again[] = {
    "connect_v31",         "connect_v31_bridge",     "connect_v311_smallest",
    "connect_v311_bridge", "connect_v311_full",      "connect_v5_smallest",
    "connect_v31_long_id", "connect_v5_binary_will", "connect_v5_password_only",
};

static void what_was_read_is_written_as_it_was(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(same_again); i++) {
        struct bytes in;
        struct mqtt_connect c;
        decode(same_again[i], &in, &c);
        struct writer w = writer_for(same_again[i]);
        mqtt_encode_connect(&w, &c);
        expect_written(&w, same_again[i]);
        exact_free(in);
    }
}

static void properties_survive_writing_in_our_own_order(void **state)
{
    (void)state;
    struct bytes in, again;
    struct mqtt_connect c, d;
    decode("connect_v5_full", &in, &c);
    struct writer w = writer_of(in.n);
    mqtt_encode_connect(&w, &c);
    assert_false(w.bad);
    again = bytes_of(w.start, wr_len(&w));
    struct mqtt_frame f = frame_in(again);
    assert_int_equal(mqtt_decode_connect(&f, &d), 0);
    assert_int_equal(again.n, in.n);
    assert_int_equal(d.props.have, c.props.have);
    assert_int_equal(d.will.props.have, c.will.props.have);
    assert_true(d.will.qos == 1 && !d.will.retain);
    assert_int_equal(d.props.session_expiry, 3600);
    assert_int_equal(d.props.users, 2);
    EXPECT_TEXT(d.will.props.content_type, "text");
    free(w.start);
    exact_free(in);
}

static void too_little_room_leaves_nothing_but_a_mark(void **state)
{
    (void)state;
    struct bytes in;
    struct mqtt_connect c;
    decode("connect_v5_full", &in, &c);
    for (size_t room = 0; room < in.n; room++) {
        struct writer w = writer_of(room);
        mqtt_encode_connect(&w, &c);
        assert_true(w.bad);
        assert_int_equal(wr_len(&w), 0);
        free(w.start);
    }
    exact_free(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_smallest_connect_of_311_says_nothing_but_clean),
        cmocka_unit_test(every_field_of_311_is_found),
        cmocka_unit_test(bridges_of_3_are_told_by_the_top_bit),
        cmocka_unit_test(what_31_announces_may_be_missing_at_the_end),
        cmocka_unit_test(every_field_of_5_is_found),
        cmocka_unit_test(a_password_without_a_user_is_fine_in_5),
        cmocka_unit_test(the_version_is_known_even_if_the_rest_is_bad),
        cmocka_unit_test(what_was_read_is_written_as_it_was),
        cmocka_unit_test(properties_survive_writing_in_our_own_order),
        cmocka_unit_test(too_little_room_leaves_nothing_but_a_mark),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
