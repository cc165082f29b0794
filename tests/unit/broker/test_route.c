/* SPDX-License-Identifier: BSD-3-Clause */
/* test_route.c -- a topic's owner sends to the cores that have somebody, and to no others. Also
 * interest.c, which knows them. */
#include "unit/broker/cluster.h"

static uint64_t mails(struct cluster *k)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < k->cores; i++)
        n += mesh_counts(k->core[i].mesh).sent;
    return n;
}

/* One mail to the owner, one to each other core with a subscriber, whatever their number. */
static void a_message_is_mailed_once_to_each_core_that_has_subscribers(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(16, NULL);
    const char *topic = topic_at(k, 3, "t");
    struct client *p = client_new(k, client_at(k, 0, "p"), 0), *c[32];
    for (unsigned n = 0; n < 32; n++) {
        uint64_t before = mails(k);
        client_pub(k, p, topic, "x", 0);
        uint64_t cores = n < 16 ? n : 16;
        cores -= n > 3; /* the owner's own needs none */
        assert_int_equal(mails(k) - before, 1 + cores);
        char id[16];
        snprintf(id, sizeof id, "c%u-", n);
        c[n] = client_new(k, client_at(k, n % 16, id), 0);
        client_sub(k, c[n], topic, 0);
    }
    for (unsigned n = 32; n-- > 0;) { /* and back */
        client_free(k, c[n]);
        uint64_t before = mails(k);
        client_pub(k, p, topic, "x", 0);
        uint64_t cores = n < 16 ? n : 16;
        cores -= n > 3;
        assert_int_equal(mails(k) - before, 1 + cores);
    }
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(k->broker[i]->interest.exact.used, 0);
    client_free(k, p);
    cluster_free(k);
}

/* The owner of a filter without wildcards is its topic's; one with wildcards has all. */
static void an_exact_filter_is_known_to_its_owner_alone(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct client *c = client_new(k, "c", 0);
        const char *topic = topic_at(k, 2, "t");
        client_sub(k, c, topic, 0);
        client_sub(k, c, "w/+", 0);
        client_sub(k, c, "$share/g/w/#", 0);
        for (unsigned i = 0; i < k->cores; i++) {
            unsigned knows = k->broker[i]->interest.exact.used;
            assert_int_equal(knows, i == 2 % k->cores);
            assert_int_equal(k->broker[i]->interest.trie.root.entries, 2);
        }
        client_free(k, c);
        for (unsigned i = 0; i < k->cores; i++) {
            assert_int_equal(k->broker[i]->interest.exact.used, 0);
            assert_int_equal(k->broker[i]->interest.trie.root.entries, 0);
        }
    }
}

static void interest_lasts_until_the_last_subscriber_of_a_core_has_gone(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct client *a = client_new(k, client_at(k, 1, "a"), 0), *p = client_new(k, "p", 0);
        struct client *b = client_new(k, client_at(k, 1, "b"), 0);
        for (unsigned round = 0; round < 3; round++) {
            client_sub(k, a, "t", 0);
            client_sub(k, b, "t", 0);
            client_pub(k, p, "t", "1", 0);
            broker_unsubscribe(a->session, BYTES("t"));
            client_pub(k, p, "t", "2", 0);
            broker_unsubscribe(b->session, BYTES("t"));
            client_pub(k, p, "t", "3", 0);
            assert_string_equal(client_heard(a), "1");
            assert_string_equal(client_heard(b), "1 2");
            client_forget(a);
            client_forget(b);
        }
        client_free(k, a);
        client_free(k, b);
        client_free(k, p);
    }
}

/* "gone" and the next question are in one ring, in order. */
static void who_unsubscribes_and_subscribes_at_once_is_subscribed(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct client *c = client_new(k, "c", 0), *p = client_new(k, "p", 0);
        struct sub_request r = {.filter = BYTES("t/+")};
        client_sub(k, c, "t/+", 0);
        struct sub_batch batch[20];
        for (unsigned i = 0; i < 20; i++) {
            batch[i] = (struct sub_batch){.session = c->session, .done = client_subscribed};
            c->suback = false;
            broker_unsubscribe(c->session, BYTES("t/+"));
            broker_subscribe(c->session, &r, &batch[i]);
            broker_subscribe_end(&batch[i]);
        }
        cluster_settle(k);
        assert_true(c->suback);
        assert_null(c->session->batches);
        client_pub(k, p, "t/1", "x", 0);
        assert_string_equal(client_heard(c), "x");
        client_free(k, c);
        client_free(k, p);
    }
}

/* A filter nobody on a core has any more: what is still sent there is dropped, and frees. */
static void a_message_for_subscribers_who_have_just_gone_is_dropped(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct client *c = client_new(k, client_at(k, 1, "c"), 0);
        struct client *p = client_new(k, client_at(k, 0, "p"), 0);
        client_sub(k, c, "t", 1);
        client_say(p, "t", "x", 1, 1);
        session_detach(c->session, false);
        c->session = NULL;
        cluster_settle(k);
        assert_int_equal(p->accepted, 1);
        assert_int_equal(c->n, 0);
        client_free(k, c);
        client_free(k, p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_mailed_once_to_each_core_that_has_subscribers),
        cmocka_unit_test(an_exact_filter_is_known_to_its_owner_alone),
        cmocka_unit_test(interest_lasts_until_the_last_subscriber_of_a_core_has_gone),
        cmocka_unit_test(who_unsubscribes_and_subscribes_at_once_is_subscribed),
        cmocka_unit_test(a_message_for_subscribers_who_have_just_gone_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
