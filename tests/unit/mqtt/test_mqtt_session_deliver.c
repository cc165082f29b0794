/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit/mqtt/test_mqtt_session_rig.h"

/* Online with these CONNECT properties (5.0), subscribed to `filter` with these options. */
static int subscriber(struct rig *r, unsigned version, const char *id, const char *props,
                      const char *filter)
{
    char text[256];
    int fd = client_at(r, 0);

    if (version == 5)
        snprintf(text, sizeof text, "10[ <MQTT> 05 02 0000 ( %s ) <%s> ]", props, id);
    else
        snprintf(text, sizeof text, "10[ <MQTT> 04 02 0000 <%s> ]", id);
    say(r, fd, text);
    hear(r, fd, version == 5 ? CONNACK_5 : CONNACK_3);
    snprintf(text, sizeof text, version == 5 ? "82[ 0001 00 %s ]" : "82[ 0001 %s ]", filter);
    say(r, fd, text);
    bool closed;
    size_t n = hear_all(r, fd, &closed);
    assert_false(closed);
    assert_int_equal(n, version == 5 ? 6 : 5);
    return fd;
}

static void many_subscribers_get_the_same_packet_in_their_own_way(void **state)
{
    struct rig *r = rig_one();
    int fd[12], pub = client_online(r, 5, "pub");
    char id[32], text[64];

    (void)state;
    for (unsigned i = 0; i < 12; i++) { /* of each version and QoS two */
        static const char *const filters[] = {"<t> 00", "<t> 01", "<t> 02"};
        snprintf(id, sizeof id, "c%u", i);
        fd[i] = subscriber(r, i < 6 ? 4 : 5, id, "", filters[i % 3]);
    }
    for (unsigned round = 1; round <= 3; round++) {
        say(r, pub, "34[ <t> 0001 ( 26<k><v> ) 'hello' ] 62[ 0001 ]");
        for (unsigned i = 0; i < 12; i++) {
            unsigned qos = i % 3;
            char packet_id[8] = "";
            if (qos) snprintf(packet_id, sizeof packet_id, "%04x", round);
            snprintf(text, sizeof text, "3%u[ <t> %s %s 'hello' ]", 2 * qos, packet_id,
                     i < 6 ? "" : "( 26<k><v> )");
            hear(r, fd[i], text);
        }
    }
    assert_int_equal(rig_count(r, C_messages_sent), 36);
    for (unsigned i = 0; i < 12; i++)
        close(fd[i]);
    client_gone(r, pub);
    rig_free(r);
}

static void retain_is_told_to_those_who_asked_for_it(void **state)
{
    struct rig *r = rig_one();
    int pub = client_online(r, 4, "pub"), fd[4];

    (void)state;
    fd[0] = subscriber(r, 5, "a", "", "<t> 00");
    fd[1] = subscriber(r, 5, "b", "", "<t> 08");
    fd[2] = subscriber(r, 5, "c", "", "<t> 00");
    fd[3] = subscriber(r, 5, "d", "", "<t> 08");
    say(r, pub, "31[ <t> 'x' ]");
    for (unsigned i = 0; i < 4; i++) { /* [MQTT-3.3.1-12] [MQTT-3.3.1-13] */
        hear(r, fd[i], i % 2 ? "31[ <t> 00 'x' ]" : "30[ <t> 00 'x' ]");
        close(fd[i]);
    }
    client_gone(r, pub);
    rig_free(r);
}

static void large_messages_arrive_whole(void **state)
{
    static const size_t sizes[] = {0,    1,    127,  500,  2000,  2047,
                                   2048, 2049, 4090, 4096, 70000, 1000000};
    struct rig *r = rig_one();
    int fd[4], pub = client_online(r, 4, "pub");
    uint8_t *out = malloc(RIG_BYTES);
    bool closed;

    (void)state;
    assert_non_null(out);
    for (unsigned i = 0; i < 4; i++) {
        char id[8];
        snprintf(id, sizeof id, "c%u", i);
        fd[i] = subscriber(r, 4, id, "", i < 2 ? "<t> 00" : "<t> 01");
    }
    for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
        size_t n = packet("<t> 0001", out + 5), body = n + sizes[i], head = 1;
        for (size_t left = body; left || head == 1; left >>= 7)
            head++;
        struct text t = {.out = out + 5 - head};
        *t.out++ = 0x32;
        text_length(&t, body);
        for (size_t at = 0; at < sizes[i]; at++)
            out[5 + n + at] = (uint8_t)(at * 7 + at / 251);
        say_bytes(r, pub, out + 5 - head, head + body);
        hear(r, pub, "40[ 0001 ]");
        for (unsigned c = 0; c < 4; c++) {
            size_t got = hear_all(r, fd[c], &closed);
            assert_false(closed);
            assert_true(got > sizes[i]);
            assert_memory_equal(r->heard + got - sizes[i], out + 5 + n, sizes[i]);
            if (c >= 2) say_bytes(r, fd[c], (const uint8_t[]){0x40, 2, 0, (uint8_t)(i + 1)}, 4);
        }
    }
    for (unsigned i = 0; i < 4; i++)
        close(fd[i]);
    free(out);
    client_gone(r, pub);
    rig_free(r);
}

static void a_topic_longer_than_a_chunk_arrives_whole(void **state)
{
    enum { TOPIC = 6000 };
    struct rig *r = rig_one();
    int fd = subscriber(r, 5, "a", "", "<#> 00"), pub = client_online(r, 4, "pub");
    char *text = malloc(TOPIC + 64);

    (void)state;
    assert_non_null(text);
    memset(text, 't', TOPIC + 32);
    memcpy(text, "30[<", 4);
    strcpy(text + 4 + TOPIC, "> 'payload' ]");
    say(r, pub, text);
    strcpy(text + 4 + TOPIC, "> 00 'payload' ]");
    hear(r, fd, text);
    free(text);
    close(fd);
    client_gone(r, pub);
    rig_free(r);
}

/* ---- properties of our own --------------------------------------------------------------------
 */

static void subscription_identifiers_are_added(void **state)
{
    struct rig *r = rig_one();
    int fd = client_online(r, 5, "me"), other = subscriber(r, 5, "b", "", "<t/a> 00");

    (void)state;
    say(r, fd,
        "82[ 0001 ( 0b 05 ) <t/a> 00 ] 82[ 0002 ( 0b ffff7f ) <t/+> 01 ] 82[ 0003 00 <#> 00 ]");
    hear(r, fd, "90[ 0001 00 00 ] 90[ 0002 00 01 ] 90[ 0003 00 00 ]");
    say(r, fd, "32[ <t/a> 0001 ( 26<k><v> ) 'x' ]");
    bool closed;
    size_t n = hear_all(r, fd, &closed); /* one copy, all identifiers [MQTT-3.3.4-4] */
    uint8_t one[64], two[64];
    size_t want = packet("40[ 0001 ] 32[ <t/a> 0001 ( 0b 05 0b ffff7f 26<k><v> ) 'x' ]", one);
    assert_int_equal(packet("40[ 0001 ] 32[ <t/a> 0001 ( 0b ffff7f 0b 05 26<k><v> ) 'x' ]", two),
                     want);
    assert_int_equal(n, want);
    assert_true(memcmp(r->heard, one, n) == 0 || memcmp(r->heard, two, n) == 0);
    hear(r, other, "30[ <t/a> ( 26<k><v> ) 'x' ]");
    close(other);
    client_gone(r, fd);
    rig_free(r);
}

static void message_expiry_counts_down_while_a_message_waits(void **state)
{
    struct rig *r = rig_one();
    int pub = client_online(r, 5, "pub"), fd = client_at(r, 0);

    (void)state;
    say(r, fd, "10[ <MQTT> 05 00 0000 ( 11 ffffffff ) <me> ] 82[ 0001 00 <t> 01 ]");
    hear(r, fd, "20[ 00 00 ( 21 03e8 22 0040 27 00100000 ) ] 90[ 0001 00 01 ]");
    say(r, pub, "32[ <t> 0001 ( 02 0000000a ) 'live' ]");
    hear(r, fd, "32[ <t> 0001 ( 02 0000000a ) 'live' ]");
    say(r, fd, "40[ 0001 ]");
    client_gone(r, fd);
    say(r, pub, "32[ <t> 0002 ( 02 0000000a ) 'kept' ] 32[ <t> 0003 ( 02 00000003 ) 'late' ]");
    rig_wait(r, 4);
    fd = client_at(r, 0);
    say(r, fd, "10[ <MQTT> 05 00 0000 ( 11 ffffffff ) <me> ]");
    /* [MQTT-3.3.2-5] [MQTT-3.3.2-6] */
    hear(r, fd,
         "20[ 01 00 ( 21 03e8 22 0040 27 00100000 ) ] 32[ <t> 0001 ( 02 00000006 ) 'kept' ]");
    close(fd);
    client_gone(r, pub);
    rig_free(r);
}

static void aliases_are_used_towards_a_client_that_allows_them(void **state)
{
    struct rig *r = rig_one();
    int fd = subscriber(r, 5, "a", "22 0002", "<#> 00"), pub = client_online(r, 4, "pub");
    int plain = subscriber(r, 5, "b", "", "<#> 00");

    (void)state;
    for (unsigned i = 0; i < 2; i++)
        say(r, pub, "30[ <one> '1' ] 30[ <two> '2' ] 30[ <three> '3' ]");
    /* [MQTT-3.1.2-26] [MQTT-3.3.2-11] */
    hear(r, fd,
         "30[ <one> ( 23 0001 ) '1' ] 30[ <two> ( 23 0002 ) '2' ] 30[ <three> 00 '3' ]"
         "30[ 0000 ( 23 0001 ) '1' ] 30[ 0000 ( 23 0002 ) '2' ] 30[ <three> 00 '3' ]");
    hear(r, plain,
         "30[ <one> 00 '1' ] 30[ <two> 00 '2' ] 30[ <three> 00 '3' ]" /* [MQTT-3.1.2-27] */
         "30[ <one> 00 '1' ] 30[ <two> 00 '2' ] 30[ <three> 00 '3' ]");
    close(fd);
    close(plain);
    client_gone(r, pub);
    rig_free(r);
}

static void all_aliases_of_a_full_table_are_told_apart(void **state)
{
    struct rig *r = rig_one();
    int fd = subscriber(r, 5, "a", "22 ffff", "<#> 00"), pub = client_online(r, 4, "pub");
    char text[64];

    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 70; i++) {
            snprintf(text, sizeof text, "30[ <topic/%u> 'x' ]", i);
            say(r, pub, text);
            if (i >= 64)
                snprintf(text, sizeof text, "30[ <topic/%u> 00 'x' ]", i);
            else if (round == 0)
                snprintf(text, sizeof text, "30[ <topic/%u> ( 23 %04x ) 'x' ]", i, i + 1);
            else
                snprintf(text, sizeof text, "30[ 0000 ( 23 %04x ) 'x' ]", i + 1);
            hear(r, fd, text);
        }
    }
    close(fd);
    client_gone(r, pub);
    rig_free(r);
}

/* ---- limits of the client ----------------------------------------------------------------------
 */

static void a_message_too_large_for_one_client_reaches_the_others(void **state)
{
    struct rig *r = rig_one();
    int fd[3], pub = client_online(r, 4, "pub");

    (void)state;
    fd[0] = subscriber(r, 5, "a", "27 00000015", "<t> 01");
    fd[1] = subscriber(r, 5, "b", "27 00000014", "<t> 01"); /* one byte less than is needed */
    fd[2] = subscriber(r, 5, "c", "27 00000015 22 0002", "<t> 01"); /* no room for an alias */
    for (unsigned i = 1; i <= 3; i++) { /* [MQTT-3.1.2-24] [MQTT-3.1.2-25] */
        char text[64];
        say(r, pub, "30[ <t> '0123456789abc' ] 32[ <t> 0001 '0123456789abc' ]");
        hear(r, pub, "40[ 0001 ]");
        snprintf(text, sizeof text,
                 "30[ <t> 00 '0123456789abc' ] 32[ <t> %04x 00 '0123456789abc' ]", i);
        hear(r, fd[0], text);
        hear(r, fd[1], "30[ <t> 00 '0123456789abc' ]");
        bool closed;
        assert_true(hear_all(r, fd[2], &closed) > 0);
        assert_false(closed);
    }
    assert_int_equal(rig_count(r, C_dropped_too_large), 3);
    say(r, pub, "32[ <t> 0001 'short' ]"); /* the ids of what was not sent are free */
    hear(r, fd[1], "32[ <t> 0001 00 'short' ]");
    for (unsigned i = 0; i < 3; i++)
        close(fd[i]);
    client_gone(r, pub);
    rig_free(r);
}

static void a_slow_reader_loses_qos_0_and_gets_all_of_qos_1(void **state)
{
    enum { MESSAGES = 3000, PAYLOAD = 1000 };
    struct rig_options o = rig_usual(1);

    (void)state;
    o.net.out_bytes_max = 64 << 10;
    o.broker.window_max = 65535;
    struct rig *r = rig_new(&o);
    int fd[2], pub = client_online(r, 4, "pub");
    fd[0] = subscriber(r, 4, "slow0", "", "<t> 00");
    fd[1] = subscriber(r, 4, "slow1", "", "<t> 01");
    uint8_t *out = calloc(1, PAYLOAD + 64);
    assert_non_null(out);
    size_t n = packet("32 edff 'xx'", out) - 2;
    out[1] = 0xed; /* 3 + 2 + 1000 = 1005 bytes */
    out[2] = 0x07;
    n = 3 + packet("<t> 0001", out + 3) + PAYLOAD;
    for (unsigned i = 0; i < MESSAGES; i++) {
        say_bytes(r, pub, out, n);
        hear(r, pub, "40[ 0001 ]");
    }
    uint64_t dropped = rig_count(r, C_dropped_slow);
    assert_in_range(dropped, 1, MESSAGES - 1);
    size_t heard[2] = {0, 0};
    for (unsigned i = 0; i < 2; i++) {
        bool closed;
        heard[i] = hear_all(r, fd[i], &closed);
        assert_false(closed);
    }
    assert_int_equal(heard[0], (MESSAGES - dropped) * (n - 2));
    assert_int_equal(heard[1], MESSAGES * n);
    free(out);
    close(fd[0]);
    close(fd[1]);
    client_gone(r, pub);
    rig_free(r);
}

/* ---- resumption --------------------------------------------------------------------------------
 */

static void what_was_in_flight_is_sent_again_after_connack(void **state)
{
    struct rig *r = rig_one();
    int pub = client_online(r, 4, "pub"), fd = client_at(r, 0);

    (void)state;
    say(r, fd, "10[ <MQTT> 04 00 0000 <me> ] 82[ 0001 <t> 02 ]");
    hear(r, fd, CONNACK_3 "90[ 0001 02 ]");
    say(r, pub, "32[ <t> 0001 'a' ] 34[ <t> 0002 'b' ] 34[ <t> 0003 'c' ]");
    hear(r, fd, "32[ <t> 0001 'a' ] 34[ <t> 0002 'b' ] 34[ <t> 0003 'c' ]");
    say(r, fd, "50[ 0002 ]");
    hear(r, fd, "62[ 0002 ]");
    client_gone(r, fd);
    say(r, pub, "32[ <t> 0004 'd' ]");
    fd = client_at(r, 0);
    say(r, fd, "10[ <MQTT> 04 00 0000 <me> ]"); /* [MQTT-4.4.0-1] [MQTT-3.3.1-1] [MQTT-3.2.0-1] */
    hear(r, fd, "20[ 01 00 ] 3a[ <t> 0001 'a' ] 62[ 0002 ] 3c[ <t> 0003 'c' ] 32[ <t> 0004 'd' ]");
    say(r, fd, "40[ 0001 ] 70[ 0002 ] 50[ 0003 ] 40[ 0004 ]");
    hear(r, fd, "62[ 0003 ]");
    say(r, fd, "70[ 0003 ]");
    client_gone(r, fd);
    fd = client_at(r, 0);
    say(r, fd, "10[ <MQTT> 04 00 0000 <me> ]");
    hear(r, fd, "20[ 01 00 ]");
    close(fd);
    client_gone(r, pub);
    rig_free(r);
}

static void receive_maximum_of_the_client_is_kept(void **state)
{
    struct rig *r = rig_one();
    int fd = subscriber(r, 5, "a", "21 0002", "<t> 01"), pub = client_online(r, 4, "pub");

    (void)state;
    say(r, pub, "32[ <t> 0001 'a' ] 32[ <t> 0002 'b' ] 32[ <t> 0003 'c' ] 32[ <t> 0004 'd' ]");
    hear(r, fd, "32[ <t> 0001 00 'a' ] 32[ <t> 0002 00 'b' ]"); /* [MQTT-3.3.4-9] */
    say(r, fd, "40[ 0001 ]");
    hear(r, fd, "32[ <t> 0003 00 'c' ]");
    say(r, fd, "40[ 0002 ] 40[ 0003 10 ]");
    hear(r, fd, "32[ <t> 0004 00 'd' ]");
    close(fd);
    client_gone(r, pub);
    rig_free(r);
}

static void a_pubrec_with_an_error_ends_the_exchange(void **state)
{
    struct rig *r = rig_one();
    int fd = subscriber(r, 5, "a", "21 0001", "<t> 02"), pub = client_online(r, 4, "pub");

    (void)state;
    say(r, pub, "34[ <t> 0001 'a' ] 34[ <t> 0002 'b' ]");
    hear(r, fd, "34[ <t> 0001 00 'a' ]");
    say(r, fd, "50[ 0001 97 ]"); /* [MQTT-4.3.3-4] */
    hear(r, fd, "34[ <t> 0002 00 'b' ]");
    close(fd);
    client_gone(r, pub);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_subscribers_get_the_same_packet_in_their_own_way),
        cmocka_unit_test(retain_is_told_to_those_who_asked_for_it),
        cmocka_unit_test(large_messages_arrive_whole),
        cmocka_unit_test(a_topic_longer_than_a_chunk_arrives_whole),
        cmocka_unit_test(subscription_identifiers_are_added),
        cmocka_unit_test(message_expiry_counts_down_while_a_message_waits),
        cmocka_unit_test(aliases_are_used_towards_a_client_that_allows_them),
        cmocka_unit_test(all_aliases_of_a_full_table_are_told_apart),
        cmocka_unit_test(a_message_too_large_for_one_client_reaches_the_others),
        cmocka_unit_test(a_slow_reader_loses_qos_0_and_gets_all_of_qos_1),
        cmocka_unit_test(what_was_in_flight_is_sent_again_after_connack),
        cmocka_unit_test(receive_maximum_of_the_client_is_kept),
        cmocka_unit_test(a_pubrec_with_an_error_ends_the_exchange),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
