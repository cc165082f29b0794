/* SPDX-License-Identifier: BSD-3-Clause */
/* group.c -- the members of a share group on their home core. */
#include <stdlib.h>

#include "broker/share.h"

enum { INDEX_BITS = 20, INDEX_MASK = (1 << INDEX_BITS) - 1, GROUPS_FIRST = 16 };

struct group {
    uint32_t slot;    /* generation and index; never 0 */
    uint32_t online;  /* members with a connection */
    struct sub *next; /* whose turn it is; NULL: the first */
    struct local_filter *filter;
    uint32_t number[]; /* the share's number at each owner, as its mail said; 0: none came yet */
};

/* ---- groups -------------------------------------------------------------------------------- */

static struct group *group_find(const struct broker *b, uint32_t slot)
{
    uint32_t index = slot & INDEX_MASK;
    struct group *g = index < b->groups_cap ? b->group_at[index] : NULL;
    return g && g->slot == slot ? g : NULL;
}

int group_new(struct broker *b, struct local_filter *f)
{
    uint32_t index = 0;
    while (index < b->groups_cap && b->group_at[index])
        index++;
    if (index == b->groups_cap) {
        uint32_t cap = b->groups_cap ? b->groups_cap * 2 : GROUPS_FIRST;
        struct group **at = cap <= INDEX_MASK ? realloc(b->group_at, cap * sizeof *at) : NULL;
        if (!at) return -ERR_NOMEM;
        memset(at + b->groups_cap, 0, (cap - b->groups_cap) * sizeof *at);
        b->group_at = at;
        b->groups_cap = cap;
    }
    struct group *g = calloc(1, sizeof *g + b->core->cores * sizeof g->number[0]);
    if (!g) return -ERR_NOMEM;
    /* A generation of its own tells mail for a group that is gone from mail for this one. */
    g->slot = b->group_generation << INDEX_BITS | index;
    b->group_generation = b->group_generation % ((1u << (32 - INDEX_BITS)) - 1) + 1;
    g->filter = f;
    b->group_at[index] = g;
    f->group = g;
    return 0;
}

void group_free(struct broker *b, struct local_filter *f)
{
    b->group_at[f->group->slot & INDEX_MASK] = NULL;
    free(f->group);
    f->group = NULL;
}

void group_fill_mail(const struct local_filter *f, struct interest_mail *im)
{
    uint32_t online = f->group->online;
    im->shared = true;
    im->group = f->group->slot;
    im->online = (uint16_t)(online < UINT16_MAX ? online : UINT16_MAX);
}

/* ---- members come and go ----------------------------------------------------------------------
 */

static void tell_owners(struct broker *b, struct local_filter *f)
{
    unsigned first, n = owners_of(b, f, &first);
    for (unsigned i = 0; i < n; i++) {
        struct interest_mail *im = interest_mail_new(b, f);
        if (!im) { /* the owner's picture is old: what it sends in vain comes back */
            LOG(&b->core->log, LOG_WARN, "share_state_lost", F_STR("reason", err_text(ERR_NOMEM)));
            return;
        }
        interest_mail_send(b, first + i, im);
    }
}

/* The owners hear of a new member by the question that subscribing asks anyway. */
void group_join(struct sub *sub)
{
    sub->session->nshared++;
    if (sub->session->ops) sub->filter->group->online++;
}

/* Finds another place for what a member had and has not confirmed: first here, then by
 * way of the topic's owner, which it came from. */
static void give_back(struct session *s, struct message *m, void *arg)
{
    struct broker *b = s->broker;
    struct group *g = arg;
    unsigned owner = broker_owner(b, m->topic_hash);
    message_ref(m);
    struct arrival a = {.m = m,
                        .from = (uint16_t)owner,
                        .group = g->slot,
                        .tag = share_tag(g->number[owner], false)};
    deliver_arrived_shared(b, &a);
}

void group_leave(struct sub *sub)
{
    struct group *g = sub->filter->group;
    struct broker *b = sub->session->broker;
    if (g->next == sub) g->next = sub->filter_next;
    sub->session->nshared--;
    if (!sub->session->ops) return;
    g->online--;
    if (sub->filter->nsubs > 1) tell_owners(b, sub->filter); /* else "gone" says it */
}

void group_member_back(struct session *s)
{
    if (!s->nshared) return;
    for (struct sub *x = s->subs; x; x = x->session_next) {
        if (!x->filter->group) continue;
        x->filter->group->online++;
        tell_owners(s->broker, x->filter);
    }
}

void group_member_left(struct session *s)
{
    if (!s->nshared) return;
    for (struct sub *x = s->subs; x; x = x->session_next) {
        struct group *g = x->filter->group;
        if (!g) continue;
        g->online--;
        tell_owners(s->broker, x->filter);
        session_take_group(s, g->slot, give_back, g);
    }
}

void group_session_ends(struct session *s)
{
    if (!s->nshared) return;
    for (struct sub *x = s->subs; x; x = x->session_next)
        if (x->filter->group)
            session_take_group(s, x->filter->group->slot, give_back, x->filter->group);
}

/* ---- delivery
 * ------------------------------------------------------------------------------------ */

/* The next member in turn that is connected and has room; else one that is connected; else,
 * if `keep`, one whose session outlives its connection; else NULL. */
static struct sub *choose(struct group *g, bool keep)
{
    struct sub *online = NULL, *offline = NULL;
    struct sub *x = g->next ? g->next : g->filter->subs;
    for (uint32_t i = 0; i < g->filter->nsubs; i++) {
        struct session *s = x->session;
        struct sub *after = x->filter_next ? x->filter_next : g->filter->subs;
        if (s->ops && s->in_flight < s->window && s->ops->ready(s)) {
            g->next = after;
            return x;
        }
        if (s->ops && !online) online = x;
        if (!s->ops && s->expiry_s > 0 && !offline) offline = x;
        x = after;
    }
    struct sub *chosen = online ? online : keep ? offline : NULL;
    if (chosen) g->next = chosen->filter_next;
    return chosen;
}

static void to_member(struct broker *b, struct sub *x, const struct arrival *a)
{
    struct message *m = a->m;
    struct delivery d = {.m = m,
                         .serial = ++b->serial,
                         .sub_ids = &x->sub_id,
                         .nsub_ids = x->sub_id ? 1 : 0,
                         .qos = m->qos < x->qos ? m->qos : x->qos,
                         .retain = x->retain_as_published && (m->flags & MESSAGE_RETAIN)};
    session_offer(x->session, &d, a->group);
}

/* To the owner, which knows of other cores. Takes the arrival's hold. */
static void send_back(struct broker *b, const struct arrival *a)
{
    if (a->from == b->core->id) {
        struct mail mail = {.kind = MAIL_SHARED_BACK, .b = a->tag >> 1, .ptr = a->m};
        share_on_back(b, a->from, &mail);
        return;
    }
    struct mail mail = {.kind = MAIL_SHARED_BACK, .b = a->tag >> 1, .ptr = a->m};
    mail_message(b, a->from, mail);
}

void group_deliver(struct broker *b, const struct arrival *a)
{
    struct group *g = group_find(b, a->group);
    bool keep = (a->tag & 1) != 0;
    if (g) g->number[a->from] = a->tag >> 1;
    struct sub *x = g ? choose(g, keep) : NULL;
    if (x) {
        to_member(b, x, a);
        message_put(b->core, a->m);
    } else if (keep) {
        count(&b->core->counters, C_dropped_queue); /* no member's session could keep it */
        message_put(b->core, a->m);
    } else {
        send_back(b, a);
    }
}

void share_on_mail(void *ctx, unsigned from, const struct mail *m)
{
    struct arrival a = {
        .m = m->ptr, .from = (uint16_t)from, .group = m->b, .tag = (uint32_t)m->flags << 16 | m->a};
    deliver_arrived_shared(ctx, &a);
}
