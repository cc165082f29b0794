/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit/mqtt/test_mqtt_session_rig.h"

static void each_filter_gets_its_code(void **state)
{
    struct rig *r = rig_one();
    int v4 = client_online(r, 4, "a"), v5 = client_online(r, 5, "b");

    (void)state;
    /* [MQTT-3.8.4-6] [MQTT-3.8.4-7] [MQTT-3.9.3-1] */
    say(r, v4,
        "82[ 0007 <a> 00 <a/#/b> 01 <b/+> 01 <$share/g> 00 <c> 02 <b+> 00 <$share/g/x> 01 ]");
    hear(r, v4, "90[ 0007 00 80 01 80 02 80 01 ]"); /* [MQTT311-3.9.3-2] */
    say(r, v5,
        "82[ 0007 00 <a> 00 <a/#/b> 01 <b/+> 01 <$share//x> 00 <c> 02 <b+> 00 <$share/g/x> 01 0000 "
        "00 ]");
    hear(r, v5, "90[ 0007 00 00 8f 01 8f 02 8f 01 8f ]"); /* [MQTT-4.7.1-1] [MQTT-4.8.2-1] */
    close(v4);
    client_gone(r, v5);
    rig_free(r);
}

static void unsubscribe_says_what_there_was(void **state)
{
    struct rig *r = rig_one();
    int fd = client_online(r, 5, "me");

    (void)state;
    say(r, fd, "82[ 0001 00 <a> 00 <b/#> 00 ]");
    hear(r, fd, "90[ 0001 00 00 00 ]");
    say(r, fd, "a2[ 0002 00 <a> <nope> <b/#> <a/#/b> <a> ]"); /* [MQTT-3.10.4-5] [MQTT-3.11.3-1] */
    hear(r, fd, "b0[ 0002 00 00 11 00 8f 11 ]");
    client_gone(r, fd);
    rig_free(r);
}

static void filters_beyond_the_limits_are_refused_one_by_one(void **state)
{
    struct rig_options o = rig_usual(1);

    (void)state;
    o.mqtt.filters_max = 3;
    o.broker.subscriptions_max = 2;
    struct rig *r = rig_new(&o);
    int v4 = client_online(r, 4, "a"), v5 = client_online(r, 5, "b");
    say(r, v4, "82[ 0001 <a> 00 <b> 00 <c> 00 <a> 00 ]");
    hear(r, v4, "90[ 0001 00 00 80 80 ]");
    say(r, v5, "82[ 0001 00 <a> 00 <b> 00 <c> 00 <a> 00 ]");
    hear(r, v5, "90[ 0001 00 00 00 97 97 ]");
    say(r, v5, "82[ 0002 00 <a> 02 ]"); /* an old one may still be changed */
    hear(r, v5, "90[ 0002 00 02 ]");
    close(v4);
    client_gone(r, v5);
    rig_free(r);
}

static void what_the_server_does_not_offer_is_refused(void **state)
{
    struct rig_options o = rig_usual(1);

    (void)state;
    o.mqtt.no_shared = o.mqtt.no_wildcards = o.mqtt.no_subscription_ids = true;
    o.mqtt.max_qos = 1;
    struct rig *r = rig_new(&o);
    int fd = client_at(r, 0);
    say(r, fd, "10[ <MQTT> 05 02 0000 00 <me> ]");
    hear(r, fd, "20[ 00 00 ( 21 03e8 22 0040 24 01 27 00100000 28 00 29 00 2a 00 ) ]");
    /* QoS 2 is granted as 1 [MQTT-3.2.2-10]. */
    say(r, fd, "82[ 0001 00 <a> 02 <a/#> 00 <+> 00 <$share/g/a> 00 ]");
    hear(r, fd, "90[ 0001 00 01 a2 a2 9e ]");
    say(r, fd, "82[ 0001 ( 0b 01 ) <a> 02 ]");
    hear_end(r, fd, "e0[ a1 ( 1f<subscription identifiers not supported> ) ]");
    rig_free(r);
}

static void a_malformed_subscribe_ends_the_connection(void **state)
{
    static const struct {
        const char *packet3, *packet5, *answer5;
    } each[] = {
        {"82[ 0001 ]", "82[ 0001 00 ]", "e0[ 82 ( 1f<protocol error> ) ]"}, /* [MQTT-3.8.3-2] */
        {"82[ 0000 <a> 00 ]", "82[ 0000 00 <a> 00 ]", "e0[ 81 ( 1f<malformed packet> ) ]"},
        {"82[ 0001 <a> 03 ]", "82[ 0001 00 <a> 03 ]", "e0[ 82 ( 1f<protocol error> ) ]"},
        {"80[ 0001 <a> 00 ]", "80[ 0001 00 <a> 00 ]", "e0[ 81 ( 1f<malformed packet> ) ]"},
        {"a2[ 0001 ]", "82[ 0001 00 <$share/g/a> 04 ]", /* [MQTT-3.8.3-4] */
         "e0[ 82 ( 1f<protocol error> ) ]"},
    };
    struct rig *r = rig_one();

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(each); i++) {
        int fd = client_online(r, 4, "me");
        say(r, fd, each[i].packet3);
        hear_end(r, fd, "");
        fd = client_online(r, 5, "me");
        say(r, fd, each[i].packet5);
        hear_end(r, fd, each[i].answer5);
    }
    rig_free(r);
}

static void retained_messages_follow_suback(void **state)
{
    struct rig *r = rig_one();
    int fd = client_online(r, 5, "me");

    (void)state;
    say(r, fd, "31[ <a/b> 00 'kept' ]");
    say(r, fd, "82[ 0001 ( 0b 8001 ) <a/#> 00 ]"); /* [MQTT-3.3.1-9] [MQTT-3.3.4-3] */
    hear(r, fd, "90[ 0001 00 00 ] 31[ <a/b> ( 0b 8001 ) 'kept' ]");
    say(r, fd, "82[ 0002 00 <a/#> 10 ]"); /* not again: it is not new [MQTT-3.3.1-10] */
    hear(r, fd, "90[ 0002 00 00 ]");
    say(r, fd, "82[ 0003 00 <a/b> 20 ]"); /* [MQTT-3.3.1-11] */
    hear(r, fd, "90[ 0003 00 00 ]");
    client_gone(r, fd);
    rig_free(r);
}

static void suback_waits_for_owners_on_other_cores(void **state)
{
    struct rig_options o = rig_usual(2);
    struct rig *r = rig_new(&o);
    char id[32], text[128];
    int fd = client_at(r, 0);

    (void)state;
    snprintf(text, sizeof text, "10[ <MQTT> 04 02 0000 <%s> ]", rig_name(r, "c", 0, id));
    say(r, fd, text);
    hear(r, fd, CONNACK_3);
    size_t n = packet("82[ 0001 <#> 00 <a/#/b> 00 ]", r->wanted);
    assert_int_equal(send(fd, r->wanted, n, 0), n);
    for (unsigned i = 0; i < 10; i++)
        rig_turn(r, 0);
    assert_int_equal(recv(fd, r->heard, 1, 0), -1);
    hear(r, fd, "90[ 0001 00 80 ]");

    /* One who leaves before the answer is no longer there for it. */
    n = packet("82[ 0002 <b/#> 00 ] e000", r->wanted);
    assert_int_equal(send(fd, r->wanted, n, 0), n);
    for (unsigned i = 0; i < 10; i++)
        rig_turn(r, 0);
    hear_end(r, fd, "");
    rig_free(r);
}

static void a_suback_too_large_for_the_client_ends_the_connection(void **state)
{
    struct rig *r = rig_one();
    int fd = client_at(r, 0);

    (void)state;
    say(r, fd, "10[ <MQTT> 05 02 0000 ( 27 00000014 ) <me> ]");
    hear(r, fd, CONNACK_5);
    say(r, fd,
        "82[ 0001 00 <a> 00 <a> 00 <a> 00 <a> 00 <a> 00 <a> 00 <a> 00 <a> 00"
        " <a> 00 <a> 00 <a> 00 <a> 00 <a> 00 <a> 00 <a> 00 ]");
    hear(r, fd, "90[ 0001 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 ]");
    say(r, fd,
        "82[ 0001 00 <a> 00 <a> 00 <a> 00 <a> 00 <a> 00 <a> 00 <a> 00 <a> 00"
        " <a> 00 <a> 00 <a> 00 <a> 00 <a> 00 <a> 00 <a> 00 <a> 00 ]"); /* [MQTT-3.1.2-24] */
    hear_end(r, fd, "e0[ 95 ]");
    rig_free(r);
}

static void a_large_subscribe_gets_a_large_suback(void **state)
{
    enum { FILTERS = 5000 };
    struct rig *r = rig_one();
    int fd = client_online(r, 5, "me");
    char *text = malloc(16 * FILTERS);
    bool closed;
    size_t n = 0;

    (void)state;
    assert_non_null(text);
    n += (size_t)sprintf(text, "82[ 0001 00");
    for (unsigned i = 0; i < FILTERS; i++)
        n += (size_t)sprintf(text + n, "<f/%u>00", i);
    sprintf(text + n, "]");
    say(r, fd, text);
    n = hear_all(r, fd, &closed);
    assert_false(closed);
    assert_int_equal(n, 3 + 3 + FILTERS);
    for (unsigned i = 0; i < FILTERS; i++)
        assert_int_equal(r->heard[6 + i], i < 256 ? 0 : 0x97);
    free(text);
    client_gone(r, fd);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_filter_gets_its_code),
        cmocka_unit_test(unsubscribe_says_what_there_was),
        cmocka_unit_test(filters_beyond_the_limits_are_refused_one_by_one),
        cmocka_unit_test(what_the_server_does_not_offer_is_refused),
        cmocka_unit_test(a_malformed_subscribe_ends_the_connection),
        cmocka_unit_test(retained_messages_follow_suback),
        cmocka_unit_test(suback_waits_for_owners_on_other_cores),
        cmocka_unit_test(a_suback_too_large_for_the_client_ends_the_connection),
        cmocka_unit_test(a_large_subscribe_gets_a_large_suback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
