/* SPDX-License-Identifier: BSD-3-Clause */
/* group.c -- the members of a share group on their home core. */
#include <stdlib.h>

#include "broker/journal/journal.h"
#include "broker/journal/origin.h"
#include "broker/share.h"

enum {
    INDEX_BITS = 20,
    INDEX_MASK = (1 << INDEX_BITS) - 1,
    MEMBERS_FIRST = 4,
    TRIES_MAX = 64,   /* members asked for room for one message */
    LOOKS_MAX = 1024, /* the same, with those that may not read it */
};

struct group {
    uint32_t slot;       /* generation and index; never 0 */
    struct sub **member; /* those with a connection */
    uint32_t online, cap;
    uint32_t turn; /* the member whose turn it is */
    bool kept;     /* members that are offline may hold messages */
    struct local_filter *filter;
    uint32_t number[]; /* the share's number at each owner, as its mail said; 0: none came yet */
};

/* ---- groups -------------------------------------------------------------------------------- */

static struct group *group_find(const struct broker *b, uint32_t slot)
{
    struct group *g = slots_find(&b->group_slots, slot & INDEX_MASK);
    return g && g->slot == slot ? g : NULL;
}

int group_new(struct broker *b, struct local_filter *f)
{
    struct group *g = calloc(1, sizeof *g + b->core->cores * sizeof g->number[0]);
    uint32_t index = g ? slots_add(&b->group_slots, g, 1u << INDEX_BITS) : 0;
    if (!index) {
        free(g);
        return -ERR_NOMEM;
    }
    /* A generation of its own tells mail for a group that is gone from mail for this one. */
    g->slot = b->group_generation << INDEX_BITS | index;
    b->group_generation = b->group_generation % ((1u << (32 - INDEX_BITS)) - 1) + 1;
    g->filter = f;
    f->group = g;
    return 0;
}

const struct local_filter *group_filter_of(const struct broker *b, uint32_t slot)
{
    const struct group *g = group_find(b, slot);
    return g ? g->filter : NULL;
}

void group_free(struct broker *b, struct local_filter *f)
{
    slots_del(&b->group_slots, f->group->slot & INDEX_MASK);
    free(f->group->member);
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

static void come_online(struct sub *x)
{
    struct group *g = x->filter->group;
    if (g->online == g->cap) {
        uint32_t cap = g->cap ? g->cap * 2 : MEMBERS_FIRST;
        struct sub **member = realloc(g->member, cap * sizeof(struct sub *));
        if (!member) { /* it gets nothing until it connects again */
            LOG(&x->session->broker->core->log, LOG_WARN, "share_member_lost",
                F_STR("reason", err_text(ERR_NOMEM)));
            return;
        }
        g->member = member;
        g->cap = cap;
    }
    g->member[g->online++] = x;
    x->member = g->online;
}

static void go_offline(struct sub *x)
{
    struct group *g = x->filter->group;
    if (!x->member) return;
    struct sub *last = g->member[--g->online];
    g->member[x->member - 1] = last;
    last->member = x->member;
    x->member = 0;
}

/* What members that are offline hold goes to those who are not, here or on other cores. */
static void recall(struct group *g)
{
    if (!g->kept) return;
    g->kept = false;
    for (struct sub *x = g->filter->subs; x; x = x->filter_next)
        if (!x->session->ops) session_give_back(x->session, g->slot);
}

/* The owners hear of a new member by the question that subscribing asks anyway. */
void group_join(struct sub *sub)
{
    sub->session->nshared++;
    if (!sub->session->ops) return;
    come_online(sub);
    recall(sub->filter->group);
}

void group_leave(struct sub *sub)
{
    sub->session->nshared--;
    session_leave_group(sub->session, sub->filter->group->slot);
    if (!sub->member) return;
    go_offline(sub);
    if (sub->filter->nsubs > 1)
        tell_owners(sub->session->broker, sub->filter); /* else "gone" says it */
}

void group_member_back(struct session *s)
{
    if (!s->nshared) return;
    for (struct sub *x = s->subs; x; x = x->session_next) {
        if (!x->filter->group) continue;
        come_online(x);
        recall(x->filter->group);
        tell_owners(s->broker, x->filter);
    }
}

void group_member_left(struct session *s)
{
    if (!s->nshared) return;
    for (struct sub *x = s->subs; x; x = x->session_next) {
        struct group *g = x->filter->group;
        if (!g) continue;
        go_offline(x);
        if (g->online)
            session_give_back(s, g->slot);
        else
            g->kept = true; /* the owners know whether there is anybody else */
        tell_owners(s->broker, x->filter);
    }
}

uint32_t group_restore(struct sub *sub)
{
    struct group *g = sub->filter->group;
    g->kept = true;
    return g->slot;
}

/* What leaves session `s` for another member: one hold of the message in memory, whose origin has
 * been told, or a copy of what is on disk, for which the journal waits. NULL: it must stay. */
static struct message *depart(struct broker *b, struct pending *p, struct session *s,
                              unsigned *told)
{
    *told = p->stored ? 0 : SHARE_TOLD;
    if (!p->m) return NULL;
    if (LIKELY(!p->stored)) {
        message_ref(p->m);
        return p->m;
    }
    struct message *m = message_copy(b->core, p->m);
    uint32_t number = m ? journal_orphan(s, p) : 0;
    if (!number) {
        if (m) message_unref(b->core, m);
        return NULL;
    }
    m->origin_session = MESSAGE_ORIGIN_JOURNAL;
    message_logged(m)->number = number;
    return m;
}

/* After a restart an owner has not said its number yet: it does when it recalls. */
static bool has_way(const struct broker *b, struct group *g, const struct pending *p)
{
    if (g->online || !p->m || g->number[broker_owner(b, p->m->topic_hash)]) return true;
    g->kept = true;
    return false;
}

/* First here, then by way of the topic's owner, which it came from. */
bool group_give_back(struct broker *b, uint32_t slot, struct pending *p, struct session *s)
{
    struct group *g = group_find(b, slot);
    unsigned told;
    struct message *m = g && has_way(b, g, p) ? depart(b, p, s, &told) : NULL;
    if (!m) return false;
    unsigned owner = broker_owner(b, m->topic_hash);
    struct arrival a = {
        .m = m, .from = (uint16_t)owner, .group = slot, .tag = share_tag(g->number[owner], told)};
    deliver_arrived_shared(b, &a);
    return true;
}

/* ---- delivery
 * ------------------------------------------------------------------------------------ */

static bool has_room(struct session *s)
{
    return s->in_flight < s->window && s->ops->ready(s);
}

/* A member for a message. `denied`: there are some, but they may not read it. */
struct choice {
    struct sub *sub; /* NULL: none */
    bool denied;
};

static bool may_have(struct choice *c, const struct sub *x, const struct message *m)
{
    bool may = session_may_read(x->session, m);
    c->denied |= !may;
    return may;
}

/* The next member in turn that has room, of a few; else just the next. */
static void choose_online(struct group *g, const struct message *m, struct choice *c)
{
    uint32_t looks = g->online < LOOKS_MAX ? g->online : LOOKS_MAX;
    if (g->turn >= g->online) g->turn = 0;
    uint32_t first = g->turn, tries = 0;
    for (uint32_t i = 0; i < looks && tries < TRIES_MAX; i++) {
        uint32_t at = first + i < g->online ? first + i : first + i - g->online;
        struct sub *x = g->member[at];
        if (!may_have(c, x, m)) continue;
        tries++;
        bool room = has_room(x->session);
        if (c->sub && !room) continue;
        c->sub = x;
        g->turn = at + 1;
        if (room) break;
    }
}

/* One whose session will keep the message: it is offline, and so outlives its connection. */
static void choose_offline(struct group *g, const struct message *m, struct choice *c)
{
    struct sub *x = g->filter->subs;
    for (unsigned i = 0; x && !c->sub && i < LOOKS_MAX; i++, x = x->filter_next)
        if (x->qos > 0 && may_have(c, x, m)) c->sub = x;
}

static struct choice choose(struct group *g, const struct message *m, bool keep)
{
    struct choice c = {.sub = NULL};
    if (g->online) choose_online(g, m, &c);
    if (keep && !c.sub) choose_offline(g, m, &c);
    return c;
}

static int to_member(struct broker *b, struct sub *x, const struct arrival *a)
{
    struct message *m = a->m;
    if (!x->session->ops) x->filter->group->kept = true;
    struct delivery d = {.m = m,
                         .serial = ++b->serial,
                         .sub_ids = &x->sub_id,
                         .nsub_ids = x->sub_id ? 1 : 0,
                         .qos = m->qos < x->qos ? m->qos : x->qos,
                         .retain = x->retain_as_published && (m->flags & MESSAGE_RETAIN)};
    bool named = b->journal && message_is_named(m);
    if (named) journal_deliver(b->journal, m, 1);
    int status = session_offer(x->session, &d, a->group);
    if (named) journal_delivered(b->journal);
    return status;
}

/* To the owner, which knows of other cores. Takes the arrival's hold. */
static void send_back(struct broker *b, const struct arrival *a, unsigned why)
{
    struct mail mail = {
        .kind = MAIL_SHARED_BACK, .flags = (uint8_t)why, .b = share_number_of(a->tag), .ptr = a->m};
    if (a->from == b->core->id)
        share_on_back(b, a->from, &mail);
    else
        mail_message(b, a->from, mail);
}

uint32_t group_number(const struct broker *b, uint32_t slot, const struct message *m)
{
    const struct group *g = group_find(b, slot);
    return g ? g->number[broker_owner(b, m->topic_hash)] : 0;
}

bool group_send_back(struct broker *b, uint32_t number, struct pending *p, struct session *s)
{
    unsigned told;
    struct message *m = depart(b, p, s, &told);
    if (!m) return false;
    struct arrival a = {
        .m = m, .from = (uint16_t)broker_owner(b, m->topic_hash), .tag = share_tag(number, 0)};
    send_back(b, &a, told);
    return true;
}

/* Nobody here takes it. Takes the arrival's hold. */
static void not_taken(struct broker *b, const struct arrival *a, bool denied)
{
    if (denied || (a->tag & SHARE_ROUND)) {
        send_back(b, a, SHARE_DENIED | (a->tag & SHARE_HOW));
    } else if (a->tag & SHARE_KEEP) {
        count(&b->core->counters, C_dropped_queue); /* no member's session could keep it */
        share_journey_ends(b, a, 0);
    } else {
        send_back(b, a, a->tag & SHARE_TOLD);
    }
}

/* The owner asks whether the group has had a message that is in doubt. Takes the hold. */
static void answer(struct broker *b, const struct group *g, const struct arrival *a)
{
    const struct message_logged *l = message_logged(a->m);
    bool known =
        g && b->journal &&
        journal_knows(b->journal, origin_for_group(l->origin, filter_entry_name(&g->filter->entry)),
                      l->serial);
    if (known)
        share_journey_ends(b, a, 0);
    else
        send_back(b, a, SHARE_ASK);
}

void group_deliver(struct broker *b, const struct arrival *a)
{
    struct group *g = group_find(b, a->group);
    if (!a->m) {
        if (g) g->number[a->from] = share_number_of(a->tag);
        if (g) recall(g);
        return;
    }
    if (message_expired(a->m, core_now_s(b->core))) { /* [MQTT-3.3.2-5] */
        count(&b->core->counters, C_dropped_expired);
        share_journey_ends(b, a, 0);
        return;
    }
    if (g) g->number[a->from] = share_number_of(a->tag);
    if (UNLIKELY(a->tag & SHARE_ASK)) {
        answer(b, g, a);
        return;
    }
    struct choice c = {.sub = NULL};
    if (g) c = choose(g, a->m, (a->tag & SHARE_KEEP) != 0);
    if (!c.sub) {
        not_taken(b, a, c.denied);
        return;
    }
    uint64_t mark = accept_mark(b, a->m);
    int status = to_member(b, c.sub, a);
    if (!(a->tag & SHARE_TOLD)) accept_kept_since(b, a->m, status, mark);
    message_put(b->core, a->m);
}

void share_on_mail(void *ctx, unsigned from, const struct mail *m)
{
    struct arrival a = {
        .m = m->ptr, .from = (uint16_t)from, .group = m->b, .tag = (uint32_t)m->flags << 16 | m->a};
    deliver_arrived_shared(ctx, &a);
}

/* Keeps its place among the arrivals: what came to be kept before it is recalled too. */
void share_on_recall(void *ctx, unsigned from, const struct mail *m)
{
    struct arrival a = {
        .from = (uint16_t)from, .group = m->b, .tag = (uint32_t)m->flags << 16 | m->a};
    deliver_arrived_shared(ctx, &a);
}
