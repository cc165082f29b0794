/* SPDX-License-Identifier: BSD-3-Clause */
/* test_journal_session.c -- what the log says of sessions as they come, go, subscribe and end. */
#include "broker/journal/journal_internal.h"
#include "unit/journal/journal_rig.h"

static bool says(const struct journal_rig *r, const char *line)
{
    return rig_says(r, 0, line);
}

static void attach(struct journal_rig *r, struct client *c, const char *id,
                   const struct access_door *door, uint32_t expiry_s)
{
    client_attach(r->k, c,
                  &(struct attach){.client_id = bytes_str(id), .expiry_s = expiry_s, .door = door});
}

static void only_sessions_that_outlive_their_connection_on_a_durable_listener_are_logged(void **st)
{
    (void)st;
    struct journal_rig *r = journal_rig_new(1);
    struct client *a = rig_client(r, "a", &door_commit, 100);
    struct client *b = rig_client(r, "b", &door_interval, 100);
    struct client *c = rig_client(r, "c", &door_memory, 100);
    struct client *d = rig_client(r, "d", &door_commit, 0);
    rig_turn(r);
    assert_true(says(r, "session 1 a.0 serial 0 flight 0 expiry 100 gone 0 "));
    assert_true(says(r, "session 2 b.0 "));
    assert_int_equal(c->session->sid, 0);
    assert_int_equal(d->session->sid, 0);
    client_free(r->k, a);
    client_free(r->k, b);
    client_free(r->k, c);
    client_free(r->k, d);
    journal_rig_free(r);
}

static void the_log_knows_since_when_a_client_is_gone(void **state)
{
    (void)state;
    struct journal_rig *r = journal_rig_new(1);
    struct client *c = rig_client(r, "c", &door_commit, 100);
    rig_advance(r, 5);
    client_detach(r->k, c, false);
    rig_advance(r, 5); /* nobody waits for it: it is lazy */
    assert_true(says(r, "session 1 c.0 serial 0 flight 0 expiry 100 gone 1005000 "));
    attach(r, c, "c", &door_commit, 50);
    assert_true(c->present);
    rig_advance(r, 5);
    assert_true(says(r, "session 1 c.0 serial 0 flight 0 expiry 50 gone 0 "));
    client_free(r->k, c);
    journal_rig_free(r);
}

static void subscriptions_are_logged_as_they_are_now(void **state)
{
    (void)state;
    struct journal_rig *r = journal_rig_new(1);
    struct client *c = rig_client(r, "c", &door_commit, 100);
    client_sub(r->k, c, "a/+", 1);
    client_sub(r->k, c, "$share/g/b", 2);
    client_sub(r->k, c, "d", 0);
    client_sub(r->k, c, "a/+", 2);
    rig_turn(r);
    assert_true(says(r, "sub 1 a/+ 2 0 0 0"));
    assert_true(says(r, "sub 1 $share/g/b 2 "));
    assert_true(says(r, "sub 1 d 0 "));
    assert_int_equal(broker_unsubscribe(c->session, bytes_str("d")), 0);
    rig_turn(r);
    assert_false(says(r, "sub 1 d"));
    client_free(r->k, c);
    journal_rig_free(r);
}

static void session_that_becomes_durable_brings_its_subscriptions(void **state)
{
    (void)state;
    struct journal_rig *r = journal_rig_new(1);
    struct client *c = rig_client(r, "c", &door_memory, 100);
    client_sub(r->k, c, "a", 1);
    client_detach(r->k, c, false);
    attach(r, c, "c", &door_commit, 100);
    assert_true(c->present);
    rig_turn(r);
    assert_true(says(r, "session 1 c.0 "));
    assert_true(says(r, "sub 1 a 1 "));
    client_free(r->k, c);
    journal_rig_free(r);
}

static void durable_session_stays_in_the_log_till_it_ends_however_its_client_comes(void **state)
{
    (void)state;
    struct journal_rig *r = journal_rig_new(1);
    struct client *c = rig_client(r, "c", &door_commit, 100);
    client_detach(r->k, c, false);
    attach(r, c, "c", &door_memory, 0);
    assert_true(c->present);
    client_sub(r->k, c, "a", 1);
    rig_turn(r);
    assert_true(says(r, "sub 1 a 1 "));
    client_detach(r->k, c, false);
    rig_turn(r);
    assert_false(says(r, "session"));
    client_free(r->k, c);
    journal_rig_free(r);
}

static void expiry_and_clean_start_end_it_in_the_log_too(void **state)
{
    (void)state;
    struct journal_rig *r = journal_rig_new(1);
    struct client *a = rig_client(r, "a", &door_commit, 10);
    struct client *b = rig_client(r, "b", &door_commit, 1000);
    client_detach(r->k, a, false);
    client_detach(r->k, b, false);
    rig_advance(r, 20);
    assert_false(says(r, "session 1 "));
    client_attach(
        r->k, b,
        &(struct attach){
            .client_id = bytes_str("b"), .expiry_s = 1000, .clean = true, .door = &door_commit});
    rig_turn(r);
    assert_false(says(r, "session 2 "));
    assert_true(says(r, "session 3 b.0 "));
    client_free(r->k, a);
    client_free(r->k, b);
    journal_rig_free(r);
}

static void will_is_in_the_log_until_it_is_sent_or_dropped(void **state)
{
    (void)state;
    struct journal_rig *r = journal_rig_new(1);
    struct client *c = calloc(1, sizeof *c);
    const struct publication will = {.topic = bytes_str("w"),
                                     .payload = bytes_str("bye"),
                                     .qos = 1,
                                     .topic_hash =
                                         broker_topic_hash(r->k->broker[0], bytes_str("w"))};
    const struct attach a = {.client_id = bytes_str("c"),
                             .expiry_s = 1000,
                             .door = &door_commit,
                             .will = &will,
                             .will_delay_s = 10};
    client_attach(r->k, c, &a);
    rig_turn(r);
    assert_true(says(r, "session 1 c.0 serial 0 flight 0 expiry 1000 gone 0 user 0 will 1 "));
    client_detach(r->k, c, false);
    rig_turn(r); /* at once: it must not be sent after all */
    assert_true(says(r, "session 1 c.0 serial 0 flight 0 expiry 1000 gone 1000000 user 0 will 0 "));
    client_attach(r->k, c, &a);
    client_detach(r->k, c, true);
    rig_turn(r);
    assert_true(says(r, "session 1 c.0 serial 0 flight 0 expiry 1000 gone 1000000 user 0 will 1 "));
    rig_advance(r, 11);
    assert_true(says(r, "session 1 c.0 serial 0 flight 0 expiry 1000 gone 1000000 user 0 will 0 "));
    client_free(r->k, c);
    journal_rig_free(r);
}

/* ---- who waits for the disk ------------------------------------------------------------------ */

static uint64_t held_up_to;

static void hold(struct session *s, uint64_t pos)
{
    (void)s;
    if (pos > held_up_to) held_up_to = pos;
}

static struct session *attach_holding(struct journal_rig *r, struct client *c,
                                      const struct access_door *door, bool clean, uint32_t expiry_s)
{
    static struct sink_ops ops;
    bool present;
    int err;
    ops = client_ops;
    ops.hold = hold;
    held_up_to = 0;
    const struct attach a = {.client_id = bytes_str("c"),
                             .expiry_s = expiry_s,
                             .receive_max = 10,
                             .clean = clean,
                             .door = door,
                             .ops = &ops,
                             .sink = c};
    c->session = session_attach(r->k->broker[0], &a, &present, &err);
    assert_non_null(c->session);
    return c->session;
}

static void answers_wait_for_what_they_promise(void **state)
{
    (void)state;
    struct journal_rig *r = journal_rig_new(1);
    struct journal *j = r->journal[0];
    struct client *c = calloc(1, sizeof *c);

    attach_holding(r, c, &door_commit, false, 100);
    assert_int_equal(held_up_to, journal_tail(j)); /* new: CONNACK waits */
    rig_turn(r);
    held_up_to = 0;
    client_sub(r->k, c, "a", 1);
    assert_int_equal(held_up_to, journal_tail(j));
    rig_turn(r);
    held_up_to = 0;
    assert_int_equal(broker_unsubscribe(c->session, bytes_str("a")), 0);
    assert_int_equal(held_up_to, journal_tail(j));
    rig_turn(r);

    client_detach(r->k, c, false);
    rig_advance(r, 5);
    uint64_t before = journal_tail(j);
    attach_holding(r, c, &door_commit, false, SESSION_NEVER_EXPIRES);
    assert_int_equal(held_up_to, 0); /* it goes on, and always would: CONNACK need not wait */
    client_detach(r->k, c, false);
    rig_advance(r, 5);
    attach_holding(r, c, &door_commit, false, 100);
    assert_true(journal_tail(j) > before);
    assert_int_equal(held_up_to, journal_tail(j)); /* else it would expire after a crash */
    client_detach(r->k, c, false);
    rig_advance(r, 5);
    attach_holding(r, c, &door_memory, true, 100);
    assert_int_equal(held_up_to, journal_tail(j)); /* what there was must not come back */
    client_free(r->k, c);
    journal_rig_free(r);
}

static void what_its_client_sends_at_qos_2_is_received_accepted_and_released(void **state)
{
    (void)state;
    struct journal_rig *r = journal_rig_new(1);
    struct client *c = rig_client(r, "c", &door_commit, 100);
    assert_int_equal(journal_received(c->session, 7, 1, false), 0);
    assert_int_equal(journal_received(c->session, 8, 2, false), 0);
    rig_turn(r);
    assert_true(says(r, "received 1 7 1 0"));
    assert_int_equal(journal_received(c->session, 7, 1, true), 0);
    assert_int_equal(journal_released(c->session, 8), 0);
    rig_turn(r);
    assert_true(says(r, "received 1 7 1 1"));
    assert_false(says(r, "received 1 8"));
    client_free(r->k, c);
    journal_rig_free(r);
}

static void fail_disk(struct journal_rig *r)
{
    struct sim_disk *sim = r->disk[0].sim;
    sim->fail_call = SIM_SYNC;
    sim->fail_at = 1;
    sim->fail_errno = 5;
    rig_advance(r, 2); /* what is lazy is written */
    assert_true(journal_failed(r->journal[0]));
}

static void id_that_the_log_cannot_let_go_is_not_let_go(void **state)
{
    (void)state;
    struct journal_rig *r = journal_rig_new(1);
    struct client *c = calloc(1, sizeof *c);
    struct session *s = attach_holding(r, c, &door_commit, false, 100);
    assert_int_equal(session_receive(s, 7), 0);
    rig_turn(r);
    held_up_to = 0;
    assert_int_equal(session_release(s, 7), 0);
    assert_int_equal(held_up_to, journal_tail(r->journal[0]));
    fail_disk(r);
    assert_int_equal(session_on_pubrel(s, 7), -ERR_STORAGE); /* again, on another connection */
    client_free(r->k, c);
    journal_rig_free(r);
}

/* Comes for a clean session that ends with the connection, and goes. Does CONNACK wait for ever? */
static bool is_kept_out(struct journal_rig *r, struct client *c)
{
    attach_holding(r, c, &door_commit, true, 0);
    client_detach(r->k, c, false);
    return held_up_to == UINT64_MAX;
}

static void nobody_hears_that_a_session_has_ended_of_which_a_failed_log_does_not(void **state)
{
    (void)state;
    struct journal_rig *r = journal_rig_new(1);
    struct client *c = calloc(1, sizeof *c);
    attach_holding(r, c, &door_commit, false, 100);
    rig_turn(r);
    client_detach(r->k, c, false);
    fail_disk(r);
    assert_true(is_kept_out(r, c)); /* ends it in memory, ... */
    assert_true(is_kept_out(r, c)); /* ... and it has ended */
    free(c);
    journal_rig_free(r);
}

static void who_had_no_session_in_a_failed_log_is_let_in(void **state)
{
    (void)state;
    struct journal_rig *r = journal_rig_new(1);
    struct client *c = calloc(1, sizeof *c), *other = rig_client(r, "x", &door_commit, 100);
    rig_turn(r);
    client_detach(r->k, other, false);
    fail_disk(r);
    client_attach(r->k, other, &(struct attach){.client_id = bytes_str("x"), .clean = true});
    client_detach(r->k, other, false);
    assert_false(is_kept_out(r, c));
    free(c);
    free(other);
    journal_rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            only_sessions_that_outlive_their_connection_on_a_durable_listener_are_logged),
        cmocka_unit_test(the_log_knows_since_when_a_client_is_gone),
        cmocka_unit_test(subscriptions_are_logged_as_they_are_now),
        cmocka_unit_test(session_that_becomes_durable_brings_its_subscriptions),
        cmocka_unit_test(durable_session_stays_in_the_log_till_it_ends_however_its_client_comes),
        cmocka_unit_test(expiry_and_clean_start_end_it_in_the_log_too),
        cmocka_unit_test(will_is_in_the_log_until_it_is_sent_or_dropped),
        cmocka_unit_test(answers_wait_for_what_they_promise),
        cmocka_unit_test(what_its_client_sends_at_qos_2_is_received_accepted_and_released),
        cmocka_unit_test(id_that_the_log_cannot_let_go_is_not_let_go),
        cmocka_unit_test(nobody_hears_that_a_session_has_ended_of_which_a_failed_log_does_not),
        cmocka_unit_test(who_had_no_session_in_a_failed_log_is_let_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
