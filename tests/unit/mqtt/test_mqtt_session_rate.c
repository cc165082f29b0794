/* SPDX-License-Identifier: BSD-3-Clause */
/* test_mqtt_session_rate.c -- clients that publish faster than their rates allow. */
#include "unit/mqtt/test_mqtt_session_rig.h"

static struct rig *rated(enum allowance_window w, uint64_t messages, bool disconnects)
{
    struct rig_options o = rig_usual(1);

    o.broker.rates.max[ALLOWANCE_MESSAGES][w] = messages;
    o.broker.rates.disconnects = disconnects;
    return rig_new(&o);
}

static void client_over_its_second_is_not_read_until_the_next_and_loses_nothing(void **state)
{
    struct rig *r = rated(ALLOWANCE_SECOND, 2, false);
    int me = client_online(r, 4, "me"), ear = client_online(r, 4, "ear");

    (void)state;
    say(r, ear, "82[ 0001 <t> 00 ]");
    hear(r, ear, "90[ 0001 00 ]");
    say(r, me, "32[ <t> 0001 'a' ] 32[ <t> 0002 'b' ] 32[ <t> 0003 'c' ] 30[ <t> 'd' ]");
    hear(r, me, "40[ 0001 ] 40[ 0002 ]");
    hear(r, ear, "30[ <t> 'a' ] 30[ <t> 'b' ]");
    assert_int_equal(rig_count(r, C_limited_rate_wait), 1);
    rig_wait(r, 1);
    hear(r, me, "40[ 0003 ]");
    hear(r, ear, "30[ <t> 'c' ] 30[ <t> 'd' ]");
    rig_wait(r, 1);
    say(r, me, "32[ <t> 0005 'e' ]"); /* below the rate it is read at once */
    hear(r, me, "40[ 0005 ]");
    close(ear);
    client_gone(r, me);
    rig_free(r);
}

static void keep_alive_does_not_run_while_the_client_is_not_read(void **state)
{
    struct rig *r = rated(ALLOWANCE_MINUTE, 1, false);
    int me = client_at(r, 0);

    (void)state;
    say(r, me, "10[ <MQTT> 04 02 0004 <me> ]");
    hear(r, me, CONNACK_3);
    say(r, me, "32[ <t> 0001 'a' ] 32[ <t> 0002 'b' ] 30[ <t> 'c' ]");
    hear(r, me, "40[ 0001 ]");
    rig_wait(r, 59);
    hear(r, me, "");
    rig_wait(r, 1);
    hear(r, me, "40[ 0002 ]");
    rig_wait(r, 60);
    hear(r, me, ""); /* 'c' was taken, and nothing waits: from now on its keep alive runs */
    rig_wait(r, 60);
    rig_wait(r, 8);
    hear_end(r, me, "");
    rig_free(r);
}

static void longer_window_ends_the_connection_and_so_does_every_one_if_that_is_wanted(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        struct rig *r = rated(round ? ALLOWANCE_SECOND : ALLOWANCE_HOUR, 1, round == 1);
        int new = client_online(r, 5, "new"), old = client_online(r, 4, "old");
        say(r, new, "32[ <t> 0001 00 'a' ]");
        hear(r, new, "40[ 0001 ]");
        say(r, new, "32[ <t> 0002 00 'b' ]");
        hear_end(r, new, "e0[ 96 ( 1f <message rate too high> ) ]");
        say(r, old, "32[ <t> 0001 'a' ] 32[ <t> 0002 'b' ]");
        hear_end(r, old, "40[ 0001 ]"); /* what was not acknowledged may be sent again */
        assert_int_equal(rig_count(r, C_limited_rate_end), 2);
        rig_free(r);
    }
}

static void coming_back_is_no_fresh_start(void **state)
{
    struct rig *r = rated(ALLOWANCE_DAY, 2, false);

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        int me = client_online(r, 4, "me");
        say(r, me, "32[ <t> 0001 'a' ]");
        hear(r, me, "40[ 0001 ]");
        client_gone(r, me);
    }
    int me = client_online(r, 4, "me"), other = client_online(r, 4, "other");
    say(r, me, "32[ <t> 0001 'a' ]");
    hear_end(r, me, "");
    say(r, other, "32[ <t> 0001 'a' ]");
    hear(r, other, "40[ 0001 ]");
    client_gone(r, other);
    rig_now_s += 86400;
    me = client_online(r, 4, "me");
    say(r, me, "32[ <t> 0001 'a' ]");
    hear(r, me, "40[ 0001 ]");
    client_gone(r, me);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(client_over_its_second_is_not_read_until_the_next_and_loses_nothing),
        cmocka_unit_test(keep_alive_does_not_run_while_the_client_is_not_read),
        cmocka_unit_test(longer_window_ends_the_connection_and_so_does_every_one_if_that_is_wanted),
        cmocka_unit_test(coming_back_is_no_fresh_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
