/* SPDX-License-Identifier: BSD-3-Clause */
/* test_mqtt_session_full.c -- what clients see while the process is at limits.memory. */
#include "unit/mqtt/test_mqtt_session_rig.h"

static void fill(struct rig *r, bool full)
{
    for (unsigned i = 0; i < r->cores; i++)
        r->core[i].memory_look.full = full;
}

static void messages_above_qos_0_are_refused_and_others_dropped(void **state)
{
    struct rig *r = rig_one();
    int me = client_online(r, 5, "me"), old = client_online(r, 4, "old");

    (void)state;
    fill(r, true);
    say(r, me, "30[ <t> 00 'a' ] 32[ <t> 0001 00 'b' ] 34[ <t> 0002 00 'c' ]");
    hear(r, me, "40[ 0001 97 ] 50[ 0002 97 ]");
    say(r, old, "30[ <t> 'a' ]");
    hear(r, old, "");
    assert_int_equal(rig_count(r, C_dropped_memory), 2);
    assert_int_equal(rig_count(r, C_limited_memory), 2);
    say(r, old, "32[ <t> 0001 'b' ]");
    hear_end(r, old, ""); /* 3.x has no words, and nothing was acknowledged */
    fill(r, false);
    say(r, me, "32[ <t> 0001 00 'b' ]");
    hear(r, me, "40[ 0001 ]");
    client_gone(r, me);
    rig_free(r);
}

static void what_deletes_is_taken(void **state)
{
    struct rig *r = rig_one();
    int me = client_online(r, 4, "me");

    (void)state;
    say(r, me, "33[ <t> 0001 'kept' ]");
    hear(r, me, "40[ 0001 ]");
    assert_int_equal(rig_count(r, C_retained), 1);
    fill(r, true);
    say(r, me, "33[ <t> 0002 ]");
    hear(r, me, "40[ 0002 ]");
    assert_int_equal(rig_count(r, C_retained), 0);
    client_gone(r, me);
    rig_free(r);
}

static void subscriptions_are_refused_and_may_be_given_up(void **state)
{
    struct rig *r = rig_one();
    int me = client_online(r, 5, "me");

    (void)state;
    say(r, me, "82[ 0001 00 <a> 00 ]");
    hear(r, me, "90[ 0001 00 00 ]");
    fill(r, true);
    say(r, me, "82[ 0002 00 <b> 00 <a> 01 ]");
    hear(r, me, "90[ 0002 00 97 01 ]"); /* changing one takes nothing */
    say(r, me, "a2[ 0003 00 <a> ]");
    hear(r, me, "b0[ 0003 00 00 ]");
    client_gone(r, me);
    rig_free(r);
}

static void new_clients_are_refused_and_those_with_a_session_take_what_waits(void **state)
{
    struct rig *r = rig_one();
    int me = client_at(r, 0), pub = client_online(r, 4, "pub");

    (void)state;
    say(r, me, "10[ <MQTT> 04 00 0000 <me> ] 82[ 0001 <t> 01 ]");
    hear(r, me, CONNACK_3 "90[ 0001 01 ]");
    client_gone(r, me);
    say(r, pub, "32[ <t> 0001 'waits' ]");
    hear(r, pub, "40[ 0001 ]");
    fill(r, true);
    int late = client_at(r, 0), later = client_at(r, 0);
    say(r, late, "10[ <MQTT> 04 02 0000 <late> ]");
    hear_end(r, late, "20[ 00 03 ]");
    say(r, later, "10[ <MQTT> 05 02 003c ( 17 00 ) <later> ]");
    hear_end(r, later, "20[ 00 97 00 ]");
    assert_int_equal(rig_count(r, C_refused_memory), 2);
    me = client_at(r, 0);
    say(r, me, "10[ <MQTT> 04 00 0000 <me> ]");
    hear(r, me, "20[ 01 00 ] 32[ <t> 0001 'waits' ]");
    close(pub);
    client_gone(r, me);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_above_qos_0_are_refused_and_others_dropped),
        cmocka_unit_test(what_deletes_is_taken),
        cmocka_unit_test(subscriptions_are_refused_and_may_be_given_up),
        cmocka_unit_test(new_clients_are_refused_and_those_with_a_session_take_what_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
