/* SPDX-License-Identifier: BSD-3-Clause */
/* test_journal_snapshot.c -- brokers that live at random while snapshots are made a little at a
 * time: what the disk says is what there is, whenever one looks. */
#include "broker/pendings.h"
#include "broker/received.h"
#include "broker/retain_node.h"
#include "unit/journal/journal_rig.h"

enum { CLIENTS = 6, TOPICS = 5, FILTERS = 7, STEPS = 1500, LOOK = 150 };

static const char *const filters[FILTERS] = {"t0", "t1", "t2", "#", "+", "t4", "$share/g/t3"};

struct life {
    struct journal_rig *r;
    struct rng rng;
    struct client *client[CLIENTS];
    struct client *publisher;
    unsigned published;
};

static unsigned pick(struct life *l, unsigned n)
{
    return (unsigned)rng_below(&l->rng, n);
}

/* ---- what there is, in the words of image_text.h -------------------------------------------- */

struct waiting {
    const struct pending *p;
    uint32_t at;
};

static int by_seq(const void *a, const void *b)
{
    const struct waiting *x = a, *y = b;
    return x->p->seq < y->p->seq ? -1 : x->p->seq > y->p->seq;
}

static unsigned collect(const struct pendings *r, struct waiting *at)
{
    unsigned n = 0;
    for (uint32_t i = r->head; i != r->tail; i++)
        if (ring_at(r, i)->seq) at[n++] = (struct waiting){ring_at(r, i), i};
    return n;
}

static unsigned say_entries(struct image_text *t, const struct session *s)
{
    struct waiting *all =
        calloc((size_t)ring_len(&s->queue) + ring_len(&s->flight) + 1, sizeof *all);
    unsigned n = collect(&s->queue, all);
    n += collect(&s->flight, all + n);
    qsort(all, n, sizeof *all, by_seq);
    for (unsigned i = 0; i < n; i++) {
        const struct pending *p = all[i].p;
        static const unsigned states[] = {0, 1, 2};
        const uint32_t *ids = p->more_ids ? p->more_ids : &p->sub_id;
        unsigned nids = p->state == FLIGHT_RECEIVED ? 0 : p->nsub_ids; /* never sent again */
        IMAGE_SAY(t,
                  "entry %" PRIu64 " #%u seq %" PRIu64 " at 0+0 %u qos %u %d state %u as %u "
                  "ids %016" PRIx64 " group ",
                  s->sid, i, p->seq, p->bytes, p->qos, p->retain, states[p->state],
                  p->state ? all[i].at : 0, image_print_of(bytes_of(ids, nids * sizeof *ids)));
    }
    free(all);
    return n;
}

static unsigned say_received(struct image_text *t, const struct session *s)
{
    struct received_fact f;
    unsigned n = 0;
    for (uint32_t id = 0; received_next(s, id, &f); id = f.packet_id + 1u, n++)
        IMAGE_SAY(t, "received %" PRIu64 " %u %" PRIu64 " %d", s->sid, f.packet_id, f.serial,
                  f.accepted);
    return n;
}

static void say_session(struct image_text *t, const struct session *s)
{
    struct record_session r;
    journal_session_record(s, &r);
    unsigned entries = say_entries(t, s), received = say_received(t, s);
    IMAGE_SAY(t,
              "session %" PRIu64 " %.*s.0 serial 0 flight 0 expiry %u gone %" PRIu64
              " user 0 will %d %016" PRIx64 " n %u %u %u",
              s->sid, (int)s->client_id_len, s->client_id, s->expiry_s, r.gone_ms, s->will != NULL,
              s->will ? image_print_of(message_payload(s->will)) : 0, s->nsubs, entries, received);
    for (const struct sub *x = s->subs; x; x = x->session_next) {
        struct bytes name = filter_entry_name(&x->filter->entry);
        IMAGE_SAY(t, "sub %" PRIu64 " %.*s %u %d %d %u", s->sid, (int)name.n, (const char *)name.p,
                  x->qos, x->no_local, x->retain_as_published, x->sub_id);
    }
}

static void say_retained(void *item, void *arg)
{
    const struct retain_node *n = item;
    struct image_text *t = arg;
    if (!n->message || !(n->message->flags & MESSAGE_LOGGED)) return;
    struct bytes topic = message_topic(n->message), payload = message_payload(n->message);
    IMAGE_SAY(t, "retained %.*s %.*s", (int)topic.n, (const char *)topic.p, (int)payload.n,
              (const char *)payload.p);
}

static struct image_text *what_there_is(const struct journal_rig *r)
{
    const struct broker *b = r->k->broker[0];
    struct image_text *t = calloc(1, sizeof *t);
    assert_non_null(t);
    for (uint32_t i = 1; i < b->session_ids.cap; i++) {
        const struct session *s = slots_find(&b->session_ids, i);
        if (s && s->sid && !s->dead) say_session(t, s);
    }
    table_each(&b->retain.paths, say_retained, t);
    qsort(t->line, t->n, IMAGE_LINE, image_line_order);
    return t;
}

/* Who has left a group knows it no more; what is confirmed is not sent again. */
static void unify(struct image_entry *e)
{
    e->group = NULL;
    if (e->state != RECORD_CONFIRMED) return;
    if (e->nsub_ids > 1) free(e->more_ids);
    e->nsub_ids = 0;
    e->sub_id = 0;
}

/* What the disk says, without what memory does not have in the same words. */
static struct image_text *what_the_disk_says(const struct journal_rig *r)
{
    struct image im;
    rig_image(r, 0, &im);
    for (struct image_session *s = im.sessions; s; s = s->next) {
        s->r.flight = 0;
        s->r.serial = 0;
        for (struct image_entry *e = s->entries; e; e = e->next)
            unify(e);
    }
    struct image_retained *retained = im.retained;
    im.retained = NULL;
    struct image_text *t = image_text_new(&im, true);
    im.retained = retained;
    for (const struct image_retained *x = retained; x; x = x->next) {
        struct record_message m;
        assert_int_equal(record_get_message(&x->copy->record, &m), 0);
        IMAGE_SAY(t, "retained %.*s %.*s", (int)m.topic.n, (const char *)m.topic.p,
                  (int)m.payload.n, (const char *)m.payload.p);
    }
    qsort(t->line, t->n, IMAGE_LINE, image_line_order);
    image_fini(&im);
    return t;
}

static void compare(struct life *l)
{
    rig_advance(l->r, 5); /* all wills are sent, ... */
    rig_advance(l->r, 2); /* ... what they brought about is written, ... */
    rig_advance(l->r, 2); /* ... and nothing lazy is left */
    struct image_text *is = what_there_is(l->r), *says = what_the_disk_says(l->r);
    assert_true(image_text_same(is, says));
    free(is);
    free(says);
}

/* ---- what happens ------------------------------------------------------------------------------
 */

static void come(struct life *l, unsigned i)
{
    static const struct access_door *const doors[] = {&door_commit, &door_commit, &door_interval,
                                                      &door_memory};
    struct client *c = l->client[i];
    char id[8];
    snprintf(id, sizeof id, "c%u", i);
    const struct publication will = {.topic = bytes_str("will"),
                                     .payload = bytes_str("bye"),
                                     .qos = 1,
                                     .topic_hash =
                                         broker_topic_hash(l->r->k->broker[0], bytes_str("will"))};
    const struct attach a = {.client_id = bytes_str(id),
                             .expiry_s = pick(l, 8) ? 100000 : 0,
                             .clean = pick(l, 12) == 0,
                             .receive_max = (uint16_t)(1 + pick(l, 20)),
                             .door = doors[pick(l, 4)],
                             .will = pick(l, 2) ? &will : NULL,
                             .will_delay_s = pick(l, 4)};
    client_attach(l->r->k, c, &a);
}

static void publish(struct life *l)
{
    char topic[8], text[64];
    snprintf(topic, sizeof topic, "t%u", pick(l, TOPICS));
    snprintf(text, sizeof text, "%u %.*s", l->published++, (int)pick(l, 40),
             "........................................");
    struct broker *b = l->r->k->broker[0];
    bool retain = pick(l, 8) == 0;
    const struct publication p = {.topic = bytes_str(topic),
                                  .payload =
                                      retain && pick(l, 3) == 0 ? bytes_str("") : bytes_str(text),
                                  .qos = (uint8_t)pick(l, 3),
                                  .retain = retain,
                                  .topic_hash = broker_topic_hash(b, bytes_str(topic))};
    uint32_t mailed = 0;
    l->publisher->session->door = pick(l, 4) ? &door_commit : &door_memory;
    assert_int_equal(broker_publish(l->publisher->session, &p, p.qos ? 1 : 0, 0, &mailed), 0);
    client_forget(l->publisher);
}

/* The client confirms something that is in flight. */
static void confirm(struct life *l, struct client *c)
{
    struct session *s = c->session;
    uint32_t n = ring_len(&s->flight);
    if (n == 0) return;
    uint32_t at = s->flight.head + pick(l, n);
    const struct pending *p = ring_at(&s->flight, at);
    uint16_t id = (uint16_t)(at % 65535 + 1);
    if (p->state == FLIGHT_RECEIVED)
        assert_int_equal(session_on_pubcomp(s, id), 0);
    else if (p->state == FLIGHT_SENT && p->qos == 1)
        assert_int_equal(session_on_puback(s, id), 0);
    else if (p->state == FLIGHT_SENT)
        assert_int_equal(session_on_pubrec(s, id, pick(l, 8) == 0), 0);
}

/* Of a packet id that its client has used, or of none. */
static void let_go(struct life *l, struct session *s)
{
    struct received_fact f;
    if (!received_next(s, pick(l, 600), &f)) return;
    if (pick(l, 3) == 0)
        received_accepted(s, f.packet_id);
    else
        assert_int_equal(session_release(s, f.packet_id), 0);
}

static void act_connected(struct life *l, struct client *c)
{
    struct sub_request r = {.filter = bytes_str(filters[pick(l, FILTERS)]),
                            .qos = (uint8_t)pick(l, 3),
                            .sub_id = pick(l, 2)};
    switch (pick(l, 12)) {
    case 0: client_detach(l->r->k, c, pick(l, 2)); break;
    case 1:
        if (!c->batch.session || c->suback) client_ask(c, &r);
        break;
    case 2: (void)broker_unsubscribe(c->session, r.filter); break;
    case 3: c->not_ready = !c->not_ready; break;
    case 4: (void)session_receive(c->session, (uint16_t)(1 + pick(l, 600))); break;
    case 5: let_go(l, c->session); break;
    default:
        confirm(l, c);
        client_forget(c);
        break;
    }
}

static void live(struct life *l)
{
    unsigned i = pick(l, CLIENTS);
    if (pick(l, 2) == 0) publish(l);
    if (l->client[i]->session)
        act_connected(l, l->client[i]);
    else if (pick(l, 4) == 0)
        come(l, i);
    if (pick(l, 50) == 0) rig_advance(l->r, pick(l, 10));
    cluster_turn(l->r->k, 0);
    journal_commit(l->r->journal[0]);
}

static void settle(struct life *l)
{
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct client *c = l->client[i];
        client_attach(l->r->k, c,
                      &(struct attach){.client_id = bytes_str((char[]){'c', (char)('0' + i), 0}),
                                       .clean = true});
        client_free(l->r->k, c);
    }
    client_free(l->r->k, l->publisher);
    rig_advance(l->r, 2);
}

static void live_and_look(uint64_t seed)
{
    struct life l = {.r = journal_rig_new_with(1, 8192, false)};
    rng_seed(&l.rng, seed);
    l.r->budget = 1 + seed * 37 % 2000;
    for (unsigned i = 0; i < CLIENTS; i++)
        l.client[i] = calloc(1, sizeof *l.client[i]);
    l.publisher = rig_client(l.r, "publisher", &door_commit, 0);
    for (unsigned i = 0; i < STEPS; i++) {
        live(&l);
        if (i % LOOK == LOOK - 1) compare(&l);
    }
    struct store_stats stats = store_stats(journal_store_of(l.r->journal[0]));
    assert_true(stats.snapshots > 0);
    assert_true(l.r->snapshot_steps > 2 * stats.snapshots);
    settle(&l);
    compare(&l);
    journal_rig_free(l.r);
}

static void the_disk_says_what_there_is_whatever_happens_while_snapshots_are_made(void **state)
{
    (void)state;
    const char *one = getenv("SEED");
    uint64_t from = one ? strtoull(one, NULL, 10) : 1, to = one ? from : 20;
    for (uint64_t seed = from; seed <= to; seed++) {
        if (one) fprintf(stderr, "seed %" PRIu64 "\n", seed);
        live_and_look(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_disk_says_what_there_is_whatever_happens_while_snapshots_are_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
