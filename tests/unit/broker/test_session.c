/* SPDX-License-Identifier: BSD-3-Clause */
/* test_session.c -- sessions come, are taken over, expire; wills are sent or not. */
#include "unit/broker/cluster.h"

static struct client *attach(struct cluster *k, const struct attach *a)
{
    struct client *c = calloc(1, sizeof *c);
    client_attach(k, c, a);
    return c;
}

static uint64_t total(struct cluster *k, enum counter which)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < k->cores; i++)
        n += counter_read(&k->core[i].counters, which);
    return n;
}

/* ---- take-over ---------------------------------------------------------------------------------
 */

/* [MQTT-3.1.4-3] */
static void a_second_connection_kicks_the_first_and_finds_its_state(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct client *a = client_new(k, "me", 100);
        client_sub(k, a, "t/#", 1);
        assert_false(a->present);
        struct client *b = client_new(k, "me", 100);
        assert_true(a->kicked);
        assert_null(a->session);
        assert_true(b->present);
        client_pub(k, b, "t/1", "x", 1);
        assert_string_equal(client_heard(b), "x");
        assert_int_equal(a->n, 0);
        assert_int_equal(total(k, C_takeovers), 1);
        assert_int_equal(total(k, C_sessions), 1);
        client_free(k, a);
        client_free(k, b);
    }
}

/* [MQTT-3.1.2-4] */
static void a_clean_start_finds_nothing(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        for (int connected = 0; connected < 2; connected++) {
            struct client *a = client_new(k, "me", 100);
            client_sub(k, a, "t/#", 1);
            if (!connected) client_detach(k, a, false);
            struct client *b = attach(k, &(struct attach){.client_id = BYTES("me"), .clean = true});
            assert_false(b->present);
            client_pub(k, b, "t/1", "x", 1);
            assert_int_equal(b->n, 0);
            assert_int_equal(total(k, C_subscriptions), 0);
            client_free(k, a);
            client_free(k, b);
        }
    }
}

static void a_session_that_ends_with_its_connection_is_not_taken_over_with_its_state(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct client *a = client_new(k, "me", 0);
        client_sub(k, a, "t", 1);
        struct client *b = client_new(k, "me", 100);
        assert_true(a->kicked);
        assert_false(b->present);
        assert_int_equal(total(k, C_subscriptions), 0);
        client_free(k, a);
        client_free(k, b);
    }
}

static void client_ids_may_have_any_byte_and_tenants_are_apart(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct client *c[256], *other;
        for (unsigned i = 0; i < 256; i++) {
            uint8_t id[3] = {'x', (uint8_t)i, 0};
            c[i] = attach(k, &(struct attach){.client_id = bytes_of(id, 3)});
            assert_false(c[i]->present);
            assert_true(bytes_eq(session_client_id(c[i]->session), bytes_of(id, 3)));
        }
        other = attach(k, &(struct attach){.client_id = bytes_of("xa\0", 3), .tenant = 1});
        assert_false(c['a']->kicked);
        assert_int_equal(total(k, C_sessions), 257);
        for (unsigned i = 0; i < 256; i++)
            client_free(k, c[i]);
        client_free(k, other);
        assert_int_equal(total(k, C_sessions), 0);
    }
}

/* ---- expiry -------------------------------------------------------------------------------------
 */

static bool has_state_after(struct cluster *k, uint32_t expiry_s, uint32_t away_s)
{
    struct client *a = client_new(k, "me", expiry_s);
    client_sub(k, a, "t", 0);
    client_detach(k, a, false);
    cluster_advance(k, away_s);
    struct client *b = client_new(k, "me", 0);
    bool present = b->present;
    client_free(k, a);
    client_free(k, b);
    return present;
}

/* [MQTT-3.1.2-23] */
static void a_session_outlives_its_connection_by_its_expiry(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        assert_false(has_state_after(k, 0, 0));
        assert_true(has_state_after(k, 10, 9));
        assert_false(has_state_after(k, 10, 11));
        assert_true(has_state_after(k, 5000, 4999)); /* longer than the wheel */
        assert_false(has_state_after(k, 5000, 5001));
        assert_true(has_state_after(k, SESSION_NEVER_EXPIRES, 100000000));
        assert_int_equal(total(k, C_sessions), 0);
        assert_int_equal(total(k, C_subscriptions), 0);
    }
}

static void a_connection_stops_the_clock_and_its_end_starts_it_anew(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct client *c = client_new(k, "me", 10);
        for (int round = 0; round < 5; round++) {
            client_detach(k, c, false);
            cluster_advance(k, 7);
            client_attach(k, c, &(struct attach){.client_id = BYTES("me"), .expiry_s = 10});
            assert_true(c->present);
            cluster_advance(k, 20);
        }
        session_set_expiry(c->session, 0);
        client_detach(k, c, false);
        assert_int_equal(total(k, C_sessions), 0);
        client_free(k, c);
    }
}

static void limits_hold(void **state)
{
    (void)state;
    struct broker_options o = BROKER_OPTIONS_DEFAULT;
    o.sessions_max = 2;
    o.expiry_max_s = 60;
    o.window_max = 7;
    struct cluster *k = cluster_new(1, &o);
    struct client *a = client_new(k, "a", SESSION_NEVER_EXPIRES), *b = client_new(k, "b", 5);
    struct attach more = {.client_id = BYTES("c"), .ops = &client_ops, .sink = a, .receive_max = 5};
    bool present;
    int err = 0;
    assert_int_equal(a->session->expiry_s, 60);
    assert_int_equal(a->session->window, 7);
    assert_int_equal(b->session->expiry_s, 5);
    session_set_expiry(b->session, 1000);
    assert_int_equal(b->session->expiry_s, 60);
    assert_null(session_attach(k->broker[0], &more, &present, &err));
    assert_int_equal(err, -ERR_FULL);
    struct client *again = client_new(k, "b", 0); /* no third session: a take-over */
    client_free(k, a);
    client_free(k, again);
    cluster_advance(k, 60);
    struct client *c = client_new(k, "c", 0);
    assert_int_equal(c->session->window, 7);
    client_free(k, b);
    client_free(k, c);
    cluster_free(k);
}

/* The pool is full: no will. What a client had before must still expire. */
static void
a_connection_for_whose_will_there_is_no_memory_leaves_the_session_to_expire(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(1, NULL);
    struct publication will = {.topic = BYTES("w"), .payload = BYTES("gone")};
    struct client *a = client_new(k, "me", 10);
    struct attach again = {.client_id = BYTES("me"),
                           .expiry_s = 10,
                           .receive_max = 1,
                           .ops = &client_ops,
                           .sink = a,
                           .will = &will};
    struct attach fresh = again;
    bool present;
    int err = 0;
    fresh.client_id = BYTES("you");
    client_detach(k, a, false);
    pool_set_max(k->core[0].pool, 1);
    assert_null(session_attach(k->broker[0], &again, &present, &err));
    assert_int_equal(err, -ERR_NOMEM);
    assert_null(session_attach(k->broker[0], &fresh, &present, &err));
    assert_int_equal(err, -ERR_NOMEM);
    pool_set_max(k->core[0].pool, 0);
    assert_int_equal(total(k, C_sessions), 1);
    cluster_advance(k, 11);
    assert_int_equal(total(k, C_sessions), 0);
    client_free(k, a);
    cluster_free(k);
}

/* ---- wills
 * --------------------------------------------------------------------------------------- */

enum goodbye { SAYS_GOODBYE, BREAKS, IS_TAKEN_OVER, IS_TAKEN_OVER_CLEAN };

struct will_case {
    uint32_t delay_s, expiry_s;
    enum goodbye end;
    uint32_t back_after_s; /* 0: never */
    bool back_clean;
    uint32_t sent_from_s, sent_by_s; /* 0, 0: at once; UINT32_MAX: never */
};

static const struct will_case will_cases[] = {
    /* [MQTT-3.1.2-8] [MQTT-3.14.4-3] */
    {0, 0, BREAKS, 0, false, 0, 0},
    {0, 100, BREAKS, 0, false, 0, 0},
    {0, 0, SAYS_GOODBYE, 0, false, UINT32_MAX, UINT32_MAX},
    {0, 100, SAYS_GOODBYE, 0, false, UINT32_MAX, UINT32_MAX},
    {20, 100, SAYS_GOODBYE, 0, false, UINT32_MAX, UINT32_MAX},
    /* The delay, or the session's end if that is first [MQTT-3.1.3-9]. */
    {20, 100, BREAKS, 0, false, 20, 22},
    {20, SESSION_NEVER_EXPIRES, BREAKS, 0, false, 20, 22},
    {20, 5, BREAKS, 0, false, 5, 7},
    {20, 20, BREAKS, 0, false, 20, 22},
    {20, 0, BREAKS, 0, false, 0, 0},
    {UINT32_MAX, 30, BREAKS, 0, false, 30, 32},
    /* Back before the delay is over: never [MQTT-3.1.3-9]; with a clean start the session ends. */
    {20, 100, BREAKS, 10, false, UINT32_MAX, UINT32_MAX},
    {20, 100, BREAKS, 10, true, 10, 10},
    {20, 100, BREAKS, 30, false, 20, 22},
    /* Taken over (3.1.2.5, 3.1.3.2.2). */
    {0, 100, IS_TAKEN_OVER, 0, false, 0, 0},
    {0, 0, IS_TAKEN_OVER, 0, false, 0, 0},
    {20, 0, IS_TAKEN_OVER, 0, false, 0, 0},
    {20, 100, IS_TAKEN_OVER, 0, false, UINT32_MAX, UINT32_MAX},
    {0, 100, IS_TAKEN_OVER_CLEAN, 0, false, 0, 0},
    {20, 100, IS_TAKEN_OVER_CLEAN, 0, false, 0, 0},
};

static struct client *end_connection(struct cluster *k, struct client *c, const struct will_case *w)
{
    if (w->end == SAYS_GOODBYE || w->end == BREAKS) {
        client_detach(k, c, w->end == BREAKS);
        return NULL;
    }
    return attach(k, &(struct attach){.client_id = BYTES("mortal"),
                                      .expiry_s = 1000,
                                      .clean = w->end == IS_TAKEN_OVER_CLEAN});
}

/* The second in which the watcher heard the will; UINT32_MAX: never. */
static uint32_t second_of_will(struct cluster *k, const struct will_case *w)
{
    struct publication will = {.topic = BYTES("will"), .payload = BYTES("dead"), .qos = 1};
    uint32_t heard = UINT32_MAX;
    will.topic_hash = broker_topic_hash(k->broker[0], will.topic);
    struct client *watcher = client_new(k, "watcher", 0), *next;
    client_sub(k, watcher, "will", 1);
    struct client *c = attach(k, &(struct attach){.client_id = BYTES("mortal"),
                                                  .expiry_s = w->expiry_s,
                                                  .will = &will,
                                                  .will_delay_s = w->delay_s});
    cluster_advance(k, 50); /* nothing comes while it is connected */
    assert_int_equal(watcher->n, 0);
    next = end_connection(k, c, w);
    for (uint32_t s = 0; s <= 120; s++) {
        if (s) cluster_advance(k, 1);
        if (s && s == w->back_after_s)
            next = attach(k, &(struct attach){.client_id = BYTES("mortal"),
                                              .expiry_s = 1000,
                                              .clean = w->back_clean});
        if (watcher->n && heard == UINT32_MAX) heard = s;
    }
    assert_true(watcher->n <= 1);
    client_free(k, c);
    if (next) client_free(k, next);
    client_free(k, attach(k, &(struct attach){.client_id = BYTES("mortal"), .clean = true}));
    client_free(k, watcher);
    return heard;
}

static void a_will_is_sent_when_it_must_be_and_once(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        for (unsigned i = 0; i < ARRAY_LEN(will_cases); i++) {
            const struct will_case *w = &will_cases[i];
            uint32_t heard = second_of_will(k, w);
            if (heard < w->sent_from_s || heard > w->sent_by_s)
                fprintf(stderr, "case %u: heard in second %u\n", i, heard);
            assert_true(heard >= w->sent_from_s && heard <= w->sent_by_s);
        }
        assert_int_equal(total(k, C_sessions), 0);
    }
}

static void a_will_that_is_retained_stays(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct publication will = {.topic = BYTES("w"), .payload = BYTES("dead"), .retain = true};
        will.topic_hash = broker_topic_hash(k->broker[0], will.topic);
        struct client *c = attach(k, &(struct attach){.client_id = BYTES("c"), .will = &will});
        client_detach(k, c, true);
        struct client *late = client_new(k, "late", 0);
        client_sub(k, late, "w", 0);
        assert_string_equal(client_heard(late), "dead");
        assert_true(late->note[0].retain);
        client_free(k, c);
        client_free(k, late);
    }
}

/* 3.1.3.2.4: the time of a will's life begins when it is sent. */
static void a_delayed_will_lives_from_its_sending_on(void **state)
{
    (void)state;
    static const uint32_t expiries[] = {5, UINT32_MAX - 1, UINT32_MAX};
    for (unsigned i = 0; i < ARRAY_LEN(expiries); i++)
        EACH_SIZE(k)
        {
            struct publication will = {.topic = BYTES("w"),
                                       .payload = BYTES("dead"),
                                       .has_expiry = true,
                                       .expiry_s = expiries[i]};
            will.topic_hash = broker_topic_hash(k->broker[0], will.topic);
            struct client *watcher = client_new(k, "watcher", 0);
            client_sub(k, watcher, "w", 0);
            struct client *c = attach(k, &(struct attach){.client_id = BYTES("c"),
                                                          .will = &will,
                                                          .will_delay_s = 20,
                                                          .expiry_s = 100});
            cluster_advance(k, 30);
            client_detach(k, c, true);
            cluster_advance(k, 22);
            assert_string_equal(client_heard(watcher), "dead");
            client_free(k, c);
            client_free(k, watcher);
            client_free(k, attach(k, &(struct attach){.client_id = BYTES("c"), .clean = true}));
        }
}

/* ---- ids
 * ------------------------------------------------------------------------------------------ */

static void an_id_is_not_used_again_while_owners_owe_it_mail(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(2, NULL);
    struct client *c = client_new(k, client_at(k, 0, "c"), 0);
    const char *far = topic_at(k, 1, "t");
    struct session *old = c->session;
    uint32_t id = old->id;
    for (uint16_t i = 1; i <= 10; i++)
        client_say(c, far, "x", 1, i);
    session_detach(old, false); /* and nothing is taken yet */
    c->session = NULL;
    assert_ptr_equal(slots_find(&k->broker[0]->session_ids, id), old);
    for (unsigned i = 0; i < 300; i++) {
        struct attach a = {.client_id = BYTES("other"),
                           .receive_max = 1,
                           .ops = &client_ops,
                           .sink = c,
                           .clean = true};
        bool present;
        int err;
        struct session *s = session_attach(k->broker[0], &a, &present, &err);
        assert_int_not_equal(s->id, id);
        session_detach(s, false);
    }
    cluster_settle(k);
    assert_null(slots_find(&k->broker[0]->session_ids, id));
    assert_int_equal(c->accepted, 0);
    client_free(k, c);
    cluster_free(k);
}

static void sessions_without_a_connection_are_freed_with_the_broker(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        for (unsigned i = 0; i < 20; i++) {
            char id[16];
            snprintf(id, sizeof id, "c%u", i);
            struct client *c = client_new(k, id, SESSION_NEVER_EXPIRES);
            client_sub(k, c, i % 2 ? "t/#" : "t/1", 1);
            client_sub(k, c, "$share/g/t/+", 1);
            if (i) client_detach(k, c, true);
            if (i) client_free(k, c);
            if (i) continue;
            client_pub(k, c, "t/1", "x", 1);
            client_free(k, c);
        }
    }
}

static void everybody_can_be_sent_away_and_lasting_sessions_stay(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(2, NULL);
    struct client *brief = client_new(k, "brief", 0), *lasting = client_new(k, "lasting", 60);
    for (unsigned i = 0; i < k->cores; i++)
        broker_kick_all(k->broker[i], KICK_SHUTTING_DOWN);
    cluster_settle(k);
    assert_true(brief->kicked && lasting->kicked);
    assert_int_equal(k->broker[0]->nsessions + k->broker[1]->nsessions, 1);
    client_free(k, brief);
    client_free(k, lasting);
    cluster_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_connection_kicks_the_first_and_finds_its_state),
        cmocka_unit_test(a_clean_start_finds_nothing),
        cmocka_unit_test(a_session_that_ends_with_its_connection_is_not_taken_over_with_its_state),
        cmocka_unit_test(client_ids_may_have_any_byte_and_tenants_are_apart),
        cmocka_unit_test(a_session_outlives_its_connection_by_its_expiry),
        cmocka_unit_test(a_connection_stops_the_clock_and_its_end_starts_it_anew),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(
            a_connection_for_whose_will_there_is_no_memory_leaves_the_session_to_expire),
        cmocka_unit_test(a_will_is_sent_when_it_must_be_and_once),
        cmocka_unit_test(a_will_that_is_retained_stays),
        cmocka_unit_test(a_delayed_will_lives_from_its_sending_on),
        cmocka_unit_test(an_id_is_not_used_again_while_owners_owe_it_mail),
        cmocka_unit_test(sessions_without_a_connection_are_freed_with_the_broker),
        cmocka_unit_test(everybody_can_be_sent_away_and_lasting_sessions_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
