/* SPDX-License-Identifier: BSD-3-Clause */
#include "cluster.h"

#include "broker/inspect.h"

struct seen {
    unsigned n, stop_at;
    char text[4096];
};

static bool see(struct seen *s, struct bytes b)
{
    size_t n = strlen(s->text);

    snprintf(s->text + n, sizeof s->text - n, "%.*s ", (int)b.n, (const char *)b.p);
    return ++s->n != s->stop_at;
}

static bool see_client(const struct inspect_client *c, void *arg)
{
    return see(arg, c->client_id);
}

static bool see_subscription(const struct inspect_subscription *s, void *arg)
{
    return see(arg, s->filter);
}

static bool see_topic(const struct inspect_topic *t, void *arg)
{
    return see(arg, t->topic);
}

static void every_session_is_seen_once_on_its_home(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct client *c[50];
        struct seen s = {.stop_at = 0};
        char name[16];
        for (unsigned i = 0; i < 50; i++) {
            snprintf(name, sizeof name, "c%02u", i);
            c[i] = client_new(k, name, 100);
        }
        client_detach(k, c[0], false);
        for (unsigned i = 0; i < k->cores; i++)
            for (uint64_t at = 0; (at = inspect_clients(k->broker[i], at, see_client, &s)) != 0;) {
            }
        assert_int_equal(s.n, 50);
        for (unsigned i = 0; i < 50; i++) {
            snprintf(name, sizeof name, "c%02u ", i);
            assert_non_null(strstr(s.text, name));
            client_free(k, c[i]);
        }
    }
}

static void no_page_repeats_what_the_one_before_had(void **state)
{
    struct cluster *k = cluster_new(1, NULL);
    struct client *c[20];
    struct seen s = {.stop_at = 1};
    uint64_t at = 0;
    unsigned pages = 0;
    char name[16];

    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "c%02u", i);
        c[i] = client_new(k, name, 0);
    }
    do {
        s.stop_at = s.n + 1;
        at = inspect_clients(k->broker[0], at, see_client, &s);
        pages++;
    } while (at);
    assert_int_equal(s.n, 20);
    assert_true(pages >= 20);
    for (unsigned i = 0; i < 20; i++)
        client_free(k, c[i]);
    cluster_free(k);
}

static bool check_facts(const struct inspect_client *c, void *arg)
{
    (void)arg;
    assert_true(c->connected);
    assert_int_equal(c->subscriptions, 2);
    assert_int_equal(c->expiry_s, 77);
    assert_int_equal(c->queued + c->in_flight, 3);
    assert_null(c->connection.protocol); /* this sink does not tell */
    return true;
}

static void session_shows_what_it_holds(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct client *c = client_new(k, "me", 77), *other = client_new(k, "other", 0);
        struct seen s = {.stop_at = 0};
        client_sub(k, c, "a/#", 1);
        client_sub(k, c, "$share/g/b", 0);
        for (unsigned i = 0; i < 3; i++)
            client_pub(k, other, "a/b", "x", 1);
        struct broker *home = home_of(k, "me");
        assert_true(inspect_client(home, BYTES("me"), check_facts, NULL));
        assert_false(inspect_client(home, BYTES("nobody"), check_facts, NULL));
        inspect_subscriptions_of(home, BYTES("me"), 10, see_subscription, &s);
        assert_string_equal(s.text, "$share/g/b a/# ");
        inspect_subscriptions_of(home, BYTES("me"), 1, see_subscription, &s);
        assert_int_equal(s.n, 3);
        client_free(k, c);
        client_free(k, other);
    }
}

static void topics_are_retained_or_subscribed_to(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct client *c = client_new(k, "c", 0);
        struct seen retained = {.stop_at = 0}, interest = {.stop_at = 0};
        client_say(c, "kept", "x", SAY_RETAINED, 0);
        client_say(c, "both", "x", SAY_RETAINED, 0);
        client_sub(k, c, "both", 0);
        client_sub(k, c, "wanted", 0);
        client_sub(k, c, "wild/+", 0);
        for (unsigned i = 0; i < k->cores; i++) {
            assert_int_equal(inspect_retained(k->broker[i], 0, see_topic, &retained), 0);
            assert_int_equal(inspect_interest(k->broker[i], 0, see_topic, &interest), 0);
        }
        assert_int_equal(retained.n, 2);
        assert_string_equal(interest.text, "wanted ");
        client_free(k, c);
    }
}

static void client_that_is_sent_away_keeps_its_session(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct client *c = client_new(k, "me", 77);
        struct broker *home = home_of(k, "me");
        struct seen s = {.stop_at = 0};
        assert_int_equal(session_send_away(home, 0, BYTES("me"), false), 0);
        assert_true(c->kicked);
        assert_true(inspect_client(home, BYTES("me"), see_client, &s));
        client_free(k, c);
    }
}

static void session_that_is_ended_is_gone_and_its_will_is_sent(void **state)
{
    (void)state;
    for (unsigned online = 0; online < 2; online++)
        EACH_SIZE(k)
        {
            struct publication will = {.topic = BYTES("will"), .payload = BYTES("w")};
            struct attach a = {
                .client_id = BYTES("me"), .expiry_s = 77, .will = &will, .will_delay_s = 50};
            struct client *c = calloc(1, sizeof *c), *other = client_new(k, "other", 0);
            struct broker *home = home_of(k, "me");
            will.topic_hash = broker_topic_hash(home, will.topic);
            client_sub(k, other, "will", 0);
            client_attach(k, c, &a);
            if (!online) client_detach(k, c, true);
            assert_int_equal(session_send_away(home, 0, BYTES("me"), true), 0);
            assert_int_equal(session_send_away(home, 0, BYTES("me"), true), -ERR_ABSENT);
            cluster_settle(k);
            assert_string_equal(client_heard(other), "w");
            client_free(k, c);
            client_free(k, other);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_session_is_seen_once_on_its_home),
        cmocka_unit_test(no_page_repeats_what_the_one_before_had),
        cmocka_unit_test(session_shows_what_it_holds),
        cmocka_unit_test(topics_are_retained_or_subscribed_to),
        cmocka_unit_test(client_that_is_sent_away_keeps_its_session),
        cmocka_unit_test(session_that_is_ended_is_gone_and_its_will_is_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
