/* SPDX-License-Identifier: BSD-3-Clause */
/* grant_internal.h -- a grant's insides, for the files that judge topics and filters by it. */
#pragma once

#include <assert.h>

#include "broker/access/grant.h"

enum grant_flag {
    GRANT_ALLOW = 1 << 0,
    GRANT_WHOLE = 1 << 1, /* every topic, those that begin with '$' too; no text */
    GRANT_EXACT = 1 << 2, /* no wildcard */
};

/* One topic filter of one rule, filled in. Most rules speak of other topics, which the end of
 * their literal beginning tells without a look at their text. */
struct grant_rule {
    uint64_t tail;  /* of the literal beginning: its last 8 bytes, or what there is */
    uint32_t at;    /* of its text, from the block's start */
    uint32_t place; /* of the rule */
    uint16_t len;
    uint16_t literal; /* bytes that a topic must begin with */
    uint8_t actions;
    uint8_t flags; /* enum grant_flag */
    uint16_t zero;
};

/* One block: head, rules, text. No padding: equal grants have equal bytes. */
struct grant {
    uint32_t bytes;      /* of the block */
    uint32_t n, nown;    /* rules; the client's own come first */
    uint32_t levels_max; /* of the longest filter */
    bool own;            /* only what his own rules allow */
    bool allow_rest, strict;
    bool fixed; /* grant_nothing: nobody's memory */
    uint32_t zero;
    struct grant_rule rule[];
};

static_assert(sizeof(struct grant_rule) == 24 && sizeof(struct grant) == 24, "no padding");

static inline struct bytes grant_rule_filter(const struct grant *g, const struct grant_rule *r)
{
    return bytes_of((const uint8_t *)g + r->at, r->len);
}

/* Does the rule match what is being judged? */
typedef bool grant_fits(const struct grant *g, const struct grant_rule *r, const void *topic);

/* The first of rules `from` to `to` - 1 that is about `action` and fits; NULL: none. */
static inline const struct grant_rule *grant_first(const struct grant *g, uint32_t from,
                                                   uint8_t action, grant_fits *fits,
                                                   const void *topic)
{
    uint32_t to = from < g->nown ? g->nown : g->n;
    for (const struct grant_rule *r = &g->rule[from]; r < &g->rule[to]; r++)
        if ((r->actions & action) && fits(g, r, topic)) return r;
    return NULL;
}

/* The one place that says what rules mean. `dollar`: the topic begins with '$'. */
static inline struct grant_verdict grant_decide(const struct grant *g, uint8_t action,
                                                grant_fits *fits, const void *topic, bool dollar)
{
    const struct grant_rule *own = g->nown ? grant_first(g, 0, action, fits, topic) : NULL;
    if (own && !(own->flags & GRANT_ALLOW))
        return (struct grant_verdict){.own = true, .place = own->place};
    if (g->own && !own) return (struct grant_verdict){.own = true};

    const struct grant_rule *r =
        g->n > g->nown ? grant_first(g, g->nown, action, fits, topic) : NULL;
    if (own && (!r || (r->flags & GRANT_ALLOW)))
        return (struct grant_verdict){.allowed = true, .own = true, .place = own->place};
    if (r)
        return (struct grant_verdict){.allowed = (r->flags & GRANT_ALLOW) != 0, .place = r->place};
    return (struct grant_verdict){.allowed = g->allow_rest && !dollar};
}
