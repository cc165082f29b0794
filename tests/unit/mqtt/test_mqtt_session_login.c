/* SPDX-License-Identifier: BSD-3-Clause */
/* test_mqtt_session_login.c -- CONNECT while other cores are asked whether there is room. */
#include "broker/access/door.h"
#include "proto/mqtt/mqtt_session_internal.h"
#include "unit/mqtt/test_mqtt_session_rig.h"

#define CONNECT_5(id) "10[ <MQTT> 05 02 0000 00 <" id "> ]"
#define CONNECT_3(id) "10[ <MQTT> 04 02 0000 <" id "> ]"

static struct rig *rig_with(unsigned cores, struct access_door *door)
{
    struct rig_options o = rig_usual(cores);
    struct rig *r = rig_new(&o);
    r->listener.proto_ctx = door;
    return r;
}

static void no_more_clients_come_in_than_the_listener_takes(void **state)
{
    (void)state;
    for (unsigned cores = 1; cores <= 2; cores++) {
        struct access_door door = {.connections_max = 2, .loopback = true};
        struct rig *r = rig_with(cores, &door);
        int a = client_online(r, 5, "a"), b = client_online(r, 4, "b");
        int c = client_at(r, 0), d = client_at(r, cores - 1);
        say(r, c, CONNECT_5("c"));
        hear_end(r, c, "20[ 00 97 ( 1f <quota exceeded> ) ]");
        say(r, d, CONNECT_3("d"));
        hear_end(r, d, "20[ 00 03 ]");
        assert_int_equal(rig_count(r, C_refused_places), 2);
        client_gone(r, a);
        client_gone(r, client_online(r, 5, "e"));
        client_gone(r, b);
        rig_free(r);
    }
}

static void a_client_that_takes_itself_over_needs_a_place_for_both(void **state)
{
    (void)state;
    struct access_door door = {.connections_max = 2, .loopback = true};
    struct rig *r = rig_with(2, &door);
    int old = client_online(r, 4, "a"), new = client_online(r, 4, "a");
    hear_end(r, old, "");
    int third = client_online(r, 4, "a"); /* the first one's place is free again */
    hear_end(r, new, "");
    client_gone(r, third);
    rig_free(r);
}

static void packets_behind_connect_wait_until_it_is_answered(void **state)
{
    (void)state;
    struct access_door door = {.connections_max = 9, .loopback = true};
    struct rig *r = rig_with(2, &door);
    for (unsigned i = 0; i < 2; i++) { /* one of the two cores does not keep the count */
        char id[32], text[128];
        int fd = client_at(r, i);
        rig_name(r, "c", i, id);
        snprintf(text, sizeof text, "10[ <MQTT> 04 02 0000 <%s> ] c000 c000", id);
        say(r, fd, text);
        hear(r, fd, CONNACK_3 "d000 d000");
        client_gone(r, fd);
    }
    rig_free(r);
}

/* Says CONNECT on core 0 and turns only that core: what it asks of core 1 stays unanswered. */
static int half_way(struct rig *r, const char *id)
{
    char text[128];
    int fd = client_at(r, 0);
    snprintf(text, sizeof text, "10[ <MQTT> 04 02 0000 <%s> ]", id);
    size_t n = packet(text, r->wanted);
    assert_int_equal(send(fd, r->wanted, n, MSG_NOSIGNAL), n);
    for (unsigned i = 0; i < 5; i++)
        rig_turn(r, 0);
    return fd;
}

static void who_leaves_while_others_are_asked_takes_no_place(void **state)
{
    (void)state;
    char id[32];
    unsigned waited = 0;
    for (unsigned i = 0; i < 8; i++) { /* doors at several addresses, so of either core */
        struct access_door *doors = calloc(8, sizeof *doors);
        doors[i] = (struct access_door){.connections_max = 1, .loopback = true};
        struct rig *r = rig_with(2, &doors[i]);
        int fd = half_way(r, rig_name(r, "c", 0, id));
        waited += rig_count(r, C_logins) == 0;
        client_gone(r, fd);
        rig_settle(r);
        client_gone(r, client_online(r, 4, "next"));
        rig_free(r);
        free(doors);
    }
    assert_true(waited > 0);
}

static void the_time_limit_for_connect_goes_on_while_others_are_asked(void **state)
{
    (void)state;
    char id[32];
    for (unsigned i = 0; i < 8; i++) {
        struct access_door *doors = calloc(8, sizeof *doors);
        doors[i] = (struct access_door){.connections_max = 1, .loopback = true};
        struct rig *r = rig_with(2, &doors[i]);
        int fd = half_way(r, rig_name(r, "c", 0, id));
        bool waits = rig_count(r, C_logins) == 0;
        for (unsigned s = 0; s < 15; s++) {
            rig_now_s++;
            rig_turn(r, 0);
        }
        rig_settle(r);
        if (waits)
            hear_end(r, fd, "");
        else
            client_gone(r, fd);
        rig_free(r);
        free(doors);
    }
}

static void find_state(struct conn *c, void *arg)
{
    *(struct mqtt **)arg = c->state;
}

static void who_waits_for_two_things_is_read_when_both_are_there(void **state)
{
    static const enum mqtt_flag order[][2] = {{MQTT_HELD, MQTT_ASKING}, {MQTT_ASKING, MQTT_HELD}};
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(order); i++) {
        struct rig *r = rig_one();
        struct mqtt *m = NULL;
        int fd = client_online(r, 4, "c");
        net_each(r->net[0], find_state, &m);
        assert_non_null(m);
        mqtt_pause(m, MQTT_HELD);
        mqtt_pause(m, MQTT_ASKING);
        say(r, fd, "c000");
        mqtt_go_on(m, order[i][0]);
        hear(r, fd, "");
        mqtt_go_on(m, order[i][1]);
        hear(r, fd, "d000");
        client_gone(r, fd);
        rig_free(r);
    }
}

static void nobody_comes_in_whose_login_ends_while_the_broker_drains(void **state)
{
    (void)state;
    char id[32];
    unsigned waited = 0;
    for (unsigned i = 0; i < 8; i++) {
        struct access_door *doors = calloc(8, sizeof *doors);
        doors[i] = (struct access_door){.connections_max = 1, .loopback = true};
        struct rig *r = rig_with(2, &doors[i]);
        int fd = half_way(r, rig_name(r, "c", 0, id));
        if (rig_count(r, C_logins) == 0) {
            waited++;
            r->core[0].draining = true;
            hear_end(r, fd, "20[ 00 03 ]");
        } else {
            client_gone(r, fd);
        }
        rig_free(r);
        free(doors);
    }
    assert_true(waited > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_more_clients_come_in_than_the_listener_takes),
        cmocka_unit_test(a_client_that_takes_itself_over_needs_a_place_for_both),
        cmocka_unit_test(packets_behind_connect_wait_until_it_is_answered),
        cmocka_unit_test(who_leaves_while_others_are_asked_takes_no_place),
        cmocka_unit_test(the_time_limit_for_connect_goes_on_while_others_are_asked),
        cmocka_unit_test(who_waits_for_two_things_is_read_when_both_are_there),
        cmocka_unit_test(nobody_comes_in_whose_login_ends_while_the_broker_drains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
