/* SPDX-License-Identifier: BSD-3-Clause */
/* What was on its way to a client with a durable session, before and after the machine stopped. */
#include "unit/journal/restart.h"

enum { LOG_ROOM = 1 << 16, MANY = 200 };

static const struct attach durable = {.expiry_s = 1000, .door = &door_commit};

static struct client *come(struct journal_rig *r, const char *id, uint16_t receive_max)
{
    struct client *c = calloc(1, sizeof *c);
    struct attach a = durable;
    a.client_id = bytes_str(id);
    a.receive_max = receive_max;
    client_attach(r->k, c, &a);
    rig_turn(r);
    return c;
}

static void leave(struct journal_rig *r, struct client *c)
{
    if (c->session) client_detach(r->k, c, false);
    rig_turn(r);
    free(c);
}

/* The machine stops while `c` is connected. */
static void stop(struct journal_rig *r, struct client *c, uint64_t memory)
{
    struct journal_found found;
    if (c) c->session = NULL;
    free(c);
    rig_restart(r, 0, memory, &found);
}

static void publish_many(struct journal_rig *r, const char *topic, unsigned n, uint8_t qos)
{
    struct client *p = rig_client(r, "publisher", &door_commit, 0);
    for (unsigned i = 0; i < n; i++) {
        char text[16];
        snprintf(text, sizeof text, "%u", i);
        rig_publish(r, p, topic, text, qos);
    }
    assert_int_equal(p->accepted, n);
    leave(r, p);
}

static void assert_counted(const struct client *c, unsigned from, unsigned n)
{
    assert_int_equal(c->n, n);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(strtoul(c->note[i].payload, NULL, 10), from + i);
}

static void with_sizes(void (*claim)(struct journal_rig *r))
{
    static const unsigned sizes[] = {1, 2, 5};
    for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
        struct journal_rig *r = journal_rig_new_with(sizes[i], LOG_ROOM, false);
        claim(r);
        journal_rig_free(r);
    }
}

/* ---- what waits -------------------------------------------------------------------------------
 */

static void waits(struct journal_rig *r)
{
    struct client *c = come(r, "reader", 10);
    client_sub(r->k, c, "a/+", 1);
    rig_turn(r);
    leave(r, c);
    publish_many(r, "a/b", MANY, 1);
    stop(r, NULL, 1 << 20);
    c = come(r, "reader", 65535);
    assert_true(c->present);
    assert_counted(c, 0, MANY);
    assert_int_equal(c->note[0].qos, 1);
    assert_false(c->note[0].dup);
    leave(r, c);
}

static void what_waits_comes_back_in_order(void **state)
{
    (void)state;
    with_sizes(waits);
}

static void waits_on_disk(struct journal_rig *r)
{
    for (unsigned i = 0; i < r->k->cores; i++)
        r->journal[i]->options.queue_memory_max = 20;
    struct client *c = come(r, "reader", 10);
    client_sub(r->k, c, "a/+", 1);
    rig_turn(r);
    leave(r, c);
    publish_many(r, "a/b", MANY, 1);
    assert_true(home_of(r->k, "reader")->queue_memory <= 20);
    c = come(r, "reader", 65535);
    assert_counted(c, 0, MANY);
    assert_int_equal(c->session->on_disk, 0);
    leave(r, c);
}

static void beyond_the_memory_for_it_what_waits_is_on_disk_only_and_comes_in_order(void **state)
{
    (void)state;
    with_sizes(waits_on_disk);
}

/* Turns the one core as core_run() does: until it would sleep. The disk's bell wakes it. */
static void turn_till_asleep(struct journal_rig *r)
{
    struct core *c = &r->k->core[0];
    for (c->again = true; c->again || journal_due_ns(r->journal[0]) <= c->clock.now_ns ||
                          r->disk[0].disk->under_way;) {
        c->again = false;
        cluster_turn(r->k, 0);
        journal_commit(r->journal[0]);
    }
}

static void no_core_falls_asleep_over_what_the_disk_has_read(void **state)
{
    (void)state;
    struct journal_rig *r = journal_rig_new_with(1, LOG_ROOM, false);
    r->journal[0]->options.queue_memory_max = 0;
    struct client *c = come(r, "reader", 1);
    client_sub(r->k, c, "a/+", 1);
    publish_many(r, "a/b", 3, 1);
    for (unsigned i = 0; i < 3; i++) {
        assert_counted(c, 0, i + 1);
        assert_int_equal(session_on_puback(c->session, c->note[i].packet_id), 0);
        turn_till_asleep(r);
    }
    leave(r, c);
    journal_rig_free(r);
}

static void is_done(struct journal_rig *r)
{
    struct client *c = come(r, "reader", 65535);
    client_sub(r->k, c, "a/+", 1);
    publish_many(r, "a/b", 5, 1);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(session_on_puback(c->session, c->note[i].packet_id), 0);
    rig_advance(r, 2); /* acknowledgements are in no hurry */
    stop(r, c, 1 << 20);
    c = come(r, "reader", 65535);
    assert_counted(c, 3, 2);
    assert_true(c->note[0].dup);
    leave(r, c);
}

static void what_was_confirmed_does_not_come_again(void **state)
{
    (void)state;
    with_sizes(is_done);
}

/* ---- packet ids -------------------------------------------------------------------------------
 */

static void flies(struct journal_rig *r)
{
    uint16_t id[6];
    struct client *c = come(r, "reader", 65535);
    client_sub(r->k, c, "a/+", 2);
    publish_many(r, "a/b", 6, 2);
    for (unsigned i = 0; i < 6; i++)
        id[i] = c->note[i].packet_id;
    assert_int_equal(session_on_pubrec(c->session, id[1], false), 0);
    assert_int_equal(session_on_pubrec(c->session, id[3], false), 0);
    assert_int_equal(session_on_pubcomp(c->session, id[3]), 0);
    rig_advance(r, 2);
    stop(r, c, 1 << 20);

    c = come(r, "reader", 65535);
    assert_int_equal(c->n, 4);
    static const unsigned left[] = {0, 2, 4, 5};
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(c->note[i].packet_id, id[left[i]]);
        assert_int_equal(strtoul(c->note[i].payload, NULL, 10), left[i]);
        assert_true(c->note[i].dup);
    }
    assert_int_equal(c->released, 1);
    assert_int_equal(c->released_id[0], id[1]);
    publish_many(r, "a/b", 1, 2); /* a new one takes none of their ids */
    for (unsigned i = 0; i < 6; i++)
        assert_int_not_equal(c->note[4].packet_id, id[i]);
    leave(r, c);
}

static void at_qos_2_packet_ids_survive(void **state)
{
    (void)state;
    with_sizes(flies);
}

/* How far the log was on disk, and how far it had to be, when something was sent. */
static uint64_t held_to, sent_after, durable_then;

static void note_hold(struct session *s, uint64_t pos)
{
    (void)s;
    held_to = pos;
}

static int note_send(struct session *s, const struct delivery *d)
{
    if (d->qos == 2) {
        sent_after = held_to;
        durable_then = s->broker->core->durable;
    }
    return client_send(s, d);
}

static void nothing_leaves_at_qos_2_before_its_packet_id_is_on_disk(void **state)
{
    struct sink_ops ops = client_ops;
    (void)state;
    struct journal_rig *r = journal_rig_new_with(1, LOG_ROOM, false);
    struct client *c = come(r, "reader", 65535);
    ops.hold = note_hold;
    ops.send = note_send;
    c->session->ops = &ops;
    client_sub(r->k, c, "a/+", 2);
    rig_turn(r);
    publish_many(r, "a/b", 1, 2);
    assert_int_equal(c->n, 1);
    assert_true(sent_after > durable_then);
    held_to = 0;
    uint64_t before = r->k->core[0].durable;
    assert_int_equal(session_on_pubrec(c->session, c->note[0].packet_id, false), 0);
    assert_true(held_to > before); /* PUBREL waits, too */
    leave(r, c);
    journal_rig_free(r);
}

/* ---- exactly once ------------------------------------------------------------------------------
 */

/* As a client does that has not been answered: the same packet id, again. */
static void publish_again(struct journal_rig *r, struct client *p, const char *topic,
                          const char *payload, uint16_t id)
{
    const struct publication pub = {.topic = bytes_str(topic),
                                    .payload = bytes_str(payload),
                                    .qos = 2,
                                    .topic_hash =
                                        broker_topic_hash(p->session->broker, bytes_str(topic))};
    uint32_t mailed = 0;
    int err = session_receive(p->session, id);
    assert_true(err == 0 || err == -ERR_EXISTS);
    if (err == 0) assert_int_equal(broker_publish(p->session, &pub, id, 0, &mailed), 0);
    rig_turn(r);
}

static const char *const reader[] = {"one", "two", "three"};

static struct journal_rig *published_once(const char *payload)
{
    struct journal_rig *r = journal_rig_new_with(1, LOG_ROOM, false);
    for (unsigned i = 0; i < ARRAY_LEN(reader); i++) {
        struct client *c = come(r, reader[i], 10);
        client_sub(r->k, c, "a/+", 2);
        leave(r, c);
    }
    struct client *p = come(r, "publisher", 10);
    sim_disk_fold(r->disk[0].sim);
    publish_again(r, p, "a/b", payload, 5);
    assert_int_equal(p->accepted, 1);
    p->session = NULL;
    free(p);
    return r;
}

/* Whether there were so many steps. */
static bool each_gets_it_once(unsigned steps, uint64_t seed, const char *payload)
{
    struct journal_rig *r = published_once(payload);
    struct journal_found found;
    bool more = steps < r->disk[0].sim->nsteps;
    rig_restart_from(r, steps, seed, 1 << 20, &found);
    struct client *p = come(r, "publisher", 10);
    assert_true(p->present);
    publish_again(r, p, "a/b", payload, 5);
    for (unsigned i = 0; i < ARRAY_LEN(reader); i++) {
        struct client *c = come(r, reader[i], 10);
        assert_int_equal(c->n, 1);
        leave(r, c);
    }
    leave(r, p);
    journal_rig_free(r);
    return more;
}

static void whatever_a_crash_leaves_each_session_gets_it_once_at_qos_2(void **state)
{
    static char
        payload[1200]; /* so long that sectors end between the entries, at one length or another */
    (void)state;
    for (uint64_t seed = 0; seed < 150; seed++) {
        memset(payload, 'x', sizeof payload);
        payload[650 + seed * 3] = 0;
        for (unsigned steps = 0; each_gets_it_once(steps, seed, payload); steps++)
            continue;
    }
}

/* ---- what can't be written ----------------------------------------------------------------------
 */

static void a_full_disk_refuses_the_message_and_the_session_does_not_get_it(void **state)
{
    (void)state;
    struct journal_rig *r = journal_rig_new_with(1, LOG_ROOM, false);
    struct client *c = come(r, "reader", 65535), *p = rig_client(r, "p", &door_commit, 0);
    client_sub(r->k, c, "a/+", 1);
    rig_turn(r);
    r->disk[0].sim->bytes_max = r->disk[0].sim->bytes;
    int status = 0;
    for (unsigned i = 0; i < 5000 && status == 0; i++) {
        unsigned had = c->n;
        rig_publish(r, p, "a/b", "x", 1);
        assert_int_equal(p->accepted, 1);
        status = p->accepted_status[0];
        assert_int_equal(c->n, status == 0 ? had + 1 : had);
        if (status == 0) assert_int_equal(session_on_puback(c->session, c->note[had].packet_id), 0);
        client_forget(p);
        client_forget(c);
    }
    assert_int_equal(status, -ERR_FULL);
    leave(r, p);
    leave(r, c);
    journal_rig_free(r);
}

/* ---- what travels from a share group's member to another ------------------------------------- */

static const char shared[] = "$share/g/t";

/* Session `a` has `n` messages of its group, the first of which travel when it ends: what is in its
 * log's hands is all that there is of them. Their numbers. */
static void end_with_orphans(struct journal_rig *r, struct client *a, uint32_t *number, unsigned n)
{
    struct pendings *f = &a->session->flight;
    for (unsigned i = 0; i < n; i++) {
        number[i] = journal_orphan(a->session, &f->at[(f->head + i) & f->mask]);
        assert_int_not_equal(number[i], 0);
    }
    a->session->expiry_s = 0;
    leave(r, a);
}

static void assert_all_come_to(struct journal_rig *r, const char *id, const char *expected)
{
    struct client *b = come(r, id, 10);
    assert_false(b->present);
    client_sub(r->k, b, shared, 1);
    rig_turn(r);
    assert_string_equal(client_heard(b), expected);
    leave(r, b);
}

static void what_travels_when_its_session_ends_is_for_the_group_after_a_crash(void **state)
{
    static const char *const next[] = {"another", "member"}; /* or a new session of the client's */
    (void)state;
    for (unsigned k = 0; k < 8; k++) {
        struct journal_rig *r = journal_rig_new_with(1, LOG_ROOM, false);
        struct client *a = come(r, "member", 10);
        uint32_t number[2];
        client_sub(r->k, a, shared, 1);
        client_sub(r->k, a, "own", 1);
        publish_many(r, "t", 2, 1);
        end_with_orphans(r, a, number, 2);
        journal_orphan_kept(r->journal[0], number[1], 0);
        if (k & 2) assert_int_equal(store_snapshot_start(journal_store_of(r->journal[0])), 0);
        rig_advance(r, 2);
        if (k & 4) leave(r, come(r, "member", 10)); /* the client begins anew */
        rig_advance(r, 2);
        stop(r, NULL, 0);
        if (k & 4)
            assert_non_null(session_find(r->k->broker[0], 0, bytes_str("member")));
        else
            assert_null(session_find(r->k->broker[0], 0, bytes_str("member")));
        rig_advance(r, 2);
        if (k & 4 && !(k & 1)) {
            struct client *b = come(r, "member", 10);
            assert_true(b->present); /* the new one, and what was the old one's is not its own */
            assert_null(sub_of(b->session, bytes_str("own")));
            leave(r, b);
            assert_all_come_to(r, "another", "0");
        } else {
            assert_all_come_to(r, next[k & 4 ? 0 : k & 1], "0");
        }
        journal_rig_free(r);
    }
}

static void a_session_is_over_in_the_log_when_the_last_of_its_messages_is_kept(void **state)
{
    (void)state;
    struct journal_rig *r = journal_rig_new_with(1, LOG_ROOM, false);
    struct client *a = come(r, "member", 10);
    uint32_t number[2];
    client_sub(r->k, a, shared, 1);
    publish_many(r, "t", 2, 1);
    end_with_orphans(r, a, number, 2);
    assert_true(rig_says(r, 0, "entry 1 #0 seq 1 "));
    journal_orphan_kept(r->journal[0], number[0], 0);
    rig_advance(r, 2);
    assert_true(rig_says(r, 0, "session 1 "));
    journal_orphan_kept(r->journal[0], number[1], 0);
    rig_advance(r, 2);
    assert_false(rig_says(r, 0, "session 1 "));
    journal_rig_free(r);
}

static void what_nobody_waits_for_goes_on_in_memory_when_the_disk_is_full(void **state)
{
    (void)state;
    struct journal_rig *r = journal_rig_new_with(1, LOG_ROOM, false);
    struct client *c = come(r, "reader", 65535), *away = come(r, "away", 10);
    struct client *p = rig_client(r, "p", &door_interval, 0);
    client_sub(r->k, c, "a/+", 1);
    client_sub(r->k, away, "a/+", 1);
    rig_turn(r);
    client_detach(r->k, away, false);
    r->disk[0].sim->bytes_max = r->disk[0].sim->bytes;
    for (unsigned i = 0; i < MANY * 20; i++) {
        rig_publish(r, p, "a/b", "x", 1);
        assert_int_equal(c->n, 1);
        assert_int_equal(session_on_puback(c->session, c->note[0].packet_id), 0);
        client_forget(p);
        client_forget(c);
    }
    assert_true(journal_stats(r->journal[0]).refused > 0);
    struct attach a = durable;
    a.client_id = BYTES("away");
    client_attach(r->k, away, &a);
    rig_turn(r);
    assert_int_equal(away->n, MANY * 20 < 1000 ? MANY * 20 : 1000); /* its window */
    leave(r, away);
    leave(r, p);
    leave(r, c);
    journal_rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_waits_comes_back_in_order),
        cmocka_unit_test(beyond_the_memory_for_it_what_waits_is_on_disk_only_and_comes_in_order),
        cmocka_unit_test(no_core_falls_asleep_over_what_the_disk_has_read),
        cmocka_unit_test(what_was_confirmed_does_not_come_again),
        cmocka_unit_test(at_qos_2_packet_ids_survive),
        cmocka_unit_test(nothing_leaves_at_qos_2_before_its_packet_id_is_on_disk),
        cmocka_unit_test(whatever_a_crash_leaves_each_session_gets_it_once_at_qos_2),
        cmocka_unit_test(what_travels_when_its_session_ends_is_for_the_group_after_a_crash),
        cmocka_unit_test(a_session_is_over_in_the_log_when_the_last_of_its_messages_is_kept),
        cmocka_unit_test(what_nobody_waits_for_goes_on_in_memory_when_the_disk_is_full),
        cmocka_unit_test(a_full_disk_refuses_the_message_and_the_session_does_not_get_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
