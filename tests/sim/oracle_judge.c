/* SPDX-License-Identifier: BSD-3-Clause */
/* oracle_judge.c -- at rest: the witness against the publishers, each session against the
 * witness. `order` is always what the witness got on a topic. */
#include <stdlib.h>

#include "base/assert.h"
#include "oracle.h"

/* ---- the witness against the publishers --------------------------------------------------- */

/* How often each message passed through its owner. */
static uint32_t *count_routed(const struct oracle *o)
{
    uint32_t *times = calloc(o->notes + 1, sizeof *times);
    ASSERT(times);
    for (unsigned t = 0; t < TOPICS; t++)
        for (uint32_t i = 0; i < o->witness->live[t].n; i++)
            times[o->witness->live[t].at[i].number]++;
    return times;
}

static void judge_will(struct oracle *o, uint32_t number, uint32_t times)
{
    const struct note *n = note_at(o, number);
    uint32_t most = 1u + o->crashes; /* a crash may come before it is on disk that it was sent */
    if (times > most) broken(o->t, "will %u of client %u was sent %u times", number, n->by, times);
    if (n->fate > 0 && times == 0)
        broken(o->t, "will %u of client %u, whose connection broke, was not sent", number, n->by);
}

static void judge_note(struct oracle *o, uint32_t number, uint32_t times)
{
    const struct note *n = note_at(o, number);
    if (n->clear) return;
    if (n->will) {
        judge_will(o, number, times);
        return;
    }
    uint32_t most = oracle_most(n);
    if (times > most)
        broken(o->t, "message %u at QoS %u was sent %u times and delivered %u times", number,
               n->qos, n->sends, times);
    if (n->qos > 0 && n->acked_at != NEVER && times == 0)
        broken(o->t, "message %u at QoS %u was acknowledged and is lost", number, n->qos);
}

/* A publisher's messages on one topic at one QoS keep the order in which they were first sent. */
static void judge_publishers(struct oracle *o, unsigned topic)
{
    const struct receipts *order = &o->witness->live[topic];
    uint8_t *seen = calloc(o->notes + 1, 1);
    ASSERT(seen);
    for (uint32_t i = 0; i < order->n; i++) {
        uint32_t x = order->at[i].number;
        if (x == CLEAR || seen[x]++ || is_loose(o, x)) continue;
        const struct note *late = note_at(o, x);
        for (uint32_t k = 0; k < i; k++) {
            uint32_t y = order->at[k].number;
            if (y == CLEAR || y < x || is_loose(o, y)) continue;
            const struct note *early = note_at(o, y);
            if (early->by == late->by && early->qos == late->qos && !early->will && !late->will)
                broken(o->t, "messages %u and %u of client %u came in the wrong order", x, y,
                       late->by);
        }
    }
    free(seen);
}

/* ---- a session against the witness: order -----------------------------------------------------
 */

/* With small out-queues the witness may miss QoS 0 like everybody. */
static bool is_witnessed(struct oracle *o, const struct receipt *r)
{
    if (is_loose(o, r->number)) return false;
    return o->qos0_sure || r->number == CLEAR || note_at(o, r->number)->qos > 0;
}

/* Everybody sees a topic's messages in one order, and none more often than it was routed. */
static void judge_order(struct oracle *o, const struct seat *s, unsigned topic)
{
    const struct receipts *order = &o->witness->live[topic], *got = &s->live[topic];
    uint32_t at = 0;
    for (uint32_t i = 0; i < got->n; i++) {
        if (!is_witnessed(o, &got->at[i])) continue;
        while (at < order->n && order->at[at].number != got->at[i].number)
            at++;
        if (at == order->n) {
            broken(o->t, "client %u got message %u on %s twice or out of order", s->client,
                   got->at[i].number, topic_name(topic));
            return;
        }
        at++;
    }
}

/* ---- a session against the witness: nothing missed
 * ----------------------------------------------- */

/* False if nothing precise can be said. */
bool claim_of(const struct oracle *o, const struct seat *s, unsigned topic, struct claim *c)
{
    unsigned n = 0;
    *c = (struct claim){.granted_at = NEVER, .qos0 = o->qos0_sure && !s->broke_at};
    if (s->ended || s->member || s->strange) return false;
    for (unsigned i = 0; i < s->nsubs; i++) {
        const struct subscribed *x = &s->sub[i];
        if (!seat_takes(x, topic)) continue;
        if (x->granted_at == NEVER || x->dropped_at != NEVER) return false;
        if (x->qos == 0 && s->broke_at) return false;
        if (x->qos == 0 && !o->qos0_sure) return false;
        if (x->qos > c->qos) c->qos = x->qos;
        if (x->granted_at < c->granted_at) c->granted_at = x->granted_at;
        c->first = n++ ? NULL : x;
    }
    return n > 0;
}

static bool is_owed(const struct oracle *o, const struct claim *c, const struct receipt *r)
{
    return (r->qos > 0 || c->qos0) && !is_loose(o, r->number);
}

/* The next place in `r` from `at` on that is owed; r->n: none. */
static uint32_t next_owed(const struct oracle *o, const struct receipts *r, const struct claim *c,
                          uint32_t at)
{
    while (at < r->n && !is_owed(o, c, &r->at[at]))
        at++;
    return at;
}

static bool sent_after(struct oracle *o, const struct receipt *r, uint64_t moment)
{
    if (r->number == CLEAR) return false; /* which one it was is not known */
    return note_at(o, r->number)->sent_at > moment;
}

/* Do the receipts that are owed match `order` from `at` to its end? */
static bool matches_from(const struct oracle *o, const struct seat *s, unsigned topic,
                         const struct claim *c, uint32_t at)
{
    const struct receipts *order = &o->witness->live[topic], *got = &s->live[topic];
    for (uint32_t i = 0;; i++, at++) {
        i = next_owed(o, got, c, i);
        at = next_owed(o, order, c, at);
        if (i == got->n || at == order->n) return i == got->n && at == order->n;
        if (got->at[i].number != order->at[at].number) return false;
    }
}

/* Is `number` (CLEAR: nothing) what was retained when the first `n` of `order` had passed? */
static uint32_t retained_at(struct oracle *o, const struct receipts *order, uint32_t n)
{
    while (n-- > 0) {
        uint32_t number = order->at[n].number;
        if (number == CLEAR || note_at(o, number)->retain) return number;
    }
    return CLEAR;
}

/* A retained message at QoS 0 goes down with a connection. */
static bool may_be_lost(struct oracle *o, const struct claim *c, uint32_t number)
{
    return c->first->qos == 0 || (number != CLEAR && note_at(o, number)->qos == 0);
}

/* Live messages begin at `start`; what was retained then must have come, once. QoS 0 messages
 * just before it may be lost or on either side. */
static bool retained_fits(struct oracle *o, const struct seat *s, unsigned topic,
                          const struct claim *c, uint32_t start)
{
    const struct receipts *order = &o->witness->live[topic], *got = &s->retained[topic];
    uint32_t number = got->n ? got->at[0].number : CLEAR;
    if (!c->first || o->crashes) return true; /* it may have been lost before it was sent */
    if (c->first->retain_handling == 2) return got->n == 0;
    for (uint32_t at = start;; at--) {
        uint32_t wanted = retained_at(o, order, at);
        if (wanted == number && got->n <= 1) return true;
        if (got->n == 0 && s->broke_at && may_be_lost(o, c, wanted)) return true;
        if (at == 0 || is_owed(o, c, &order->at[at - 1])) return false;
    }
}

/* What was retained goes first: it is older than all that is live. */
static void judge_retained_first(struct oracle *o, const struct seat *s, unsigned topic)
{
    const struct receipts *retained = &s->retained[topic], *live = &s->live[topic];
    if (o->crashes) return;
    if (retained->n && live->n && retained->at[retained->n - 1].at > live->at[0].at)
        broken(o->t, "client %u got message %u on %s before message %u, which was retained",
               s->client, live->at[0].number, topic_name(topic),
               retained->at[retained->n - 1].number);
}

/* The receipts are a piece of the order: from the boundary that the subscription drew, up to
 * the end, without a hole. */
static void judge_piece(struct oracle *o, const struct seat *s, unsigned topic)
{
    const struct receipts *order = &o->witness->live[topic];
    struct claim c;
    bool whole = false;
    if (!claim_of(o, s, topic, &c)) return;
    if (c.first) judge_retained_first(o, s, topic);
    for (uint32_t start = 0; start <= order->n; start++) {
        bool fits = matches_from(o, s, topic, &c, start);
        whole |= fits;
        if (fits && retained_fits(o, s, topic, &c, start)) return;
        /* What was sent after SUBACK cannot lie before the boundary. */
        if (start < order->n && is_owed(o, &c, &order->at[start]) &&
            sent_after(o, &order->at[start], c.granted_at))
            break;
    }
    if (whole)
        broken(o->t, "client %u got %u retained messages on %s (%u) that don't fit what followed",
               s->client, s->retained[topic].n, topic_name(topic),
               s->retained[topic].n ? s->retained[topic].at[0].number : 0);
    else
        broken(o->t, "client %u missed messages on %s", s->client, topic_name(topic));
}

void oracle_judge_seat(struct oracle *o, const struct seat *s)
{
    for (unsigned t = 0; t < TOPICS && !s->member; t++) {
        judge_order(o, s, t);
        if (o->t->broken[0]) return;
        judge_piece(o, s, t);
    }
    if (o->crashes && !o->t->broken[0]) oracle_judge_loose(o, s);
}

uint32_t oracle_retained(const struct oracle *o, unsigned topic)
{
    const struct receipts *order = &o->witness->live[topic];
    for (uint32_t i = order->n; i-- > 0;) {
        uint32_t number = order->at[i].number;
        if (number == CLEAR || o->note[number - 1].retain) return number;
    }
    return CLEAR;
}

void oracle_judge(struct oracle *o)
{
    uint32_t *times = count_routed(o);
    for (uint32_t i = 1; i <= o->notes; i++)
        judge_note(o, i, times[i]);
    free(times);
    for (unsigned t = 0; t < TOPICS; t++)
        judge_publishers(o, t);
    for (const struct seat *s = o->seats; s; s = s->next)
        oracle_judge_seat(o, s);
    oracle_judge_shares(o, false);
}
