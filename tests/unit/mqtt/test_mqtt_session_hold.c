/* SPDX-License-Identifier: BSD-3-Clause */
/* A session's output waits for the log of its core. */
#include "broker/internal.h"
#include "unit/mqtt/test_mqtt_session_rig.h"

/* One core with a log of which nothing is on disk yet. */
static struct rig *rig_with_a_log(void)
{
    struct rig *r = rig_one();
    r->core[0].durable = r->core[0].commit_pos = 0;
    return r;
}

static struct session *session_of(struct rig *r, const char *client_id)
{
    struct session *s = session_find(r->broker[0], 0, bytes_str(client_id));
    assert_non_null(s);
    return s;
}

static void disk_has(struct rig *r, uint64_t pos)
{
    r->core[0].durable = r->core[0].commit_pos = pos;
    rig_settle(r);
}

static void answers_wait_in_their_order_and_other_clients_do_not(void **state)
{
    struct rig *r = rig_with_a_log();
    int fd = client_online(r, 5, "me"), other = client_online(r, 5, "other");

    (void)state;
    session_hold(session_of(r, "me"), 100);
    say(r, fd, "82[ 0001 00 <a> 01 ]");
    say(r, fd, "c000");
    say(r, other, "32[ <a> 0007 00 'hi' ]");
    hear(r, other, "40[ 0007 ]");
    hear(r, fd, "");
    disk_has(r, 99);
    hear(r, fd, "");
    disk_has(r, 100);
    hear(r, fd, "90[ 0001 00 01 ] d000 32[ <a> 0001 00 'hi' ]");
    client_gone(r, fd);
    client_gone(r, other);
    rig_free(r);
}

static void a_client_sent_away_hears_why_behind_what_it_waits_for(void **state)
{
    struct rig *r = rig_with_a_log();
    int fd = client_online(r, 4, "me");
    bool closed;

    (void)state;
    session_hold(session_of(r, "me"), 100);
    say(r, fd, "32[ <a> 0007 'hi' ]");
    session_kick(session_of(r, "me"), KICK_ADMIN);
    hear(r, fd, "");
    disk_has(r, 100);
    assert_int_equal(hear_all(r, fd, &closed), 4);
    assert_memory_equal(r->heard, "\x40\x02\x00\x07", 4);
    assert_true(closed);
    close(fd);
    rig_free(r);
}

static void who_is_not_connected_holds_nothing(void **state)
{
    struct rig *r = rig_with_a_log();
    int fd = client_at(r, 0);

    (void)state;
    say(r, fd, "10[ <MQTT> 04 00 003c <me> ]"); /* a session that stays */
    hear(r, fd, "20[ 00 00 ]");
    close(fd);
    rig_settle(r);
    session_hold(session_of(r, "me"), 100);
    assert_null(session_of(r, "me")->ops);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_wait_in_their_order_and_other_clients_do_not),
        cmocka_unit_test(a_client_sent_away_hears_why_behind_what_it_waits_for),
        cmocka_unit_test(who_is_not_connected_holds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
