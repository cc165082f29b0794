/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/match.h"

#include <stdlib.h>

enum { IDS_PER_TARGET = 16 };

#define NO_TARGET UINT32_MAX /* session->match_at of one that may not read the topic */

/* A look-up under way. `fixed`: the result depends on the message or its owner, and
 * is not to be kept for the next one. */
struct look {
    struct broker *b;
    const struct message *m;
    unsigned from;
    uint64_t serial;
    bool fixed, failed;
    uint32_t denied;
    struct match_scratch *out;
};

static bool grow_targets(struct match_scratch *o)
{
    uint32_t cap = o->cap ? o->cap * 2 : 64;
    struct target *at = realloc(o->at, cap * sizeof *at);
    if (!at) return false;
    o->at = at;
    o->cap = cap;
    return true;
}

static bool grow_ids(struct match_scratch *o)
{
    uint32_t cap = o->ids_cap ? o->ids_cap * 2 : 64;
    uint32_t *ids = realloc(o->ids, cap * sizeof *ids);
    if (!ids) return false;
    o->ids = ids;
    o->ids_cap = cap;
    return true;
}

/* The identifiers of one target stay together: they move to the end when one joins. */
static void add_id(struct look *l, struct target *t, uint32_t id)
{
    struct match_scratch *o = l->out;
    if (t->nids == IDS_PER_TARGET) return;
    while (o->nids + t->nids + 1 > o->ids_cap)
        if (!grow_ids(o)) {
            l->failed = true;
            return;
        }
    if (t->ids_at + t->nids != o->nids) {
        memmove(o->ids + o->nids, o->ids + t->ids_at, t->nids * sizeof *o->ids);
        t->ids_at = o->nids;
        o->nids += t->nids;
    }
    o->ids[o->nids++] = id;
    t->nids++;
}

static struct target *target_of(struct look *l, struct session *s)
{
    struct match_scratch *o = l->out;
    if (s->match_serial == l->serial) return &o->at[s->match_at];
    if (o->n == o->cap && !grow_targets(o)) {
        l->failed = true;
        return NULL;
    }
    s->match_serial = l->serial;
    s->match_at = o->n;
    o->at[o->n] = (struct target){.session = s, .ids_at = o->nids, .no_local = true};
    return &o->at[o->n++];
}

static bool published_by(const struct message *m, const struct session *s)
{
    return m->origin_session == s->id && m->origin_core == s->broker->core->id;
}

/* The answer depends on topic and grant alone, so it may be kept: a new grant voids it. */
static bool is_denied(struct look *l, struct session *s)
{
    if (s->match_serial == l->serial) return s->match_at == NO_TARGET;
    if (session_may_read(s, l->m)) return false;
    s->match_serial = l->serial;
    s->match_at = NO_TARGET;
    l->denied++;
    return true;
}

static void add_sub(struct look *l, struct sub *sub)
{
    if (UNLIKELY(sub->session->grant != NULL) && is_denied(l, sub->session)) return;
    if (sub->gate) {
        l->fixed = true;
        if (cores_has(sub->gate, l->from))
            return; /* not live yet: what came before is in the answer */
    }
    if (sub->no_local && published_by(l->m, sub->session)) {
        l->fixed = true; /* another subscription of the session may still want it */
        return;          /* [MQTT-3.8.3-3] */
    }
    bool met = sub->session->match_serial == l->serial;
    struct target *t = target_of(l, sub->session);
    if (!t) return;
    if (met && t->no_local != sub->no_local) l->fixed = true; /* the publisher gets less of it */
    if (sub->qos > t->qos) t->qos = sub->qos;
    t->retain_as_published |= sub->retain_as_published;
    t->no_local &= sub->no_local;
    if (sub->sub_id) add_id(l, t, sub->sub_id);
}

static void on_filter(struct filter_entry *e, void *arg)
{
    struct local_filter *f = CONTAINER_OF(e, struct local_filter, entry);
    for (struct sub *s = f->subs; s; s = s->filter_next)
        add_sub(arg, s);
}

/* Packs the scratch into one block, or NULL. */
static struct targets *pack(const struct match_scratch *o, struct bytes topic, uint64_t generation)
{
    size_t targets = sizeof(struct targets) + o->n * sizeof(struct target);
    size_t ids = o->nids * sizeof *o->ids;
    struct targets *t = malloc(targets + ids + topic.n);
    if (!t) return NULL;
    *t = (struct targets){.n = o->n};
    t->cached = (struct cached){.generation = generation,
                                .topic_len = (uint16_t)topic.n,
                                .topic_at = (uint32_t)(targets + ids)};
    uint8_t *at = (uint8_t *)t;
    t->ids = (const uint32_t *)(void *)(at + targets);
    if (o->n) memcpy(t->at, o->at, o->n * sizeof *o->at);
    if (ids) memcpy(at + targets, o->ids, ids);
    memcpy(at + targets + ids, topic.p, topic.n);
    return t;
}

static const struct targets *look_up(struct broker *b, const struct message *m, unsigned from)
{
    struct bytes topic = message_topic(m);
    struct match_scratch *o = &b->scratch;
    struct look l = {.b = b, .m = m, .from = from, .serial = ++b->serial, .out = o};
    count(&b->core->counters, C_match_misses);
    o->n = o->nids = 0;
    filters_match(&b->local, topic, m->topic_hash, on_filter, &l);
    if (l.failed) count(&b->core->counters, C_dropped_queue);

    struct targets *t = pack(o, topic, b->local.generation);
    if (!t) {
        count(&b->core->counters, C_dropped_queue);
        return NULL;
    }
    t->denied = l.denied;
    t->incomplete = l.failed;
    if (!l.fixed && !l.failed && cache_worth(&b->targets, m->topic_hash)) {
        cache_keep(&b->targets, m->topic_hash, &t->cached);
        return t;
    }
    free(b->last_targets);
    b->last_targets = t;
    return t;
}

const struct targets *match_targets(struct broker *b, const struct message *m, unsigned from)
{
    struct cached *hit =
        cache_find(&b->targets, m->topic_hash, message_topic(m), b->local.generation);
    if (LIKELY(hit != NULL)) {
        count(&b->core->counters, C_match_hits);
        return CONTAINER_OF(hit, struct targets, cached);
    }
    return look_up(b, m, from);
}
