/* SPDX-License-Identifier: BSD-3-Clause */
/* test_journal_message.c -- messages in the log: as long as a durable session has them, and no
 * longer. */
#include "broker/journal/journal_internal.h"
#include "broker/share.h"
#include "unit/journal/journal_rig.h"

static bool says(const struct journal_rig *r, const char *line)
{
    return rig_says(r, 0, line);
}

static void retain(struct journal_rig *r, const char *topic, const char *payload)
{
    struct broker *b = r->k->broker[0];
    const struct publication p = {.topic = bytes_str(topic),
                                  .payload = bytes_str(payload),
                                  .qos = 1,
                                  .retain = true,
                                  .durability = DURABILITY_COMMIT,
                                  .topic_hash = broker_topic_hash(b, bytes_str(topic))};
    struct message *m = message_new(b->core, &p, 0);
    assert_non_null(m);
    if (p.payload.n)
        assert_int_equal(journal_retained(r->journal[0], m), 0);
    else
        assert_int_equal(journal_cleared(r->journal[0], p.topic), 0);
    message_unref(b->core, m);
}

static void body_is_written_once_for_all_sessions_and_lives_as_long_as_one_needs_it(void **state)
{
    (void)state;
    struct journal_rig *r = journal_rig_new(1);
    struct client *a = rig_client(r, "a", &door_commit, 100);
    struct client *b = rig_client(r, "b", &door_commit, 100);
    struct client *p = rig_client(r, "p", &door_commit, 0);
    client_sub(r->k, a, "t", 1);
    client_sub(r->k, b, "t", 1);
    client_detach(r->k, b, false);
    rig_turn(r);
    uint64_t before = journal_tail(r->journal[0]);
    rig_publish(r, p, "t", "hello", 1);
    assert_int_equal(journal_tail(r->journal[0]) - before, 3); /* BODY and two ENTRY */
    assert_int_equal(journal_stats(r->journal[0]).stored, 1);
    assert_true(says(r, "entry 1 #0 seq 1 at 0+0 6 qos 1 0 state 1 as 0 "));
    assert_true(says(r, "entry 2 #0 seq 1 at 0+0 6 qos 1 0 state 0 as 0 "));

    assert_int_equal(session_on_puback(a->session, a->note[0].packet_id), 0);
    rig_advance(r, 2);
    assert_false(says(r, "entry 1 "));
    assert_int_equal(journal_stats(r->journal[0]).stored, 1);
    client_attach(
        r->k, b,
        &(struct attach){.client_id = bytes_str("b"), .expiry_s = 100, .door = &door_commit});
    assert_string_equal(client_heard(b), "hello");
    assert_int_equal(session_on_puback(b->session, b->note[0].packet_id), 0);
    rig_advance(r, 2);
    assert_false(says(r, "entry"));
    assert_int_equal(journal_stats(r->journal[0]).stored, 0);
    client_free(r->k, a);
    client_free(r->k, b);
    client_free(r->k, p);
    journal_rig_free(r);
}

static void message_on_its_way_at_qos_2_is_sent_then_confirmed_then_done(void **state)
{
    (void)state;
    struct journal_rig *r = journal_rig_new(1);
    struct client *a = rig_client(r, "a", &door_commit, 100);
    struct client *p = rig_client(r, "p", &door_memory, 0);
    client_sub(r->k, a, "t", 2);
    rig_publish(r, p, "t", "hello", 2);
    assert_true(says(r, "entry 1 #0 seq 1 at 0+0 6 qos 2 0 state 1 as 0 "));
    assert_int_equal(session_on_pubrec(a->session, a->note[0].packet_id, false), 0);
    rig_turn(r);
    assert_true(says(r, "entry 1 #0 seq 1 at 0+0 6 qos 2 0 state 2 as 0 "));
    assert_int_equal(journal_stats(r->journal[0]).stored, 0);
    assert_int_equal(session_on_pubcomp(a->session, a->note[0].packet_id), 0);
    rig_advance(r, 2);
    assert_false(says(r, "entry"));
    client_free(r->k, a);
    client_free(r->k, p);
    journal_rig_free(r);
}

static void entries_end_with_their_session(void **state)
{
    (void)state;
    struct journal_rig *r = journal_rig_new(1);
    struct client *a = rig_client(r, "a", &door_commit, 10);
    struct client *p = rig_client(r, "p", &door_commit, 0);
    client_sub(r->k, a, "t", 1);
    client_detach(r->k, a, false);
    for (unsigned i = 0; i < 5; i++)
        rig_publish(r, p, "t", "hello", 1);
    assert_int_equal(journal_stats(r->journal[0]).stored, 5);
    rig_advance(r, 20);
    assert_int_equal(journal_stats(r->journal[0]).stored, 0);
    assert_false(says(r, "session 1"));
    assert_false(says(r, "entry"));
    client_free(r->k, a);
    client_free(r->k, p);
    journal_rig_free(r);
}

static void entry_remembers_the_share_group_by_which_it_came(void **state)
{
    (void)state;
    struct journal_rig *r = journal_rig_new(1);
    struct client *a = rig_client(r, "a", &door_commit, 100);
    struct client *p = rig_client(r, "p", &door_commit, 0);
    client_sub(r->k, a, "$share/g/+", 1);
    client_detach(r->k, a, false);
    rig_publish(r, p, "t", "hello", 1);
    struct image im;
    rig_image(r, 0, &im);
    const struct image_entry *e = image_session_find(&im, 1)->entries;
    assert_non_null(e);
    assert_non_null(e->group);
    assert_true(bytes_eq(bytes_of(e->group->at, e->group->n), bytes_str("$share/g/+")));
    image_fini(&im);
    client_free(r->k, a);
    client_free(r->k, p);
    journal_rig_free(r);
}

static void full_log_keeps_no_half_of_a_message(void **state)
{
    (void)state;
    struct journal_rig *r = journal_rig_new_with(1, 4096, true);
    struct client *a = rig_client(r, "a", &door_commit, 100);
    struct client *p = rig_client(r, "p", &door_commit, 0);
    client_sub(r->k, a, "t", 1);
    client_detach(r->k, a, false);
    rig_turn(r);
    r->disk[0].sim->bytes_max = r->disk[0].sim->bytes;
    for (unsigned i = 0; i < 100; i++)
        rig_publish(r, p, "t", "a message of forty bytes and some more..", 1);
    uint32_t kept = (uint32_t)journal_stats(r->journal[0]).stored;
    assert_in_range(kept, 5, 99);
    assert_true(journal_stats(r->journal[0]).refused > 0);
    struct session *s = session_find(r->k->broker[0], 0, bytes_str("a"));
    assert_int_equal(s->queue.tail - s->queue.head, kept); /* what is not kept is not offered */
    client_free(r->k, a);
    client_free(r->k, p);
    journal_rig_free(r);
}

/* ---- orphans --------------------------------------------------------------------------------- */

static void what_leaves_for_another_member_is_kept_till_that_one_has_it(void **state)
{
    (void)state;
    struct journal_rig *r = journal_rig_new(1);
    struct client *a = rig_client(r, "a", &door_commit, 100);
    struct client *p = rig_client(r, "p", &door_commit, 0);
    client_sub(r->k, a, "t", 1);
    rig_publish(r, p, "t", "one", 1);
    rig_publish(r, p, "t", "two", 1);
    struct journal *j = r->journal[0];
    struct session *s = a->session;
    struct pending *first = &s->flight.at[s->flight.head & s->flight.mask];
    uint32_t number = journal_orphan(s, first);
    assert_int_not_equal(number, 0);
    assert_null(first->stored);
    assert_int_equal(first->seq, 0);
    rig_turn(r);
    assert_true(says(r, "entry 1 #0 seq 1 "));
    assert_int_equal(store_snapshot_start(journal_store_of(j)), 0);
    rig_advance(r, 2);
    assert_true(says(r, "entry 1 #0 seq 1 ")); /* also in a snapshot */
    journal_orphan_kept(j, number, -ERR_STORAGE);
    journal_orphan_kept(j, number, -ERR_FULL);
    assert_int_equal(journal_stats(j).stored, 2); /* only here: for the restart */
    journal_orphan_kept(j, number, 0);
    assert_int_equal(journal_stats(j).stored, 1);
    rig_advance(r, 2);
    assert_false(says(r, "entry 1 #0 seq 1 "));
    client_free(r->k, a);
    client_free(r->k, p);
    rig_advance(r, 200);
    journal_rig_free(r);
}

/* ---- retained ----------------------------------------------------------------------------------
 */

static void last_word_about_a_retained_message_counts(void **state)
{
    (void)state;
    struct journal_rig *r = journal_rig_new(1);
    retain(r, "a", "1");
    retain(r, "b", "1");
    retain(r, "a", "2");
    retain(r, "b", "");
    rig_turn(r);
    assert_true(says(r, "retained a "));
    assert_false(says(r, "retained b "));
    journal_rig_free(r);
}

/* ---- bodies move -------------------------------------------------------------------------------
 */

static void bodies_that_the_store_moves_are_found_where_they_are(void **state)
{
    (void)state;
    struct journal_rig *r = journal_rig_new_with(1, 4096, false);
    struct journal *j = r->journal[0];
    struct client *a = rig_client(r, "a", &door_commit, 1000);
    struct client *busy = rig_client(r, "busy", &door_commit, 1000);
    struct client *p = rig_client(r, "p", &door_commit, 0);
    client_sub(r->k, a, "rare", 1);
    client_sub(r->k, busy, "often", 1);
    client_detach(r->k, a, false);
    char text[64];
    for (unsigned i = 0; i < 600; i++) {
        snprintf(text, sizeof text, "%u, and enough to fill a segment now and then", i);
        if (i % 60 == 0) rig_publish(r, p, "rare", text, 1);
        rig_publish(r, p, "often", text, 1);
        assert_int_equal(session_on_puback(busy->session, busy->note[busy->n - 1].packet_id), 0);
        rig_turn(r);
    }
    rig_advance(r, 2);
    assert_true(store_stats(journal_store_of(j)).moved > 0);
    assert_int_equal(journal_stats(j).stored, 10);

    struct image im;
    rig_image(r, 0, &im);
    const struct image_session *s = image_session_find(&im, 1);
    assert_non_null(s);
    assert_int_equal(s->nentries, 10);
    for (const struct image_entry *e = s->entries; e; e = e->next)
        assert_non_null(journal_stored_find(j, e->body_pos));
    image_fini(&im);
    client_free(r->k, a);
    client_free(r->k, busy);
    client_free(r->k, p);
    rig_advance(r, 2000);
    journal_rig_free(r);
}

/* ---- origins ------------------------------------------------------------------------------------
 */

static void message_that_was_there_at_the_restart_is_known_and_no_other(void **state)
{
    (void)state;
    struct origins o = {.serials = 0};
    assert_int_equal(origins_restore(&o, 5, 10), 0);
    assert_int_equal(origins_restore(&o, 5, 12), 0);
    assert_int_equal(origins_restore(&o, 6, 12), 0);
    assert_true(origins_know(&o, 5, 10));
    assert_false(origins_know(&o, 5, 11));
    assert_false(origins_know(&o, 7, 10));
    origins_add(&o, 5, 11, 3); /* written since: it is no repetition */
    assert_false(origins_know(&o, 5, 11));
    assert_true(origins_know(&o, 5, 10));
    origins_add(&o, 5, 20, 8); /* all below 12 are released */
    assert_false(origins_know(&o, 5, 10));
    assert_true(origins_know(&o, 5, 12));
    assert_int_equal(o.serials, 3);
    origins_add(&o, 6, 3, 100); /* a low water below the first number of all */
    assert_true(origins_know(&o, 6, 12));
    origins_fini(&o);
}

static void publishers_that_were_silent_longest_are_forgotten_first(void **state)
{
    (void)state;
    struct origins o = {.serials = 0};
    assert_int_equal(origins_restore(&o, 1, 1), 0);
    assert_int_equal(origins_restore(&o, 2, 1), 0);
    for (uint64_t i = 10; i < 10 + (1 << 16) - 2; i++)
        origins_add(&o, i, 1, 0);
    assert_true(origins_know(&o, 1, 1));
    origins_add(&o, 1, 2, 1); /* heard of again */
    origins_add(&o, 9, 1, 0);
    assert_true(origins_know(&o, 1, 1));
    assert_false(origins_know(&o, 2, 1));
    assert_int_equal(o.by_origin.used, 1 << 16);
    origins_fini(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(body_is_written_once_for_all_sessions_and_lives_as_long_as_one_needs_it),
        cmocka_unit_test(message_on_its_way_at_qos_2_is_sent_then_confirmed_then_done),
        cmocka_unit_test(entries_end_with_their_session),
        cmocka_unit_test(entry_remembers_the_share_group_by_which_it_came),
        cmocka_unit_test(full_log_keeps_no_half_of_a_message),
        cmocka_unit_test(what_leaves_for_another_member_is_kept_till_that_one_has_it),
        cmocka_unit_test(last_word_about_a_retained_message_counts),
        cmocka_unit_test(bodies_that_the_store_moves_are_found_where_they_are),
        cmocka_unit_test(message_that_was_there_at_the_restart_is_known_and_no_other),
        cmocka_unit_test(publishers_that_were_silent_longest_are_forgotten_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
