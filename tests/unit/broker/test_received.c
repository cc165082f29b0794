/* SPDX-License-Identifier: BSD-3-Clause */
/* test_received.c -- QoS 2 from durable sessions: the log has a packet id before its message is
 * routed, and knows the message again after a restart. */
#include "broker/held.h"
#include "broker/journal/origin.h"
#include "broker/received.h"
#include "unit/broker/fake_journal.h"

enum { LONG_S = 1000 };

struct scene {
    struct cluster *k;
    struct fake *f;
    struct client *p, *c; /* durable, at home on core 0; and a subscriber of "#" on core 1 */
};

static struct scene scene_new(unsigned cores)
{
    struct scene x = {.k = cluster_new(cores, NULL)};
    x.f = fake_new(x.k);
    x.p = client_new(x.k, client_at(x.k, 0, "p"), LONG_S);
    x.c = client_new(x.k, client_at(x.k, 1, "c"), 0);
    client_sub(x.k, x.c, "#", 2);
    fake_settle(x.k, x.f);
    return x;
}

static void scene_free(struct scene *x)
{
    client_free(x->k, x->p);
    client_free(x->k, x->c);
    cluster_free(x->k);
}

static void say_2(struct scene *x, const char *topic, const char *text, uint16_t id)
{
    assert_int_equal(session_receive(x->p->session, id), 0);
    client_say(x->p, topic, text, 2, id);
}

static unsigned logged(const struct scene *x)
{
    return x->f[0].received;
}

#define EACH_SCENE(x)                                                                              \
    for (unsigned size_ = 1; size_ <= 4; size_ *= 2)                                               \
        for (struct scene x = scene_new(size_); x.k; scene_free(&x), x.k = NULL)

static void a_message_is_routed_when_its_id_is_on_disk(void **state)
{
    (void)state;
    EACH_SCENE(x)
    {
        say_2(&x, "t", "a", 1);
        assert_int_equal(logged(&x), 1);
        cluster_settle(x.k);
        assert_string_equal(client_heard(x.c), "");
        assert_int_equal(x.p->accepted, 0);
        fake_settle(x.k, x.f);
        assert_string_equal(client_heard(x.c), "a");
        assert_int_equal(x.p->accepted, 1);
        assert_int_equal(logged(&x), 2); /* that it was accepted */
        assert_int_equal(session_receive(x.p->session, 1), -ERR_EXISTS);
        assert_true(session_accepted(x.p->session, 1));
    }
}

static void what_comes_after_it_waits_behind_it(void **state)
{
    (void)state;
    EACH_SCENE(x)
    {
        client_say(x.p, "t", "0", 1, 100);
        cluster_settle(x.k);
        assert_string_equal(client_heard(x.c), "0");
        say_2(&x, "t", "1", 1);
        client_say(x.p, "t", "2", 0, 0);
        client_say(x.p, "t", "3", 1, 101);
        fake_commit(&x.f[0]); /* they follow at once */
        say_2(&x, "t", "4", 2);
        client_say(x.p, "t", "5", 0, 0);
        cluster_settle(x.k);
        assert_string_equal(client_heard(x.c), "0 1 2 3");
        fake_settle(x.k, x.f);
        assert_string_equal(client_heard(x.c), "0 1 2 3 4 5");
        client_say(x.p, "t", "6", 0, 0);
        cluster_settle(x.k);
        assert_string_equal(client_heard(x.c), "0 1 2 3 4 5 6");
        assert_null(x.p->session->held);
    }
}

static void so_many_may_wait_as_may_be_unaccepted(void **state)
{
    (void)state;
    struct broker_options o = BROKER_OPTIONS_DEFAULT;
    o.receive_max = 10;
    struct cluster *k = cluster_new(1, &o);
    struct fake *f = fake_new(k);
    struct client *p = client_new(k, "p", LONG_S);
    client_sub(k, p, "t", 0);
    fake_settle(k, f);
    assert_int_equal(session_receive(p->session, 1), 0);
    client_say(p, "t", "0", 2, 1);
    for (unsigned i = 1; i < 10; i++)
        client_say(p, "t", "x", 0, 0);
    struct publication more = {.topic = BYTES("t")};
    uint32_t mailed = 0;
    assert_int_equal(broker_publish(p->session, &more, 0, 0, &mailed), -ERR_FULL);
    fake_settle(k, f);
    assert_int_equal(p->n, 10);
    client_free(k, p);
    cluster_free(k);
}

static void an_id_that_cannot_be_written_is_not_received(void **state)
{
    (void)state;
    EACH_SCENE(x)
    {
        x.f[0].refuse = -ERR_FULL;
        assert_int_equal(session_receive(x.p->session, 1), -ERR_FULL);
        assert_int_equal(broker_refuse(x.p->session, 1, 2, -ERR_FULL), 0);
        assert_int_equal(x.p->accepted_status[0], -ERR_FULL);
        x.f[0].refuse = 0;
        assert_int_equal(session_receive(x.p->session, 1), 0);
    }
}

static void a_log_that_fails_refuses_what_waits_for_it(void **state)
{
    (void)state;
    EACH_SCENE(x)
    {
        say_2(&x, "t", "a", 1);
        client_say(x.p, "t", "b", 0, 0);
        x.f[0].failed = true;
        fake_settle(x.k, x.f);
        assert_int_equal(x.p->accepted_status[0], -ERR_STORAGE);
        assert_string_equal(client_heard(x.c), "b");
    }
}

/* ---- the end of sessions and connections --------------------------------------------------------
 */

static void a_session_that_ends_has_published_what_waited(void **state)
{
    (void)state;
    EACH_SCENE(x)
    {
        uint32_t id = x.p->session->id;
        struct broker *b = x.k->broker[0];
        char name[32];
        snprintf(name, sizeof name, "%s", x.p->session->client_id);
        say_2(&x, "t", "a", 1);
        client_say(x.p, "t", "b", 1, 2);
        client_detach(x.k, x.p, false);
        assert_int_equal(session_send_away(b, 0, bytes_str(name), true), 0);
        cluster_settle(x.k);
        assert_string_equal(client_heard(x.c), "a b");
        assert_non_null(slots_find(&b->session_ids, id)); /* for word from the log */
        fake_settle(x.k, x.f);
        assert_null(slots_find(&b->session_ids, id));
    }
}

static void the_next_connection_hears_of_what_waited(void **state)
{
    (void)state;
    EACH_SCENE(x)
    {
        char name[32];
        snprintf(name, sizeof name, "%s", x.p->session->client_id);
        say_2(&x, "t", "a", 1);
        client_detach(x.k, x.p, false);
        client_attach(x.k, x.p, &(struct attach){.client_id = bytes_str(name), .expiry_s = LONG_S});
        assert_int_equal(session_receive(x.p->session, 1), -ERR_EXISTS);
        assert_false(session_accepted(x.p->session, 1));
        fake_settle(x.k, x.f);
        assert_string_equal(client_heard(x.c), "a");
        assert_int_equal(x.p->accepted_id[x.p->accepted - 1], 1);
    }
}

static unsigned held_up_to;
static void note_hold(struct session *s, uint64_t pos)
{
    (void)s;
    held_up_to = (unsigned)pos;
}

static void pubcomp_waits_until_the_id_is_free_on_disk(void **state)
{
    (void)state;
    struct scene x = scene_new(1);
    struct sink_ops ops = client_ops;
    ops.hold = note_hold;
    x.p->session->ops = &ops;
    say_2(&x, "t", "a", 1);
    fake_settle(x.k, x.f);
    held_up_to = 0;
    assert_int_equal(session_release(x.p->session, 1), 0);
    assert_int_equal(x.f[0].released, 1);
    assert_int_equal(held_up_to, x.f[0].tail);
    held_up_to = 0;
    assert_int_equal(session_release(x.p->session, 1), -ERR_ABSENT);
    assert_int_equal(x.f[0].released, 1);
    assert_int_equal(held_up_to, x.f[0].tail); /* it asks again, and that is not on disk yet */
    assert_int_equal(session_receive(x.p->session, 1), 0);
    scene_free(&x);
}

/* Else the client's next message of that id would be called a repetition after the restart. */
static void a_failed_log_frees_no_id(void **state)
{
    (void)state;
    struct scene x = scene_new(1);
    say_2(&x, "t", "a", 1);
    say_2(&x, "t", "b", 2);
    fake_settle(x.k, x.f);
    assert_int_equal(session_release(x.p->session, 2), 0);
    x.f[0].failed = true;
    assert_int_equal(session_release(x.p->session, 1), -ERR_STORAGE);
    assert_int_equal(session_on_pubrel(x.p->session, 1), -ERR_STORAGE);
    assert_int_equal(session_on_pubrel(x.p->session, 2), -ERR_STORAGE);
    assert_int_equal(session_release(x.p->session, 2), -ERR_STORAGE); /* published, and refused */
    assert_int_equal(session_receive(x.p->session, 1), -ERR_EXISTS);
    scene_free(&x);
}

/* Some cores may have the message. Only a restart can tell, so till then there is no answer. */
static void what_a_failed_disk_refused_unheard_waits_for_a_restart(void **state)
{
    (void)state;
    struct scene x = scene_new(1);
    struct message_logged l;
    char name[32];
    snprintf(name, sizeof name, "%s", x.p->session->client_id);
    say_2(&x, "t", "a", 1);
    client_detach(x.k, x.p, false);
    x.f[0].failed = true;
    fake_settle(x.k, x.f);
    client_attach(x.k, x.p, &(struct attach){.client_id = bytes_str(name), .expiry_s = LONG_S});
    assert_int_equal(session_receive(x.p->session, 1), -ERR_EXISTS);
    assert_false(session_accepted(x.p->session, 1));
    assert_int_equal(x.f[0].released, 0);
    assert_int_equal(received_name(x.p->session, 1, &l), RECEIVED_IN_DOUBT);
    scene_free(&x);
}

/* ---- after a restart
 * ------------------------------------------------------------------------------ */

static void what_was_accepted_before_the_restart_is_only_answered(void **state)
{
    (void)state;
    EACH_SCENE(x)
    {
        assert_int_equal(session_restore_received(x.p->session, 7, 70, true), 0);
        assert_int_equal(session_receive(x.p->session, 7), -ERR_EXISTS);
        assert_true(session_accepted(x.p->session, 7));
        assert_int_equal(session_release(x.p->session, 7), 0);
        say_2(&x, "t", "new", 7);
        fake_settle(x.k, x.f);
        assert_string_equal(client_heard(x.c), "new");
    }
}

static void what_is_in_doubt_is_routed_again_but_not_to_those_who_may_have_it(void **state)
{
    (void)state;
    for (unsigned known = 0; known < 2; known++)
        EACH_SCENE(x)
        {
            struct client *d = client_new(x.k, client_at(x.k, 1, "d"), LONG_S);
            client_sub(x.k, d, "t", 2);
            fake_settle(x.k, x.f);
            for (unsigned i = 0; i < x.k->cores; i++)
                x.f[i].knows = known;
            assert_int_equal(session_restore_received(x.p->session, 7, 70, false), 0);
            unsigned before = logged(&x);
            say_2(&x, "t", "again", 7);
            assert_int_equal(session_receive(x.p->session, 7), -ERR_EXISTS); /* once is enough */
            assert_int_equal(logged(&x), before);                            /* it knows the id */
            fake_settle(x.k, x.f);
            assert_int_equal(x.p->accepted, 1);
            assert_int_equal(x.p->accepted_status[0], 0);
            assert_string_equal(client_heard(d), known ? "" : "again");
            assert_string_equal(client_heard(x.c), "again"); /* it has no past */
            assert_int_equal(session_receive(x.p->session, 7), -ERR_EXISTS);
            assert_true(session_accepted(x.p->session, 7));
            client_free(x.k, d);
        }
}

/* All cores are asked before one of them is given it. */
static void what_is_in_doubt_goes_to_no_group_that_has_had_it(void **state)
{
    (void)state;
    for (unsigned at = 0; at < 4; at++) {
        struct scene x = scene_new(4);
        struct client *m[4], *plain = client_new(x.k, client_at(x.k, at, "plain"), LONG_S);
        struct client *other = client_new(x.k, client_at(x.k, at, "o"), LONG_S);
        for (unsigned i = 0; i < 4; i++) {
            m[i] = client_new(x.k, client_at(x.k, i, "m"), LONG_S);
            client_sub(x.k, m[i], "$share/g/t", 2);
        }
        client_sub(x.k, other, "$share/h/t", 2);
        client_sub(x.k, plain, "t", 2);
        fake_settle(x.k, x.f);
        const struct filter_entry *group = &m[at]->session->subs->filter->entry;
        struct message_logged l;
        assert_int_equal(session_restore_received(x.p->session, 7, 70, false), 0);
        received_name(x.p->session, 7, &l);
        x.f[at].knows = true;
        x.f[at].knows_origin = origin_for_group(l.origin, filter_entry_name(group));
        for (unsigned known = 2; known-- > 0;) {
            say_2(&x, "t", "again", 7);
            fake_settle(x.k, x.f);
            unsigned got = 0;
            for (unsigned i = 0; i < 4; i++)
                got += m[i]->n;
            assert_int_equal(got, known ? 0 : 1);
            assert_int_equal(other->n, 2 - known);
            assert_int_equal(plain->n, 2 - known);
            assert_int_equal(x.p->accepted, 2 - known);
            assert_int_equal(session_release(x.p->session, 7), 0);
            assert_int_equal(session_restore_received(x.p->session, 7, 71, false), 0);
            x.f[at].knows = false;
        }
        client_free(x.k, plain), client_free(x.k, other);
        for (unsigned i = 0; i < 4; i++)
            client_free(x.k, m[i]);
        scene_free(&x);
    }
}

/* Retained before the restart, it was followed by another since. */
static void what_is_in_doubt_is_not_retained_again(void **state)
{
    (void)state;
    for (unsigned clears = 0; clears < 2; clears++)
        for (unsigned known = 0; known < 2; known++) {
            struct scene x = scene_new(2);
            struct broker *b = x.k->broker[broker_owner(
                x.k->broker[0], broker_topic_hash(x.k->broker[0], BYTES("t")))];
            struct fake *owner = &x.f[b->core->id];
            client_say(x.p, "t", "later", 1 | SAY_RETAINED, 9);
            fake_settle(x.k, x.f);
            assert_int_equal(session_restore_received(x.p->session, 7, 70, false), 0);
            assert_int_equal(session_receive(x.p->session, 7), 0);
            owner->last_retainer = known ? 70 : 0;
            client_say(x.p, "t", clears ? "" : "old", 2 | SAY_RETAINED, 7);
            fake_settle(x.k, x.f);
            assert_int_equal(x.p->accepted, 2);
            assert_int_equal(owner->last_retainer, 70);
            struct message *m =
                retain_get(&b->retain, BYTES("t"), broker_topic_hash(b, BYTES("t")));
            if (known || !clears)
                assert_true(m &&
                            bytes_eq(message_payload(m), known ? BYTES("later") : BYTES("old")));
            else
                assert_null(m);
            scene_free(&x);
        }
}

static void what_is_refused_in_doubt_stays_in_doubt(void **state)
{
    (void)state;
    struct scene x = scene_new(1);
    struct message_logged l;
    assert_int_equal(session_restore_received(x.p->session, 7, 70, false), 0);
    assert_int_equal(session_receive(x.p->session, 7), 0);
    session_unreceive(x.p->session, 7, -ERR_FULL);
    assert_int_equal(session_receive(x.p->session, 7), 0);
    assert_int_equal(received_name(x.p->session, 7, &l), RECEIVED_IN_DOUBT);
    assert_int_equal(l.serial, 70);
    scene_free(&x);
}

static void a_message_is_named_by_its_client_and_a_serial(void **state)
{
    (void)state;
    struct scene x = scene_new(1);
    struct session *s = x.p->session;
    struct message_logged l = {0}, first = {0};
    assert_int_equal(session_restore_received(s, 9, 90, false), 0);
    assert_int_equal(session_restore_received(s, 5, 50, true), 0); /* not in their order */
    assert_int_equal(session_restore_received(s, 6, 60, true), 0);
    assert_int_equal(session_restore_received(s, 6, 61, true), -ERR_CORRUPT);
    assert_int_equal(session_restore_received(s, 0, 61, true), -ERR_CORRUPT);
    assert_int_equal(session_restore_received(s, 1, 0, true), -ERR_CORRUPT);
    assert_int_equal(session_receive(s, 1), 0);
    received_name(s, 1, &first);
    assert_int_equal(first.serial, 91);
    assert_int_equal(first.low_water, 91 - 50);
    assert_int_equal(session_release(s, 6), 0);
    assert_int_equal(session_release(s, 5), 0);
    assert_int_equal(session_receive(s, 65535), 0);
    received_name(s, 65535, &l);
    assert_int_equal(l.serial, 92);
    assert_int_equal(l.low_water, 2);
    assert_true(l.origin == first.origin && l.origin != 0);
    received_name(x.c->session, 1, &l);
    assert_int_equal(received_name(x.c->session, 1, &l), RECEIVED_UNKNOWN);
    s->serial = 1000000;
    assert_int_equal(session_receive(s, 2), 0);
    received_name(s, 2, &l);
    assert_int_equal(l.low_water, UINT16_MAX);
    scene_free(&x);
}

static void the_log_is_told_of_all_ids_in_their_order(void **state)
{
    (void)state;
    static const uint16_t ids[] = {1, 2, 255, 256, 1023, 40000, 65535};
    struct scene x = scene_new(1);
    struct received_fact f = {0};
    assert_false(received_next(x.p->session, 0, &f));
    for (unsigned i = ARRAY_LEN(ids); i-- > 0;)
        assert_int_equal(session_receive(x.p->session, ids[i]), 0);
    uint32_t from = 0;
    for (unsigned i = 0; i < ARRAY_LEN(ids); i++) {
        assert_true(received_next(x.p->session, from, &f));
        assert_int_equal(f.packet_id, ids[i]);
        assert_int_equal(f.serial, x.p->session->serial - i);
        from = f.packet_id + 1u;
    }
    assert_false(received_next(x.p->session, from, &f));
    for (unsigned i = 0; i < ARRAY_LEN(ids); i++)
        assert_int_equal(session_release(x.p->session, ids[i]), 0);
    received_rest(x.p->session);
    assert_null(x.p->session->received);
    scene_free(&x);
}

/* A core may remember serials of the session that ended: in doubt they would be taken for these. */
static void a_later_session_of_the_client_uses_higher_serials(void **state)
{
    (void)state;
    struct scene x = scene_new(1);
    x.k->core[0].clock.wall_ms = 1700000000000;
    for (uint16_t id = 1; id <= 1000; id++)
        assert_int_equal(session_receive(x.p->session, id), 0);
    uint64_t last = x.p->session->serial;
    assert_true(last < UINT64_MAX >> 1); /* the journal has a use for the highest bit */
    struct broker *b = x.k->broker[0];
    char name[32];
    snprintf(name, sizeof name, "%s", x.p->session->client_id);
    assert_int_equal(session_send_away(b, 0, bytes_str(name), true), 0);
    x.k->core[0].clock.wall_ms += 2;
    client_attach(x.k, x.p, &(struct attach){.client_id = bytes_str(name), .expiry_s = LONG_S});
    assert_int_equal(session_receive(x.p->session, 1), 0);
    assert_true(x.p->session->serial > last);
    scene_free(&x);
}

static void all_ids_may_be_in_use(void **state)
{
    (void)state;
    struct scene x = scene_new(1);
    for (unsigned round = 0; round < 2; round++) {
        for (uint32_t id = 1; id <= 65535; id++)
            assert_int_equal(session_receive(x.p->session, (uint16_t)id), 0);
        for (uint32_t id = 1; id <= 65535; id++) {
            uint16_t other = (uint16_t)(id * 7919 % 65536);
            if (other) assert_int_equal(session_release(x.p->session, other), 0);
        }
        assert_int_equal(session_release(x.p->session, (uint16_t)(65535u * 7919 % 65536)),
                         -ERR_ABSENT);
        for (uint32_t id = 1; id <= 65535; id++)
            session_release(x.p->session, (uint16_t)id);
    }
    scene_free(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_routed_when_its_id_is_on_disk),
        cmocka_unit_test(what_comes_after_it_waits_behind_it),
        cmocka_unit_test(so_many_may_wait_as_may_be_unaccepted),
        cmocka_unit_test(an_id_that_cannot_be_written_is_not_received),
        cmocka_unit_test(a_log_that_fails_refuses_what_waits_for_it),
        cmocka_unit_test(a_session_that_ends_has_published_what_waited),
        cmocka_unit_test(the_next_connection_hears_of_what_waited),
        cmocka_unit_test(pubcomp_waits_until_the_id_is_free_on_disk),
        cmocka_unit_test(a_failed_log_frees_no_id),
        cmocka_unit_test(what_a_failed_disk_refused_unheard_waits_for_a_restart),
        cmocka_unit_test(what_was_accepted_before_the_restart_is_only_answered),
        cmocka_unit_test(what_is_in_doubt_is_routed_again_but_not_to_those_who_may_have_it),
        cmocka_unit_test(what_is_in_doubt_goes_to_no_group_that_has_had_it),
        cmocka_unit_test(what_is_in_doubt_is_not_retained_again),
        cmocka_unit_test(what_is_refused_in_doubt_stays_in_doubt),
        cmocka_unit_test(a_message_is_named_by_its_client_and_a_serial),
        cmocka_unit_test(the_log_is_told_of_all_ids_in_their_order),
        cmocka_unit_test(a_later_session_of_the_client_uses_higher_serials),
        cmocka_unit_test(all_ids_may_be_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
