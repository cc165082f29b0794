/* SPDX-License-Identifier: BSD-3-Clause */
/* subscribe.c -- a session subscribes: its core learns the filter, and so do the owners.
 *
 * A filter without wildcards has one owner; one with wildcards may match topics of
 * every core, so all are asked. An owner's answer carries its retained messages; what
 * it sends later is live. Until it has answered, its messages do not count for the new
 * subscription (sub->gate), for they are in the answer. SUBACK waits for all answers,
 * and the retained messages for SUBACK. Home's. */
#include <stdlib.h>

#include "broker/internal.h"
#include "broker/share.h"

/* ---- filters and subscriptions of this core ---------------------------------------------------
 */

static struct filters *set_of(struct broker *b, bool shared)
{
    return shared ? &b->groups : &b->local;
}

static struct local_filter *filter_find(struct broker *b, struct bytes name, bool shared)
{
    struct filter_entry *e = filters_find(set_of(b, shared), name_hash(b->seed, name), name);
    return e ? CONTAINER_OF(e, struct local_filter, entry) : NULL;
}

static struct local_filter *filter_make(struct broker *b, struct bytes name, uint32_t filter_at)
{
    struct local_filter *f = calloc(1, sizeof *f + name.n);
    if (!f) return NULL;
    memcpy(f->name, name.p, name.n);
    struct bytes own = bytes_of(f->name, name.n);
    filter_entry_init(&f->entry, b->seed, own, bytes_skip(own, filter_at));
    bool shared = filter_at > 0;
    if ((shared && group_new(b, f) < 0) || filters_add(set_of(b, shared), &f->entry) < 0) {
        if (f->group) group_free(b, f);
        free(f);
        return NULL;
    }
    return f;
}

static void filter_free(struct broker *b, struct local_filter *f)
{
    filters_del(set_of(b, f->group != NULL), &f->entry);
    if (f->group) group_free(b, f);
    free(f);
}

static struct sub *sub_find(struct local_filter *f, const struct session *s)
{
    /* The shorter list of the two decides. */
    if (s->nsubs < f->nsubs) {
        for (struct sub *x = s->subs; x; x = x->session_next)
            if (x->filter == f) return x;
        return NULL;
    }
    for (struct sub *x = f->subs; x; x = x->filter_next)
        if (x->session == s) return x;
    return NULL;
}

static struct sub *sub_make(struct session *s, struct local_filter *f)
{
    struct sub *x = calloc(1, sizeof *x);
    if (!x) return NULL;
    x->session = s;
    x->filter = f;
    x->filter_next = f->subs;
    x->filter_link = &f->subs;
    if (f->subs) f->subs->filter_link = &x->filter_next;
    f->subs = x;
    f->nsubs++;
    x->session_next = s->subs;
    x->session_link = &s->subs;
    if (s->subs) s->subs->session_link = &x->session_next;
    s->subs = x;
    s->nsubs++;
    count(&s->broker->core->counters, C_subscriptions);
    return x;
}

static void sub_free(struct sub *x)
{
    *x->filter_link = x->filter_next;
    if (x->filter_next) x->filter_next->filter_link = x->filter_link;
    x->filter->nsubs--;
    *x->session_link = x->session_next;
    if (x->session_next) x->session_next->session_link = x->session_link;
    x->session->nsubs--;
    for (struct asking *a = x->askings; a; a = a->next)
        a->sub = NULL;
    count_sub(&x->session->broker->core->counters, C_subscriptions, 1);
    free(x->gate);
    free(x);
}

/* ---- mail to the owners -------------------------------------------------------------------------
 */

struct interest_mail *interest_mail_new(struct broker *b, const struct local_filter *f)
{
    struct bytes name = filter_entry_name(&f->entry);
    struct interest_mail *im = calloc(1, sizeof *im + name.n);
    if (!im) return NULL;
    im->home = (uint16_t)b->core->id;
    im->name_len = (uint16_t)name.n;
    im->filter_at = f->entry.filter_at;
    memcpy(im->name, name.p, name.n);
    if (f->group) group_fill_mail(f, im);
    return im;
}

void interest_mail_send(struct broker *b, unsigned owner, struct interest_mail *im)
{
    if (owner == b->core->id) {
        interest_change(b, im);
        return;
    }
    struct mail mail = {.kind = MAIL_INTEREST, .ptr = im};
    mesh_send(b->core->mesh, owner, mail, 0, 0);
}

/* The owners of a filter: from *first on, one or all. */
unsigned owners_of(const struct broker *b, const struct local_filter *f, unsigned *first)
{
    *first =
        f->entry.wildcard ? 0 : broker_owner(b, name_hash(b->seed, filter_entry_filter(&f->entry)));
    return f->entry.wildcard ? b->core->cores : 1;
}

static void tell_gone(struct broker *b, const struct local_filter *f)
{
    unsigned first, n = owners_of(b, f, &first);
    for (unsigned i = 0; i < n; i++) {
        struct interest_mail *im = interest_mail_new(b, f);
        if (!im) { /* the owner keeps sending what is then dropped here */
            LOG(&b->core->log, LOG_WARN, "interest_kept", F_STR("reason", err_text(ERR_NOMEM)));
            return;
        }
        im->gone = true;
        interest_mail_send(b, first + i, im);
    }
}

/* ---- answers
 * -------------------------------------------------------------------------------------- */

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
                         .next = sub->askings};
    sub->askings = a;
    a->all_next = b->askings;
    a->all_link = &b->askings;
    if (b->askings) b->askings->all_link = &a->all_next;
    b->askings = a;
    return a;
}

static void asking_free(struct asking *a)
{
    if (a->sub) {
        struct asking **at = &a->sub->askings;
        while (*at != a)
            at = &(*at)->next;
        *at = a->next;
    }
    *a->all_link = a->all_next;
    if (a->all_next) a->all_next->all_link = a->all_link;
    free(a);
}

static void open_gate(struct broker *b, struct sub *sub, unsigned owner)
{
    if (!sub->gate) return;
    cores_del(sub->gate, owner);
    if (!cores_empty(sub->gate)) return;
    free(sub->gate);
    sub->gate = NULL;
    b->local.generation++; /* results that left it out are void */
}

/* The vector's messages become the session's to send, once SUBACK has gone. Takes
 * the vector; foreign messages become local. */
static void hold_back(struct broker *b, struct asking *a, struct retain_vector *v, bool local)
{
    struct backlog *l = a->batch && v->n ? calloc(1, sizeof *l) : NULL;
    for (uint32_t i = 0; i < v->n && !local; i++) {
        struct message *share = v->at[i];
        if (!share) continue;
        v->at[i] = l ? message_keep(b->core, share) : NULL;
        message_put(b->core, share);
    }
    if (!l) {
        if (local) retain_vector_fini(v, b->core);
        if (!local) free(v->at);
        return;
    }
    *l = (struct backlog){.at = v->at, .n = v->n, .sub_id = a->sub_id, .qos = a->qos};
    if (a->batch->held_tail)
        a->batch->held_tail->next = l;
    else
        a->batch->held = l;
    a->batch->held_tail = l;
}

static void pass_backlog(struct session *s, struct sub_batch *batch)
{
    if (!batch->held) return;
    if (s->backlog_tail)
        s->backlog_tail->next = batch->held;
    else
        s->backlog = batch->held;
    s->backlog_tail = batch->held_tail;
    batch->held = batch->held_tail = NULL;
    session_mark_ready(s);
}

static void batch_done(struct sub_batch *batch)
{
    struct session *s = batch->session;
    struct sub_batch **at = &s->batches;
    while (*at != batch)
        at = &(*at)->next;
    *at = batch->next;
    struct sub_batch held = *batch; /* done() frees the batch */
    batch->done(batch);
    if (s->ops) {
        pass_backlog(s, &held);
        return;
    }
    while (held.held) {
        struct backlog *l = held.held;
        held.held = l->next;
        backlog_free(s->broker, l);
    }
}

void subscribe_answered(struct broker *b, unsigned owner, struct interest_mail *im)
{
    struct asking *a = im->asking;
    bool local = owner == b->core->id;
    if (a->sub) open_gate(b, a->sub, owner);
    if (im->walk.failed && a->batch && a->status) *a->status = -ERR_NOMEM;
    hold_back(b, a, &im->walk.found, local);
    free(im);
    if (--a->left) return;
    struct sub_batch *batch = a->batch;
    asking_free(a);
    if (batch && --batch->waiting == 0) batch_done(batch);
}

void subscribe_on_answer(void *ctx, unsigned from, const struct mail *m)
{
    subscribe_answered(ctx, from, m->ptr);
}

/* ---- the verbs
 * --------------------------------------------------------------------------------------- */

/* Asks the owners. `fresh`: the subscription is new, so nothing of theirs is live before their
 * answer. */
static int ask(struct sub *sub, const struct sub_request *r, struct sub_batch *batch, bool fresh)
{
    struct broker *b = sub->session->broker;
    struct local_filter *f = sub->filter;
    unsigned first, n = owners_of(b, f, &first);
    bool want = !f->group && (r->retain_handling == 0 || (r->retain_handling == 1 && fresh));
    struct asking *a = asking_new(sub, r, batch);
    struct interest_mail **mails = a ? calloc(n, sizeof(struct interest_mail *)) : NULL;
    unsigned made = 0;
    while (mails && made < n && (mails[made] = interest_mail_new(b, f)) != NULL)
        made++;
    if (fresh && !f->group) sub->gate = calloc(1, sizeof *sub->gate);
    if (made < n || (fresh && !f->group && !sub->gate)) {
        while (made)
            free(mails[--made]);
        free(mails);
        if (a) asking_free(a);
        return -ERR_NOMEM;
    }
    a->left = n;
    batch->waiting++;
    for (unsigned i = 0; i < n && fresh && !f->group; i++)
        cores_add(sub->gate, first + i);
    for (unsigned i = 0; i < n; i++) {
        mails[i]->asking = a;
        mails[i]->want_retained = want;
        interest_mail_send(b, first + i,
                           mails[i]); /* our own answer may come before this returns */
    }
    free(mails);
    return 0;
}

static void batch_begin(struct session *s, struct sub_batch *batch)
{
    for (struct sub_batch *x = s->batches; x; x = x->next)
        if (x == batch) return;
    batch->next = s->batches;
    s->batches = batch;
    batch->waiting++; /* the packet itself, until subscribe_end */
}

static struct sub *subscribe_new(struct session *s, const struct sub_request *r, uint32_t filter_at)
{
    struct broker *b = s->broker;
    struct local_filter *f = filter_find(b, r->filter, filter_at > 0);
    if (!f) f = filter_make(b, r->filter, filter_at);
    struct sub *sub = f ? sub_make(s, f) : NULL;
    if (f && !sub && !f->subs) filter_free(b, f);
    return sub;
}

static void set_options(struct sub *sub, const struct sub_request *r)
{
    sub->qos = r->qos;
    sub->sub_id = r->sub_id;
    sub->no_local = r->no_local;
    sub->retain_as_published = r->retain_as_published;
    sub->session->broker->local.generation++;
}

int broker_subscribe(struct session *s, const struct sub_request *r, struct sub_batch *batch)
{
    struct broker *b = s->broker;
    batch_begin(s, batch);
    uint32_t filter_at = share_filter_at(r->filter);
    struct local_filter *f = filter_find(b, r->filter, filter_at > 0);
    struct sub *sub = f ? sub_find(f, s) : NULL;
    bool fresh = !sub;
    if (fresh) {
        if (s->nsubs >= b->options.subscriptions_max) return -ERR_FULL;
        sub = subscribe_new(s, r, filter_at);
        if (!sub) return -ERR_NOMEM;
        if (sub->filter->group) group_join(sub);
    }
    set_options(sub, r); /* an existing one is replaced [MQTT-3.8.4-3] */
    int asked = ask(sub, r, batch, fresh);
    if (asked < 0) {
        if (fresh) broker_unsubscribe(s, r->filter);
        return asked;
    }
    return r->qos;
}

void broker_subscribe_end(struct sub_batch *batch)
{
    struct session *s = batch->session;
    batch_begin(s, batch); /* of a packet none of whose filters came to the broker */
    if (--batch->waiting == 0) batch_done(batch);
}

static void unsubscribe(struct sub *sub)
{
    struct broker *b = sub->session->broker;
    struct local_filter *f = sub->filter;
    if (f->group) group_leave(sub);
    sub_free(sub);
    b->local.generation++;
    if (f->subs) return;
    tell_gone(b, f);
    filter_free(b, f);
}

int broker_unsubscribe(struct session *s, struct bytes filter)
{
    struct local_filter *f = filter_find(s->broker, filter, share_filter_at(filter) > 0);
    struct sub *sub = f ? sub_find(f, s) : NULL;
    if (!sub) return -ERR_ABSENT; /* [MQTT-3.10.4-5] */
    unsubscribe(sub);
    return 0;
}

void subscribe_forget_session(struct session *s)
{
    while (s->subs)
        unsubscribe(s->subs);
}

void subscribe_forget_batches(struct session *s)
{
    if (!s->batches) return;
    for (struct asking *a = s->broker->askings; a; a = a->all_next)
        if (a->batch && a->batch->session == s) a->batch = NULL;
    while (s->batches) {
        struct sub_batch *batch = s->batches;
        s->batches = batch->next;
        while (batch->held) {
            struct backlog *l = batch->held;
            batch->held = l->next;
            backlog_free(s->broker, l);
        }
        batch->session = NULL;
        batch->done(batch);
    }
}

void subscribe_fini(struct broker *b)
{
    while (b->askings) {
        struct asking *a = b->askings;
        a->sub = NULL;
        asking_free(a);
    }
}
