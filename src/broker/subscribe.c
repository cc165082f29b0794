/* SPDX-License-Identifier: BSD-3-Clause */
/* subscribe.c -- a session subscribes: its core learns the filter, and so do the owners.
 *
 * A filter without wildcards has one owner; one with wildcards may match topics of
 * every core, so all are asked. An owner's answer carries its retained messages; what
 * it sends later is live. Until it has answered, its messages do not count for the new
 * subscription (sub->gate), for they are in the answer (ask.c). Home's. */
#include <stdlib.h>

#include "broker/internal.h"
#include "broker/journal/journal.h"
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

static uint64_t sub_hash(const struct session *s, const struct local_filter *f)
{
    return hash_pair(s->hash, f->entry.hash);
}

static struct sub *sub_find(const struct local_filter *f, const struct session *s)
{
    const struct table *subs = &s->broker->subs;
    struct table_iter it = table_seek(subs, sub_hash(s, f));
    for (struct sub *x; (x = table_next(subs, &it)) != NULL;)
        if (x->session == s && x->filter == f) return x;
    return NULL;
}

struct sub *sub_of(const struct session *s, struct bytes filter)
{
    struct local_filter *f = filter_find(s->broker, filter, share_filter_at(filter) > 0);
    return f ? sub_find(f, s) : NULL;
}

static struct sub *sub_make(struct session *s, struct local_filter *f)
{
    struct sub *x = calloc(1, sizeof *x);
    if (!x || table_add(&s->broker->subs, sub_hash(s, f), x) < 0) {
        free(x);
        return NULL;
    }
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
    table_del(&x->session->broker->subs, sub_hash(x->session, x->filter), x);
    *x->filter_link = x->filter_next;
    if (x->filter_next) x->filter_next->filter_link = x->filter_link;
    x->filter->nsubs--;
    *x->session_link = x->session_next;
    if (x->session_next) x->session_next->session_link = x->session_link;
    x->session->nsubs--;
    ask_forget_sub(x);
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
    if (b->closing) {
        free(im);
        return;
    }
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

/* Tells them that there are subscriptions to the filter, or none any more. -ERR_NOMEM. */
static int tell(struct broker *b, const struct local_filter *f, bool gone)
{
    unsigned first, n = owners_of(b, f, &first);
    for (unsigned i = 0; i < n; i++) {
        struct interest_mail *im = interest_mail_new(b, f);
        if (!im) return -ERR_NOMEM;
        im->gone = gone;
        im->restored = !gone;
        interest_mail_send(b, first + i, im);
    }
    return 0;
}

static void tell_gone(struct broker *b, const struct local_filter *f)
{
    if (tell(b, f, true) < 0) /* the owner keeps sending what is then dropped here */
        LOG(&b->core->log, LOG_WARN, "interest_kept", F_STR("reason", err_text(ERR_NOMEM)));
}

/* ---- the verbs ------------------------------------------------------------------------------ */

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

/* What is in the log is in force, and the other way round. What comes from there is not written
 * again. */
static int put_in_log(const struct sub *sub)
{
    struct session *s = sub->session;
    if (LIKELY(!s->sid) || s->restored) return 0;
    int err = journal_subscribed(sub);
    if (err == 0) session_hold(s, journal_tail(s->broker->journal)); /* SUBACK, too */
    return err;
}

/* An existing one is replaced [MQTT-3.8.4-3], or stays as it was. */
static int change(struct sub *sub, const struct sub_request *r)
{
    const struct sub was = *sub;
    set_options(sub, r);
    int err = put_in_log(sub);
    if (err == 0) return 0;
    sub->qos = was.qos;
    sub->sub_id = was.sub_id;
    sub->no_local = was.no_local;
    sub->retain_as_published = was.retain_as_published;
    return err;
}

/* May the session have one subscription more? */
static int refuse_new(const struct session *s)
{
    struct broker *b = s->broker;

    if (core_memory_full(b->core)) {
        count(&b->core->counters, C_limited_memory);
        return -ERR_FULL;
    }
    bool own = s->nsubs >= b->options.subscriptions_max;
    if (!own && b->subs.used < b->options.subscriptions_core_max) return 0;
    count(&b->core->counters, C_limited_subscriptions);
    LOG(&b->core->log, LOG_WARN, "subscription_refused", F_TEXT("client", session_client_id(s)),
        F_STR("setting", own ? "limits.subscriptions" : "limits.subscriptions_core"));
    return -ERR_FULL;
}

int broker_subscribe(struct session *s, const struct sub_request *r, struct sub_batch *batch)
{
    struct broker *b = s->broker;
    uint32_t filter_at = share_filter_at(r->filter);
    if (!session_may_subscribe(s, bytes_skip(r->filter, filter_at))) return -ERR_DENIED;
    ask_begin(s, batch);
    struct local_filter *f = filter_find(b, r->filter, filter_at > 0);
    struct sub *sub = f ? sub_find(f, s) : NULL;
    bool fresh = !sub;
    if (fresh) {
        int full = refuse_new(s);
        if (full < 0) return full;
        sub = subscribe_new(s, r, filter_at);
        if (!sub) return -ERR_NOMEM;
        if (sub->filter->group) group_join(sub);
    }
    int err = change(sub, r);
    if (err < 0) {
        if (fresh) sub_drop(sub);
        return err;
    }
    err = ask_owners(sub, r, batch, fresh);
    if (err == 0) return r->qos;
    if (fresh) sub_end(sub);
    return err;
}

int sub_restore(struct session *s, const struct sub_request *r)
{
    struct sub *sub = subscribe_new(s, r, share_filter_at(r->filter));
    if (!sub) return -ERR_NOMEM;
    set_options(sub, r);
    if (sub->filter->group) group_join(sub);
    return sub->filter->nsubs == 1 ? tell(s->broker, sub->filter, false) : 0;
}

void sub_drop(struct sub *sub)
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

void sub_end(struct sub *sub)
{
    struct session *s = sub->session;
    if (UNLIKELY(s->sid)) {
        journal_unsubscribed(sub);
        session_hold(s, journal_tail(s->broker->journal));
    }
    sub_drop(sub);
}

int broker_unsubscribe(struct session *s, struct bytes filter)
{
    struct sub *sub = sub_of(s, filter);
    if (!sub) return -ERR_ABSENT; /* [MQTT-3.10.4-5] */
    sub_end(sub);
    return 0;
}

void subscribe_forget_session(struct session *s)
{
    while (s->subs)
        sub_drop(s->subs);
}
