/* SPDX-License-Identifier: BSD-3-Clause */
/* test_kept.c -- a publisher hears that its message is taken when it is on disk wherever it must
 * be, in whatever order cores and disks have their turns. */
#include "broker/access/door.h"
#include "broker/access/grant.h"
#include "broker/share.h"
#include "unit/broker/fake_journal.h"

int __real_session_offer(struct session *s, const struct delivery *d, uint32_t group);
int __wrap_session_offer(struct session *s, const struct delivery *d, uint32_t group);

enum { MESSAGES = 512, RECORDS = 64, PUBLISHERS = 4, HEARERS = 12, GUESTS = 3 };

/* What became of one publish. */
struct fate {
    struct {
        const struct fake *log;
        uint64_t pos;
    } record[RECORDS];
    unsigned records, offers, due; /* due: offers that there must be */
    uint32_t groups;               /* share groups that had it, a bit each */
    int worst;                     /* of what sessions answered */
};

static struct stage {
    struct fate fate[MESSAGES];
    int refuse_one_in; /* sessions that cannot write; 0: none */
    struct rng luck;
} stage;

/* A durable session writes what it is offered, or cannot. */
int __wrap_session_offer(struct session *s, const struct delivery *d, uint32_t group)
{
    struct bytes text = message_payload(d->m);
    if (!s->sid || d->qos == 0 || text.n != 4) return __real_session_offer(s, d, group);
    char number[5] = {0};
    memcpy(number, text.p, 4);
    struct fate *f = &stage.fate[atoi(number)];
    struct fake *log = fake_of(s->broker->journal);
    /* What a member gives back is no affair of the publisher any more. */
    uint32_t group_bit = group ? 1u << (s->client_id[1] - 'a') % 6 : 0;
    if (f->groups & group_bit) return __real_session_offer(s, d, group);
    f->groups |= group_bit;
    int err = fake_append(log);
    f->offers++;
    if (err == 0 && stage.refuse_one_in &&
        rng_u64(&stage.luck) % (unsigned)stage.refuse_one_in == 0)
        err = rng_u64(&stage.luck) % 2 ? -ERR_FULL : -ERR_NOMEM;
    if (err < f->worst) f->worst = err;
    if (err < 0) return err;
    assert_true(f->records < RECORDS);
    f->record[f->records].log = log;
    f->record[f->records++].pos = log->tail;
    __real_session_offer(s, d, group);
    return 0;
}

static bool is_on_disk(const struct fate *f)
{
    for (unsigned i = 0; i < f->records; i++)
        if (f->record[i].pos > f->record[i].log->durable) return false;
    return true;
}

/* ---- one message -------------------------------------------------------------------------- */

static struct client *durable_at(struct cluster *k, unsigned core, const char *filter)
{
    char prefix[] = {'d', (char)('a' + core), 0};
    struct client *c = client_new(k, client_at(k, core, prefix), 100);
    client_sub(k, c, filter, 2);
    return c;
}

static void rounds(struct cluster *k)
{
    for (unsigned i = 0; i < 4 * k->cores; i++)
        cluster_turn(k, i % k->cores);
}

static void a_publisher_waits_for_each_core_that_keeps_the_message(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        stage = (struct stage){0};
        struct fake *f = fake_new(k);
        const char *topic = topic_at(k, 1, "t");
        struct client *p = client_new(k, client_at(k, 0, "p"), 0);
        struct client *a = durable_at(k, 1, topic), *b = durable_at(k, 2, topic);
        fake_settle(k, f);
        client_say(p, topic, "0001", 1, 7);
        rounds(k);
        assert_int_equal(p->accepted, 0);
        for (unsigned i = 0; i + 1 < k->cores; i++)
            fake_commit(&f[i]);
        if (k->cores > 2) fake_commit(&f[k->cores - 1]);
        if (k->cores < 3) rounds(k);
        if (k->cores < 3) assert_int_equal(p->accepted, 0);
        fake_settle(k, f);
        assert_int_equal(p->accepted, 1);
        assert_int_equal(p->accepted_id[0], 7);
        assert_int_equal(p->accepted_status[0], 0);
        assert_int_equal(p->session->await_kept, 0);
        client_free(k, p), client_free(k, a), client_free(k, b);
    }
}

static void nobody_waits_for_what_only_sessions_without_a_future_get(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        stage = (struct stage){0};
        struct fake *f = fake_new(k);
        struct client *p = client_new(k, "p", 0), *s = client_new(k, "s", 0);
        client_sub(k, s, "#", 1);
        f[0].tail = f[k->cores - 1].tail = 99; /* others have written much */
        client_say(p, "a", "x", 1, 1);
        client_say(p, "b", "x", 2, 2);
        cluster_settle(k);
        assert_int_equal(p->accepted, 2);
        client_free(k, p), client_free(k, s);
    }
}

/* Nobody waits for memory, for QoS 0, for the broker itself, or below '$'. */
static void only_who_can_be_told_waits(void **state)
{
    (void)state;
    struct cluster *k = cluster_new(1, NULL);
    fake_new(k);
    struct broker *b = k->broker[0];
    struct publication p = {.topic = BYTES("t"), .qos = 1};
    assert_int_equal(publish_durability(b, NULL, &p, true), DURABILITY_COMMIT);
    assert_int_equal(publish_durability(b, NULL, &p, false), DURABILITY_INTERVAL);
    struct access_door door = {.durability = DURABILITY_INTERVAL};
    assert_int_equal(publish_durability(b, &door, &p, true), DURABILITY_INTERVAL);
    door.durability = DURABILITY_MEMORY;
    assert_int_equal(publish_durability(b, &door, &p, true), DURABILITY_MEMORY);
    p.qos = 0;
    assert_int_equal(publish_durability(b, NULL, &p, false), DURABILITY_MEMORY);
    p.retain = true;
    assert_int_equal(publish_durability(b, NULL, &p, false), DURABILITY_INTERVAL);
    p.topic = BYTES("$SYS/x");
    assert_int_equal(publish_durability(b, NULL, &p, true), DURABILITY_MEMORY);
    b->journal = NULL;
    p.topic = BYTES("t");
    assert_int_equal(publish_durability(b, NULL, &p, true), DURABILITY_MEMORY);
    cluster_free(k);
}

static void a_log_that_has_failed_is_told_to_the_publisher(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        stage = (struct stage){0};
        struct fake *f = fake_new(k);
        struct client *p = client_new(k, "p", 0), *a = durable_at(k, 1, "t");
        client_say(p, "t", "0001", 1, 1);
        rounds(k);
        for (unsigned i = 0; i < k->cores; i++)
            f[i].failed = true;
        fake_settle(k, f);
        client_say(p, "t", "0002", 1, 2);
        fake_settle(k, f);
        assert_int_equal(p->accepted, 2);
        assert_int_equal(p->accepted_status[0], -ERR_STORAGE);
        assert_int_equal(p->accepted_status[1], -ERR_STORAGE);
        client_free(k, p), client_free(k, a);
    }
}

/* The session that published ends, and another one comes to its home: no word for the first one
 * reaches the second. */
static void a_slot_waits_until_all_cores_have_spoken(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        stage = (struct stage){0};
        struct fake *f = fake_new(k);
        struct client *a = durable_at(k, 1, "t"), *p = client_new(k, "p", 0);
        fake_settle(k, f);
        uint32_t id = p->session->id;
        client_say(p, "t", "0001", 1, 1);
        cluster_settle(k);
        client_free(k, p);
        struct client *q = client_new(k, "p", 0);
        assert_non_null(slots_find(&q->session->broker->session_ids, id));
        fake_settle(k, f);
        assert_int_equal(q->accepted, 0);
        assert_null(slots_find(&q->session->broker->session_ids, id));
        client_free(k, q), client_free(k, a);
    }
}

/* ---- shared subscriptions ---------------------------------------------------------------------
 */

static void a_shared_message_that_nobody_may_have_is_answered(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        stage = (struct stage){0};
        struct fake *f = fake_new(k);
        struct client *p = client_new(k, client_at(k, 0, "p"), 0);
        struct client *m[2];
        for (unsigned i = 0; i < 2; i++) {
            m[i] = client_new(k, client_at(k, i + 1, "m"), 100);
            client_sub(k, m[i], "$share/g/t", 1);
            session_set_grant(m[i]->session, grant_nothing());
        }
        client_say(p, "t", "x", 1, 1);
        fake_settle(k, f);
        assert_int_equal(p->accepted, 1);
        client_free(k, p), client_free(k, m[0]), client_free(k, m[1]);
    }
}

/* It was kept, and told; what it does afterwards is its own affair. */
static void what_is_given_back_is_not_told_again(void **state)
{
    (void)state;
    EACH_SIZE(k)
    {
        stage = (struct stage){0};
        struct fake *f = fake_new(k);
        struct client *p = client_new(k, client_at(k, 0, "p"), 0);
        struct client *a = client_new(k, client_at(k, 1, "a"), 0);
        struct client *b = client_new(k, client_at(k, 2, "b"), 100);
        client_sub(k, a, "$share/g/t", 1);
        client_say(p, "t", "x", 1, 1);
        fake_settle(k, f);
        assert_int_equal(p->accepted, 1);
        assert_int_equal(a->n, 1);
        client_sub(k, b, "$share/g/t", 1);
        client_detach(k, a, false);
        fake_settle(k, f);
        assert_int_equal(b->n, 1);
        assert_int_equal(p->session->await_kept, 0);
        client_say(p, "t", "y", 1, 2);
        fake_settle(k, f);
        assert_int_equal(p->accepted, 2);
        client_free(k, p), client_free(k, a), client_free(k, b);
    }
}

/* ---- anything, in any order
 * ---------------------------------------------------------------------- */

struct crowd {
    struct cluster *k;
    struct fake *f;
    struct client *publisher[PUBLISHERS], *hearer[HEARERS];
    uint16_t said[PUBLISHERS], told[PUBLISHERS]; /* of its connection */
    unsigned message;
    unsigned number[PUBLISHERS][MESSAGES]; /* which message the n-th publish of a publisher was */
    char id[PUBLISHERS][32], hearer_id[HEARERS][32];
};

static struct crowd *crowd;

/* Publishers hear of all they said, in order, and of nothing else. */
static void hear(struct session *s, uint16_t packet_id, uint8_t qos, int status)
{
    (void)qos;
    unsigned who = 0;
    while (crowd->publisher[who]->session != s)
        who++;
    if (packet_id == 0) return; /* of an earlier connection */
    assert_int_equal(packet_id, ++crowd->told[who]);
    const struct fate *f = &stage.fate[crowd->number[who][packet_id]];
    assert_int_equal(status, f->worst);
    assert_true(f->offers >= f->due);
    if (status == 0) assert_true(is_on_disk(f));
}

static struct sink_ops publisher_ops;

static void publisher_attach(struct crowd *c, unsigned who)
{
    bool present;
    int err;
    struct attach a = {.client_id = bytes_str(c->id[who]),
                       .expiry_s = 100,
                       .receive_max = 100,
                       .ops = &publisher_ops,
                       .sink = c->publisher[who]};
    struct broker *home = home_of(c->k, c->id[who]);
    c->publisher[who]->session = session_attach(home, &a, &present, &err);
    assert_non_null(c->publisher[who]->session);
    c->said[who] = c->told[who] = 0;
}

static const char *const filters[] = {"t/+", "t/1", "#", "$share/g/t/+", "$share/h/t/2", "t/2"};

static bool is_shared(unsigned hearer)
{
    return hearer % ARRAY_LEN(filters) == 3 || hearer % ARRAY_LEN(filters) == 4;
}

/* How many durable sessions must be offered what is published to `topic`: all that match, and one
 * of each group. */
static unsigned offers_due(const char *topic)
{
    unsigned due = 0;
    for (unsigned i = GUESTS; i < HEARERS; i++) {
        if (is_shared(i) && i >= ARRAY_LEN(filters)) continue;
        struct bytes filter = bytes_str(filters[i % ARRAY_LEN(filters)]);
        due += name_matches(bytes_skip(filter, share_filter_at(filter)), bytes_str(topic));
    }
    return due;
}

static void hearer_attach(struct crowd *c, unsigned who)
{
    client_attach(c->k, c->hearer[who],
                  &(struct attach){.client_id = bytes_str(c->hearer_id[who]),
                                   .expiry_s = who < GUESTS ? 0 : 100});
}

static void crowd_init(struct crowd *c, unsigned cores)
{
    *c = (struct crowd){.k = cluster_new(cores, NULL)};
    crowd = c;
    c->f = fake_new(c->k);
    publisher_ops = client_ops;
    publisher_ops.accepted = hear;
    for (unsigned i = 0; i < PUBLISHERS; i++) {
        snprintf(c->id[i], sizeof c->id[i], "p%u", i);
        c->publisher[i] = calloc(1, sizeof *c->publisher[i]);
        publisher_attach(c, i);
    }
    for (unsigned i = 0; i < HEARERS; i++) {
        char prefix[] = {'h', (char)('a' + i), 0};
        snprintf(c->hearer_id[i], sizeof c->hearer_id[i], "%s", client_at(c->k, i, prefix));
        c->hearer[i] = calloc(1, sizeof *c->hearer[i]);
        hearer_attach(c, i);
        client_sub(c->k, c->hearer[i], filters[i % ARRAY_LEN(filters)], 2);
    }
    fake_settle(c->k, c->f);
}

static void crowd_publish(struct crowd *c, unsigned who)
{
    if (c->message + 1 == MESSAGES ||
        c->publisher[who]->session->await_tail - c->publisher[who]->session->await_head > 50)
        return;
    char topic[8], text[8];
    uint64_t luck = rng_u64(&stage.luck);
    unsigned number = ++c->message;
    uint16_t id = ++c->said[who];
    snprintf(topic, sizeof topic, "t/%u", (unsigned)(luck % 4));
    snprintf(text, sizeof text, "%04u", number % 10000);
    c->number[who][id] = number;
    stage.fate[number].due = offers_due(topic);
    client_say(c->publisher[who], topic, text, 1 + (luck >> 8) % 2, id);
}

static void crowd_act(struct crowd *c)
{
    uint64_t luck = rng_u64(&stage.luck);
    unsigned core = (unsigned)(luck >> 8) % c->k->cores, who = (unsigned)(luck >> 16) % PUBLISHERS;
    switch (luck % 16) {
    case 0:
    case 1:
    case 2:
    case 3: crowd_publish(c, who); break;
    case 4: fake_commit(&c->f[core]); break;
    case 5:
        if ((luck >> 24) % 8) break;
        session_detach(c->publisher[who]->session, false);
        if ((luck >> 32) % 2) { /* the session ends, too */
            struct broker *b = home_of(c->k, c->id[who]);
            session_send_away(b, 0, bytes_str(c->id[who]), true);
        }
        publisher_attach(c, who);
        break;
    case 6: { /* a member of a group comes or goes */
        unsigned hearer = (unsigned)(luck >> 24) % HEARERS;
        if (!is_shared(hearer) || (luck >> 32) % 4) break;
        if (!c->hearer[hearer]->session)
            hearer_attach(c, hearer);
        else
            client_detach(c->k, c->hearer[hearer], false);
        break;
    }
    default: cluster_turn(c->k, core);
    }
}

static void crowd_fini(struct crowd *c)
{
    fake_settle(c->k, c->f);
    for (unsigned i = 0; i < c->k->cores; i++)
        assert_int_equal(c->f[i].orphans, c->f[i].orphans_kept);
    for (unsigned i = 0; i < PUBLISHERS; i++) {
        assert_int_equal(c->told[i], c->said[i]);
        assert_int_equal(c->publisher[i]->session->await_kept, 0);
        assert_int_equal(c->publisher[i]->session->await_mail, 0);
        session_detach(c->publisher[i]->session, false);
        free(c->publisher[i]);
    }
    for (unsigned i = 0; i < HEARERS; i++) {
        if (!c->hearer[i]->session) hearer_attach(c, i);
        client_free(c->k, c->hearer[i]);
    }
    cluster_free(c->k);
}

static void whatever_order_cores_and_disks_have_taken_means_on_disk(void **state)
{
    (void)state;
    static const unsigned sizes[] = {1, 2, 3, 5, 8, 16};
    struct crowd *c = calloc(1, sizeof *c);
    for (unsigned run = 0; run < 60; run++) {
        stage = (struct stage){.refuse_one_in = run % 3 == 0 ? 20 : 0};
        rng_seed(&stage.luck, run);
        crowd_init(c, sizes[run % ARRAY_LEN(sizes)]);
        for (unsigned i = 0; i < 1500 + 300 * c->k->cores; i++)
            crowd_act(c);
        crowd_fini(c);
    }
    free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_publisher_waits_for_each_core_that_keeps_the_message),
        cmocka_unit_test(nobody_waits_for_what_only_sessions_without_a_future_get),
        cmocka_unit_test(only_who_can_be_told_waits),
        cmocka_unit_test(a_log_that_has_failed_is_told_to_the_publisher),
        cmocka_unit_test(a_slot_waits_until_all_cores_have_spoken),
        cmocka_unit_test(a_shared_message_that_nobody_may_have_is_answered),
        cmocka_unit_test(what_is_given_back_is_not_told_again),
        cmocka_unit_test(whatever_order_cores_and_disks_have_taken_means_on_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
