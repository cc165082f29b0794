/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit/mqtt/expect.h"

static long next(const char *text, uint32_t max, struct mqtt_frame *f, uint32_t *need)
{
    struct bytes in = bytes_from(text);
    long n = mqtt_frame_next(in, max, f, need);
    exact_free(in); /* f->body dangles: only its length may be asked */
    return n;
}

static void two_packets_are_split_where_the_first_ends(void **state)
{
    (void)state;
    struct mqtt_frame f;
    uint32_t need;
    struct bytes in = bytes_from("40 02 00 0A C0 00");
    long n = mqtt_frame_next(in, 100, &f, &need);
    assert_int_equal(n, 4);
    assert_int_equal(f.type, MQTT_PUBACK);
    expect_bytes(f.body, bytes_of("\x00\x0A", 2));
    assert_int_equal(mqtt_frame_next(bytes_skip(in, 4), 100, &f, &need), 2);
    assert_int_equal(f.type, MQTT_PINGREQ);
    assert_int_equal(f.body.n, 0);
    exact_free(in);
}

static void need_tells_the_whole_length_once_the_head_is_there(void **state)
{
    (void)state;
    struct mqtt_frame f;
    uint32_t need = 7;
    assert_int_equal(next("", 1000, &f, &need), 0);
    assert_int_equal(need, 0);
    assert_int_equal(next("30", 1000, &f, &need), 0);
    assert_int_equal(need, 0);
    assert_int_equal(next("30 80", 1000, &f, &need), 0);
    assert_int_equal(need, 0);
    assert_int_equal(next("30 80 01", 1000, &f, &need), 0);
    assert_int_equal(need, 131);
}

static void the_first_byte_alone_may_condemn(void **state)
{
    (void)state;
    struct mqtt_frame f;
    uint32_t need;
    assert_int_equal(next("00", 100, &f, &need), -MQTT_RC_MALFORMED_PACKET); /* [MQTT-2.1.2] */
    assert_int_equal(next("47", 100, &f, &need), -MQTT_RC_MALFORMED_PACKET); /* [MQTT-2.1.3-1] */
    assert_int_equal(next("16", 100, &f, &need), 0); /* CONNECT of 3.1 may */
}

static void every_first_byte_is_judged_by_the_table(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 256; first++) {
        unsigned type = first >> 4, flags = first & 15;
        bool two = type == MQTT_PUBREL || type == MQTT_SUBSCRIBE || type == MQTT_UNSUBSCRIBE;
        bool any = type == MQTT_CONNECT || type == MQTT_PUBLISH;
        bool good = type != 0 && (any || flags == (two ? 2 : 0) || (two && flags == 10));
        uint8_t in[] = {(uint8_t)first, 0};
        struct mqtt_frame f;
        uint32_t need;
        long n = mqtt_frame_next(bytes_of(in, 2), 100, &f, &need);
        assert_int_equal(n, good ? 2 : -MQTT_RC_MALFORMED_PACKET);
        if (good) assert_int_equal(f.type << 4 | f.flags, first);
    }
}

static void a_packet_of_the_maximum_passes_and_one_byte_more_does_not(void **state)
{
    (void)state;
    struct mqtt_frame f;
    uint32_t need;
    assert_int_equal(next("30 03 00 01 'a'", 5, &f, &need), 5);
    assert_int_equal(next("30 03 00 01 'a'", 4, &f, &need), -MQTT_RC_PACKET_TOO_LARGE);
    assert_int_equal(next("30 FF FF FF 7F", 1000, &f, &need), -MQTT_RC_PACKET_TOO_LARGE);
    assert_int_equal(next("30 FF FF FF 7F", UINT32_MAX, &f, &need), 0);
    assert_int_equal(need, 268435460);
}

static void a_padded_length_is_noticed(void **state)
{
    (void)state;
    struct mqtt_frame f;
    uint32_t need;
    assert_int_equal(next("30 83 00 00 01 'a'", 100, &f, &need), 6);
    assert_true(f.padded);
    assert_int_equal(next("30 03 00 01 'a'", 100, &f, &need), 5);
    assert_false(f.padded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_packets_are_split_where_the_first_ends),
        cmocka_unit_test(need_tells_the_whole_length_once_the_head_is_there),
        cmocka_unit_test(the_first_byte_alone_may_condemn),
        cmocka_unit_test(every_first_byte_is_judged_by_the_table),
        cmocka_unit_test(a_packet_of_the_maximum_passes_and_one_byte_more_does_not),
        cmocka_unit_test(a_padded_length_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
