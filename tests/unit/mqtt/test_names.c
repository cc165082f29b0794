/* SPDX-License-Identifier: BSD-3-Clause */
#include "proto/mqtt/wire.h"
#include "unit/mqtt/expect.h"

static const char *const good_topics[] = {
    "a",
    "/",
    "a/b",
    "/a",
    "a/",
    "//",
    "a//b",
    " ",
    "a b/c",
    "$SYS/x",
    "$",
    "$share/g/a",
    "sport/tennis/player1",
    "A",
    "caf\xC3\xA9/\xE2\x82\xAC",
    "line\r\n/\x01\x7F",
};
static const char *const bad_topics[] = {
    "",
    "+",
    "#",
    "a/+",
    "a/#",
    "+/a",
    "a+b",
    "a#",
    "sport/tennis/player1/#",
    "1234567+",
    "12345678+",
    "+2345678",
    "1234#678",
    "123456789abcde#f",
};

static void topics_have_no_wildcards_and_are_not_empty(void **state)
{
    (void)state; /* [MQTT-4.7.0-1] [MQTT-4.7.3-1] */
    for (size_t i = 0; i < ARRAY_LEN(good_topics); i++)
        assert_true(mqtt_topic_valid(bytes_str(good_topics[i])));
    for (size_t i = 0; i < ARRAY_LEN(bad_topics); i++)
        assert_false(mqtt_topic_valid(bytes_str(bad_topics[i])));
}

/* A name of `n` letters 'a' with `byte` at `at`, in room of its own. */
static struct bytes name_with(size_t n, size_t at, uint8_t byte)
{
    uint8_t buf[64];
    memset(buf, 'a', sizeof buf);
    buf[at] = byte;
    return exact_copy(bytes_of(buf, n));
}

static int wanted(uint8_t byte)
{
    if (byte == 0 || byte >= 0x80) return MQTT_RC_MALFORMED_PACKET; /* alone, ill-formed */
    return byte == '+' || byte == '#' ? MQTT_RC_TOPIC_NAME_INVALID : 0;
}

static void every_byte_at_every_place_of_every_length_is_judged(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 33; n++) {
        for (size_t at = 0; at < n; at++) {
            for (unsigned byte = 0; byte < 256; byte++) {
                struct bytes name = name_with(n, at, (uint8_t)byte);
                assert_int_equal(mqtt_topic_check(name), wanted((uint8_t)byte));
                exact_free(name);
            }
        }
    }
}

static void text_beyond_ascii_is_checked_for_wildcards_too(void **state)
{
    (void)state;
    assert_int_equal(mqtt_topic_check(BYTES("\xC3\xA9/a")), 0);
    assert_int_equal(mqtt_topic_check(BYTES("\xC3\xA9/+")), MQTT_RC_TOPIC_NAME_INVALID);
    assert_int_equal(mqtt_topic_check(BYTES("\xC3/+")), MQTT_RC_MALFORMED_PACKET);
}

/* What the three questions say of a name in room of its own. */
static void expect_levels(struct bytes name, bool fit)
{
    struct bytes s = exact_copy(name);
    assert_int_equal(mqtt_topic_valid(s), fit);
    assert_int_equal(mqtt_filter_valid(s), fit);
    assert_int_equal(mqtt_topic_check(s), fit ? 0 : MQTT_RC_TOPIC_NAME_INVALID);
    exact_free(s);
}

static void levels_are_counted_up_to_their_limit(void **state)
{
    (void)state;
    static uint8_t buf[65535];
    memset(buf, '/', sizeof buf); /* n separators make n + 1 levels */
    expect_levels(bytes_of(buf, MQTT_LEVELS_MAX - 1), true);
    expect_levels(bytes_of(buf, MQTT_LEVELS_MAX), false);
    expect_levels(bytes_of(buf, sizeof buf), false);
    memset(buf + MQTT_LEVELS_MAX - 1, 'a', sizeof buf - MQTT_LEVELS_MAX + 1);
    expect_levels(bytes_of(buf, 200), true);
    expect_levels(bytes_of(buf, sizeof buf), true); /* [MQTT-4.7.3-3] */
    buf[199] = '/';
    expect_levels(bytes_of(buf, 200), false);
}

static const char *const good_filters[] = {
    "a",
    "/",
    "#",
    "+",
    "+/+",
    "/+",
    "+/",
    "a/+",
    "a/+/b",
    "a/#",
    "/#",
    "+/#",
    "+/tennis/#",
    "sport/+/player1",
    "$SYS/#",
    "a//b",
    "$share",
    "$shared/a/b",
    "$share/g/a",
    "$share/g/#",
    "$share/g/+/a",
    "$share/g//",
    "$share/g/$share/h/a",
};
static const char *const bad_filters[] = {
    "",
    "a#",
    "#a",
    "#/",
    "#/a",
    "a/#/b",
    "a/b#",
    "a+",
    "+a",
    "a/b+",
    "a/+b",
    "a/b+/c",
    "++",
    "##",
    "+#",
    "sport/tennis#",
    "sport/tennis/#/ranking",
    "sport+",
    "$share/",
    "$share//a",
    "$share/g",
    "$share/g/",
    "$share/g+/a",
    "$share/#/a",
    "$share/+/a",
    "$share/g/a#",
    "$share/g/#/a",
};

static bool filter_is_valid(const char *text)
{
    struct bytes filter = exact_copy(bytes_str(text));
    bool valid = mqtt_filter_valid(filter);
    exact_free(filter);
    return valid;
}

static void wildcards_fill_their_level_and_hash_is_last(void **state)
{
    (void)state; /* [MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.8.2-1] [MQTT-4.8.2-2] */
    for (size_t i = 0; i < ARRAY_LEN(good_filters); i++)
        if (!filter_is_valid(good_filters[i])) fail_msg("%s", good_filters[i]);
    for (size_t i = 0; i < ARRAY_LEN(bad_filters); i++)
        if (filter_is_valid(bad_filters[i])) fail_msg("%s", bad_filters[i]);
}

static void a_shared_filter_is_split_into_group_and_rest(void **state)
{
    (void)state; /* [MQTT-4.8.2] */
    struct bytes group, rest;
    assert_true(mqtt_filter_shared(BYTES("$share/workers/a/+/#"), &group, &rest));
    EXPECT_TEXT(group, "workers");
    EXPECT_TEXT(rest, "a/+/#");
    assert_true(mqtt_filter_shared(BYTES("$share/g//"), &group, &rest));
    EXPECT_TEXT(rest, "/");
    static const char *const others[] = {"",          "$share",    "$share/",     "$share/g",
                                         "$share/g/", "$share//a", "$shared/g/a", "a/$share/g/a"};
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        assert_false(mqtt_filter_shared(bytes_str(others[i]), &group, &rest));
}

static void a_shared_filter_has_all_levels_for_its_rest(void **state)
{
    (void)state;
    uint8_t buf[512] = "$share/g/";
    memset(buf + 9, '/', MQTT_LEVELS_MAX);
    assert_true(mqtt_filter_valid(bytes_of(buf, 9 + MQTT_LEVELS_MAX - 1)));
    assert_false(mqtt_filter_valid(bytes_of(buf, 9 + MQTT_LEVELS_MAX)));
}

static void wildcards_are_found(void **state)
{
    (void)state;
    assert_true(mqtt_filter_has_wildcard(BYTES("a/+/b")));
    assert_true(mqtt_filter_has_wildcard(BYTES("#")));
    assert_false(mqtt_filter_has_wildcard(BYTES("a/b")));
    assert_false(mqtt_filter_has_wildcard(bytes_of(NULL, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(topics_have_no_wildcards_and_are_not_empty),
        cmocka_unit_test(every_byte_at_every_place_of_every_length_is_judged),
        cmocka_unit_test(text_beyond_ascii_is_checked_for_wildcards_too),
        cmocka_unit_test(levels_are_counted_up_to_their_limit),
        cmocka_unit_test(wildcards_fill_their_level_and_hash_is_last),
        cmocka_unit_test(a_shared_filter_is_split_into_group_and_rest),
        cmocka_unit_test(a_shared_filter_has_all_levels_for_its_rest),
        cmocka_unit_test(wildcards_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
