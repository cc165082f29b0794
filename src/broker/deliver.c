/* SPDX-License-Identifier: BSD-3-Clause */
/* deliver.c -- the deliver phase: messages that reached this core go before its sessions.
 *
 * Publishing and mail only add arrivals; here, once per turn, they are matched and
 * offered, in the order they came, which for one topic is its owner's order. An owner's
 * answer to a new subscription keeps its place among them: what came before is in the answer,
 * what comes after is live. Receiver's. */
#include <stdlib.h>

#include "broker/internal.h"
#include "broker/journal/journal.h"
#include "broker/journal/origin.h"
#include "broker/match.h"
#include "broker/share.h"

enum {
    ARRIVALS_FIRST = 256,
    ARRIVALS_REST = 16384,
    ARRIVALS_LEFT = 16384, /* may be left to later turns for the sake of short ones */
    ARRIVALS_MAX = 65536,  /* when the disk is behind: above it QoS 0 is dropped */
    OFFERS_BUDGET = 16384, /* to sessions in one turn */
    WALK_BUDGET = 2048,
    REVISIT_BUDGET = 256,
};

static bool grow(struct broker *b)
{
    uint32_t cap = b->arrivals_cap ? b->arrivals_cap * 2 : ARRIVALS_FIRST;
    struct arrival *at = realloc(b->arrival, cap * sizeof *at);
    if (!at) return false;
    b->arrival = at;
    b->arrivals_cap = cap;
    return true;
}

/* Above QoS 0 the publishers wait, so there is an end to what comes. */
static bool is_too_much(const struct broker *b, const struct arrival *a)
{
    return b->arrivals >= ARRIVALS_MAX && a->m && a->m->qos == 0;
}

void deliver_arrived_shared(struct broker *b, const struct arrival *a)
{
    if (UNLIKELY(is_too_much(b, a))) {
        count(&b->core->counters, C_dropped_queue);
        message_put(b->core, a->m);
        return;
    }
    if (b->arrivals == b->arrivals_cap && !grow(b)) {
        count(&b->core->counters, C_dropped_queue);
        if (a->m) share_journey_ends(b, a, -ERR_NOMEM);
        return;
    }
    b->arrival[b->arrivals++] = *a;
}

void deliver_arrived(struct broker *b, struct message *m, unsigned from)
{
    struct arrival a = {.m = m, .from = (uint16_t)from};
    deliver_arrived_shared(b, &a);
}

void deliver_on_mail(void *ctx, unsigned from, const struct mail *m)
{
    deliver_arrived(ctx, m->ptr, from);
}

void deliver_answer(struct broker *b, unsigned owner, struct interest_mail *im)
{
    im->next = NULL;
    im->after = b->arrivals;
    im->owner = (uint16_t)owner;
    *b->answers_end = im;
    b->answers_end = &im->next;
}

void deliver_on_answer(void *ctx, unsigned from, const struct mail *m)
{
    deliver_answer(ctx, from, m->ptr);
}

static struct interest_mail *next_answer(struct broker *b)
{
    struct interest_mail *im = b->answers;
    b->answers = im->next;
    if (!b->answers) b->answers_end = &b->answers;
    return im;
}

/* Takes the answers that came before arrival `n` did. */
static unsigned take_answers(struct broker *b, uint32_t n)
{
    unsigned taken = 0;
    for (; b->answers && b->answers->after <= n; taken++)
        subscribe_answered(b, next_answer(b));
    return taken;
}

/* It was published again after a restart; did it come as far as our log the first time? */
static bool is_known(const struct broker *b, struct message *m)
{
    const struct message_logged *l = message_logged(m);
    return b->journal && journal_knows(b->journal, l->origin, l->serial);
}

/* Or as far as the log in which this session was before the number of cores changed? */
static bool is_known_to(const struct session *s, struct message *m)
{
    const struct message_logged *l = message_logged(m);
    if (!s->cohort) return false;
    return journal_knows(s->broker->journal, origin_for_cohort(l->origin, s->cohort), l->serial);
}

/* Offers `m` to all who want it. The worst of what became of it. */
static int offer_each(struct broker *b, struct message *m, const struct targets *t)
{
    struct delivery d = {.m = m, .serial = ++b->serial};
    bool in_doubt = UNLIKELY(m->flags & MESSAGE_IN_DOUBT);
    bool known = in_doubt && is_known(b, m);
    int worst = t->incomplete ? -ERR_NOMEM : 0;

    for (uint32_t i = 0; i < t->n; i++) {
        const struct target *g = &t->at[i];
        if (g->no_local && m->origin_session == g->session->id && m->origin_core == b->core->id)
            continue; /* [MQTT-3.8.3-3] */
        if (in_doubt && g->session->sid && (known || is_known_to(g->session, m)))
            continue;                              /* [MQTT-4.3.3-10] */
        d.qos = m->qos < g->qos ? m->qos : g->qos; /* [MQTT-3.8.4-8] */
        d.retain = g->retain_as_published &&
                   (m->flags & MESSAGE_RETAIN); /* [MQTT-3.3.1-12] [MQTT-3.3.1-13] */
        d.sub_ids = t->ids + g->ids_at;
        d.nsub_ids = g->nids;
        int status = session_offer(g->session, &d, 0);
        if (status < worst) worst = status;
    }
    return worst;
}

/* The same; if the message has a name by which it may come again, the log learns it. */
static int offer(struct broker *b, struct message *m, const struct targets *t)
{
    bool named = b->journal && message_is_named(m);
    if (named) journal_deliver(b->journal, m, t->n);
    int worst = offer_each(b, m, t);
    if (named) journal_delivered(b->journal);
    return worst;
}

/* Returns how many sessions it met, or may have. */
static unsigned deliver(struct broker *b, const struct arrival *a)
{
    struct message *m = a->m;
    uint64_t mark = accept_mark(b, m);
    const struct targets *t = match_targets(b, m, a->from);
    bool expired = message_expired(m, core_now_s(b->core)); /* [MQTT-3.3.2-5] */
    if (expired) count(&b->core->counters, C_dropped_expired);
    if (UNLIKELY(t && t->denied)) count_add(&b->core->counters, C_denied_deliver, t->denied);

    int worst = t ? 0 : -ERR_NOMEM;
    if (t && !expired) worst = offer(b, m, t);
    unsigned met = t ? t->n : 0;
    accept_kept_since(b, m, worst, mark);
    message_put(b->core, m);
    return met;
}

static unsigned pump_ready(struct broker *b)
{
    unsigned pumped = 0;
    /* Who is not done is listed again, for the next turn. */
    b->pumping = b->ready;
    if (b->pumping) b->pumping->ready_link = &b->pumping;
    b->ready = NULL;
    b->ready_end = &b->ready;
    for (struct session *s; (s = b->pumping) != NULL; pumped++) {
        session_unmark_ready(s);
        session_pump(s);
    }
    return pumped;
}

/* Forgets the first `n` arrivals. */
static void drop_arrivals(struct broker *b, uint32_t n)
{
    b->arrivals -= n;
    memmove(b->arrival, b->arrival + n, b->arrivals * sizeof *b->arrival);
    for (struct interest_mail *im = b->answers; im; im = im->next)
        im->after -= n;
    if (b->arrivals || b->arrivals_cap <= ARRIVALS_REST) return;
    free(b->arrival);
    b->arrival = NULL;
    b->arrivals_cap = 0;
}

/* Without room in the log arrivals wait; the journal has the core turn again when there is. */
static bool log_has_room(const struct broker *b)
{
    return LIKELY(!b->journal) || journal_has_room(b->journal);
}

/* Delivers arrivals, in order: as many as this turn has time for, but so that no more are left than
 * a turn can bring. Returns how many. */
static uint32_t deliver_arrivals(struct broker *b, unsigned *answers)
{
    uint32_t n = b->arrivals; /* what no member of a group could take may come back: next turn */
    uint32_t must = n > ARRIVALS_LEFT ? n - ARRIVALS_LEFT : 0;
    uint32_t i = 0;
    for (unsigned offers = 0; i < n && (offers < OFFERS_BUDGET || i < must); i++) {
        if (!log_has_room(b)) break;
        *answers += take_answers(b, i);
        struct arrival a = b->arrival[i];
        if (UNLIKELY(a.group))
            group_deliver(b, &a);
        else
            offers += deliver(b, &a);
        offers++;
    }
    *answers += take_answers(b, i);
    if (i) drop_arrivals(b, i);
    return i;
}

void deliver_go_on(struct broker *b)
{
    bool more = (b->arrivals || b->answers) && log_has_room(b);
    if (more || b->ready || b->retain.walk_head) core_turn_again(b->core);
}

unsigned broker_deliver(void *broker)
{
    struct broker *b = broker;
    unsigned work = access_step(b, REVISIT_BUDGET);
    work += retain_step(&b->retain, WALK_BUDGET, b);
    unsigned answers = 0;
    work += deliver_arrivals(b, &answers) + answers;
    work += pump_ready(b);
    deliver_go_on(b);
    return work;
}

void deliver_fini(struct broker *b)
{
    while (b->answers) {
        struct interest_mail *im = next_answer(b);
        answer_drop(b, im);
        free(im);
    }
    for (uint32_t i = 0; i < b->arrivals; i++)
        if (b->arrival[i].m) message_put(b->core, b->arrival[i].m);
    free(b->arrival);
}
