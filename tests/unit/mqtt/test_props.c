/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit/mqtt/expect.h"

/* One property of each kind: its bytes, and the packets in which 5.0 lets it stand, as
 * letters: C CONNECT, c CONNACK, P PUBLISH, W will, A the four acks, S SUBSCRIBE,
 * U UNSUBSCRIBE, s SUBACK and UNSUBACK, D DISCONNECT, X AUTH (section 2.2.2.2, table 2-4). */
static const struct {
    const char *text;
    const char *where;
} kinds[] = {
    {"01 01", "PW"},
    {"02 00 00 00 01", "PW"},
    {"03 00 01 'x'", "PW"},
    {"08 00 01 'x'", "PW"},
    {"09 00 01 'x'", "PW"},
    {"0B 01", "PS"},
    {"11 00 00 00 01", "CcD"},
    {"12 00 01 'x'", "c"},
    {"13 00 01", "c"},
    {"15 00 01 'x'", "CcX"},
    {"17 01", "C"},
    {"18 00 00 00 01", "W"},
    {"19 01", "C"},
    {"1A 00 01 'x'", "c"},
    {"1C 00 01 'x'", "cD"},
    {"1F 00 01 'x'", "cAsDX"},
    {"21 00 01", "Cc"},
    {"22 00 01", "Cc"},
    {"23 00 01", "P"},
    {"24 01", "c"},
    {"25 01", "c"},
    {"26 00 01 'x' 00 01 'y'", "CcPWASUsDX"},
    {"27 00 00 00 01", "Cc"},
    {"28 01", "c"},
    {"29 01", "c"},
    {"2A 01", "c"},
};

static const struct {
    unsigned type;
    char letter;
} packets[] = {
    {MQTT_CONNECT, 'C'},    {MQTT_CONNACK, 'c'},     {MQTT_PUBLISH, 'P'}, {MQTT_PROPS_WILL, 'W'},
    {MQTT_PUBACK, 'A'},     {MQTT_PUBREC, 'A'},      {MQTT_PUBREL, 'A'},  {MQTT_PUBCOMP, 'A'},
    {MQTT_SUBSCRIBE, 'S'},  {MQTT_UNSUBSCRIBE, 'U'}, {MQTT_SUBACK, 's'},  {MQTT_UNSUBACK, 's'},
    {MQTT_DISCONNECT, 'D'}, {MQTT_AUTH, 'X'},
};

/* A block of `times` copies of a property, with its length, in room of its own. */
static struct bytes block_of(struct bytes property, unsigned times)
{
    uint8_t buf[4096];
    struct writer w = wr_of(buf, sizeof buf);
    size_t n = property.n * times;
    wr_u8(&w, (uint8_t)(n < 128 ? n : n % 128 | 0x80));
    if (n >= 128) wr_u8(&w, (uint8_t)(n / 128));
    for (unsigned i = 0; i < times; i++)
        wr_bytes(&w, property);
    ASSERT(!w.bad && n < 16384);
    return exact_copy(bytes_of(buf, wr_len(&w)));
}

static int decode(struct bytes block, unsigned type, struct mqtt_props *p)
{
    struct reader r = rd_of(block);
    return mqtt_decode_props(&r, type, p);
}

static int decode_times(const char *text, unsigned times, unsigned type, struct mqtt_props *p)
{
    struct bytes property = bytes_from(text), block = block_of(property, times);
    int rc = decode(block, type, p);
    exact_free(property);
    exact_free(block);
    return rc;
}

static void a_property_stands_only_where_the_table_has_it(void **state)
{
    (void)state; /* [MQTT-2.2.2.2] */
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        for (size_t k = 0; k < ARRAY_LEN(packets); k++) {
            struct mqtt_props p;
            bool good = strchr(kinds[i].where, packets[k].letter) != NULL;
            int rc = decode_times(kinds[i].text, 1, packets[k].type, &p);
            if (rc != (good ? 0 : MQTT_RC_MALFORMED_PACKET))
                fail_msg("%s in %u: 0x%02x", kinds[i].text, packets[k].type, (unsigned)rc);
        }
    }
}

static void a_property_stands_once_unless_it_may_repeat(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        for (size_t k = 0; k < ARRAY_LEN(packets); k++) {
            if (!strchr(kinds[i].where, packets[k].letter)) continue;
            bool user = strncmp(kinds[i].text, "26", 2) == 0;
            bool id = strncmp(kinds[i].text, "0B", 2) == 0 && packets[k].type == MQTT_PUBLISH;
            struct mqtt_props p;
            int rc = decode_times(kinds[i].text, 2, packets[k].type, &p);
            assert_int_equal(rc, user || id ? 0 : MQTT_RC_PROTOCOL_ERROR);
        }
    }
}

static bool is_property(unsigned id)
{
    if (id == 0x16) return true; /* authentication data, which no row shows: it needs a method */
    bool found = false;
    for (size_t i = 0; i < ARRAY_LEN(kinds) && !found; i++) {
        struct bytes kind = bytes_from(kinds[i].text);
        found = kind.p[0] == id;
        exact_free(kind);
    }
    return found;
}

static void every_identifier_that_is_none_is_malformed(void **state)
{
    (void)state; /* [MQTT-2.2.2.2] */
    unsigned known = 0;
    for (unsigned id = 0; id < 256; id++) {
        uint8_t block[] = {4, (uint8_t)id, 0, 1, 'x'};
        struct mqtt_props p;
        known += is_property(id);
        for (size_t k = 0; k < ARRAY_LEN(packets) && !is_property(id); k++)
            assert_int_equal(decode(bytes_of(block, sizeof block), packets[k].type, &p),
                             MQTT_RC_MALFORMED_PACKET);
    }
    assert_int_equal(known, MQTT_PROPS);
}

static void what_may_repeat_is_capped(void **state)
{
    (void)state;
    struct mqtt_props p;
    const char *user = "26 00 01 'x' 00 01 'y'";
    assert_int_equal(decode_times(user, MQTT_USER_PROPERTIES_MAX, MQTT_PUBLISH, &p), 0);
    assert_int_equal(p.users, MQTT_USER_PROPERTIES_MAX);
    assert_int_equal(decode_times(user, MQTT_USER_PROPERTIES_MAX + 1, MQTT_PUBLISH, &p),
                     MQTT_RC_QUOTA_EXCEEDED);
    assert_int_equal(decode_times("0B 05", MQTT_SUB_IDS_MAX, MQTT_PUBLISH, &p), 0);
    assert_int_equal(p.nsub_ids, MQTT_SUB_IDS_MAX);
    assert_int_equal(decode_times("0B 05", MQTT_SUB_IDS_MAX + 1, MQTT_PUBLISH, &p),
                     MQTT_RC_QUOTA_EXCEEDED);
}

static void an_empty_block_has_nothing(void **state)
{
    (void)state;
    struct bytes block = bytes_from("00");
    struct mqtt_props p;
    assert_int_equal(decode(block, MQTT_CONNECT, &p), 0);
    assert_int_equal(p.have, 0);
    assert_int_equal(p.raw.n, 0);
    exact_free(block);
}

static void user_properties_are_walked_in_their_order(void **state)
{
    (void)state; /* [MQTT-3.3.2-18] */
    struct bytes block =
        bytes_from("19 26 00 01 'k' 00 01 'v' 02 00 00 00 01 26 00 02 'kk' 00 00 23 00 01");
    struct mqtt_props p;
    struct bytes name, value;
    size_t pos = 0;
    ((uint8_t *)(uintptr_t)block.p)[0] = (uint8_t)(block.n - 1);
    assert_int_equal(decode(block, MQTT_PUBLISH, &p), 0);
    assert_int_equal(p.users, 2);
    assert_true(mqtt_user_property_next(p.raw, &pos, &name, &value));
    EXPECT_TEXT(name, "k");
    EXPECT_TEXT(value, "v");
    assert_true(mqtt_user_property_next(p.raw, &pos, &name, &value));
    EXPECT_TEXT(name, "kk");
    assert_int_equal(value.n, 0);
    assert_false(mqtt_user_property_next(p.raw, &pos, &name, &value));
    assert_false(mqtt_user_property_next(bytes_of(NULL, 0), &(size_t){0}, &name, &value));
    exact_free(block);
}

static void forwarding_keeps_the_message_s_own_in_their_order(void **state)
{
    (void)
        state; /* [MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-20] */
    struct bytes in = good_bytes("publish_v5_full");
    struct mqtt_frame f = frame_in(in);
    struct mqtt_publish p;
    assert_int_equal(mqtt_decode_publish(&f, MQTT_V5, true, &p), 0);
    struct bytes wanted = bytes_from("01 01 08 00 03 'r/t' 09 00 02 AA BB 26 00 01 'k' 00 01 'v'"
                                     "26 00 01 'k' 00 01 'w' 03 00 0A 'text/plain'");
    uint8_t *out = malloc(p.props.raw.n);
    assert_non_null(out);
    expect_bytes(bytes_of(out, mqtt_props_forward(p.props.raw, out)), wanted);
    assert_int_equal(mqtt_props_forward(bytes_of(NULL, 0), out), 0);
    free(out);
    exact_free(wanted);
    exact_free(in);
}

static void what_is_forwarded_forwards_itself(void **state)
{
    (void)state;
    uint8_t once[64], twice[64];
    struct bytes raw = bytes_from("18 00 00 00 05 26 00 01 'k' 00 01 'v' 01 01");
    size_t n = mqtt_props_forward(raw, once);
    assert_int_equal(n, raw.n - 5);
    expect_bytes(bytes_of(twice, mqtt_props_forward(bytes_of(once, n), twice)), bytes_of(once, n));
    exact_free(raw);
}

static void every_kind_is_written_as_it_was_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        for (size_t k = 0; k < ARRAY_LEN(packets); k++) {
            if (!strchr(kinds[i].where, packets[k].letter)) continue;
            struct bytes property = bytes_from(kinds[i].text), block = block_of(property, 1);
            struct mqtt_props p;
            assert_int_equal(decode(block, packets[k].type, &p), 0);
            struct writer w = writer_of(block.n);
            mqtt_encode_props(&w, &p);
            assert_false(w.bad);
            expect_bytes(bytes_of(w.start, wr_len(&w)), block);
            free(w.start);
            exact_free(property);
            exact_free(block);
        }
    }
}

static void a_block_longer_than_127_bytes_gets_a_longer_length(void **state)
{
    (void)state;
    struct bytes property = bytes_from("26 00 01 'x' 00 01 'y'"), block = block_of(property, 40);
    struct mqtt_props p;
    assert_int_equal(decode(block, MQTT_PUBLISH, &p), 0);
    for (size_t room = 0; room <= block.n; room++) {
        struct writer w = writer_of(room);
        mqtt_encode_props(&w, &p);
        assert_int_equal(w.bad, room < block.n);
        if (!w.bad) expect_bytes(bytes_of(w.start, wr_len(&w)), block);
        free(w.start);
    }
    exact_free(property);
    exact_free(block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_property_stands_only_where_the_table_has_it),
        cmocka_unit_test(a_property_stands_once_unless_it_may_repeat),
        cmocka_unit_test(every_identifier_that_is_none_is_malformed),
        cmocka_unit_test(what_may_repeat_is_capped),
        cmocka_unit_test(an_empty_block_has_nothing),
        cmocka_unit_test(user_properties_are_walked_in_their_order),
        cmocka_unit_test(forwarding_keeps_the_message_s_own_in_their_order),
        cmocka_unit_test(what_is_forwarded_forwards_itself),
        cmocka_unit_test(every_kind_is_written_as_it_was_read),
        cmocka_unit_test(a_block_longer_than_127_bytes_gets_a_longer_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
