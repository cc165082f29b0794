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
    client_say(t->pub, t->topic[v % t->topics], text, t->qos, true, (uint16_t)(t->qos ? v + 1 : 0));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_exact_filter_gets_one_retained_value_and_all_later_ones),
        cmocka_unit_test(at_qos_1_too),
        cmocka_unit_test(a_value_that_is_cleared_meanwhile_does_not_come_back),
        cmocka_unit_test(
            a_wildcard_filter_gets_one_retained_value_of_every_owner_and_all_later_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
