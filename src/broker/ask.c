/* SPDX-License-Identifier: BSD-3-Clause */
/* ask.c -- a subscription is asked for at the owners, and their answers come in.
 *
 * An answer opens the gate for its owner and brings the retained messages. These wait in the
 * batch until the last answer of the SUBSCRIBE packet is in and SUBACK has gone; then they are the
 * session's backlog. As long as any wait, all that is live waits behind them (session->holding):
 * else a client would see a new value first and the retained one after it. Home's. */
#include <stdlib.h>

#include "broker/internal.h"

/* ---- questions ----------------------------------------------------------------------------- */

static struct asking *asking_new(struct sub *sub, const struct sub_request *r,
                                 struct sub_batch *batch)
{
    struct broker *b = sub->session->broker;
    struct asking *a = calloc(1, sizeof *a);
    if (!a) return NULL;
    *a = (struct asking){.sub = sub,
                         .batch = batch,
                         .status = r->status,
                         .sub_id = r->sub_id,
                         .qos = r->qos,
                         .next = sub->askings,
                         .link = &sub->askings,
                         .batch_next = batch->askings,
                         .batch_link = &batch->askings,
                         .all_next = b->askings,
                         .all_link = &b->askings};
    if (a->next) a->next->link = &a->next;
    if (a->batch_next) a->batch_next->batch_link = &a->batch_next;
    if (a->all_next) a->all_next->all_link = &a->all_next;
    sub->askings = batch->askings = b->askings = a;
    return a;
}

static void asking_free(struct asking *a)
{
    if (a->sub) {
        *a->link = a->next;
        if (a->next) a->next->link = a->link;
    }
    if (a->batch) {
        *a->batch_link = a->batch_next;
        if (a->batch_next) a->batch_next->batch_link = a->batch_link;
    }
    *a->all_link = a->all_next;
    if (a->all_next) a->all_next->all_link = a->all_link;
    free(a);
}

void ask_forget_sub(struct sub *sub)
{
    for (struct asking *a = sub->askings; a; a = a->next)
        a->sub = NULL;
}

/* A letter to each of the `n` owners, or NULL. */
static struct interest_mail **letters_new(struct broker *b, const struct local_filter *f,
                                          unsigned n)
{
    struct interest_mail **mails = calloc(n, sizeof(struct interest_mail *));
    unsigned made = 0;
    while (mails && made < n && (mails[made] = interest_mail_new(b, f)) != NULL)
        made++;
    if (made == n) return mails;
    while (made)
        free(mails[--made]);
    free(mails);
    return NULL;
}

int ask_owners(struct sub *sub, const struct sub_request *r, struct sub_batch *batch, bool fresh)
{
    struct broker *b = sub->session->broker;
    struct local_filter *f = sub->filter;
    unsigned first, n = owners_of(b, f, &first);
    bool want = !f->group && (r->retain_handling == 0 || (r->retain_handling == 1 && fresh));
    bool gated = fresh && !f->group;
    struct asking *a = asking_new(sub, r, batch);
    struct interest_mail **mails = a ? letters_new(b, f, n) : NULL;
    if (mails && gated) sub->gate = calloc(1, sizeof *sub->gate);
    if (!mails || (gated && !sub->gate)) {
        for (unsigned i = 0; mails && i < n; i++)
            free(mails[i]);
        free(mails);
        if (a) asking_free(a);
        return -ERR_NOMEM;
    }
    a->left = n;
    a->fresh = fresh;
    batch->waiting++;
    for (unsigned i = 0; i < n; i++) {
        if (gated) cores_add(sub->gate, first + i);
        mails[i]->asking = a;
        mails[i]->want_retained = want;
        interest_mail_send(b, first + i, mails[i]);
    }
    free(mails);
    return 0;
}

/* ---- batches -------------------------------------------------------------------------------- */

void ask_begin(struct session *s, struct sub_batch *batch)
{
    if (batch->link) return;
    batch->next = s->batches;
    batch->link = &s->batches;
    if (batch->next) batch->next->link = &batch->next;
    s->batches = batch;
    batch->waiting++; /* the packet itself, until broker_subscribe_end */
}

static void drop_held(struct broker *b, struct sub_batch *batch)
{
    while (batch->held) {
        struct backlog *l = batch->held;
        batch->held = l->next;
        backlog_free(b, l);
    }
}

static void pass_backlog(struct session *s, const struct sub_batch *batch)
{
    if (!batch->held) return;
    if (s->backlog_tail)
        s->backlog_tail->next = batch->held;
    else
        s->backlog = batch->held;
    s->backlog_tail = batch->held_tail;
    session_mark_ready(s);
}

static void batch_done(struct sub_batch *batch)
{
    struct session *s = batch->session;
    *batch->link = batch->next;
    if (batch->next) batch->next->link = batch->link;
    if (batch->held) s->holding--;
    struct sub_batch held = *batch; /* done() frees the batch */
    batch->done(batch);
    if (s->ops)
        pass_backlog(s, &held);
    else
        drop_held(s->broker, &held);
}

void broker_subscribe_end(struct sub_batch *batch)
{
    ask_begin(batch->session, batch); /* of a packet none of whose filters came to the broker */
    if (--batch->waiting == 0) batch_done(batch);
}

void subscribe_forget_batches(struct session *s)
{
    while (s->batches) {
        struct sub_batch *batch = s->batches;
        s->batches = batch->next;
        if (batch->next) batch->next->link = &s->batches;
        for (struct asking *a = batch->askings; a; a = a->batch_next)
            a->batch = NULL;
        drop_held(s->broker, batch);
        batch->session = NULL;
        batch->done(batch);
    }
    s->holding = 0;
}

/* ---- answers -------------------------------------------------------------------------------- */

/* No cached result left the subscription out: with a gate in it none is kept (match.c). */
static void open_gate(struct sub *sub, unsigned owner)
{
    if (!sub->gate) return;
    cores_remove(sub->gate, owner);
    if (cores_any(sub->gate)) return;
    free(sub->gate);
    sub->gate = NULL;
}

static void hold_back(struct sub_batch *batch, struct backlog *l)
{
    if (batch->held) {
        batch->held_tail->next = l;
    } else {
        batch->held = l;
        batch->session->holding++;
    }
    batch->held_tail = l;
}

/* Makes the vector's messages ours: what came by mail are shares. False: not all could be kept. */
static bool make_local(struct broker *b, struct retain_vector *v)
{
    bool all = true;
    for (uint32_t i = 0; i < v->n; i++) {
        struct message *share = v->at[i];
        if (!share) continue;
        v->at[i] = message_keep(b->core, share);
        all &= v->at[i] != NULL;
        message_put(b->core, share);
    }
    return all;
}

/* May the session wait for `n` more retained messages? Who subscribes to "#" again and again and
 * does not read would else pile up pointers without end. */
static bool has_room(const struct session *s, uint32_t n)
{
    return n <= s->broker->options.backlog_max &&
           s->retained_due <= s->broker->options.backlog_max - n;
}

/* Takes the vector of an answer. False: it is too much, or memory ran out. */
static bool take_retained(struct broker *b, const struct asking *a, struct interest_mail *im)
{
    struct retain_vector *v = &im->walk.found;
    bool wanted = a->batch && a->sub && v->n; /* somebody waits, and is still subscribed */
    bool room = wanted && has_room(a->sub->session, v->n);
    struct backlog *l = room ? calloc(1, sizeof *l) : NULL;
    if (!l) {
        answer_drop(b, im);
        return !wanted;
    }
    bool all = im->owner == b->core->id || make_local(b, v);
    *l = (struct backlog){
        .session = a->sub->session, .at = v->at, .n = v->n, .sub_id = a->sub_id, .qos = a->qos};
    l->session->retained_due += l->n;
    hold_back(a->batch, l);
    return all;
}

void answer_drop(struct broker *b, struct interest_mail *im)
{
    struct retain_vector *v = &im->walk.found;
    for (uint32_t i = 0; i < v->n; i++)
        if (v->at[i]) message_put(b->core, v->at[i]); /* of our own answer a use, else a share */
    free(v->at);
    *v = (struct retain_vector){0};
}

void subscribe_answered(struct broker *b, struct interest_mail *im)
{
    struct asking *a = im->asking;
    if (a->sub) open_gate(a->sub, im->owner);
    if (!take_retained(b, a, im) || im->walk.failed) a->failed = true;
    free(im);
    if (--a->left) return;

    struct sub_batch *batch = a->batch;
    struct sub *sub = a->failed && a->fresh ? a->sub : NULL;
    if (a->failed && batch && a->status) *a->status = -ERR_FULL;
    asking_free(a);
    if (sub) sub_end(sub); /* the client hears that it is not subscribed, so it must not be */
    if (batch && --batch->waiting == 0) batch_done(batch);
}

void ask_fini(struct broker *b)
{
    while (b->askings) {
        struct asking *a = b->askings;
        a->sub = NULL;
        a->batch = NULL;
        asking_free(a);
    }
}
