/* SPDX-License-Identifier: BSD-3-Clause */
/* test_match.c -- who gets a message on one core, with and without the cache. */
#include "broker/match.h"

#include "unit/broker/cluster.h"

static uint64_t of(struct cluster *k, enum counter which)
{
    return counter_read(&k->core[0].counters, which);
}

static void sub_with(struct cluster *k, struct client *c, struct sub_request r)
{
    assert_int_equal(client_ask(c, &r), r.qos);
    cluster_settle(k);
}

/* Owner and receiver each look up once or hit. */
static void the_third_message_of_a_topic_is_answered_from_the_caches(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(1, NULL);
    struct client *c = client_new(k, "c", 0);
    client_sub(k, c, "a/+", 0);
    for (unsigned i = 0; i < 10; i++) {
        client_pub(k, c, "a/b", "x", 0);
        uint64_t hits = i < 2 ? 0 : (i - 1) * 2;
        assert_int_equal(of(k, C_match_hits), hits);
        assert_int_equal(of(k, C_match_misses), i < 2 ? (i + 1) * 2 : 4);
    }
    assert_int_equal(c->n, 10);
    client_free(k, c);
    cluster_free(k);
}

static void every_change_of_a_subscription_is_seen_by_the_next_message(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct client *p = client_new(k, "p", 0), *c = client_new(k, "c", 0);
        struct client *d = client_new(k, "d", 0);
        client_sub(k, d, "#", 0);
        for (unsigned round = 0; round < 5; round++) {
            client_forget(c);
            for (unsigned i = 0; i < 5; i++)
                client_pub(k, p, "a/b", "x", 2); /* hot */
            assert_int_equal(c->n, 0);
            client_sub(k, c, "a/+", 0);
            client_pub(k, p, "a/b", "x", 2);
            assert_int_equal(c->n, 1);
            client_pub(k, p, "a/b", "x", 2);
            client_pub(k, p, "a/b", "x", 2);
            client_sub(k, c, "a/b", 2);
            client_pub(k, p, "a/b", "x", 2);
            assert_int_equal(c->n, 4);
            assert_int_equal(c->note[3].qos, 2);
            sub_with(k, c, (struct sub_request){.filter = BYTES("a/b"), .qos = 1, .sub_id = 3});
            client_pub(k, p, "a/b", "x", 2);
            assert_int_equal(c->note[4].qos, 1);
            assert_int_equal(c->note[4].ids[0], 3);
            assert_int_equal(broker_unsubscribe(c->session, BYTES("a/b")), 0);
            client_pub(k, p, "a/b", "x", 2);
            assert_int_equal(c->note[5].qos, 0);
            assert_int_equal(c->note[5].nids, 0);
            assert_int_equal(broker_unsubscribe(c->session, BYTES("a/+")), 0);
            client_pub(k, p, "a/b", "x", 2);
            assert_int_equal(c->n, 6);
        }
        assert_int_equal(d->n, 5 * 12);
        client_free(k, c);
        client_free(k, d);
        client_free(k, p);
    }
}

/* Two topics in one slot of the cache, and more than a hundred over few slots. */
static void topics_that_share_a_slot_do_not_take_each_others_result(void **state)
{
    (void)state;
    struct broker_options o = BROKER_OPTIONS_DEFAULT;
    o.match_cache = 2;
    EACH_CLUSTER(k, &o)
    {
        struct client *p = client_new(k, "p", 0), *c[2];
        c[0] = client_new(k, "c0", 0);
        c[1] = client_new(k, "c1", 0);
        client_sub(k, c[0], "even/+", 0);
        client_sub(k, c[1], "odd/+", 0);
        for (unsigned i = 0; i < 400; i++) {
            char topic[16];
            snprintf(topic, sizeof topic, "%s/%u", i / 3 % 2 ? "odd" : "even", i / 40);
            client_pub(k, p, topic, topic, 0);
        }
        assert_int_equal(c[0]->n + c[1]->n, 400);
        for (unsigned i = 0; i < c[0]->n; i++)
            assert_memory_equal(c[0]->note[i].topic, "even/", 5);
        for (unsigned i = 0; i < c[1]->n; i++)
            assert_memory_equal(c[1]->note[i].topic, "odd/", 4);
        client_free(k, p);
        client_free(k, c[0]);
        client_free(k, c[1]);
    }
}

/* [MQTT-3.8.3-3]: what others get with both subscriptions, the publisher gets with one: in both
 * orders of subscribing, and when the others' result is hot. */
static void a_hot_result_is_not_used_for_a_publisher_who_wants_less(void **state)
{
    (void)state;
    for (unsigned order = 0; order < 2; order++)
        EACH_SIZE(k)
        {
            struct client *c = client_new(k, "c", 0), *other = client_new(k, "other", 0);
            struct sub_request r[2] = {
                {.filter = BYTES("t"), .qos = 2, .sub_id = 1, .no_local = true},
                {.filter = BYTES("+"), .qos = 1, .sub_id = 2}};
            if (order) {
                r[0].filter = BYTES("+");
                r[1].filter = BYTES("t");
            }
            sub_with(k, c, r[0]);
            sub_with(k, c, r[1]);
            for (unsigned i = 0; i < 4; i++)
                client_pub(k, other, "t", "yours", 2);
            client_pub(k, c, "t", "mine", 2);
            client_pub(k, other, "t", "yours", 2);
            assert_int_equal(c->n, 6);
            for (unsigned i = 0; i < 6; i++) {
                bool mine = i == 4;
                assert_int_equal(c->note[i].qos, mine ? 1 : 2);
                assert_int_equal(c->note[i].nids, mine ? 1 : 2);
            }
            assert_int_equal(c->note[4].ids[0], 2);
            client_free(k, c);
            client_free(k, other);
        }
}

static void many_identifiers_are_kept_up_to_a_bound(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(1, NULL);
    struct client *c = client_new(k, "c", 0), *d = client_new(k, "d", 0);
    static const char *const filters[] = {"#",       "+/#",     "a/#",     "+/+/#",   "a/+/#",
                                          "+/b/#",   "a/b/#",   "+/+/+/#", "a/+/+/#", "+/b/+/#",
                                          "+/+/c/#", "a/b/+/#", "a/+/c/#", "+/b/c/#", "a/b/c/#",
                                          "+/+/+/+", "a/+/+/+", "+/b/+/+", "+/+/c/+", "a/b/c/d"};
    for (unsigned i = 0; i < ARRAY_LEN(filters); i++) {
        struct sub_request r = {.filter = bytes_str(filters[i]), .sub_id = i + 1, .qos = 1};
        sub_with(k, c, r); /* their identifiers come in turn */
        sub_with(k, d, r);
    }
    client_pub(k, c, "a/b/c/d", "x", 1);
    assert_int_equal(c->n, 1);
    assert_int_equal(c->note[0].nids, 16);
    assert_int_equal(d->n, 1);
    assert_int_equal(d->note[0].nids, 16);
    client_detach(k, d, false); /* its queue kept a copy of them, or not */
    client_free(k, c);
    client_free(k, d);
    cluster_free(k);
}

/* More targets and identifiers than the scratch begins with. */
static void a_thousand_sessions_each_get_theirs(void **state)
{
    (void)state;
    enum { MANY = 1000 };
    struct cluster *k = cluster_new(1, NULL);
    static struct client *c[MANY];
    for (unsigned i = 0; i < MANY; i++) {
        char id[16];
        snprintf(id, sizeof id, "c%u", i);
        c[i] = client_new(k, id, 0);
        sub_with(k, c[i], (struct sub_request){.filter = BYTES("t"), .sub_id = i + 1});
        sub_with(k, c[i], (struct sub_request){.filter = BYTES("+"), .sub_id = i + MANY});
    }
    client_pub(k, c[0], "t", "x", 0);
    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(c[i]->n, 1);
        assert_int_equal(c[i]->note[0].nids, 2);
        assert_int_equal(c[i]->note[0].ids[0] + c[i]->note[0].ids[1], 2 * i + MANY + 1);
    }
    for (unsigned i = 0; i < MANY; i++)
        client_free(k, c[i]);
    cluster_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_third_message_of_a_topic_is_answered_from_the_caches),
        cmocka_unit_test(every_change_of_a_subscription_is_seen_by_the_next_message),
        cmocka_unit_test(topics_that_share_a_slot_do_not_take_each_others_result),
        cmocka_unit_test(a_hot_result_is_not_used_for_a_publisher_who_wants_less),
        cmocka_unit_test(many_identifiers_are_kept_up_to_a_bound),
        cmocka_unit_test(a_thousand_sessions_each_get_theirs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
