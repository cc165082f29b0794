/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit/broker/cluster.h"

#include "admin/sys.h"

enum { INTERVAL_S = 10 };

/* ---- the clock, linked in place of the operating system's ----------------------------------- */

void clock_tick(struct clock *c)
{
    (void)c; /* cluster_advance() lets time pass */
}

struct house {
    struct cluster *k;
    struct sys_shared shared;
    struct sys *sys[CLUSTER_CORES];
};

static struct house house_new(struct cluster *k, struct house *h, uint32_t interval_s)
{
    *h = (struct house){.k = k, .shared = {.version = "9.8.7", .interval_s = interval_s}};
    for (unsigned i = 0; i < k->cores; i++) {
        h->sys[i] = sys_new(&k->core[i], k->broker[i], &h->shared);
        assert_non_null(h->sys[i]);
    }
    return *h;
}

static void house_free(struct house *h)
{
    for (unsigned i = 0; i < h->k->cores; i++)
        sys_free(&h->sys[i]);
}

/* The payload heard last for this topic; NULL: none. */
static const char *heard(const struct client *c, const char *topic)
{
    for (unsigned i = c->n; i-- > 0;)
        if (strcmp(c->note[i].topic, topic) == 0) return c->note[i].payload;
    return NULL;
}

static void assert_heard(const struct client *c, const char *topic, const char *value)
{
    const char *got = heard(c, topic);

    if (!got) fail_msg("nothing of %s", topic);
    assert_string_equal(got, value);
}

static void figures_are_those_of_all_cores(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct house h;
        house_new(k, &h, INTERVAL_S);
        struct client *c = client_new(k, "c", 0), *gone = client_new(k, "gone", 100);
        client_sub(k, c, "$SYS/#", 0);
        client_detach(k, gone, false);
        cluster_advance(k, 1);
        assert_heard(c, "$SYS/broker/version", "pinion version 9.8.7");
        assert_heard(c, "$SYS/broker/clients/total", "2");
        assert_heard(c, "$SYS/broker/clients/connected", "1");
        assert_heard(c, "$SYS/broker/clients/disconnected", "1");
        assert_heard(c, "$SYS/broker/clients/maximum", "2");
        assert_heard(c, "$SYS/broker/subscriptions/count", "1");
        assert_non_null(heard(c, "$SYS/broker/load/messages/received/15min"));
        for (unsigned i = 0; i < k->cores; i++) {
            char topic[64];
            snprintf(topic, sizeof topic, "$SYS/broker/cores/%u/mesh/sent", i);
            assert_non_null(heard(c, topic));
        }
        cluster_advance(k, 99); /* the other one's session ends */
        cluster_advance(k, INTERVAL_S);
        assert_heard(c, "$SYS/broker/clients/expired", "1");
        assert_heard(c, "$SYS/broker/clients/total", "1");
        assert_heard(c, "$SYS/broker/clients/maximum", "2");
        client_free(k, c);
        client_free(k, gone);
        house_free(&h);
    }
}

static void value_that_stays_is_not_published_again(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct house h;
        house_new(k, &h, INTERVAL_S);
        struct client *c = client_new(k, "c", 0);
        client_sub(k, c, "$SYS/broker/clients/#", 0);
        cluster_advance(k, 1);
        unsigned before = c->n;
        assert_true(before > 0);
        for (unsigned i = 0; i < 5; i++)
            cluster_advance(k, INTERVAL_S);
        assert_int_equal(c->n, before);
        client_free(k, c);
        house_free(&h);
    }
}

static void who_comes_later_gets_what_was_told_last(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct house h;
        house_new(k, &h, INTERVAL_S);
        cluster_advance(k, 1);
        struct client *c = client_new(k, "c", 0);
        client_sub(k, c, "$SYS/broker/version", 1);
        assert_int_equal(c->n, 1);
        assert_true(c->note[0].retain);
        client_sub(k, c, "#", 0); /* [MQTT-4.7.2-1] */
        client_sub(k, c, "+/broker/version", 0);
        assert_int_equal(c->n, 1);
        client_free(k, c);
        house_free(&h);
    }
}

static void load_rises_and_fades(void **state)
{
    struct cluster *k = cluster_new(1, NULL);
    struct house h;

    (void)state;
    house_new(k, &h, INTERVAL_S);
    struct client *c = client_new(k, "c", 0);
    client_sub(k, c, "$SYS/broker/load/messages/received/+", 0);
    cluster_advance(k, 1);
    count_add(&k->core[0].counters, C_messages_received, 1000);
    cluster_advance(k, INTERVAL_S);
    double one = atof(heard(c, "$SYS/broker/load/messages/received/1min"));
    double fifteen = atof(heard(c, "$SYS/broker/load/messages/received/15min"));
    assert_true(one > fifteen && fifteen > 0 && one < 6000);
    for (unsigned i = 0; i < 30; i++)
        cluster_advance(k, INTERVAL_S);
    assert_true(atof(heard(c, "$SYS/broker/load/messages/received/1min")) < one / 50);
    client_free(k, c);
    house_free(&h);
    cluster_free(k);
}

static void interval_of_zero_is_silence(void **state)
{
    struct cluster *k = cluster_new(2, NULL);
    struct house h;

    (void)state;
    house_new(k, &h, 0);
    struct client *c = client_new(k, "c", 0);
    client_sub(k, c, "$SYS/#", 0);
    for (unsigned i = 0; i < 100; i++)
        cluster_advance(k, 1);
    assert_int_equal(c->n, 0);
    client_free(k, c);
    house_free(&h);
    cluster_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_are_those_of_all_cores),
        cmocka_unit_test(value_that_stays_is_not_published_again),
        cmocka_unit_test(who_comes_later_gets_what_was_told_last),
        cmocka_unit_test(load_rises_and_fades),
        cmocka_unit_test(interval_of_zero_is_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
