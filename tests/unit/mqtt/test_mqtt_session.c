/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit/mqtt/test_mqtt_session_rig.h"

/* What a server does with each packet type of a client that is online; NULL: closes. */
struct step {
    const char *packet3, *answer3, *packet5, *answer5;
};

#define PROTOCOL_ERROR "e0[ 82 ( 1f<protocol error> ) ]"
#define MALFORMED "e0[ 81 ( 1f<malformed packet> ) ]"

static const struct step online[16] = {
    [0] = {"0000", NULL, "0000", MALFORMED},
    [1] = {"10[ <MQTT> 04 02 0000 <me> ]", NULL, "10[ <MQTT> 05 02 0000 00 <me> ]",
           PROTOCOL_ERROR}, /* [MQTT-3.1.0-2] */
    [2] = {"20[ 0000 ]", NULL, "20[ 0000 00 ]", PROTOCOL_ERROR},
    [3] = {"30[ <t> 'p' ]", "", "30[ <t> 00 'p' ]", ""},
    [4] = {"40[ 0001 ]", "", "40[ 0001 ]", ""},
    [5] = {"50[ 0001 ]", "62[ 0001 ]", "50[ 0001 ]", "62[ 0001 92 ]"},
    [6] = {"62[ 0001 ]", "70[ 0001 ]", "62[ 0001 ]", "70[ 0001 92 ]"},
    [7] = {"70[ 0001 ]", "", "70[ 0001 ]", ""},
    [8] = {"82[ 0001 <t> 01 ]", "90[ 0001 01 ]", "82[ 0001 00 <t> 01 ]", "90[ 0001 00 01 ]"},
    [9] = {"90[ 0001 00 ]", NULL, "90[ 0001 00 00 ]", PROTOCOL_ERROR},
    [10] = {"a2[ 0001 <u> ]", "b0[ 0001 ]", "a2[ 0001 00 <u> ]", "b0[ 0001 00 11 ]"},
    [11] = {"b0[ 0001 ]", NULL, "b0[ 0001 00 00 ]", PROTOCOL_ERROR},
    [12] = {"c000", "d000", "c000", "d000"}, /* [MQTT-3.12.4-1] */
    [13] = {"d000", NULL, "d000", PROTOCOL_ERROR},
    [14] = {"e000", NULL, "e000", ""},
    [15] = {"f000", NULL, "f0[ 18 ( 15<X> ) ]", PROTOCOL_ERROR}, /* [MQTT-4.12.0-7] */
};

static bool ends(unsigned version, unsigned type)
{
    return type == 14 || (version < 5 ? !online[type].answer3 : online[type].answer5[0] == 'e');
}

static void every_packet_type_has_its_answer_when_online(void **state)
{
    struct rig *r = rig_one();

    (void)state;
    for (unsigned version = 3; version <= 5; version++) {
        for (unsigned type = 0; type < 16; type++) {
            const struct step *s = &online[type];
            const char *answer = version < 5 ? s->answer3 : s->answer5;
            int fd = client_online(r, version, "me");
            say(r, fd, version < 5 ? s->packet3 : s->packet5);
            if (ends(version, type)) {
                hear_end(r, fd, answer ? answer : "");
                continue;
            }
            hear(r, fd, answer);
            client_gone(r, fd);
        }
    }
    rig_free(r);
}

static void before_connect_every_other_type_closes(void **state)
{
    struct rig *r = rig_one();

    (void)state;
    for (unsigned type = 0; type < 16; type++) { /* [MQTT-3.1.0-1] */
        if (type == 1) continue;
        int fd = client_at(r, 0);
        say(r, fd, online[type].packet3);
        hear_end(r, fd, "");
        fd = client_at(r, 0);
        say(r, fd, online[type].packet5);
        hear_end(r, fd, "");
    }
    rig_free(r);
}

static void nothing_is_read_after_disconnect(void **state)
{
    struct rig *r = rig_one();

    (void)state;
    for (unsigned version = 3; version <= 5; version++) {
        int fd = client_online(r, version, "me");
        say(r, fd, "c000 e000 c000 c000");
        hear_end(r, fd, "d000");
    }
    rig_free(r);
}

/* Packets that get an answer, so that the answer shows that they were understood. */
static const struct step whole[] = {
    {"10[ <MQTT> 04 02 0000 <me> ]", CONNACK_3, "10[ <MQTT> 05 02 0000 ( 27 00001000 ) <me> ]",
     CONNACK_5},
    {"32[ <t> 0007 'payload' ]", "40[ 0007 ]", "32[ <t> 0007 ( 02 00000005 ) 'payload' ]",
     "40[ 0007 ]"},
    {"34[ <t> 0007 'payload' ]", "50[ 0007 ]", "34[ <t> 0007 00 'payload' ]", "50[ 0007 ]"},
    {"62[ 0007 ]", "70[ 0007 ]", "62[ 0007 00 00 ]", "70[ 0007 ]"},
    {"82[ 0001 <a/#> 01 ]", "90[ 0001 01 ]", "82[ 0001 ( 0b 05 ) <a/#> 01 ]", "90[ 0001 00 01 ]"},
    {"a2[ 0001 <a/#> ]", "b0[ 0001 ]", "a2[ 0001 00 <a/#> ]", "b0[ 0001 00 00 ]"},
    {"c000", "d000", "c000", "d000"},
};

static void packets_that_come_byte_by_byte_are_understood(void **state)
{
    struct rig *r = rig_one();
    uint8_t bytes[256];

    (void)state;
    for (unsigned v5 = 0; v5 < 2; v5++) {
        int fd = client_at(r, 0);
        for (unsigned i = 0; i < ARRAY_LEN(whole); i++) {
            size_t n = packet(v5 ? whole[i].packet5 : whole[i].packet3, bytes);
            for (size_t at = 0; at < n; at++) {
                hear(r, fd, ""); /* not before the last byte */
                say_bytes(r, fd, bytes + at, 1);
            }
            hear(r, fd, v5 ? whole[i].answer5 : whole[i].answer3);
        }
        client_gone(r, fd);
    }
    rig_free(r);
}

static void a_packet_whose_end_is_missing_closes_the_connection(void **state)
{
    struct rig *r = rig_one();
    uint8_t bytes[256];

    (void)state;
    for (unsigned v5 = 0; v5 < 2; v5++) {
        for (unsigned i = 0; i < ARRAY_LEN(whole); i++) {
            size_t n = packet(v5 ? whole[i].packet5 : whole[i].packet3, bytes);
            /* A payload may end anywhere, and so may an acknowledgement of 5.0. */
            size_t least = i == 1 ? (v5 ? 13u : 7u) : i == 2 ? (v5 ? 8u : 7u) : i == 3 ? 4 : n;
            for (size_t cut = 2; cut < n && cut < least; cut++) {
                bool closed;
                int fd = i ? client_online(r, v5 ? 5 : 4, "me") : client_at(r, 0);
                bytes[1] = (uint8_t)(cut - 2);
                say_bytes(r, fd, bytes, cut);
                hear_all(r, fd, &closed);
                if (!closed) fail_msg("v5 %u, packet %u cut at %zu is taken", v5, i, cut);
                close(fd);
            }
        }
    }
    rig_free(r);
}

static void a_client_that_says_much_at_once_is_answered_in_full(void **state)
{
    enum { PINGS = 10000 };
    struct rig *r = rig_one();
    int fd = client_online(r, 4, "me");
    uint8_t *pings = malloc(2 * PINGS);
    size_t heard = 0;
    bool closed;

    (void)state;
    assert_non_null(pings);
    for (unsigned i = 0; i < PINGS; i++) {
        pings[2 * i] = 0xc0;
        pings[2 * i + 1] = 0;
    }
    assert_int_equal(send(fd, pings, 2 * PINGS, 0), 2 * PINGS);
    uint64_t turns = counter_read(&r->core[0].counters, C_turns);
    heard = hear_all(r, fd, &closed);
    assert_int_equal(heard, 2 * PINGS);
    assert_false(closed);
    /* 2048 packets a turn, and three turns of quiet. */
    assert_true(counter_read(&r->core[0].counters, C_turns) - turns >= PINGS / 2048 + 3);
    free(pings);
    client_gone(r, fd);
    rig_free(r);
}

static void a_packet_beyond_the_maximum_is_refused_before_it_has_come(void **state)
{
    struct rig *r = rig_one();
    int fd = client_online(r, 5, "me");

    (void)state;
    say(r, fd, "30 fdff3f"); /* 1 MiB - 3 and its head: one more than the maximum */
    hear_end(r, fd, "e0[ 95 ( 1f<packet too large> ) ]");
    fd = client_online(r, 5, "me");
    say(r, fd, "30 fcff3f");
    hear(r, fd, "");
    client_gone(r, fd);
    fd = client_online(r, 4, "me");
    say(r, fd, "30 ffffff7f");
    hear_end(r, fd, "");
    fd = client_at(r, 0); /* a stranger may say much less */
    say(r, fd, "10 fdff03");
    hear_end(r, fd, "");
    fd = client_at(r, 0);
    say(r, fd, "10 fcff03");
    hear(r, fd, "");
    client_gone(r, fd);
    rig_free(r);
}

static void a_length_of_five_bytes_is_malformed(void **state)
{
    struct rig *r = rig_one();

    (void)state;
    int fd = client_online(r, 5, "me");
    say(r, fd, "30 8080808010 8206000100012300");
    hear_end(r, fd, MALFORMED);
    fd = client_online(r, 5, "me");
    say(r, fd, "c0 8000"); /* [MQTT-1.5.5-1] */
    hear_end(r, fd, MALFORMED);
    rig_free(r);
}

static void reason_strings_are_left_out_on_request_and_for_lack_of_room(void **state)
{
    static const char *const props[] = {"17 00", "27 00000017"};
    struct rig *r = rig_one();
    char text[128];

    (void)state;
    for (unsigned i = 0; i < 2; i++) { /* [MQTT-3.14.2-3] */
        int fd = client_at(r, 0);
        snprintf(text, sizeof text, "10[ <MQTT> 05 02 0000 ( %s ) <me> ]", props[i]);
        say(r, fd, text);
        hear(r, fd, CONNACK_5);
        say(r, fd, "d000");
        hear_end(r, fd, i ? PROTOCOL_ERROR : "e0[ 82 ]");
    }
    rig_free(r);
}

static void a_connection_that_dies_half_way_leaves_nothing(void **state)
{
    struct rig *r = rig_one();
    static const char *const halves[] = {
        "", "10", "10 20 0004 'MQ'", "10[ <MQTT> 05 02 0000 00 <me> ] 30 20 0001",
        "10[ <MQTT> 05 02 0000 ( 22 0005 ) <me> ] 30[ <t> ( 23 0001 ) 'p' ] 82[ 0001 00 <t> 00 ]"};

    (void)state;
    size_t before = pool_bytes_used(r->core[0].pool);
    for (unsigned i = 0; i < ARRAY_LEN(halves); i++) {
        int fd = client_at(r, 0);
        say(r, fd, halves[i]);
        client_gone(r, fd);
        assert_int_equal(rig_count(r, C_connections), 0);
        assert_int_equal(rig_count(r, C_sessions), 0);
        assert_int_equal(pool_bytes_used(r->core[0].pool), before);
    }
    rig_free(r);
}

static void without_memory_for_it_a_connection_is_closed(void **state)
{
    struct rig *r = rig_one();
    int fd = client_at(r, 0);

    (void)state;
    pool_set_max(r->core[0].pool, pool_bytes_used(r->core[0].pool) + 200);
    int second = client_at(r, 0); /* room for a conn, none for a struct mqtt */
    hear_end(r, second, "");
    pool_set_max(r->core[0].pool, 0);
    say(r, fd, "10[ <MQTT> 04 02 0000 <me> ]");
    hear(r, fd, CONNACK_3);
    client_gone(r, fd);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_packet_type_has_its_answer_when_online),
        cmocka_unit_test(before_connect_every_other_type_closes),
        cmocka_unit_test(nothing_is_read_after_disconnect),
        cmocka_unit_test(packets_that_come_byte_by_byte_are_understood),
        cmocka_unit_test(a_packet_whose_end_is_missing_closes_the_connection),
        cmocka_unit_test(a_client_that_says_much_at_once_is_answered_in_full),
        cmocka_unit_test(a_packet_beyond_the_maximum_is_refused_before_it_has_come),
        cmocka_unit_test(a_length_of_five_bytes_is_malformed),
        cmocka_unit_test(reason_strings_are_left_out_on_request_and_for_lack_of_room),
        cmocka_unit_test(a_connection_that_dies_half_way_leaves_nothing),
        cmocka_unit_test(without_memory_for_it_a_connection_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
