/* SPDX-License-Identifier: BSD-3-Clause */
/* test_share.c -- shared subscriptions over cores: each message to one member, none stranded. */
#include "broker/share.h"
#include "unit/broker/cluster.h"

enum { MEMBERS = 8 };

#define FILTER "$share/g/t/+"

struct party {
    struct cluster *k;
    struct client *publisher, *member[MEMBERS];
    const char *id[MEMBERS];
    unsigned n;
};

/* `n` members, spread over the cores. */
static void party_open(struct party *p, struct cluster *k, unsigned n, uint8_t qos,
                       uint32_t expiry_s)
{
    *p = (struct party){.k = k, .n = n, .publisher = client_new(k, "publisher", 0)};
    for (unsigned i = 0; i < n; i++) {
        char prefix[8];
        snprintf(prefix, sizeof prefix, "m%u-", i);
        p->id[i] = client_at(k, i, prefix);
        p->member[i] = client_new(k, p->id[i], expiry_s);
        client_sub(k, p->member[i], FILTER, qos);
    }
}

static void party_close(struct party *p)
{
    for (unsigned i = 0; i < p->n; i++) {
        struct client *again = calloc(1, sizeof *again);
        client_attach(p->k, again,
                      &(struct attach){.client_id = bytes_str(p->id[i]), .clean = true});
        client_free(p->k, again);
        client_free(p->k, p->member[i]);
    }
    client_free(p->k, p->publisher);
}

static void leave(struct party *p, unsigned i)
{
    client_detach(p->k, p->member[i], false);
}

static void come_back(struct party *p, unsigned i)
{
    client_attach(p->k, p->member[i],
                  &(struct attach){.client_id = bytes_str(p->id[i]), .expiry_s = 1000});
}

/* Publishes from..to, each to a topic of its own, so that all owners take part. */
static void say(struct party *p, unsigned from, unsigned to, uint8_t qos)
{
    for (unsigned i = from; i <= to; i++) {
        char topic[16], text[16];
        snprintf(topic, sizeof topic, "t/%u", i);
        snprintf(text, sizeof text, "%u", i);
        client_say(p->publisher, topic, text, qos, (uint16_t)(qos ? i : 0));
    }
    cluster_settle(p->k);
}

/* How often `text` was heard, by all members. */
static unsigned times_heard(const struct party *p, const char *text)
{
    unsigned n = 0;
    for (unsigned i = 0; i < p->n; i++)
        for (unsigned j = 0; j < p->member[i]->n; j++)
            n += strcmp(p->member[i]->note[j].payload, text) == 0;
    return n;
}

static void assert_each_heard(const struct party *p, unsigned from, unsigned to, unsigned least,
                              unsigned most)
{
    for (unsigned i = from; i <= to; i++) {
        char text[16];
        snprintf(text, sizeof text, "%u", i);
        unsigned n = times_heard(p, text);
        if (n < least || n > most) fprintf(stderr, "%s: heard %u times\n", text, n);
        assert_true(n >= least && n <= most);
    }
}

/* ---- names ----------------------------------------------------------------------------------- */

static void the_filter_of_a_shared_name_begins_behind_the_group(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t at;
    } rows[] = {{"$share/g/t", 9}, {"$share/group/a/b", 13}, {"$share/g/", 9}, {"$share/g", 0},
                {"$share", 0},     {"$share/", 0},           {"share/g/t", 0}, {"", 0},
                {"$share/g/#", 9}, {"$shared/g/t", 0}};
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(share_filter_at(bytes_str(rows[i].name)), rows[i].at);
}

/* ---- one of them ------------------------------------------------------------------------------
 */

static void each_message_goes_to_one_member_in_turn(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        for (uint8_t qos = 0; qos <= 2; qos++) {
            struct party p;
            party_open(&p, k, MEMBERS, qos, 0);
            for (unsigned i = 0; i < 400; i++)
                client_pub(k, p.publisher, "t/x", "one", qos);
            assert_int_equal(times_heard(&p, "one"), 400);
            for (unsigned i = 0; i < MEMBERS; i++)
                assert_int_equal(p.member[i]->n, 400 / MEMBERS);
            party_close(&p);
        }
    }
}

static void a_core_with_more_members_online_gets_more(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(2, NULL);
    struct client *m[4], *p = client_new(k, "p", 0);
    for (unsigned i = 0; i < 4; i++) {
        m[i] = client_new(k, client_at(k, i == 3, (const char *[]){"a", "b", "c", "d"}[i]), 0);
        client_sub(k, m[i], "$share/g/t", 0);
    }
    for (unsigned i = 0; i < 40; i++)
        client_pub(k, p, "t", "x", 0);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(m[i]->n, 10);
    for (unsigned i = 0; i < 4; i++)
        client_free(k, m[i]);
    client_free(k, p);
    cluster_free(k);
}

static void groups_and_others_each_get_their_own_copy(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct client *p = client_new(k, "p", 0);
        static const char *const filters[] = {"$share/g/t/#", "$share/h/t/#", "$share/g/t/1", "t/#",
                                              "$share/g/other"};
        static const char *const heard[] = {"x", "x", "x", "x x", ""};
        struct client *c[ARRAY_LEN(filters)];
        for (unsigned i = 0; i < ARRAY_LEN(filters); i++) {
            char id[8];
            snprintf(id, sizeof id, "c%u", i);
            c[i] = client_new(k, id, 0);
            client_sub(k, c[i], filters[i], 0);
        }
        client_sub(k, c[3], "$share/h/t/1", 0); /* overlapping: once as each */
        client_pub(k, p, "t/1", "x", 0);
        for (unsigned i = 0; i < ARRAY_LEN(filters); i++) {
            assert_string_equal(client_heard(c[i]), heard[i]);
            client_free(k, c[i]);
        }
        client_free(k, p);
    }
}

/* 4.8.2: no retained messages when a shared subscription is made. */
static void a_shared_subscription_gets_nothing_retained(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct client *p = client_new(k, "p", 0);
        client_say(p, "t/1", "old", 1 | SAY_RETAINED, 1);
        cluster_settle(k);
        client_sub(k, p, "$share/g/t/1", 1);
        client_sub(k, p, "$share/g/t/+", 1);
        assert_int_equal(p->n, 0);
        struct sub_request as_is = {
            .filter = BYTES("$share/h/t/1"), .qos = 1, .retain_as_published = true, .sub_id = 9};
        client_ask(p, &as_is);
        cluster_settle(k);
        client_say(p, "t/1", "new", 1 | SAY_RETAINED, 2);
        cluster_settle(k);
        assert_int_equal(p->n, 3);
        unsigned retained = 0;
        for (unsigned i = 0; i < 3; i++) {
            retained += p->note[i].retain;
            assert_int_equal(p->note[i].nids, p->note[i].retain);
        }
        assert_int_equal(retained, 1);
        client_free(k, p);
    }
}

static void an_expired_message_reaches_no_member(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(2, NULL);
    struct client *c = client_new(k, client_at(k, 0, "c"), 0);
    struct publication gone = {.topic = bytes_str(topic_at(k, 1, "t")), .has_expiry = true};
    char filter[64];
    uint32_t mailed = 0;
    gone.topic_hash = broker_topic_hash(k->broker[0], gone.topic);
    snprintf(filter, sizeof filter, "$share/g/%.*s", (int)gone.topic.n, (const char *)gone.topic.p);
    client_sub(k, c, filter, 0);
    broker_publish(c->session, &gone, 0, 0, &mailed);
    cluster_settle(k);
    assert_int_equal(c->n, 0);
    assert_int_equal(counter_read(&k->core[0].counters, C_dropped_expired), 1);
    client_free(k, c);
    cluster_free(k);
}

/* ---- members leave ------------------------------------------------------------------------------
 */

static void what_a_member_has_not_confirmed_goes_to_another_wherever_that_is(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        for (uint32_t expiry_s = 0; expiry_s <= 1000; expiry_s += 1000) {
            struct party p;
            party_open(&p, k, 4, 1, expiry_s);
            say(&p, 1, 100, 1);
            for (unsigned i = 0; i < p.member[0]->n; i += 2)
                session_on_puback(p.member[0]->session, p.member[0]->note[i].packet_id);
            unsigned open = p.member[0]->n / 2, others = 100 - p.member[0]->n;
            assert_true(open > 0);
            leave(&p, 0);
            unsigned now = p.member[1]->n + p.member[2]->n + p.member[3]->n;
            assert_int_equal(now, others + open);
            assert_each_heard(&p, 1, 100, 1, 2);
            party_close(&p);
        }
    }
}

/* [MQTT-4.8.2-4]: QoS 2 that is in flight stays with its client. */
static void qos_2_in_flight_stays_with_its_client(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct party p;
        party_open(&p, k, 3, 2, 1000);
        say(&p, 1, 30, 2);
        unsigned had = p.member[0]->n;
        leave(&p, 0);
        assert_each_heard(&p, 1, 30, 1, 1);
        client_forget(p.member[0]);
        come_back(&p, 0);
        assert_int_equal(p.member[0]->n, had);
        assert_true(p.member[0]->note[0].dup);
        party_close(&p);
    }
}

static void with_nobody_online_qos_1_is_kept_and_qos_0_is_not(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct party p;
        party_open(&p, k, 4, 1, 1000);
        for (unsigned i = 0; i < 4; i++)
            leave(&p, i);
        say(&p, 1, 40, 1);
        say(&p, 41, 50, 0);
        for (unsigned i = 0; i < 4; i++)
            come_back(&p, i);
        assert_each_heard(&p, 1, 40, 1, 1);
        assert_each_heard(&p, 41, 50, 0, 0);
        party_close(&p);
    }
}

static void nothing_is_kept_for_who_is_offline_while_another_is_online(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        for (unsigned there = 0; there < 4; there++) {
            struct party p;
            party_open(&p, k, 4, 1, 1000);
            for (unsigned i = 0; i < 4; i++)
                if (i != there) leave(&p, i);
            say(&p, 1, 100, 1);
            assert_int_equal(p.member[there]->n, 100);
            party_close(&p);
        }
    }
}

/* One after the other all leave: what is not confirmed moves on, to the last, and is kept. */
static void messages_move_on_until_the_last_has_left(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct party p;
        party_open(&p, k, 5, 1, 1000);
        say(&p, 1, 50, 1);
        for (unsigned i = 0; i < 5; i++) {
            for (unsigned j = 0; j < 5; j++)
                client_forget(p.member[j]);
            leave(&p, i);
        }
        for (unsigned i = 0; i < 5; i++)
            come_back(&p, i);
        assert_each_heard(&p, 1, 50, 1, 1);
        party_close(&p);
    }
}

/* The gaps that messages leave in the window must not close it. */
static void a_member_whose_messages_went_to_others_still_has_its_window(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(1, NULL);
    struct client *p = client_new(k, "p", 0), *c = calloc(1, sizeof *c);
    struct attach a = {.client_id = BYTES("c"), .expiry_s = 1000, .receive_max = 1};
    for (unsigned i = 0; i < 10; i++) {
        client_forget(c);
        client_attach(k, c, &a);
        if (i == 0) client_sub(k, c, "$share/g/t", 1);
        if (i == 0) client_sub(k, c, "direct", 1);
        client_pub(k, p, "t", "x", 1);
        assert_true(c->n > 0);
        client_detach(k, c, false);
    }
    assert_int_equal(broker_unsubscribe(p->session, BYTES("t")), -ERR_ABSENT);
    client_forget(c);
    client_attach(k, c, &a);
    client_pub(k, p, "direct", "y", 1);
    for (unsigned i = 0; i < c->n; i++) {
        assert_int_equal(session_on_puback(c->session, c->note[i].packet_id), 0);
        cluster_settle(k);
    }
    assert_int_equal(c->n, 11);
    assert_string_equal(c->note[10].payload, "y");
    session_set_expiry(c->session, 0);
    client_free(k, c);
    client_free(k, p);
    cluster_free(k);
}

/* ---- while mail is under way
 * ----------------------------------------------------------------------- */

enum leaving { DISCONNECTS, ENDS, UNSUBSCRIBES };

/* Ten messages are `moment` turns on their way when the members of core 1 leave. */
static void leave_at(unsigned moment, uint8_t qos, enum leaving how)
{
    struct cluster *k = cluster_new(3, NULL);
    struct client *p = client_new(k, client_at(k, 0, "p"), 0);
    struct client *a = client_new(k, client_at(k, 1, "a"), how == ENDS ? 0 : 1000);
    struct client *b = client_new(k, client_at(k, 2, "b"), 0);
    client_sub(k, a, FILTER, qos);
    client_sub(k, b, FILTER, qos);
    for (unsigned i = 0; i < 10; i++) {
        char topic[8];
        snprintf(topic, sizeof topic, "t/%u", i);
        client_say(p, topic, "x", qos, (uint16_t)(qos ? i + 1 : 0));
    }
    for (unsigned turn = 0; turn < moment; turn++)
        cluster_turn(k, turn % 3);
    unsigned had = a->n;
    if (how == UNSUBSCRIBES) {
        broker_unsubscribe(a->session, BYTES(FILTER));
    } else {
        session_detach(a->session, false);
        a->session = NULL;
    }
    cluster_settle(k);
    /* At QoS 1 what it had comes again elsewhere, unless it only unsubscribed. */
    assert_int_equal(b->n, qos == 1 && how != UNSUBSCRIBES ? 10 : 10 - had);
    if (a->session) session_set_expiry(a->session, 0);
    client_free(k, a);
    client_free(k, b);
    client_free(k, p);
    cluster_free(k);
}

static void a_message_to_a_core_whose_members_have_just_left_comes_back(void **state)
{
    (void)state;
    for (unsigned moment = 0; moment < 6; moment++)
        for (uint8_t qos = 0; qos <= 1; qos++) {
            leave_at(moment, qos, DISCONNECTS);
            leave_at(moment, qos, ENDS);
            leave_at(moment, qos, UNSUBSCRIBES);
        }
}

static void a_group_may_be_emptied_while_messages_are_under_way(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        for (unsigned moment = 0; moment < 8; moment++) {
            struct party p;
            party_open(&p, k, 3, 1, 0);
            for (unsigned i = 1; i <= 20; i++) {
                char topic[8];
                snprintf(topic, sizeof topic, "t/%u", i);
                client_say(p.publisher, topic, "x", 1, (uint16_t)i);
            }
            for (unsigned turn = 0; turn < moment; turn++)
                cluster_turn(k, turn % k->cores);
            for (unsigned i = 0; i < 3; i++) {
                session_detach(p.member[i]->session, false);
                p.member[i]->session = NULL;
                if (moment % 2) cluster_turn(k, i % k->cores);
            }
            cluster_settle(k);
            assert_int_equal(p.publisher->accepted, 20);
            for (unsigned i = 0; i < k->cores; i++) {
                assert_int_equal(k->broker[i]->shares.used, 0);
                assert_int_equal(k->broker[i]->interest.trie.used, 0);
            }
            party_close(&p);
        }
    }
}

/* Members come and go at random; at the end each message was heard, or is kept for nobody. */
static void at_random_nothing_is_lost_and_nothing_is_stranded(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct party p;
        struct rng rng;
        rng_seed(&rng, 4711);
        party_open(&p, k, MEMBERS, 1, 1000);
        for (unsigned i = 1; i <= 900; i++) {
            char topic[16], text[16];
            unsigned m = (unsigned)(rng_u64(&rng) % MEMBERS);
            snprintf(topic, sizeof topic, "t/%u", i % 40);
            snprintf(text, sizeof text, "%u", i);
            client_say(p.publisher, topic, text, 1, (uint16_t)i);
            cluster_turn(k, (unsigned)(rng_u64(&rng) % k->cores));
            if (i % 13 == 0) cluster_settle(k); /* acceptances */
            if (i % 5 || m == 0) continue;      /* the first stays */
            if (p.member[m]->session) {
                session_detach(p.member[m]->session, false);
                p.member[m]->session = NULL;
            } else {
                come_back(&p, m);
            }
        }
        cluster_settle(k);
        assert_each_heard(&p, 1, 900, 1, 900); /* nobody confirms, so some come often */
        for (unsigned i = 0; i < k->cores; i++)
            assert_int_equal(counter_read(&k->core[i].counters, C_queued), 0);
        party_close(&p);
    }
}

/* [MQTT-3.10.4-3] */
static void who_unsubscribes_leaves_to_others_what_it_does_not_confirm(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(2, NULL);
    struct client *a = calloc(1, sizeof *a), *b = client_new(k, client_at(k, 1, "b"), 0);
    struct attach narrow = {
        .client_id = bytes_str(client_at(k, 0, "a")), .expiry_s = 60, .receive_max = 1};
    client_attach(k, a, &narrow);
    client_sub(k, a, "$share/g/t", 1);
    client_pub(k, b, "t", "sent", 1);
    client_pub(k, b, "t", "waits", 1);
    client_sub(k, b, "$share/g/t", 1);
    assert_string_equal(client_heard(a), "sent");
    assert_string_equal(client_heard(b), "");
    assert_int_equal(broker_unsubscribe(a->session, BYTES("$share/g/t")), 0);
    cluster_settle(k);
    assert_string_equal(client_heard(b), "waits");
    client_detach(k, a, false);
    assert_string_equal(client_heard(b), "waits sent");
    client_attach(k, a, &narrow);
    assert_string_equal(client_heard(a), "sent"); /* not again */
    session_set_expiry(a->session, 0);
    client_free(k, a);
    client_free(k, b);
    cluster_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_filter_of_a_shared_name_begins_behind_the_group),
        cmocka_unit_test(each_message_goes_to_one_member_in_turn),
        cmocka_unit_test(a_core_with_more_members_online_gets_more),
        cmocka_unit_test(groups_and_others_each_get_their_own_copy),
        cmocka_unit_test(a_shared_subscription_gets_nothing_retained),
        cmocka_unit_test(an_expired_message_reaches_no_member),
        cmocka_unit_test(what_a_member_has_not_confirmed_goes_to_another_wherever_that_is),
        cmocka_unit_test(qos_2_in_flight_stays_with_its_client),
        cmocka_unit_test(with_nobody_online_qos_1_is_kept_and_qos_0_is_not),
        cmocka_unit_test(nothing_is_kept_for_who_is_offline_while_another_is_online),
        cmocka_unit_test(messages_move_on_until_the_last_has_left),
        cmocka_unit_test(a_member_whose_messages_went_to_others_still_has_its_window),
        cmocka_unit_test(a_message_to_a_core_whose_members_have_just_left_comes_back),
        cmocka_unit_test(a_group_may_be_emptied_while_messages_are_under_way),
        cmocka_unit_test(at_random_nothing_is_lost_and_nothing_is_stranded),
        cmocka_unit_test(who_unsubscribes_leaves_to_others_what_it_does_not_confirm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
