/* SPDX-License-Identifier: BSD-3-Clause */
/* test_subscribe.c -- the boundary between retained and live messages, in every interleaving.
 *
 * A play is a string: 'P' publishes the next value, 'S' subscribes, a digit is a turn of one of
 * three cores: the publisher's home (0), the topic's owner (1), the subscriber's home (2). All
 * plays of a length are tried. Whatever the order, the subscriber must see some value k as
 * retained, after SUBACK, and then k+1, k+2, ... live, none twice, none missed. */
#include "unit/broker/cluster.h"

enum { VALUES = 4, TOPICS = 2 };

/* ---- plays ------------------------------------------------------------------------------------
 */

struct stage {
    struct cluster *k;
    struct client *pub, *sub, *bystander;
    const char *topic[TOPICS];
    unsigned topics;
    const char *filter;
    unsigned role[3]; /* digit -> core */
    unsigned cleared; /* this value is an empty payload; 0: none */
    unsigned value;   /* published last, over all topics */
    uint8_t qos;
    unsigned retained_before_suback;
};

static struct stage *stage_of_sub;

static void on_suback(struct sub_batch *b)
{
    client_subscribed(b);
    struct stage *t = stage_of_sub;
    t->retained_before_suback = 0;
    for (unsigned i = 0; b->session && i < t->sub->n; i++)
        t->retained_before_suback += t->sub->note[i].retain;
}

static void say_value(struct stage *t)
{
    char text[8] = "";
    unsigned v = t->value++;
    if (v / t->topics != t->cleared || t->cleared == 0)
        snprintf(text, sizeof text, "%u", v / t->topics);
    client_say(t->pub, t->topic[v % t->topics], text, t->qos | SAY_RETAINED,
               (uint16_t)(t->qos ? v + 1 : 0));
}

static void step(struct stage *t, char what)
{
    struct sub_request r = {.filter = bytes_str(t->filter), .qos = t->qos};
    switch (what) {
    case 'P': say_value(t); break;
    case 'S':
        t->sub->batch = (struct sub_batch){.session = t->sub->session, .done = on_suback};
        assert_int_equal(broker_subscribe(t->sub->session, &r, &t->sub->batch), t->qos);
        broker_subscribe_end(&t->sub->batch);
        break;
    default: cluster_turn(t->k, t->role[what - '0']);
    }
}

/* Does what was heard of a topic begin with value k, retained, and go on to the last? */
static bool begins_with(const struct stage *t, const char *topic, unsigned k)
{
    const struct client *c = t->sub;
    unsigned next = k, last = VALUES - 1;
    bool retained = true;
    if (k && k == t->cleared) { /* nothing is retained then */
        next++;
        retained = false;
    }
    for (unsigned i = 0; i < c->n; i++) {
        char want[8] = "";
        if (strcmp(c->note[i].topic, topic) != 0) continue;
        if (next > last) return false;
        if (!next || next != t->cleared) snprintf(want, sizeof want, "%u", next);
        if (strcmp(c->note[i].payload, want) != 0 || c->note[i].retain != retained) return false;
        next++;
        retained = false;
    }
    return next == last + 1;
}

static void check_heard(const struct stage *t, const char *play)
{
    for (unsigned i = 0; i < t->topics; i++) {
        unsigned k = 0;
        while (k < VALUES && !begins_with(t, t->topic[i], k))
            k++;
        if (k == VALUES) {
            fprintf(stderr, "play %s on %u cores, %s: heard", play, t->k->cores, t->topic[i]);
            for (unsigned n = 0; n < t->sub->n; n++)
                fprintf(stderr, " %s=%s%s", t->sub->note[n].topic, t->sub->note[n].payload,
                        t->sub->note[n].retain ? "(r)" : "");
            fprintf(stderr, "\n");
        }
        assert_true(k < VALUES);
    }
    assert_int_equal(t->retained_before_suback, 0);
}

/* The last values are said, all settles, and all is as before. */
static void finish(struct stage *t, const char *play)
{
    while (t->value < VALUES * t->topics)
        say_value(t);
    cluster_settle(t->k);
    assert_true(t->sub->suback);
    check_heard(t, play);
    assert_int_equal(broker_unsubscribe(t->sub->session, bytes_str(t->filter)), 0);
}

static void perform(struct stage *t, const char *play)
{
    t->value = 0;
    for (unsigned i = 0; i < t->topics; i++)
        say_value(t); /* there is always a retained value 0 */
    cluster_settle(t->k);
    client_forget(t->sub);
    client_forget(t->pub);
    client_forget(t->bystander);
    t->sub->suback = false;
    t->retained_before_suback = UINT32_MAX;
    for (const char *s = play; *s; s++)
        step(t, *s);
    finish(t, play);
    while (t->sub->n && t->qos) { /* confirm what is in flight */
        struct note *n = &t->sub->note[--t->sub->n];
        if (n->packet_id) session_on_puback(t->sub->session, n->packet_id);
    }
}

/* All plays of `left` more steps with exactly one S. */
static unsigned enumerate(struct stage *t, char *play, unsigned at, unsigned left, bool subscribed)
{
    static const char steps[] = "P012S";
    unsigned performed = 0, values = 0;
    if (left == 0) {
        play[at] = 0;
        if (subscribed) perform(t, play);
        return subscribed;
    }
    for (unsigned i = 0; i < at; i++)
        values += play[i] == 'P';
    for (const char *s = steps; *s; s++) {
        if (*s == 'S' && subscribed) continue;
        if (*s == 'P' && values == (VALUES - 1) * t->topics) continue;
        if (*s == '1' && t->role[1] == t->role[0]) continue;
        if (*s == '2' && (t->role[2] == t->role[1] || t->role[2] == t->role[0])) continue;
        play[at] = *s;
        performed += enumerate(t, play, at + 1, left - 1, subscribed || *s == 'S');
    }
    return performed;
}

/* `bystander` keeps the topics coming to the subscriber's core from the beginning. */
static void stage_open(struct stage *t, unsigned cores, bool bystander)
{
    t->k = cluster_new(cores, NULL);
    for (unsigned i = 0; i < 3; i++)
        t->role[i] = i % cores;
    t->pub = client_new(t->k, client_at(t->k, 0, "pub"), 0);
    t->sub = client_new(t->k, client_at(t->k, 2, "sub"), 0);
    t->bystander = client_new(t->k, client_at(t->k, 2, "by"), 0);
    for (unsigned i = 0; i < t->topics; i++) /* the first topic lives on core 1, the next on 2 */
        t->topic[i] = topic_at(t->k, 1 + i, i ? "y/b" : "x/a");
    if (bystander) client_sub(t->k, t->bystander, "#", 0);
    stage_of_sub = t;
}

static void stage_close(struct stage *t)
{
    client_free(t->k, t->pub);
    client_free(t->k, t->sub);
    client_free(t->k, t->bystander);
    cluster_free(t->k);
}

static void try_all(const struct stage *t, unsigned length, bool wildcard)
{
    for (unsigned c = 0; c < 3; c++)
        for (unsigned bystander = 0; bystander < 2; bystander++) {
            struct stage mine = *t;
            char play[16];
            stage_open(&mine, (const unsigned[]){1, 2, 4}[c], bystander != 0);
            mine.filter = wildcard ? "+/+" : mine.topic[0];
            assert_true(enumerate(&mine, play, 0, length, false) > 20);
            stage_close(&mine);
        }
}

static void an_exact_filter_gets_one_retained_value_and_all_later_ones(void **state)
{
    (void)state;
    try_all(&(struct stage){.topics = 1}, 6, false);
}

static void at_qos_1_too(void **state)
{
    (void)state;
    try_all(&(struct stage){.topics = 1, .qos = 1}, 5, false);
}

static void a_value_that_is_cleared_meanwhile_does_not_come_back(void **state)
{
    (void)state;
    try_all(&(struct stage){.topics = 1, .cleared = 2}, 6, false);
}

static void
a_wildcard_filter_gets_one_retained_value_of_every_owner_and_all_later_ones(void **state)
{
    (void)state;
    try_all(&(struct stage){.topics = 2}, 6, true);
    try_all(&(struct stage){.topics = 2, .cleared = 1}, 5, true);
}

/* ---- walks that take more than one turn ---------------------------------------------------------
 */

enum { RETAINED = 6000 }; /* far more than a walk visits in one turn */

/* The cores turn in all orders while a walk runs past thousands of other topics. */
static void values_published_while_a_long_walk_runs_come_once_and_in_order(void **state)
{
    (void)state;
    for (unsigned cores = 1; cores <= 2; cores++) {
        struct stage t = {.topics = 2, .filter = "+/+/v", .cleared = 2};
        char play[16];
        t.k = cluster_new(cores, NULL);
        t.role[1] = t.role[2] = cores - 1;
        t.pub = client_new(t.k, client_at(t.k, 0, "pub"), 0);
        t.sub = client_new(t.k, client_at(t.k, cores - 1, "sub"), 0);
        t.bystander = client_new(t.k, client_at(t.k, cores - 1, "by"), 0);
        t.topic[0] = "a/first/v";
        t.topic[1] = "z/last/v";
        for (unsigned i = 0; i < RETAINED; i++) {
            char topic[16];
            snprintf(topic, sizeof topic, "n/%u/w", i);
            client_say(t.pub, topic, "x", 0 | SAY_RETAINED, 0);
        }
        cluster_settle(t.k);
        stage_of_sub = &t;
        assert_true(enumerate(&t, play, 0, 5, false) > 20);
        stage_close(&t);
    }
}

/* ---- other ways a question may go
 * ----------------------------------------------------------------- */

static void pub_retained(struct cluster *k, struct client *p, const char *topic, const char *text)
{
    client_say(p, topic, text, 1 | SAY_RETAINED, 1);
    cluster_settle(k);
}

/* Subscribes to the same filter for the `time`-th time, with other options. */
static void subscribe_again(struct cluster *k, struct client *c, struct sub_request r,
                            unsigned time, bool comes)
{
    r.qos = (uint8_t)time;
    r.sub_id = time + 1;
    client_forget(c);
    assert_int_equal(client_ask(c, &r), time);
    cluster_settle(k);
    assert_true(c->suback);
    assert_int_equal(c->n, comes);
    client_pub(k, c, "t/1", "live", 2);
    assert_int_equal(c->n, comes + 1u);
    assert_int_equal(c->note[c->n - 1].qos, time); /* options are replaced */
    assert_int_equal(c->note[c->n - 1].ids[0], time + 1);
    if (!comes) return;
    assert_true(c->note[0].retain);
    assert_int_equal(c->note[0].qos, time < 1 ? time : 1);
    assert_int_equal(c->note[0].ids[0], time + 1);
}

/* [MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11] [MQTT-3.8.4-3] */
static void retain_handling_says_when_retained_messages_come(void **state)
{
    (void)state;
    static const struct {
        const char *filter;
        uint8_t handling;
        bool comes[3];
    } rows[] = {{"t/1", 0, {1, 1, 1}}, {"t/1", 1, {1, 0, 0}}, {"t/1", 2, {0, 0, 0}},
                {"t/+", 0, {1, 1, 1}}, {"t/+", 1, {1, 0, 0}}, {"t/+", 2, {0, 0, 0}}};
    EACH_SIZE(k)
    {
        struct client *p = client_new(k, "p", 0);
        pub_retained(k, p, "t/1", "kept");
        for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
            struct client *c = client_new(k, "c", 0);
            struct sub_request r = {.filter = bytes_str(rows[i].filter),
                                    .retain_handling = rows[i].handling};
            for (unsigned time = 0; time < 3; time++)
                subscribe_again(k, c, r, time, rows[i].comes[time]);
            client_free(k, c);
        }
        client_free(k, p);
    }
}

static void unsubscribe_after(struct cluster *k, struct client *p, struct bytes filter,
                              unsigned turns)
{
    struct client *c = client_new(k, "c", 0);
    struct sub_request r = {.filter = filter};
    client_ask(c, &r);
    for (unsigned i = 0; i < turns && !c->suback; i++)
        cluster_turn(k, i % k->cores);
    bool answered = c->suback, exact = filter.n > 1;
    assert_int_equal(broker_unsubscribe(c->session, filter), 0);
    unsigned had = c->n;
    cluster_settle(k);
    assert_true(c->suback);
    if (!answered && exact) assert_int_equal(c->n, 0); /* one owner: nothing was held */
    assert_true(c->n <= had + 1);
    had = c->n;
    client_pub(k, p, "t/1", "live", 0);
    assert_int_equal(c->n, had);
    client_free(k, c);
}

static void who_unsubscribes_before_the_answer_gets_suback_and_nothing_else(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct client *p = client_new(k, "p", 0);
        pub_retained(k, p, "t/1", "kept");
        for (unsigned turns = 0; turns < 6; turns++) {
            unsubscribe_after(k, p, BYTES("t/1"), turns);
            unsubscribe_after(k, p, BYTES("#"), turns);
        }
        client_free(k, p);
    }
}

static unsigned abandoned;

static void on_abandoned(struct sub_batch *b)
{
    assert_null(b->session);
    abandoned++;
}

/* All cores but the home turn, so that no SUBACK goes. */
static void end_after(struct cluster *k, struct client *p, uint32_t expiry_s, unsigned turns)
{
    struct client *c = client_new(k, "c", expiry_s);
    struct sub_request r[] = {{.filter = BYTES("t/+"), .qos = 1},
                              {.filter = BYTES("t/1"), .qos = 1}};
    struct sub_batch batch = {.session = c->session, .done = on_abandoned};
    abandoned = 0;
    broker_subscribe(c->session, &r[0], &batch);
    broker_subscribe(c->session, &r[1], &batch);
    for (unsigned i = 0; i < turns; i++)
        if (&k->core[i % k->cores] != c->session->broker->core) cluster_turn(k, i % k->cores);
    session_detach(c->session, false);
    assert_int_equal(abandoned, 1);
    c->session = NULL;
    cluster_settle(k);
    assert_int_equal(abandoned, 1);
    client_attach(k, c, &(struct attach){.client_id = BYTES("c"), .expiry_s = expiry_s});
    assert_int_equal(c->present, expiry_s > 0);
    assert_int_equal(c->n, 0);
    assert_int_equal(c->session->holding, 0);
    client_pub(k, p, "t/1", "live", 1);
    assert_int_equal(c->n, expiry_s > 0); /* the subscription is in force */
    session_set_expiry(c->session, 0);
    client_free(k, c);
}

/* done() is told once, with no session; what was held is freed, late answers do no harm. */
static void a_connection_may_end_before_the_answers(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct client *p = client_new(k, "p", 0);
        pub_retained(k, p, "t/1", "kept");
        for (unsigned turns = 0; turns < 5; turns++) {
            end_after(k, p, 0, turns);
            end_after(k, p, 100, turns);
        }
        client_free(k, p);
    }
}

/* What could not be sent before the connection ended comes with the next, after what is older. */
static void retained_messages_wait_for_the_next_connection_of_the_session(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        struct client *p = client_new(k, "p", 0), *c = client_new(k, "c", 100);
        for (unsigned i = 0; i < 20; i++) {
            char topic[16];
            snprintf(topic, sizeof topic, "t/%u", i);
            pub_retained(k, p, topic, "kept");
        }
        c->not_ready = true;
        client_sub(k, c, "t/+", 1);
        assert_int_equal(c->n, 0);
        client_pub(k, p, "t/1", "live", 1);
        client_detach(k, c, false);
        client_pub(k, p, "t/1", "later", 1);
        c->not_ready = false;
        client_attach(k, c, &(struct attach){.client_id = BYTES("c")});
        assert_int_equal(c->n, 22);
        for (unsigned i = 0; i < 20; i++)
            assert_true(c->note[i].retain);
        assert_string_equal(c->note[20].payload, "live");
        assert_string_equal(c->note[21].payload, "later");
        client_free(k, c);
        client_free(k, p);
    }
}

/* ---- batches and limits
 * ------------------------------------------------------------------------------ */

static void one_packet_may_have_many_filters_and_is_answered_once(void **state)
{
    (void)state;
    enum { FILTERS = 500 };
    EACH_SIZE(k)
    {
        struct client *c = client_new(k, "c", 0), *p = client_new(k, "p", 0);
        pub_retained(k, p, "f/7/x", "kept");
        c->batch = (struct sub_batch){.session = c->session, .done = client_subscribed};
        for (unsigned i = 0; i < FILTERS; i++) {
            char filter[32];
            snprintf(filter, sizeof filter, i % 3 ? "f/%u/x" : "f/%u/+", i % 400);
            struct sub_request r = {.filter = bytes_str(filter), .qos = 1, .retain_handling = 1};
            assert_int_equal(broker_subscribe(c->session, &r, &c->batch), 1);
            if (i % 50 == 0) cluster_settle(k); /* answers come before the packet is complete */
            assert_false(c->suback);
        }
        broker_subscribe_end(&c->batch);
        cluster_settle(k);
        assert_true(c->suback);
        assert_int_equal(c->n, 1);
        client_pub(k, p, "f/7/x", "live", 0);
        assert_string_equal(client_heard(c), "kept live");
        client_free(k, c);
        client_free(k, p);
    }
}

static void a_packet_without_filters_for_the_broker_is_answered_too(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(2, NULL);
    struct client *c = client_new(k, "c", 0);
    c->batch = (struct sub_batch){.session = c->session, .done = client_subscribed};
    broker_subscribe_end(&c->batch);
    assert_true(c->suback);
    client_free(k, c);
    cluster_free(k);
}

static void who_does_not_read_cannot_pile_up_retained_messages(void **state)
{
    struct broker_options o = BROKER_OPTIONS_DEFAULT;
    int16_t status[3] = {0};
    (void)state;
    o.backlog_max = 2;
    struct cluster *k = cluster_new(1, &o);
    struct client *p = client_new(k, "p", 0), *c = client_new(k, "c", 0);
    client_say(p, "t", "x", 0 | SAY_RETAINED, 0);
    cluster_settle(k);
    c->not_ready = true;
    for (unsigned i = 0; i < 3; i++) {
        struct sub_request r = {.filter = BYTES("+"), .status = &status[i]};
        client_ask(c, &r);
        cluster_settle(k);
    }
    assert_int_equal(status[0], 0);
    assert_int_equal(status[1], 0);
    assert_int_equal(status[2], -ERR_FULL);
    c->not_ready = false;
    session_pump(c->session);
    assert_string_equal(client_heard(c), "x x");
    client_ask(c, &(struct sub_request){.filter = BYTES("+"), .status = &status[2]});
    cluster_settle(k);
    assert_string_equal(client_heard(c), "x x x");
    client_free(k, c);
    client_free(k, p);
    cluster_free(k);
}

static void subscriptions_max_holds_for_new_ones_only(void **state)
{
    (void)state;
    struct broker_options o = BROKER_OPTIONS_DEFAULT;
    o.subscriptions_max = 3;
    EACH_CLUSTER(k, &o)
    {
        struct client *c = client_new(k, "c", 0);
        struct sub_request r = {.filter = BYTES("d"), .qos = 2};
        client_sub(k, c, "a", 0);
        client_sub(k, c, "b/+", 0);
        client_sub(k, c, "$share/g/c", 0);
        assert_int_equal(client_ask(c, &r), -ERR_FULL);
        assert_true(c->suback);
        r.filter = BYTES("a");
        assert_int_equal(client_ask(c, &r), 2);
        cluster_settle(k);
        assert_int_equal(broker_unsubscribe(c->session, BYTES("b/+")), 0);
        client_sub(k, c, "d", 1);
        client_free(k, c);
    }
}

static void subscriptions_of_a_core_are_bounded_too(void **state)
{
    (void)state;
    struct broker_options o = BROKER_OPTIONS_DEFAULT;
    o.subscriptions_core_max = 2;
    struct cluster *k = cluster_new(1, &o);
    struct client *a = client_new(k, "a", 0), *b = client_new(k, "b", 0);
    struct sub_request r = {.filter = BYTES("z"), .qos = 1};
    client_sub(k, a, "x", 0);
    client_sub(k, b, "x", 0);
    assert_int_equal(client_ask(b, &r), -ERR_FULL);
    assert_int_equal(counter_read(&k->core[0].counters, C_limited_subscriptions), 1);
    client_free(k, a);
    assert_int_equal(client_ask(b, &r), 1);
    cluster_settle(k);
    client_free(k, b);
    cluster_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_exact_filter_gets_one_retained_value_and_all_later_ones),
        cmocka_unit_test(at_qos_1_too),
        cmocka_unit_test(a_value_that_is_cleared_meanwhile_does_not_come_back),
        cmocka_unit_test(
            a_wildcard_filter_gets_one_retained_value_of_every_owner_and_all_later_ones),
        cmocka_unit_test(values_published_while_a_long_walk_runs_come_once_and_in_order),
        cmocka_unit_test(retain_handling_says_when_retained_messages_come),
        cmocka_unit_test(who_unsubscribes_before_the_answer_gets_suback_and_nothing_else),
        cmocka_unit_test(a_connection_may_end_before_the_answers),
        cmocka_unit_test(retained_messages_wait_for_the_next_connection_of_the_session),
        cmocka_unit_test(one_packet_may_have_many_filters_and_is_answered_once),
        cmocka_unit_test(a_packet_without_filters_for_the_broker_is_answered_too),
        cmocka_unit_test(who_does_not_read_cannot_pile_up_retained_messages),
        cmocka_unit_test(subscriptions_max_holds_for_new_ones_only),
        cmocka_unit_test(subscriptions_of_a_core_are_bounded_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
