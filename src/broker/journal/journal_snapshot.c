/* SPDX-License-Identifier: BSD-3-Clause */
/* journal_snapshot.c -- the state, a part of it in each turn, while it goes on changing.
 *
 * What changes after the snapshot has begun is in the log, which is replayed behind it. So all that
 * counts is that whatever is there from beginning to end is put: as it was, as it is, or twice.
 * Tables are walked in a way that misses nothing (table_walk). Sessions stay in their slots. A
 * session's messages go from its queue to its window and never back, so the queue comes first; from
 * session to session they go as orphans, which come after all sessions.
 *
 * In the queue, entries rise by their numbers, and places shift down when some leave from the
 * middle: so after a pause it goes on behind the last number that was put. In the window, places
 * stay. */
#include <stdlib.h>

#include "broker/journal/journal_internal.h"
#include "broker/pendings.h"
#include "broker/received.h"
#include "broker/retain_node.h"
#include "store/bytes64.h"

enum {
    OVERHEAD = 24, /* bytes of each record besides what is put */
    LOOKS = 4096,  /* places looked at in a turn */
};

struct putting {
    struct journal *j;
    struct store *store;
    size_t left;    /* of the budget */
    unsigned looks; /* the same for places in which nothing was found */
    int err;
};

/* True: there may be more in this turn. */
static bool put(struct putting *p, const struct record_buf *b)
{
    size_t n = OVERHEAD + b->put.key.n;
    for (unsigned i = 0; i < b->put.nparts; i++)
        n += b->put.part[i].n;
    p->left = p->left > n ? p->left - n : 0;
    p->err = store_snapshot_put(p->store, &b->put);
    return p->err == 0 && p->left > 0;
}

static bool look(struct putting *p)
{
    return p->looks && p->looks--;
}

/* ---- sessions and their messages ------------------------------------------------------------- */

static bool put_session(struct putting *p, const struct session *s)
{
    struct record_session r;
    struct record_buf b;
    journal_session_record(s, &r);
    record_put_session(&b, &r);
    return put(p, &b);
}

static bool put_entry(struct putting *p, const struct session *s, const struct pending *x,
                      uint32_t flight)
{
    static const uint8_t states[] = {[FLIGHT_FREE] = RECORD_WAITING,
                                     [FLIGHT_SENT] = RECORD_SENT,
                                     [FLIGHT_RECEIVED] = RECORD_CONFIRMED};
    struct record_entry r;
    struct record_buf b;
    journal_entry_record(s, x, states[x->state], flight, &r);
    record_put_entry(&b, &r);
    return put(p, &b);
}

/* Where in the queue to go on. */
static uint32_t queue_place(const struct pendings *q, const struct snapshot_cursor *c)
{
    uint32_t at = c->at;
    if (at - q->head > q->tail - q->head) at = (int32_t)(at - q->head) < 0 ? q->head : q->tail;
    for (; at != q->head; at--) {
        const struct pending *before = ring_at(q, at - 1);
        if (before->seq && before->seq <= c->seq) break;
    }
    return at;
}

/* True: all has been put. */
static bool put_queue(struct putting *p, const struct session *s)
{
    struct snapshot_cursor *c = &p->j->snapshot;
    const struct pendings *q = &s->queue;
    for (c->at = queue_place(q, c); c->at != q->tail;) {
        const struct pending *x = ring_at(q, c->at++);
        if (!x->stored) continue;
        c->seq = x->seq;
        if (!put_entry(p, s, x, 0)) return false;
    }
    return true;
}

static bool put_window(struct putting *p, const struct session *s)
{
    struct snapshot_cursor *c = &p->j->snapshot;
    const struct pendings *f = &s->flight;
    if (c->at - f->head > f->tail - f->head) c->at = f->head; /* some have left, or all moved */
    while (c->at != f->tail) {
        uint32_t at = c->at++;
        const struct pending *x = ring_at(f, at);
        if (!x->seq || x->state == FLIGHT_FREE) continue;
        if (!put_entry(p, s, x, at)) return false;
    }
    return true;
}

static bool put_messages(struct putting *p, const struct session *s)
{
    struct snapshot_cursor *c = &p->j->snapshot;
    if (!c->in_flight) {
        if (!put_queue(p, s)) return false;
        c->in_flight = true;
        c->at = s->flight.head;
    }
    return put_window(p, s);
}

/* Packet ids of its client. */
static bool put_received(struct putting *p, const struct session *s)
{
    struct snapshot_cursor *c = &p->j->snapshot;
    struct received_fact f;
    struct record_buf b;
    while (received_next(s, c->id, &f)) {
        c->id = f.packet_id + 1u;
        record_put_received(&b, &(struct record_received){.sid = s->sid,
                                                          .packet_id = f.packet_id,
                                                          .serial = f.serial,
                                                          .accepted = f.accepted});
        if (!put(p, &b)) return false;
    }
    return true;
}

static bool put_all_of(struct putting *p, const struct session *s)
{
    struct snapshot_cursor *c = &p->j->snapshot;
    if (c->sid != s->sid) {
        c->sid = s->sid;
        c->seq = 0;
        c->at = s->queue.head;
        c->in_flight = false;
        c->id = 0;
        if (!put_session(p, s)) return false;
    }
    if (!put_messages(p, s) || !put_received(p, s)) return false;
    c->sid = 0;
    return true;
}

static bool put_sessions(struct putting *p)
{
    struct snapshot_cursor *c = &p->j->snapshot;
    const struct slots *ids = &p->j->broker->session_ids;
    for (; c->place < ids->cap; c->place++) {
        if (!look(p)) return false;
        const struct session *s = slots_find(ids, (uint32_t)c->place);
        if (s && s->sid && !s->dead && !put_all_of(p, s)) return false;
    }
    return true;
}

/* A session that has ended is put anew for each of them: behind any older word about it. */
static bool put_orphan(struct putting *p, const struct orphan *o)
{
    struct record_session s;
    struct record_entry r;
    struct record_buf b;
    if (o->left->ended) {
        journal_left_record(o->left, &s);
        record_put_session(&b, &s);
        (void)put(p, &b);
        if (p->err) return false;
    }
    journal_orphan_record(o, &r);
    record_put_entry(&b, &r);
    return put(p, &b);
}

static bool put_orphans(struct putting *p)
{
    struct snapshot_cursor *c = &p->j->snapshot;
    const struct slots *numbers = &p->j->orphans;
    while (c->place < numbers->cap) {
        const struct orphan *o = slots_find(numbers, (uint32_t)c->place++);
        if (!look(p)) return false;
        if (o && !put_orphan(p, o)) return false;
    }
    return true;
}

/* ---- what stands in tables ------------------------------------------------------------------- */

/* A piece of it. True: that was the last. */
static bool walk(struct putting *p, const struct table *t, table_fn *fn)
{
    struct snapshot_cursor *c = &p->j->snapshot;
    c->place = table_walk(t, c->place, p->looks, fn, p);
    if (c->place) p->looks = 0;
    return !c->place && !p->err;
}

static bool put_sub(void *item, void *arg)
{
    const struct sub *x = item;
    struct record_subscription r;
    struct record_buf b;
    if (!x->session->sid) return true;
    journal_sub_record(x, &r);
    record_put_subscribed(&b, &r);
    return put(arg, &b);
}

static bool put_subs(struct putting *p)
{
    return walk(p, &p->j->broker->subs, put_sub);
}

static bool put_retained(void *item, void *arg)
{
    const struct retain_node *n = item;
    struct putting *p = arg;
    struct record_buf b;
    if (!n->message || !(n->message->flags & MESSAGE_LOGGED)) return true;
    const struct record_message r = journal_message_record(p->j->broker, n->message);
    record_put_retained(&b, &r);
    return put(p, &b);
}

static bool put_all_retained(struct putting *p)
{
    return walk(p, &p->j->broker->retain.paths, put_retained);
}

static bool put_origin(void *item, void *arg)
{
    const struct origin *x = item;
    struct putting *p = arg;
    struct record_buf b;
    uint8_t *serials = malloc(8 * (size_t)x->n + 1);
    if (!serials) {
        p->err = -ERR_NOMEM;
        return false;
    }
    struct writer w = wr_of(serials, 8 * (size_t)x->n);
    for (uint32_t i = 0; i < x->n; i++)
        wr_u64be(&w, x->serial[i] >> 1);
    record_put_origin(
        &b, &(struct record_origin){.origin = x->origin, .nserials = x->n, .serials = serials});
    bool more = put(p, &b);
    free(serials);
    return more;
}

static bool put_origins(struct putting *p)
{
    return walk(p, &p->j->origins.by_origin, put_origin);
}

/* ---- all together ------------------------------------------------------------------------------
 */

/* Orphans after sessions. Each answers whether all of its kind has been put. */
static bool (*const parts[])(struct putting *) = {
    put_sessions, put_orphans, put_subs, put_all_retained, put_origins,
};

int journal_snapshot(void *journal, struct store *s, bool first, size_t budget)
{
    struct journal *j = journal;
    struct snapshot_cursor *c = &j->snapshot;
    struct putting p = {.j = j, .store = s, .left = budget, .looks = LOOKS};

    if (first) *c = (struct snapshot_cursor){0};
    while (c->phase < ARRAY_LEN(parts)) {
        if (!parts[c->phase](&p)) return p.err;
        c->phase++;
        c->place = 0;
        c->sid = 0;
    }
    return 1;
}
