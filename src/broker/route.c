/* SPDX-License-Identifier: BSD-3-Clause */
/* route.c -- a topic's owner decides: order, retained value, who must get it.
 *
 * All messages of a topic pass here, one after the other. What is sent on from here
 * reaches each core by one ring, in this order: so all subscribers see one order. Owner's. */
#include <stdlib.h>

#include "broker/interest.h"
#include "broker/internal.h"
#include "broker/journal/journal.h"
#include "broker/share.h"

/* Where the messages of a topic go. One block: head, cores, shares, topic. */
struct route {
    struct cached cached;
    uint32_t ncores, nshares;
    struct interest *const *share;
    uint16_t core[];
};

struct look {
    struct cores cores;
    struct interest **share;
    uint32_t nshares, cap;
    bool failed;
};

static void on_interest(struct filter_entry *e, void *arg)
{
    struct look *l = arg;
    struct interest *i = CONTAINER_OF(e, struct interest, entry);
    if (!i->share) {
        interest_add_cores(i, &l->cores);
        return;
    }
    if (l->nshares == l->cap) {
        uint32_t cap = l->cap ? l->cap * 2 : 8;
        struct interest **more = realloc(l->share, cap * sizeof(struct interest *));
        if (!more) {
            l->failed = true;
            return;
        }
        l->share = more;
        l->cap = cap;
    }
    l->share[l->nshares++] = i;
}

static struct route *pack(const struct broker *b, const struct look *l, struct bytes topic)
{
    unsigned cores = b->core->cores;
    size_t head = (sizeof(struct route) + cores * sizeof(uint16_t) + 7) & ~(size_t)7;
    size_t shares = l->nshares * sizeof(struct interest *);
    struct route *r = malloc(head + shares + topic.n);
    if (!r) return NULL;
    *r = (struct route){.nshares = l->nshares};
    r->cached = (struct cached){.generation = b->interest.generation,
                                .topic_len = (uint16_t)topic.n,
                                .topic_at = (uint32_t)(head + shares)};
    char *at = (char *)r;
    r->share = (struct interest *const *)(void *)(at + head);
    CORES_EACH(c, &l->cores) r->core[r->ncores++] = (uint16_t)c;
    if (shares) memcpy(at + head, l->share, shares);
    memcpy(at + head + shares, topic.p, topic.n);
    return r;
}

static const struct route *look_up(struct broker *b, const struct message *m)
{
    struct bytes topic = message_topic(m);
    struct look l = {.failed = false};
    count(&b->core->counters, C_match_misses);
    filters_match(&b->interest, topic, m->topic_hash, on_interest, &l);
    struct route *r = l.failed ? NULL : pack(b, &l, topic);
    free(l.share);
    if (!r) {
        count(&b->core->counters, C_dropped_queue);
        return NULL;
    }
    if (cache_worth(&b->routes, m->topic_hash)) {
        cache_keep(&b->routes, m->topic_hash, &r->cached);
    } else {
        free(b->last_route);
        b->last_route = r;
    }
    return r;
}

static const struct route *route_of(struct broker *b, const struct message *m)
{
    struct cached *hit =
        cache_find(&b->routes, m->topic_hash, message_topic(m), b->interest.generation);
    if (LIKELY(hit != NULL)) {
        count(&b->core->counters, C_match_hits);
        return CONTAINER_OF(hit, struct route, cached);
    }
    return look_up(b, m);
}

/* Sends `m` to one core. Takes one hold of it: a use at home, a share elsewhere. */
static void send_to(struct broker *b, struct message *m, unsigned core)
{
    if (core == b->core->id) {
        deliver_arrived(b, m, core);
        return;
    }
    struct mail mail = {.kind = MAIL_DELIVER, .ptr = m};
    mail_message(b, core, mail);
}

/* What is retained changes, and the log knows before. `*written`: something was appended. */
static int retain_message(struct broker *b, struct message *m, bool *written)
{
    const struct message_logged *l = m->flags & MESSAGE_LOGGED ? message_logged(m) : NULL;
    if (UNLIKELY(m->flags & MESSAGE_IN_DOUBT) && journal_was_retained(b->journal, l)) return 0;
    int err = retain_set_logged(&b->retain, m, b->journal, written);
    if (LIKELY(!l || !l->serial) || err < 0) return err;
    err = journal_retained_by(b->journal, l);
    *written |= err == 0;
    return err;
}

struct routed route_publish(struct broker *b, struct message *m)
{
    count(&b->core->counters, C_messages_routed);
    bool awaited = message_is_awaited(m);
    bool written = false;
    int status = m->flags & MESSAGE_RETAIN ? retain_message(b, m, &written) : 0;
    const struct route *r = route_of(b, m);
    uint32_t cores = r ? r->ncores : 0, shares = r ? r->nshares : 0;
    struct routed all = {.status = status};
    if (UNLIKELY(awaited)) {
        all.behind = written;
        all.keepers = cores + shares;
        if (!r) all.status = -ERR_NOMEM;
    }

    for (uint32_t i = 0; i < shares; i++)
        share_publish(b, r->share[i], m);
    if (cores == 0) {
        message_put(b->core, m);
        return all;
    }
    for (uint32_t i = 0; i + 1 < cores; i++) {
        message_hold(b, m);
        send_to(b, m, r->core[i]);
    }
    send_to(b, m, r->core[cores - 1]); /* the last one takes our hold */
    return all;
}

struct mail route_answer(struct mail ask, struct routed r)
{
    return (struct mail){
        .kind = MAIL_ACCEPTED, .flags = (uint8_t)-r.status, .a = ask.a, .b = ask.b, .c = r.keepers};
}

void route_on_publish(void *ctx, unsigned from, const struct mail *m)
{
    struct broker *b = ctx;
    struct routed r = route_publish(b, m->ptr);
    if (m->b) accept_send(b, from, route_answer(*m, r), r.behind);
}
