/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit/mqtt/test_mqtt_session_rig.h"

static const char *const connects[] = {
    "10[ <MQIsdp> 03 02 003c <me> ]",
    "10[ <MQTT> 04 02 003c <me> ]",
    "10[ <MQTT> 05 02 003c 00 <me> ]",
};

static const char *const connacks[] = {CONNACK_3, CONNACK_3, CONNACK_5};

static void every_version_is_welcome(void **state)
{
    struct rig *r = rig_one();

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        int fd = client_at(r, 0);
        say(r, fd, connects[i]);
        hear(r, fd, connacks[i]);
        client_gone(r, fd);
    }
    rig_free(r);
}

struct refusal {
    const char *packet, *answer;
};

/* Each of these is answered so and then closed. */
static void refuse_each(struct rig *r, const struct refusal *each, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int fd = client_at(r, 0);
        say(r, fd, each[i].packet);
        hear_end(r, fd, each[i].answer);
    }
    assert_int_equal(rig_count(r, C_sessions), 0);
    rig_free(r);
}

static void a_wrong_connect_is_answered_as_its_version_can(void **state)
{
    static const struct refusal each[] = {
        {"10[ <MQTT> 06 02 003c <me> ]", "20[ 00 01 ]"},
        {"10[ <MQTT> 00 02 003c <me> ]", "20[ 00 01 ]"},
        {"10[ <MQIsdp> 02 02 003c <me> ]", "20[ 00 01 ]"},
        {"10[ <MQTT> 04 00 003c 0000 ]", "20[ 00 02 ]"}, /* [MQTT311-3.1.3-8] */
        {"10[ <MQIsdp> 03 02 003c 0000 ]", "20[ 00 02 ]"},
        {"10[ <MQTT> 04 03 003c <me> ]", ""}, /* [MQTT311-3.1.2-3] */
        {"10[ <MQTT> 04 42 003c <me> <pw> ]", ""},
        {"10[ <MQTT> 04 02 003c ffff ]", ""},
        {"10[ <MQTT> 05 03 003c 00 <me> ]", "20[ 00 81 ( 1f<malformed packet> ) ]"},
        {"10[ <MQTT> 05 02 003c ( 21 0000 ) <me> ]", "20[ 00 82 ( 1f<protocol error> ) ]"},
        {"10[ <MQTT> 05 02 003c ( 15<X> ) <me> ]",
         "20[ 00 8c ( 1f<bad authentication method> ) ]"}, /* [MQTT-4.12.0-1] */
        {"10[ <MQTT> 05 02 003c ( 17 00 15<X> ) <me> ]", "20[ 00 8c 00 ]"},
        {"10[ <MQTT> 05 02 003c ( 15<X> 27 00000010 ) <me> ]",
         "20[ 00 8c 00 ]"},                                         /* [MQTT-3.2.2-19] */
        {"10[ <MQTT> 05 02 003c ( 15<X> 27 00000004 ) <me> ]", ""}, /* [MQTT-3.1.2-24] */
        {"10[ <MQTT> 05 02 003c ( 27 00000004 ) <me> ]", ""},
        {"10[ <MQTT> 05 02 003c ( 27 00000005 ) <me> ]", "20[ 00 95 00 ]"},
        {"10[ 00 ]", ""},
        {"1000", ""},
    };
    (void)state;
    refuse_each(rig_one(), each, ARRAY_LEN(each));
}

static void a_stranger_is_closed_at_his_first_byte(void **state)
{
    struct rig *r = rig_one();

    (void)state;
    for (unsigned first = 0; first < 256; first++) { /* [MQTT-3.1.0-1] */
        uint8_t byte = (uint8_t)first;
        if (first >> 4 == 1) continue;
        int fd = client_at(r, 0);
        say_bytes(r, fd, &byte, 1);
        hear_end(r, fd, "");
    }
    rig_free(r);
}

static void a_long_client_id_is_refused_and_an_empty_one_if_so_configured(void **state)
{
    struct rig_options o = rig_usual(1);
    static const struct refusal each[] = {
        {"10[ <MQTT> 04 02 003c <12345> ]", "20[ 00 02 ]"},
        {"10[ <MQTT> 05 02 003c 00 <12345> ]", "20[ 00 85 ( 1f<client identifier not valid> ) ]"},
        {"10[ <MQTT> 04 02 003c 0000 ]", "20[ 00 02 ]"},
        {"10[ <MQTT> 05 02 003c ( 17 00 ) 0000 ]", "20[ 00 85 00 ]"},
    };
    (void)state;
    o.mqtt.client_id_bytes_max = 4;
    o.mqtt.refuse_empty_client_id = true;
    refuse_each(rig_new(&o), each, ARRAY_LEN(each));
}

static void a_will_beyond_what_the_server_does_is_refused(void **state)
{
    struct rig_options o = rig_usual(1);
    static const struct refusal each[] = {
        {"10[ <MQTT> 05 16 003c ( 17 00 ) <me> 00 <t> <p> ]",
         "20[ 00 9b 00 ]"}, /* [MQTT-3.2.2-12] */
        {"10[ <MQTT> 05 26 003c ( 17 00 ) <me> 00 <t> <p> ]",
         "20[ 00 9a 00 ]"}, /* [MQTT-3.2.2-13] */
        {"10[ <MQTT> 04 16 003c <me> <t> <p> ]", ""},
        {"10[ <MQTT> 05 06 003c ( 17 00 ) <me> 00 <t/#> <p> ]", "20[ 00 90 00 ]"},
    };
    (void)state;
    o.mqtt.max_qos = 1;
    o.mqtt.no_retain = true;
    refuse_each(rig_new(&o), each, ARRAY_LEN(each));
}

static void a_redirected_client_is_told_where_to_go(void **state)
{
    struct rig_options o = rig_usual(1);
    static const struct refusal each[] = {
        {"10[ <MQTT> 05 02 003c ( 17 00 ) <me> ]", "20[ 00 9d ( 1c<there> ) ]"},
        {"10[ <MQTT> 05 02 003c ( 17 00 27 00000005 ) <me> ]", "20[ 00 9d 00 ]"},
        {"10[ <MQTT> 04 02 003c <me> ]", "20[ 00 03 ]"},
    };
    (void)state;
    o.mqtt.redirect_reason = 0x9d;
    o.mqtt.server_reference = "there";
    refuse_each(rig_new(&o), each, ARRAY_LEN(each));
}

static void a_full_server_says_so(void **state)
{
    struct rig_options o = rig_usual(1);
    static const struct refusal each[] = {
        {"10[ <MQTT> 05 02 003c ( 17 00 ) <me> ]", "20[ 00 97 00 ]"},
        {"10[ <MQTT> 04 02 003c <me> ]", "20[ 00 03 ]"},
    };
    (void)state;
    o.broker.sessions_max = 0;
    refuse_each(rig_new(&o), each, ARRAY_LEN(each));
}

static void connack_tells_all_that_differs_from_the_default(void **state)
{
    struct rig_options o = rig_usual(1);

    (void)state;
    o.broker.receive_max = 65535;
    o.broker.expiry_max_s = 60;
    o.mqtt.keep_alive_max_s = 30;
    o.mqtt.topic_alias_max = 0;
    o.mqtt.max_qos = 1;
    o.mqtt.response_info = "answers/";
    o.mqtt.no_retain = o.mqtt.no_wildcards = true;
    o.mqtt.no_subscription_ids = o.mqtt.no_shared = true;
    struct rig *r = rig_new(&o);
    int fd = client_at(r, 0);
    say(r, fd, "10[ <MQTT> 05 02 003c ( 11 00000064 19 01 ) <me> ]");
    hear(r, fd,
         "20[ 00 00 ( 11 0000003c 13 001e 1a<answers/> 24 01 25 00 27 00100000"
         " 28 00 29 00 2a 00 ) ]");
    client_gone(r, fd);
    rig_free(r);
}

static void response_information_is_for_those_who_ask(void **state)
{
    struct rig_options o = rig_usual(1);

    (void)state;
    o.mqtt.response_info = "answers/";
    struct rig *r = rig_new(&o);
    int fd = client_online(r, 5, "me"); /* [MQTT-3.1.2-28] */
    client_gone(r, fd);
    rig_free(r);
}

static void a_client_without_id_gets_one_that_is_its_own(void **state)
{
    struct rig *r = rig_one();
    int fd[2];
    bool closed;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        fd[i] = client_at(r, 0);
        say(r, fd[i], "10[ <MQTT> 05 02 0000 00 0000 ]"); /* [MQTT-3.1.3-6] [MQTT-3.1.3-7] */
        size_t n = hear_all(r, fd[i], &closed);
        assert_false(closed);
        assert_true(n > 8);
        assert_int_equal(r->heard[5], 0x12);
        assert_true(r->heard[7] > 0);
    }
    int old = client_at(r, 0);
    say(r, old, "10[ <MQTT> 04 02 0000 0000 ]");
    hear(r, old, CONNACK_3);
    assert_int_equal(rig_count(r, C_sessions), 3);
    close(old);
    close(fd[0]);
    client_gone(r, fd[1]);
    rig_free(r);
}

static void a_kept_session_is_present_and_a_clean_start_ends_it(void **state)
{
    struct rig *r = rig_one();
    static const struct {
        const char *packet;
        unsigned present;
    } steps[] = {
        {"10[ <MQTT> 04 00 0000 <me> ]", 0},   {"10[ <MQTT> 04 00 0000 <me> ]", 1},
        {"10[ <MQTT> 04 02 0000 <me> ]", 0},   {"10[ <MQTT> 04 00 0000 <me> ]", 0},
        {"10[ <MQIsdp> 03 00 0000 <me> ]", 0}, /* 3.1 has no such flag */
        {"10[ <MQTT> 04 00 0000 <me> ]", 1},
    };
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(steps); i++) { /* [MQTT-3.2.2-2] [MQTT-3.2.2-3] */
        int fd = client_at(r, 0);
        say(r, fd, steps[i].packet);
        hear(r, fd, steps[i].present ? "20[ 01 00 ]" : CONNACK_3);
        client_gone(r, fd);
    }
    rig_free(r);
}

/* ---- time -------------------------------------------------------------------------------------
 */

static void who_does_not_connect_in_time_is_closed(void **state)
{
    struct rig *r = rig_one();
    int silent = client_at(r, 0), slow = client_at(r, 0);

    (void)state;
    say(r, slow, "10 0d 0004 'MQ'");
    rig_wait(r, 9);
    hear(r, silent, "");
    hear(r, slow, "");
    rig_wait(r, 2);
    hear_end(r, silent, "");
    hear_end(r, slow, "");
    rig_free(r);
}

static void silence_beyond_one_and_a_half_keep_alives_ends_the_connection(void **state)
{
    static const unsigned patience[] = {3, 4, 6, 7, 9}; /* for keep alives of 1 to 5 s */
    struct rig *r = rig_one();
    char text[64];

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(patience); i++) { /* [MQTT-3.1.2-22] */
        int fd = client_at(r, 0);
        snprintf(text, sizeof text, "10[ <MQTT> 05 02 %04x 00 <me> ]", i + 1);
        say(r, fd, text);
        hear(r, fd, CONNACK_5);
        rig_wait(r, patience[i] - 1);
        hear(r, fd, "");
        rig_wait(r, 1);
        hear_end(r, fd, "e0[ 8d ( 1f<keep alive timeout> ) ]");
    }
    rig_free(r);
}

static void a_ping_buys_time_and_old_versions_are_just_closed(void **state)
{
    struct rig *r = rig_one();
    int fd = client_at(r, 0);

    (void)state;
    say(r, fd, "10[ <MQTT> 04 02 0002 <me> ]");
    hear(r, fd, CONNACK_3);
    for (unsigned i = 0; i < 5; i++) {
        rig_wait(r, 3);
        say(r, fd, "c000");
        hear(r, fd, "d000");
    }
    rig_wait(r, 4);
    hear_end(r, fd, "");
    rig_free(r);
}

static void without_keep_alive_silence_is_endless(void **state)
{
    struct rig *r = rig_one();
    int fd = client_online(r, 4, "me");

    (void)state;
    rig_wait(r, 200);
    say(r, fd, "c000");
    hear(r, fd, "d000");
    client_gone(r, fd);
    rig_free(r);
}

static void a_server_keep_alive_is_told_to_5_and_asked_of_3(void **state)
{
    struct rig_options o = rig_usual(1);

    (void)state;
    o.mqtt.keep_alive_max_s = 4;
    struct rig *r = rig_new(&o);
    int fd = client_at(r, 0);
    say(r, fd, "10[ <MQTT> 05 02 0000 00 <me> ]");
    hear(r, fd, "20[ 00 00 ( 13 0004 21 03e8 22 0040 27 00100000 ) ]"); /* [MQTT-3.1.2-21] */
    rig_wait(r, 7);
    hear_end(r, fd, "e0[ 8d ( 1f<keep alive timeout> ) ]");
    fd = client_at(r, 0);
    say(r, fd, "10[ <MQTT> 04 02 0005 <me> ]");
    hear_end(r, fd, "20[ 00 03 ]");
    fd = client_at(r, 0);
    say(r, fd, "10[ <MQTT> 04 02 0004 <me> ]");
    hear(r, fd, CONNACK_3);
    client_gone(r, fd);
    rig_free(r);
}

/* ---- two connections, two cores ---------------------------------------------------------------
 */

static void a_second_connection_takes_the_session_over(void **state)
{
    struct rig *r = rig_one();
    int v3 = client_online(r, 4, "me");

    (void)state;
    int v5 = client_online(r, 5, "me"); /* [MQTT311-3.1.4-2] */
    hear_end(r, v3, "");
    int next = client_online(r, 5, "me"); /* [MQTT-3.1.4-3] */
    hear_end(r, v5, "e0[ 8e ( 1f<session taken over> ) ]");
    assert_int_equal(rig_count(r, C_sessions), 1);
    assert_int_equal(rig_count(r, C_connections), 1);
    client_gone(r, next);
    rig_free(r);
}

static void a_client_moves_to_its_home_with_all_it_has_said(void **state)
{
    struct rig_options o = rig_usual(2);
    struct rig *r = rig_new(&o);
    char id[32], text[128];

    (void)state;
    for (unsigned home = 0; home < 2; home++) {
        int fd = client_at(r, 0);
        snprintf(text, sizeof text, "10[ <MQTT> 04 02 0000 <%s> ] c000 c000",
                 rig_name(r, "c", home, id));
        say(r, fd, text);
        hear(r, fd, CONNACK_3 "d000 d000");
        assert_int_equal(counter_read(&r->core[home].counters, C_sessions), 1);
        assert_int_equal(net_connections(r->net[home]), 1);
        client_gone(r, fd);
    }
    assert_int_equal(rig_count(r, C_connections_moved), 1);
    rig_free(r);
}

static void take_over_works_from_any_core(void **state)
{
    struct rig_options o = rig_usual(2);
    struct rig *r = rig_new(&o);
    char id[32], text[128];
    int fd[4];

    (void)state;
    snprintf(text, sizeof text, "10[ <MQTT> 05 02 0000 00 <%s> ]", rig_name(r, "c", 1, id));
    for (unsigned i = 0; i < 4; i++) {
        fd[i] = client_at(r, i % 2);
        say(r, fd[i], text);
        hear(r, fd[i], CONNACK_5);
        if (i > 0) hear_end(r, fd[i - 1], "e0[ 8e ( 1f<session taken over> ) ]");
    }
    assert_int_equal(rig_count(r, C_sessions), 1);
    client_gone(r, fd[3]);
    rig_free(r);
}

static void an_assigned_id_stays_where_it_arrived(void **state)
{
    struct rig_options o = rig_usual(2);
    struct rig *r = rig_new(&o);

    (void)state;
    for (unsigned core = 0; core < 2; core++) {
        int fd = client_at(r, core);
        say(r, fd, "10[ <MQTT> 04 02 0000 0000 ]");
        hear(r, fd, CONNACK_3);
        assert_int_equal(net_connections(r->net[core]), 1);
        client_gone(r, fd);
    }
    assert_int_equal(rig_count(r, C_connections_moved), 0);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_version_is_welcome),
        cmocka_unit_test(a_wrong_connect_is_answered_as_its_version_can),
        cmocka_unit_test(a_stranger_is_closed_at_his_first_byte),
        cmocka_unit_test(a_long_client_id_is_refused_and_an_empty_one_if_so_configured),
        cmocka_unit_test(a_will_beyond_what_the_server_does_is_refused),
        cmocka_unit_test(a_redirected_client_is_told_where_to_go),
        cmocka_unit_test(a_full_server_says_so),
        cmocka_unit_test(connack_tells_all_that_differs_from_the_default),
        cmocka_unit_test(response_information_is_for_those_who_ask),
        cmocka_unit_test(a_client_without_id_gets_one_that_is_its_own),
        cmocka_unit_test(a_kept_session_is_present_and_a_clean_start_ends_it),
        cmocka_unit_test(who_does_not_connect_in_time_is_closed),
        cmocka_unit_test(silence_beyond_one_and_a_half_keep_alives_ends_the_connection),
        cmocka_unit_test(a_ping_buys_time_and_old_versions_are_just_closed),
        cmocka_unit_test(without_keep_alive_silence_is_endless),
        cmocka_unit_test(a_server_keep_alive_is_told_to_5_and_asked_of_3),
        cmocka_unit_test(a_second_connection_takes_the_session_over),
        cmocka_unit_test(a_client_moves_to_its_home_with_all_it_has_said),
        cmocka_unit_test(take_over_works_from_any_core),
        cmocka_unit_test(an_assigned_id_stays_where_it_arrived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
