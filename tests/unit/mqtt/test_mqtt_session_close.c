/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit/mqtt/test_mqtt_session_rig.h"

/* Hears of every will, as "30[ <w> 'gone' ]". */
static int witness(struct rig *r)
{
    int fd = client_online(r, 4, "witness");

    say(r, fd, "82[ 0001 <w> 00 ]");
    hear(r, fd, "90[ 0001 00 ]");
    return fd;
}

#define WILL "30[ <w> 'gone' ]"

static int with_will(struct rig *r, unsigned version, const char *will_props)
{
    char text[128];
    int fd = client_at(r, 0);

    if (version == 5)
        snprintf(text, sizeof text,
                 "10[ <MQTT> 05 06 0003 ( 11 00000064 ) <me> ( %s ) <w> <gone> ]", will_props);
    else
        snprintf(text, sizeof text, "10[ <MQTT> 04 06 0003 <me> <w> <gone> ]");
    say(r, fd, text);
    hear(r, fd, version == 5 ? CONNACK_5 : CONNACK_3);
    return fd;
}

static void saying_goodbye_drops_the_will(void **state)
{
    struct rig *r = rig_one();
    int ear = witness(r);

    (void)state;
    int fd = with_will(r, 4, "");
    say(r, fd, "e000"); /* [MQTT311-3.14.4-3] */
    hear_end(r, fd, "");
    fd = with_will(r, 5, "");
    say(r, fd, "e000"); /* [MQTT-3.14.4-3] */
    hear_end(r, fd, "");
    fd = with_will(r, 5, "");
    say(r, fd, "e0[ 00 00 ]");
    hear_end(r, fd, "");
    rig_wait(r, 200);
    hear(r, ear, "");
    client_gone(r, ear);
    rig_free(r);
}

static void every_other_end_sends_the_will(void **state)
{
    static const char *const ends[] = {"e0[ 04 ]", "e0[ 80 ]", "d000", "e1[ 00 ]", "3600"};
    struct rig *r = rig_one();
    int ear = witness(r);
    bool closed;

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(ends); i++) { /* [MQTT-3.1.2-8] */
        int fd = with_will(r, 5, "");
        say(r, fd, ends[i]);
        hear_all(r, fd, &closed);
        assert_true(closed);
        close(fd);
        hear(r, ear, WILL);
    }
    client_gone(r, with_will(r, 4, ""));
    hear(r, ear, WILL);
    int silent = with_will(r, 5, "");
    rig_wait(r, 6);
    hear_end(r, silent, "e0[ 8d ( 1f<keep alive timeout> ) ]");
    hear(r, ear, WILL);
    int first = with_will(r, 5, ""), second = client_online(r, 5, "me");
    hear_end(r, first, "e0[ 8e ( 1f<session taken over> ) ]");
    hear(r, ear, WILL);
    close(second);
    client_gone(r, ear);
    rig_free(r);
}

static void a_client_back_before_the_delay_is_over_has_no_will_sent(void **state)
{
    struct rig *r = rig_one();
    int ear = witness(r);

    (void)state;
    client_gone(r, with_will(r, 5, "18 0000000a"));
    rig_wait(r, 9);
    int fd = client_at(r, 0);
    say(r, fd, "10[ <MQTT> 05 00 0000 00 <me> ]"); /* [MQTT-3.1.3-9] */
    hear(r, fd, "20[ 01 00 ( 21 03e8 22 0040 27 00100000 ) ]");
    rig_wait(r, 20);
    hear(r, ear, "");
    client_gone(r, fd);

    client_gone(r, with_will(r, 5, "18 0000000a"));
    rig_wait(r, 12);
    hear(r, ear, WILL);
    client_gone(r, ear);
    rig_free(r);
}

static void a_will_carries_its_properties(void **state)
{
    struct rig *r = rig_one();
    int ear = client_online(r, 5, "witness");

    (void)state;
    say(r, ear, "82[ 0001 00 <w> 00 ]");
    hear(r, ear, "90[ 0001 00 00 ]");
    client_gone(r, with_will(r, 5, "26<k><v> 18 00000000 03<text>"));
    hear(r, ear, "30[ <w> ( 26<k><v> 03<text> ) 'gone' ]");
    client_gone(r, ear);
    rig_free(r);
}

static void who_leaves_and_comes_back_in_one_turn_has_no_will_sent(void **state)
{
    struct rig *r = rig_one();
    int ear = witness(r), first = with_will(r, 4, ""), second = client_at(r, 0);

    (void)state;
    size_t n = packet("e000", r->wanted);
    assert_int_equal(send(first, r->wanted, n, 0), n);
    n = packet("10[ <MQTT> 04 02 0000 <me> ]", r->wanted);
    assert_int_equal(send(second, r->wanted, n, 0), n);
    hear_end(r, first, "");
    hear(r, second, CONNACK_3);
    hear(r, ear, "");
    assert_int_equal(rig_count(r, C_takeovers), 0);
    close(second);
    client_gone(r, ear);
    rig_free(r);
}

static void disconnect_may_change_the_expiry_but_not_from_nothing(void **state)
{
    struct rig *r = rig_one();
    int fd = client_at(r, 0);

    (void)state;
    say(r, fd, "10[ <MQTT> 05 02 0000 ( 11 00000005 ) <me> ] e0[ 00 ( 11 0000000a ) ]");
    hear_end(r, fd, CONNACK_5);
    rig_wait(r, 8);
    assert_int_equal(rig_count(r, C_sessions), 1);
    rig_wait(r, 4);
    assert_int_equal(rig_count(r, C_sessions), 0);

    fd = client_at(r, 0);
    say(r, fd, "10[ <MQTT> 05 02 0000 ( 11 00000005 ) <me> ] e0[ 00 ( 11 00000000 ) ]");
    hear_end(r, fd, CONNACK_5);
    assert_int_equal(rig_count(r, C_sessions), 0);

    static const char *const zero[] = {"00", "( 11 00000000 )"};
    for (unsigned i = 0; i < 2; i++) { /* [MQTT-3.14.2.2.2] */
        char text[128];
        fd = client_at(r, 0);
        snprintf(text, sizeof text, "10[ <MQTT> 05 02 0000 %s <me> ]", zero[i]);
        say(r, fd, text);
        hear(r, fd, CONNACK_5);
        say(r, fd, "e0[ 00 ( 11 0000000a ) ]");
        hear_end(r, fd, "e0[ 82 ( 1f<protocol error> ) ]");
        assert_int_equal(rig_count(r, C_sessions), 0);
    }
    rig_free(r);
}

static void a_malformed_disconnect_is_no_goodbye(void **state)
{
    struct rig *r = rig_one();
    int ear = witness(r);

    (void)state;
    int fd = with_will(r, 4, "");
    say(r, fd, "e0[ 00 ]"); /* 3.1.1 has nothing to say there */
    hear_end(r, fd, "");
    hear(r, ear, WILL);
    fd = with_will(r, 5, "");
    say(r, fd, "e0[ 55 ]"); /* [MQTT-3.14.2-1] */
    hear_end(r, fd, "e0[ 82 ( 1f<protocol error> ) ]");
    hear(r, ear, WILL);
    client_gone(r, ear);
    rig_free(r);
}

static void a_net_that_is_freed_leaves_sessions_as_if_clients_had_died(void **state)
{
    struct rig *r = rig_one();
    int fd[3] = {client_online(r, 4, "a"), client_online(r, 5, "b"), client_at(r, 0)};

    (void)state;
    say(r, fd[0], "82[ 0001 <#> 01 ]");
    say(r, fd[1], "32[ <t> 0001 ( 23 0001 ) 'x' ]");
    net_free(&r->net[0]);
    assert_int_equal(rig_count(r, C_sessions), 0);
    assert_int_equal(rig_count(r, C_connections), 0);
    for (unsigned i = 0; i < 3; i++)
        close(fd[i]);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(saying_goodbye_drops_the_will),
        cmocka_unit_test(every_other_end_sends_the_will),
        cmocka_unit_test(a_client_back_before_the_delay_is_over_has_no_will_sent),
        cmocka_unit_test(a_will_carries_its_properties),
        cmocka_unit_test(who_leaves_and_comes_back_in_one_turn_has_no_will_sent),
        cmocka_unit_test(disconnect_may_change_the_expiry_but_not_from_nothing),
        cmocka_unit_test(a_malformed_disconnect_is_no_goodbye),
        cmocka_unit_test(a_net_that_is_freed_leaves_sessions_as_if_clients_had_died),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
