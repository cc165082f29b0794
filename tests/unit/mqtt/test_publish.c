/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit/mqtt/expect.h"

static void decode(const char *name, enum mqtt_version v, struct bytes *in, struct mqtt_publish *p)
{
    *in = good_bytes(name);
    struct mqtt_frame f = frame_in(*in);
    assert_int_equal(mqtt_decode_publish(&f, v, false, p), 0);
}

static void topic_and_payload_are_found_in_every_version(void **state)
{
    (void)state;
    static const char *const names[] = {"publish_v31", "publish_v311", "publish_v311_padded",
                                        "publish_v5"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct bytes in;
        struct mqtt_publish p;
        decode(names[i], i == 3 ? MQTT_V5 : MQTT_V311, &in, &p);
        EXPECT_TEXT(p.topic, "a/b");
        EXPECT_TEXT(p.payload, "hi");
        assert_int_equal(p.qos, 0);
        assert_int_equal(p.packet_id, 0);
        assert_false(p.dup || p.retain);
        assert_int_equal(p.props.have, 0);
        assert_int_equal(p.props.raw.n, 0);
        exact_free(in);
    }
}

static void flags_and_packet_id_are_found(void **state)
{
    (void)state;
    struct bytes in;
    struct mqtt_publish p;
    decode("publish_v311_again", MQTT_V311, &in, &p);
    assert_true(p.dup && !p.retain);
    assert_int_equal(p.qos, 1);
    assert_int_equal(p.packet_id, 10);
    exact_free(in);
    decode("publish_v311_qos2_retained", MQTT_V311, &in, &p);
    assert_true(p.retain && !p.dup);
    assert_int_equal(p.qos, 2);
    assert_int_equal(p.packet_id, 65535);
    assert_int_equal(p.payload.n, 0);
    exact_free(in);
}

static void every_property_of_a_message_is_found(void **state)
{
    (void)state;
    struct bytes in;
    struct mqtt_publish p;
    decode("publish_v5_full", MQTT_V5, &in, &p);
    assert_int_equal(p.props.payload_format, 1);
    assert_int_equal(p.props.message_expiry, 10);
    assert_int_equal(p.props.topic_alias, 7);
    EXPECT_TEXT(p.props.response_topic, "r/t");
    EXPECT_TEXT(p.props.correlation_data, "\xAA\xBB");
    EXPECT_TEXT(p.props.content_type, "text/plain");
    assert_int_equal(p.props.users, 2);
    EXPECT_TEXT(p.payload, "hi");
    exact_free(in);
    decode("publish_v5_subscription_ids", MQTT_V5, &in, &p);
    assert_int_equal(p.props.nsub_ids, 2);
    assert_int_equal(p.props.subscription_id[1], 128);
    exact_free(in);
}

static void an_alias_stands_for_the_topic(void **state)
{
    (void)state; /* [MQTT-3.3.2.3.4] */
    struct bytes in;
    struct mqtt_publish p;
    decode("publish_v5_alias_alone", MQTT_V5, &in, &p);
    assert_int_equal(p.topic.n, 0);
    assert_int_equal(p.props.topic_alias, 5);
    exact_free(in);
}

static void a_payload_is_checked_only_if_it_claims_to_be_text(void **state)
{
    (void)state; /* [MQTT-3.3.2.3.2] */
    struct mqtt_publish p;
    struct bytes binary = bytes_from("30 07 00 01 'a' 02 01 00 FF");
    struct mqtt_frame f = frame_in(binary);
    assert_int_equal(mqtt_decode_publish(&f, MQTT_V5, true, &p), 0);
    exact_free(binary);
}

/* Head and payload as a connection sends them, compared with a vector. */
static size_t expect_sent(const char *name, enum mqtt_version v, const struct mqtt_publish_out *p)
{
    struct bytes wanted = good_bytes(name);
    assert_int_equal(mqtt_publish_size(v, p), wanted.n);
    uint8_t *out = malloc(wanted.n - p->payload.n);
    assert_non_null(out);
    size_t id_at = 0, n = mqtt_encode_publish_head(out, v, p, &id_at);
    expect_bytes(bytes_of(out, n), bytes_of(wanted.p, wanted.n - p->payload.n));
    free(out);
    exact_free(wanted);
    return id_at;
}

static void messages_are_written_as_the_tables_have_them(void **state)
{
    (void)state;
    struct mqtt_publish_out p = {.topic = BYTES("a/b"), .payload = BYTES("hi")};
    expect_sent("publish_v311", MQTT_V311, &p);
    expect_sent("publish_v5", MQTT_V5, &p);

    p.qos = 1;
    p.dup = true;
    p.packet_id = 10;
    assert_int_equal(expect_sent("publish_v311_again", MQTT_V311, &p), 7);

    static const uint32_t ids[] = {5, 128};
    struct mqtt_publish_out served = {.topic = BYTES("a/b"),
                                      .props = bytes_of("\x26\x00\x01k\x00\x01v", 7),
                                      .sub_ids = ids,
                                      .nsub_ids = 2,
                                      .qos = 2,
                                      .dup = true,
                                      .retain = true,
                                      .has_expiry = true,
                                      .packet_id = 10,
                                      .topic_alias = 7,
                                      .expiry_s = 10};
    assert_int_equal(expect_sent("publish_v5_served", MQTT_V5, &served), 7);
}

static void below_5_a_message_loses_its_properties(void **state)
{
    (void)state;
    static const uint32_t ids[] = {5};
    struct mqtt_publish_out p = {.topic = BYTES("a/b"),
                                 .payload = BYTES("hi"),
                                 .props = bytes_of("\x01\x01", 2),
                                 .sub_ids = ids,
                                 .nsub_ids = 1,
                                 .has_expiry = true,
                                 .topic_alias = 3};
    expect_sent("publish_v311", MQTT_V311, &p);
}

static void sizes_are_right_where_the_length_grows_a_byte(void **state)
{
    (void)state;
    static const size_t payloads[] = {0, 1, 122, 123, 124, 16377, 16378, 16379, 2097146, 2097147};
    static const uint8_t payload[2097147];
    for (size_t i = 0; i < ARRAY_LEN(payloads); i++) {
        struct mqtt_publish_out p = {.topic = BYTES("a/b"),
                                     .payload = bytes_of(payload, payloads[i])};
        uint8_t out[32];
        size_t head = mqtt_encode_publish_head(out, MQTT_V311, &p, NULL);
        assert_int_equal(mqtt_publish_size(MQTT_V311, &p), head + payloads[i]);
        struct mqtt_frame f;
        uint32_t need;
        long n = mqtt_frame_next(bytes_of(out, head), UINT32_MAX, &f, &need);
        assert_int_equal(payloads[i] ? need : n, head + payloads[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(topic_and_payload_are_found_in_every_version),
        cmocka_unit_test(flags_and_packet_id_are_found),
        cmocka_unit_test(every_property_of_a_message_is_found),
        cmocka_unit_test(an_alias_stands_for_the_topic),
        cmocka_unit_test(a_payload_is_checked_only_if_it_claims_to_be_text),
        cmocka_unit_test(messages_are_written_as_the_tables_have_them),
        cmocka_unit_test(below_5_a_message_loses_its_properties),
        cmocka_unit_test(sizes_are_right_where_the_length_grows_a_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
