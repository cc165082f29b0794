/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit/mqtt/test_mqtt_session_rig.h"

/* A subscriber of everything, who shows what was published. */
static int listener(struct rig *r, unsigned version)
{
    int fd = client_online(r, version, "listener");

    say(r, fd, version == 5 ? "82[ 0001 00 <#> 02 ]" : "82[ 0001 <#> 02 ]");
    hear(r, fd, version == 5 ? "90[ 0001 00 02 ]" : "90[ 0001 02 ]");
    return fd;
}

static void each_qos_is_answered_as_it_should(void **state)
{
    struct rig *r = rig_one();

    (void)state;
    for (unsigned version = 3; version <= 5; version++) {
        int fd = client_online(r, version, "me");
        const char *none = version == 5 ? "00" : "";
        char text[128];
        snprintf(text, sizeof text, "30[ <t> %s 'a' ] 32[ <t> 0001 %s 'b' ] 34[ <t> 0002 %s 'c' ]",
                 none, none, none);
        say(r, fd, text);
        hear(r, fd, "40[ 0001 ] 50[ 0002 ]"); /* [MQTT-4.3.2-4] [MQTT-4.3.3-8] */
        say(r, fd, "62[ 0002 ]");
        hear(r, fd, "70[ 0002 ]"); /* [MQTT-4.3.3-11] */
        client_gone(r, fd);
    }
    assert_int_equal(rig_count(r, C_messages_received), 9);
    rig_free(r);
}

static void a_qos_2_message_that_comes_twice_is_published_once(void **state)
{
    struct rig *r = rig_one();
    int ear = listener(r, 4), fd = client_online(r, 4, "me");

    (void)state;
    say(r, fd, "34[ <t> 0007 'x' ] 3c[ <t> 0007 'x' ]"); /* [MQTT-4.3.3-10] */
    hear(r, fd, "50[ 0007 ] 50[ 0007 ]");
    hear(r, ear, "34[ <t> 0001 'x' ]");
    say(r, fd, "62[ 0007 ] 34[ <t> 0007 'y' ]"); /* [MQTT-4.3.3-12] */
    hear(r, fd, "70[ 0007 ] 50[ 0007 ]");
    hear(r, ear, "34[ <t> 0002 'y' ]");
    close(ear);
    client_gone(r, fd);
    rig_free(r);
}

static void an_id_received_at_qos_2_outlives_the_connection(void **state)
{
    struct rig *r = rig_one();
    int ear = listener(r, 4), fd = client_at(r, 0);

    (void)state;
    say(r, fd, "10[ <MQTT> 04 00 0000 <me> ] 34[ <t> 0007 'x' ]");
    hear(r, fd, CONNACK_3 "50[ 0007 ]");
    hear(r, ear, "34[ <t> 0001 'x' ]");
    client_gone(r, fd);
    fd = client_at(r, 0);
    say(r, fd, "10[ <MQTT> 04 00 0000 <me> ] 3c[ <t> 0007 'x' ] 62[ 0007 ]");
    hear(r, fd, "20[ 01 00 ] 50[ 0007 ] 70[ 0007 ]");
    hear(r, ear, "");
    close(ear);
    client_gone(r, fd);
    rig_free(r);
}

static void an_unknown_release_is_completed_with_a_reason_in_5(void **state)
{
    struct rig *r = rig_one();
    int v4 = client_online(r, 4, "a"), v5 = client_online(r, 5, "b");

    (void)state;
    say(r, v4, "62[ 1234 ]");
    hear(r, v4, "70[ 1234 ]");
    say(r, v5, "62[ 1234 ]");
    hear(r, v5, "70[ 1234 92 ]"); /* [MQTT-3.7.2-1] */
    close(v4);
    client_gone(r, v5);
    rig_free(r);
}

/* ---- properties ------------------------------------------------------------------------------ */

static void properties_for_subscribers_pass_and_others_stay(void **state)
{
    struct rig *r = rig_one();
    int ear = listener(r, 5), fd = client_online(r, 5, "me");

    (void)state;
    say(r, fd, "30[ <t> ( 26<k><v1> 01 01 23 0001 26<k><v2> 08<re/ply> 09<id> 03<text> ) 'x' ]");
    /* [MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-18] */
    hear(r, ear, "30[ <t> ( 26<k><v1> 01 01 26<k><v2> 08<re/ply> 09<id> 03<text> ) 'x' ]");
    say(r, fd, "30[ <t> ( 26<k><v> 03<text> ) 'y' ]");
    hear(r, ear, "30[ <t> ( 26<k><v> 03<text> ) 'y' ]");
    close(ear);
    client_gone(r, fd);
    rig_free(r);
}

static void an_alias_stands_for_the_topic_it_was_last_given(void **state)
{
    struct rig *r = rig_one();
    int ear = listener(r, 4), fd = client_online(r, 5, "me");

    (void)state;
    say(r, fd,
        "30[ <first> ( 23 0001 ) '1' ] 30[ 0000 ( 23 0001 ) '2' ]"
        "30[ <other> ( 23 0040 ) '3' ] 30[ 0000 ( 23 0001 ) '4' ] 30[ 0000 ( 23 0040 ) '5' ]"
        "30[ <newer> ( 23 0001 ) '6' ] 30[ <newer> ( 23 0001 ) '7' ]"
        "30[ 0000 ( 23 0001 ) '8' ]");
    hear(r, ear,
         "30[ <first> '1' ] 30[ <first> '2' ] 30[ <other> '3' ] 30[ <first> '4' ]"
         "30[ <other> '5' ] 30[ <newer> '6' ] 30[ <newer> '7' ] 30[ <newer> '8' ]");
    close(ear);
    client_gone(r, fd);
    rig_free(r);
}

static void a_wrong_alias_ends_the_connection(void **state)
{
    static const struct {
        const char *packet, *answer;
    } each[] = {
        {"30[ <t> ( 23 0041 ) 'x' ]", "e0[ 94 ( 1f<topic alias invalid> ) ]"}, /* [MQTT-3.3.2-9] */
        {"30[ <t> ( 23 ffff ) 'x' ]", "e0[ 94 ( 1f<topic alias invalid> ) ]"},
        {"30[ <t> ( 23 0000 ) 'x' ]", "e0[ 94 ( 1f<topic alias invalid> ) ]"}, /* [MQTT-3.3.2-8] */
        {"30[ 0000 ( 23 0005 ) 'x' ]", "e0[ 82 ( 1f<protocol error> ) ]"},
        {"30[ <t> ( 23 0001 ) 'x' ] 30[ 0000 ( 23 0002 ) 'x' ]", "e0[ 82 ( 1f<protocol error> ) ]"},
    };
    struct rig *r = rig_one();

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(each); i++) {
        int fd = client_online(r, 5, "me");
        say(r, fd, each[i].packet);
        hear_end(r, fd, each[i].answer);
    }
    rig_free(r);
}

static void names_are_no_longer_and_no_deeper_than_is_wanted(void **state)
{
    struct rig_options o = rig_usual(1);

    (void)state;
    o.mqtt.topic_bytes_max = 10;
    o.mqtt.topic_levels_max = 3;
    struct rig *r = rig_new(&o);
    static const char *const bad[] = {"30[ <12345678901> 00 ]", "32[ <a/b/c/d> 0001 00 ]"};
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        int fd = client_online(r, 5, "me");
        say(r, fd, "32[ <a/b/c> 0001 00 ] 32[ <1234567890> 0002 00 ]");
        hear(r, fd, "40[ 0001 ] 40[ 0002 ]");
        say(r, fd, bad[i]);
        hear_end(r, fd, "e0[ 90 ( 1f <topic name invalid> ) ]");
    }
    int fd = client_online(r, 4, "me");
    say(r, fd, "82[ 0001 <a/b/c/d> 00 <+/+/#> 00 <12345678901> 00 <$share/group/a/b/c> 00 ]");
    hear(r, fd, "90[ 0001 80 00 80 00 ]");
    client_gone(r, fd);
    fd = client_at(r, 0);
    say(r, fd, "10[ <MQTT> 04 06 0000 <me> <a/b/c/d> 0000 ]");
    hear_end(r, fd, "");
    assert_int_equal(rig_count(r, C_limited_topic), 5);
    rig_free(r);
}

static void aliases_end_with_the_connection(void **state)
{
    struct rig *r = rig_one();
    int fd = client_online(r, 5, "me");

    (void)state;
    say(r, fd, "30[ <t> ( 23 0001 ) 'x' ]");
    client_gone(r, fd);
    fd = client_online(r, 5, "me"); /* [MQTT-3.3.2-7] */
    say(r, fd, "30[ 0000 ( 23 0001 ) 'x' ]");
    hear_end(r, fd, "e0[ 82 ( 1f<protocol error> ) ]");
    rig_free(r);
}

static void what_the_server_does_not_offer_may_not_be_used(void **state)
{
    struct rig_options o = rig_usual(1);

    (void)state;
    o.mqtt.max_qos = 1;
    o.mqtt.no_retain = true;
    struct rig *r = rig_new(&o);
    static const char *const packets[] = {"34[ <t> 0001 00 'x' ]", "31[ <t> 00 'x' ]"};
    static const char *const words[] = {"e0[ 9b ]",
                                        "e0[ 9a ]"}; /* [MQTT-3.2.2-11] [MQTT-3.2.2-14] */
    for (unsigned i = 0; i < 2; i++) {
        int fd = client_at(r, 0);
        say(r, fd, "10[ <MQTT> 05 02 0000 ( 17 00 ) <me> ]");
        hear(r, fd, "20[ 00 00 ( 21 03e8 22 0040 24 01 25 00 27 00100000 ) ]");
        say(r, fd, packets[i]);
        hear_end(r, fd, words[i]);
    }
    int old = client_online(r, 4, "me");
    say(r, old, "34[ <t> 0001 'x' ]");
    hear_end(r, old, "");
    rig_free(r);
}

/* ---- acceptance -------------------------------------------------------------------------------
 */

static void a_refused_message_is_answered_in_5_and_closes_3(void **state)
{
    struct rig_options o = rig_usual(1);

    (void)state;
    o.broker.retained_max = 0;
    struct rig *r = rig_new(&o);
    int fd = client_online(r, 5, "me");
    say(r, fd, "33[ <t> 0001 00 'x' ] 35[ <t> 0002 00 'x' ] 32[ <t> 0003 00 'x' ]");
    hear(r, fd, "40[ 0001 97 ] 50[ 0002 97 ] 40[ 0003 ]");
    say(r, fd, "62[ 0002 ]"); /* the id is not in use any more [MQTT-4.3.3-9] */
    hear(r, fd, "70[ 0002 92 ]");
    client_gone(r, fd);
    fd = client_online(r, 4, "me");
    say(r, fd, "33[ <t> 0001 'x' ] 32[ <t> 0002 'x' ]");
    hear_end(r, fd, ""); /* [MQTT311-3.3.5-2] */
    rig_free(r);
}

/* Two cores: a client at home on core 0, and the topic's owner, core 1, is asleep. */
static int far_from_owner(struct rig *r, const char *connect, const char *answer, char topic[32])
{
    char id[32], text[128];
    int fd = client_at(r, 0);

    rig_name(r, "t/", 1, topic);
    snprintf(text, sizeof text, connect, rig_name(r, "c", 0, id));
    say(r, fd, text);
    hear(r, fd, answer);
    return fd;
}

/* Says it, and lets only core 0 listen. */
static void say_at_home(struct rig *r, int fd, const char *text)
{
    size_t n = packet(text, r->wanted);

    assert_int_equal(send(fd, r->wanted, n, 0), n);
    for (unsigned i = 0; i < 10; i++)
        rig_turn(r, 0);
}

static void publish_ids(char *out, size_t room, const char *topic, unsigned from, unsigned to)
{
    size_t n = 0;

    out[0] = 0;
    for (unsigned id = from; id <= to; id++)
        n += (size_t)snprintf(out + n, room - n, "32[ <%s> %04x 00 'x' ]", topic, id);
}

static void puback_waits_for_the_owner_and_keeps_the_order(void **state)
{
    struct rig_options o = rig_usual(2);
    struct rig *r = rig_new(&o);
    char far[32], near[32], text[256];
    int fd = far_from_owner(r, "10[ <MQTT> 04 02 0000 <%s> ]", CONNACK_3, far);
    uint8_t byte;

    (void)state;
    rig_name(r, "t/", 0, near);
    snprintf(text, sizeof text, "32[ <%s> 0001 'x' ] 32[ <%s> 0002 'x' ] 34[ <%s> 0003 'x' ] c000",
             far, near, near);
    say_at_home(r, fd, text);
    /* 2 and 3 are accepted, but 1 is not yet [MQTT-4.6.0-2] [MQTT-4.6.0-3] */
    assert_int_equal(recv(fd, r->heard, RIG_BYTES, 0), 2);
    assert_int_equal(r->heard[0], 0xd0);
    assert_int_equal(recv(fd, &byte, 1, 0), -1);
    hear(r, fd, "40[ 0001 ] 40[ 0002 ] 50[ 0003 ]");
    client_gone(r, fd);
    rig_free(r);
}

static void a_duplicate_of_a_message_that_is_not_accepted_is_not_answered_early(void **state)
{
    struct rig_options o = rig_usual(2);
    struct rig *r = rig_new(&o);
    char far[32], text[256];
    int fd = far_from_owner(r, "10[ <MQTT> 04 02 0000 <%s> ]", CONNACK_3, far);

    (void)state;
    snprintf(text, sizeof text, "34[ <%s> 0001 'x' ] 3c[ <%s> 0001 'x' ]", far, far);
    say_at_home(r, fd, text);
    assert_int_equal(recv(fd, r->heard, 1, 0), -1);
    hear(r, fd, "50[ 0001 ]");
    client_gone(r, fd);
    rig_free(r);
}

static void a_client_of_5_that_exceeds_receive_maximum_is_sent_away(void **state)
{
    struct rig_options o = rig_usual(2);

    (void)state;
    o.broker.receive_max = 4;
    struct rig *r = rig_new(&o);
    char far[32], text[1024];
    int fd = far_from_owner(r, "10[ <MQTT> 05 02 0000 00 <%s> ]",
                            "20[ 00 00 ( 21 0004 22 0040 27 00100000 ) ]", far);
    publish_ids(text, sizeof text, far, 1, 4);
    say_at_home(r, fd, text);
    hear(r, fd, "40[ 0001 ] 40[ 0002 ] 40[ 0003 ] 40[ 0004 ]");
    /* Unreleased QoS 2 counts too. */
    snprintf(
        text, sizeof text,
        "34[ <t> 0001 00 'x' ] 34[ <t> 0002 00 'x' ] 34[ <t> 0003 00 'x' ] 34[ <t> 0004 00 'x' ]"
        "3c[ <t> 0004 00 'x' ]");
    say(r, fd, text);
    hear(r, fd, "50[ 0001 ] 50[ 0002 ] 50[ 0003 ] 50[ 0004 ] 50[ 0004 ]");
    say(r, fd, "62[ 0002 ] 34[ <t> 0005 00 'x' ]");
    hear(r, fd, "70[ 0002 ] 50[ 0005 ]");
    say(r, fd, "30[ <t> 00 'x' ] 32[ <t> 0006 00 'x' ]"); /* [MQTT-3.3.4-7] */
    hear_end(r, fd, "e0[ 93 ( 1f<receive maximum exceeded> ) ]");
    rig_free(r);
}

static void a_client_of_3_is_not_read_while_too_much_is_awaited(void **state)
{
    struct rig_options o = rig_usual(2);

    (void)state;
    o.broker.receive_max = 4;
    struct rig *r = rig_new(&o);
    char far[32], text[256];
    int fd = far_from_owner(r, "10[ <MQTT> 04 02 0002 <%s> ]", CONNACK_3, far);
    for (unsigned i = 1; i <= 9; i++) {
        snprintf(text, sizeof text, "32[ <%s> %04x 'x' ]", far, i);
        say_at_home(r, fd, text);
    }
    assert_int_equal(rig_count(r, C_messages_received), 4);
    rig_now_s += 100; /* the silence is ours: no keep alive ends it */
    for (unsigned i = 0; i < 200; i++)
        rig_turn(r, 0);
    assert_int_equal(rig_count(r, C_connections), 1);
    hear(r, fd,
         "40[ 0001 ] 40[ 0002 ] 40[ 0003 ] 40[ 0004 ] 40[ 0005 ] 40[ 0006 ] 40[ 0007 ]"
         "40[ 0008 ] 40[ 0009 ]");
    client_gone(r, fd);
    rig_free(r);
}

static void without_memory_a_message_above_qos_0_ends_the_connection(void **state)
{
    struct rig *r = rig_one();
    int fd = client_online(r, 5, "me"), ear;

    (void)state;
    say(r, fd, "c000"); /* chunks of its out-queue are in the pool by now */
    hear(r, fd, "d000");
    pool_set_max(r->core[0].pool, 1);
    say(r, fd, "30[ <t> 00 'lost' ]");
    hear(r, fd, "");
    say(r, fd, "34[ <t> 0001 00 'x' ]");
    pool_set_max(r->core[0].pool, 0);
    bool closed;
    hear_all(r, fd, &closed); /* there may be no memory for words */
    assert_true(closed);
    close(fd);
    ear = listener(r, 4);
    fd = client_online(r, 5, "me");
    say(r, fd, "34[ <t> 0001 00 'x' ]");
    hear(r, fd, "50[ 0001 ]");
    hear(r, ear, "34[ <t> 0001 'x' ]");
    close(ear);
    client_gone(r, fd);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_qos_is_answered_as_it_should),
        cmocka_unit_test(a_qos_2_message_that_comes_twice_is_published_once),
        cmocka_unit_test(an_id_received_at_qos_2_outlives_the_connection),
        cmocka_unit_test(an_unknown_release_is_completed_with_a_reason_in_5),
        cmocka_unit_test(properties_for_subscribers_pass_and_others_stay),
        cmocka_unit_test(an_alias_stands_for_the_topic_it_was_last_given),
        cmocka_unit_test(a_wrong_alias_ends_the_connection),
        cmocka_unit_test(names_are_no_longer_and_no_deeper_than_is_wanted),
        cmocka_unit_test(aliases_end_with_the_connection),
        cmocka_unit_test(what_the_server_does_not_offer_may_not_be_used),
        cmocka_unit_test(a_refused_message_is_answered_in_5_and_closes_3),
        cmocka_unit_test(puback_waits_for_the_owner_and_keeps_the_order),
        cmocka_unit_test(a_duplicate_of_a_message_that_is_not_accepted_is_not_answered_early),
        cmocka_unit_test(a_client_of_5_that_exceeds_receive_maximum_is_sent_away),
        cmocka_unit_test(a_client_of_3_is_not_read_while_too_much_is_awaited),
        cmocka_unit_test(without_memory_a_message_above_qos_0_ends_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
