/* SPDX-License-Identifier: BSD-3-Clause */
/* oracle_crash.c -- what a crash excuses, and what it does not.
 *
 * What was not acknowledged when the broker crashed is in doubt: some sessions may have it on disk
 * and others not, and it may be sent and routed once more. Such a message is loose: no order is
 * asked of it, but if it was acknowledged in the end, everybody to whom it is owed must have it,
 * and at QoS 2 once. At QoS 1 a session may get again what it had, in the old order and before all
 * that is new. All else is judged as if there had been no crash. */
#include "base/assert.h"
#include "base/clock.h"
#include "machine.h"
#include "oracle.h"

/* Nobody is told when the log knows of a goodbye. */
#define GOODBYE_NS (3 * NS_PER_S)

void oracle_trouble(struct oracle *o)
{
    o->trouble = true;
    for (uint32_t i = 1; i <= o->notes; i++) {
        struct note *n = note_at(o, i);
        if (n->sent_at != NEVER && n->acked_at == NEVER) n->troubled = true;
    }
}

void oracle_crash(struct oracle *o)
{
    uint64_t now_ns = machine()->now_ns;
    o->crashes++;
    for (uint32_t i = 1; i <= o->notes; i++) {
        struct note *n = note_at(o, i);
        if (n->fate > 0 || o->trouble || now_ns - n->fate_ns < GOODBYE_NS) n->fate = 0;
        if (n->sent_at != NEVER && n->acked_at == NEVER) n->doubt_at = o->t->n;
    }
    for (struct seat *s = o->seats; s; s = s->next)
        if (!s->ended) s->crashed_at = o->t->n;
    o->troubled |= o->trouble;
    o->trouble = false;
}

bool is_loose(const struct oracle *o, uint32_t number)
{
    if (o->crashes == 0) return false;
    if (number == CLEAR) return true; /* which one it was is not known */
    const struct note *n = &o->note[number - 1];
    return n->doubt_at || n->will || n->troubled || (n->qos == 1 && n->sends > 1);
}

/* ---- once more ----------------------------------------------------------------------------- */

/* Index of the first receipt of `number` from an earlier life; r->n: none. */
static uint32_t former(const struct receipts *r, const struct seat *s, uint32_t number)
{
    uint32_t i = 0;
    while (i < r->n && (r->at[i].number != number || r->at[i].life == s->life))
        i++;
    return i;
}

static bool came_again_already(const struct receipts *r, const struct seat *s, uint32_t number)
{
    for (uint32_t i = 0; i < r->n; i++)
        if (r->at[i].number == number && r->at[i].life == s->life) return true;
    return false;
}

/* What comes once more keeps its order, and comes before what is new; but not by a share group. */
static void check_turn(struct oracle *o, const struct seat *s, const struct arrived *a)
{
    const struct receipts *live = &s->live[a->topic], *again = &s->again[a->topic];
    uint32_t place = former(live, s, a->number);
    if (s->member || is_loose(o, a->number)) return;
    for (uint32_t i = 0; i < again->n; i++) {
        const struct receipt *x = &again->at[i];
        if (x->life != s->life || is_loose(o, x->number)) continue;
        if (former(live, s, x->number) > place)
            broken(o->t, "after the crash client %u got message %u again behind %u, its successor",
                   s->client, a->number, x->number);
    }
    for (uint32_t i = 0; i < live->n; i++) {
        const struct receipt *x = &live->at[i];
        if (x->life == s->life && x->qos > 0 && !is_loose(o, x->number))
            broken(o->t, "after the crash client %u got message %u again behind %u, which is new",
                   s->client, a->number, x->number);
    }
}

bool came_in_former_life(struct oracle *o, struct seat *s, const struct arrived *a)
{
    const struct receipts *had = a->retain ? &s->retained[a->topic] : &s->live[a->topic];
    if (s->life == 0 || a->qos != 1 || a->number == CLEAR) return false;
    if (former(had, s, a->number) == had->n) return false;
    if (came_again_already(&s->again[a->topic], s, a->number)) return false;
    if (!a->retain) check_turn(o, s, a);
    struct receipt x = {.number = a->number, .qos = a->qos, .life = s->life, .at = o->t->n};
    receipts_add(&s->again[a->topic], &x);
    return true;
}

/* ---- loose messages ------------------------------------------------------------------------ */

/* Who is refused at QoS 2 when some have it, and does not hear of it, sends it again. */
uint32_t oracle_most(const struct note *n)
{
    return n->qos == 1 || n->troubled ? n->sends : n->sends > 0;
}

static uint32_t times_got(const struct seat *s, unsigned topic, uint32_t number, uint8_t min_qos)
{
    const struct receipts *r = &s->live[topic];
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->n; i++)
        n += r->at[i].number == number && r->at[i].qos >= min_qos;
    return n;
}

void oracle_judge_loose(struct oracle *o, const struct seat *s)
{
    for (uint32_t i = 1; i <= o->notes; i++) {
        const struct note *n = note_at(o, i);
        struct claim c;
        if (n->qos == 0 || n->clear || n->will || !is_loose(o, i)) continue;
        uint32_t times = times_got(s, n->topic, i, n->qos), most = oracle_most(n);
        if (times > most && !s->member)
            broken(o->t, "client %u got message %u at QoS %u %u times; it was sent %u times",
                   s->client, i, n->qos, times, n->sends);
        if (times_got(s, n->topic, i, 0) || n->acked_at == NEVER || !claim_of(o, s, n->topic, &c))
            continue;
        if (c.qos > 0 && n->sent_at > c.granted_at)
            broken(o->t, "client %u missed message %u on %s, which was acknowledged", s->client, i,
                   topic_name(n->topic));
    }
}

/* ---- what is retained ---------------------------------------------------------------------- */

/* The last one that is not in doubt counts; or one that was in doubt after that was sent. */
bool oracle_may_be_retained(struct oracle *o, unsigned topic, uint32_t number)
{
    const struct receipts *order = &o->witness->live[topic];
    uint64_t sure_at = 0;
    uint32_t sure = CLEAR;
    for (uint32_t i = 0; i < order->n; i++) {
        uint32_t x = order->at[i].number;
        if (is_loose(o, x) || !note_at(o, x)->retain) continue;
        sure = x;
        sure_at = note_at(o, x)->sent_at;
    }
    if (number == sure) return true;
    for (uint32_t i = 1; i <= o->notes; i++) {
        const struct note *n = note_at(o, i);
        bool late = n->doubt_at > sure_at || n->again_at > sure_at || n->acked_at > sure_at;
        bool fits = number == CLEAR ? n->clear : i == number;
        if (n->retain && n->topic == topic && fits && late && (n->clear || is_loose(o, i)))
            return true;
    }
    return false;
}
