/* SPDX-License-Identifier: BSD-3-Clause */
/* oracle_shares.c -- shared subscriptions: what a group is owed, its members may get in any
 * order; but each message goes to one of them, and to another one only if the first was lost. */
#include <stdlib.h>

#include "base/assert.h"
#include "oracle.h"

/* What a group got. */
struct tally {
    uint32_t *times;     /* by message: to how many members it went */
    uint32_t *losses;    /* of them, to members whose connection broke at some time */
    uint64_t granted_at; /* since when there was a member that stays to the end */
    bool kept;
    bool strict;
    uint64_t online_since; /* of the members that are online, the first */
};

static const struct subscribed *member_sub(const struct seat *s, unsigned share)
{
    for (unsigned i = 0; i < s->nsubs; i++)
        if (s->sub[i].shared && s->sub[i].filter == share) return &s->sub[i];
    return NULL;
}

/* A member of one group only: what it got came by this group. */
static void add_seat(struct tally *y, const struct seat *s, const struct subscribed *x)
{
    for (unsigned t = 0; t < TOPICS; t++)
        for (uint32_t i = 0; i < s->live[t].n; i++) {
            const struct receipt *r = &s->live[t].at[i];
            y->times[r->number]++;
            if (r->qos == 1 && r->at < s->broke_at) y->losses[r->number]++;
        }
    uint64_t since = x->granted_at > s->online_since ? x->granted_at : s->online_since;
    if (x->dropped_at == NEVER && since < y->online_since) y->online_since = since;
    bool stays = !s->ended && x->granted_at != NEVER && x->dropped_at == NEVER;
    if (stays && x->qos > 0 && x->granted_at < y->granted_at) y->granted_at = x->granted_at;
    if (x->qos == 0 || s->ended) y->kept = false;             /* what it took with it is gone */
    if (y->strict && x->dropped_at != NEVER) y->kept = false; /* what it had stays in flight */
}

static void judge_message(struct oracle *o, unsigned share, const struct tally *y,
                          const struct receipt *r)
{
    const struct note *n = note_at(o, r->number);
    uint32_t times = y->times[r->number], routed = n->qos == 1 ? n->sends : 1;
    if (n->will) routed = 1;
    uint32_t most = routed + y->losses[r->number];
    if (times > most && !o->crashes)
        broken(o->t, "message %u went to %u members of %s", r->number, times, share_name(share));
    bool owed = n->qos > 0 && y->kept && !n->will && n->sent_at > y->granted_at;
    if (is_loose(o, r->number)) owed &= n->acked_at != NEVER;
    if (y->strict) owed &= n->qos == 1 && y->online_since != NEVER;
    if (owed && y->granted_at != NEVER && times == 0)
        broken(o->t, "message %u went to no member of %s", r->number, share_name(share));
}

static void judge_share(struct oracle *o, unsigned share, bool strict)
{
    struct tally y = {.granted_at = NEVER, .kept = true, .strict = strict, .online_since = NEVER};
    y.times = calloc(o->notes + 1, sizeof *y.times);
    y.losses = calloc(o->notes + 1, sizeof *y.losses);
    ASSERT(y.times && y.losses);
    for (const struct seat *s = o->seats; s; s = s->next) {
        const struct subscribed *x = s->member ? member_sub(s, share) : NULL;
        if (x) add_seat(&y, s, x);
    }
    for (unsigned t = 0; t < TOPICS; t++) {
        const struct receipts *order = &o->witness->live[t];
        for (uint32_t i = 0; share_takes(share, t) && i < order->n; i++)
            if (order->at[i].number != CLEAR) judge_message(o, share, &y, &order->at[i]);
    }
    free(y.times);
    free(y.losses);
}

void oracle_judge_shares(struct oracle *o, bool strict)
{
    for (unsigned i = 0; i < SHARES; i++)
        judge_share(o, i, strict);
}
