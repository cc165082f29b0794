/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit/mqtt/expect.h"

static void decode(const char *name, enum mqtt_version v, struct bytes *in,
                   struct mqtt_subscribe *s)
{
    *in = good_bytes(name);
    struct mqtt_frame f = frame_in(*in);
    bool subscribe = f.type == MQTT_SUBSCRIBE;
    assert_int_equal(
        subscribe ? mqtt_decode_subscribe(&f, v, s) : mqtt_decode_unsubscribe(&f, v, s), 0);
}

static void filters_come_in_their_order_with_their_qos(void **state)
{
    (void)state;
    struct bytes in;
    struct mqtt_subscribe s;
    struct mqtt_filter f;
    decode("subscribe_v311_three", MQTT_V311, &in, &s);
    assert_int_equal(s.packet_id, 11);
    assert_int_equal(s.count, 3);
    assert_true(mqtt_next_filter(&s, MQTT_SUBSCRIBE, MQTT_V311, &f));
    EXPECT_TEXT(f.filter, "a/b");
    assert_int_equal(f.qos, 2);
    assert_false(f.no_local || f.retain_as_published || f.retain_handling);
    assert_true(mqtt_next_filter(&s, MQTT_SUBSCRIBE, MQTT_V311, &f));
    EXPECT_TEXT(f.filter, "#");
    assert_int_equal(f.qos, 0);
    assert_true(mqtt_next_filter(&s, MQTT_SUBSCRIBE, MQTT_V311, &f));
    EXPECT_TEXT(f.filter, "+/x");
    assert_int_equal(f.qos, 1);
    assert_false(mqtt_next_filter(&s, MQTT_SUBSCRIBE, MQTT_V311, &f));
    exact_free(in);
}

static void options_and_subscription_id_of_5_are_found(void **state)
{
    (void)state;
    struct bytes in;
    struct mqtt_subscribe s;
    struct mqtt_filter f;
    decode("subscribe_v5_full", MQTT_V5, &in, &s);
    assert_int_equal(s.count, 2);
    assert_true(MQTT_HAS(&s.props, subscription_id));
    assert_int_equal(s.props.nsub_ids, 1);
    assert_int_equal(s.props.subscription_id[0], 128);
    assert_true(mqtt_next_filter(&s, MQTT_SUBSCRIBE, MQTT_V5, &f));
    assert_int_equal(f.qos, 1);
    assert_true(f.no_local && f.retain_as_published);
    assert_int_equal(f.retain_handling, 2);
    assert_true(mqtt_next_filter(&s, MQTT_SUBSCRIBE, MQTT_V5, &f));
    EXPECT_TEXT(f.filter, "$share/g/#");
    assert_false(f.no_local);
    assert_false(mqtt_next_filter(&s, MQTT_SUBSCRIBE, MQTT_V5, &f));
    exact_free(in);
}

static void unsubscribe_has_filters_without_options(void **state)
{
    (void)state;
    struct bytes in;
    struct mqtt_subscribe s;
    struct mqtt_filter f;
    decode("unsubscribe_v5_full", MQTT_V5, &in, &s);
    assert_int_equal(s.count, 2);
    assert_true(mqtt_next_filter(&s, MQTT_UNSUBSCRIBE, MQTT_V5, &f));
    EXPECT_TEXT(f.filter, "a/b");
    assert_true(mqtt_next_filter(&s, MQTT_UNSUBSCRIBE, MQTT_V5, &f));
    EXPECT_TEXT(f.filter, "c/#");
    assert_false(mqtt_next_filter(&s, MQTT_UNSUBSCRIBE, MQTT_V5, &f));
    exact_free(in);
}

enum { MANY = 5000 };

static void five_thousand_filters_are_counted(void **state)
{
    (void)state;
    uint8_t *body = malloc(2 + MANY * 4);
    assert_non_null(body);
    struct writer w = wr_of(body, 2 + MANY * 4);
    wr_u16be(&w, 1);
    for (unsigned i = 0; i < MANY; i++)
        wr_bytes(&w, bytes_of("\x00\x01#\x02", 4));
    struct mqtt_frame f = {MQTT_SUBSCRIBE, 2, false, bytes_of(body, wr_len(&w))};
    struct mqtt_subscribe s;
    assert_int_equal(mqtt_decode_subscribe(&f, MQTT_V311, &s), 0);
    assert_int_equal(s.count, MANY);
    free(body);
}

static struct mqtt_filter filter_of(const char *text, uint8_t qos)
{
    return (struct mqtt_filter){.filter = bytes_str(text), .qos = qos};
}

static void lists_are_written_as_the_tables_have_them(void **state)
{
    (void)state;
    struct mqtt_filter three[] = {filter_of("a/b", 2), filter_of("#", 0), filter_of("+/x", 1)};
    struct writer w = writer_for("subscribe_v311_three");
    mqtt_encode_subscribe(&w, MQTT_V311, 11, three, 3);
    expect_written(&w, "subscribe_v311_three");

    struct mqtt_filter full = {.filter = BYTES("a/b"),
                               .qos = 1,
                               .no_local = true,
                               .retain_as_published = true,
                               .retain_handling = 2};
    w = writer_for("subscribe_v5");
    mqtt_encode_subscribe(&w, MQTT_V5, 10, &full, 1);
    expect_written(&w, "subscribe_v5");
    w = writer_for("subscribe_v311");
    mqtt_encode_subscribe(&w, MQTT_V311, 10, &full, 1);
    expect_written(&w, "subscribe_v311");

    struct mqtt_filter two[] = {filter_of("a/b", 0), filter_of("c/#", 0)};
    w = writer_for("unsubscribe_v311");
    mqtt_encode_unsubscribe(&w, MQTT_V311, 10, two, 2);
    expect_written(&w, "unsubscribe_v311");
    w = writer_for("unsubscribe_v5");
    mqtt_encode_unsubscribe(&w, MQTT_V5, 10, two, 2);
    expect_written(&w, "unsubscribe_v5");
}

static void a_filter_longer_than_its_length_field_is_not_written(void **state)
{
    (void)state; /* [MQTT-4.7.3-3] */
    static char name[65537];
    memset(name, 'a', sizeof name - 1);
    struct mqtt_filter f = filter_of(name, 0);
    struct writer w = writer_of(70000);
    mqtt_encode_subscribe(&w, MQTT_V311, 1, &f, 1);
    assert_true(w.bad);
    assert_int_equal(wr_len(&w), 0);
    free(w.start);
}

static const struct {
    const char *name;
    enum mqtt_version version;
    const char *codes;
} answers[] = {
    {"suback_v311", MQTT_V311, "00 02 80"}, {"suback_v5", MQTT_V5, "02 87 8F"},
    {"suback_v5_full", MQTT_V5, "97"},      {"unsuback_v311", MQTT_V311, ""},
    {"unsuback_v5", MQTT_V5, "00 11"},
};

static void answers_are_read_and_written_as_they_were(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        enum mqtt_version v = answers[i].version;
        struct bytes in = good_bytes(answers[i].name), codes = bytes_from(answers[i].codes);
        struct mqtt_frame f = frame_in(in);
        struct mqtt_suback s;
        assert_int_equal(mqtt_decode_suback(&f, v, &s), 0);
        assert_int_equal(s.packet_id, 10);
        expect_bytes(s.codes, codes);

        struct writer w = writer_for(answers[i].name);
        mqtt_encode_suback(&w, v, f.type, &s);
        expect_written(&w, answers[i].name);
        exact_free(codes);
        exact_free(in);
    }
}

static void below_5_an_unsuback_drops_its_codes(void **state)
{
    (void)state;
    struct writer w = writer_for("unsuback_v311");
    struct mqtt_suback s = {.packet_id = 10, .codes = BYTES("\x11")};
    mqtt_encode_suback(&w, MQTT_V311, MQTT_UNSUBACK, &s);
    expect_written(&w, "unsuback_v311");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_come_in_their_order_with_their_qos),
        cmocka_unit_test(options_and_subscription_id_of_5_are_found),
        cmocka_unit_test(unsubscribe_has_filters_without_options),
        cmocka_unit_test(five_thousand_filters_are_counted),
        cmocka_unit_test(lists_are_written_as_the_tables_have_them),
        cmocka_unit_test(a_filter_longer_than_its_length_field_is_not_written),
        cmocka_unit_test(answers_are_read_and_written_as_they_were),
        cmocka_unit_test(below_5_an_unsuback_drops_its_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
