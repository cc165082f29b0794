/* SPDX-License-Identifier: BSD-3-Clause */
/* grant_filter.c -- may a filter be subscribed to?
 *
 * A topic that a rule allows lies in what filter and rule have in common; and if one does,
 * then a sample of that (pattern.h) is allowed, for whatever denies the sample denies all of
 * its length. So each rule that could decide is met with the filter, and its samples are
 * judged. For a client with rules of his own a configured rule may decide together
 * with one of those, so pairs are met, too. What is denied is found in the same way.
 *
 * The work is bounded. If it takes more than that, the answer is the one that is safe:
 * "yes", as delivery asks again for each topic; in strict mode "no". */
#include "broker/access/grant.h"
#include "broker/access/grant_internal.h"
#include "broker/access/pattern.h"

enum { STEPS_MAX = 1 << 18 };

struct search {
    const struct grant *g;
    const struct pattern *filter;
    bool allowed;   /* what is looked for: a topic that is, or one that is not */
    uint32_t steps; /* rules asked so far */
    bool gave_up;
};

static bool fits_sample(const struct grant *g, const struct grant_rule *r, const void *sample)
{
    return (r->flags & GRANT_WHOLE) || pattern_sample_matches(grant_rule_filter(g, r), sample);
}

/* Has it a topic of the kind that is looked for? */
static bool found_in(struct search *s, const struct pattern *p)
{
    const struct grant *g = s->g;
    unsigned last = p->n, first = p->n ? p->n : 1;

    /* Filters that go deeper than any rule's are all alike. */
    if (p->deep) last = g->levels_max + 1 > first ? g->levels_max + 1 : first;
    for (unsigned n = first; n <= last && n <= NAME_LEVELS_MAX; n++) {
        struct pattern_sample sample = {.p = p, .levels = n};
        s->steps += g->n + 1;
        s->gave_up = s->steps > STEPS_MAX;
        if (s->gave_up) return false;
        bool dollar = pattern_sample_dollar(&sample);
        if (grant_decide(g, ACL_READ, fits_sample, &sample, dollar).allowed == s->allowed)
            return true;
    }
    return false;
}

static bool meets(struct search *s, const struct grant_rule *r, const struct pattern *with,
                  struct pattern *out)
{
    struct pattern own;
    bool allows = (r->flags & GRANT_ALLOW) != 0;
    s->steps++;
    if (!(r->actions & ACL_READ) || allows != s->allowed) return false;
    if (r->flags & GRANT_WHOLE)
        own = (struct pattern){.deep = true, .whole = true};
    else if (!pattern_init(&own, grant_rule_filter(s->g, r)))
        return false;
    return pattern_meet(out, with, &own);
}

/* Among what a configured rule and `p`, which one of the client's own allows, have in common. */
static bool found_in_pairs(struct search *s, const struct pattern *p)
{
    struct pattern both;
    for (uint32_t i = s->g->nown; i < s->g->n && !s->gave_up; i++)
        if (meets(s, &s->g->rule[i], p, &both) && found_in(s, &both)) return true;
    return false;
}

static bool found(struct search *s)
{
    const struct grant *g = s->g;
    struct pattern p;

    if (found_in(s, s->filter)) return true; /* what no rule speaks of, or all of it */
    uint32_t last = g->own && s->allowed ? g->nown : g->n;
    for (uint32_t i = 0; i < last && !s->gave_up; i++) {
        if (!meets(s, &g->rule[i], s->filter, &p)) continue;
        if (found_in(s, &p)) return true;
        if (g->own && s->allowed && found_in_pairs(s, &p)) return true;
    }
    return false;
}

bool grant_may_subscribe(const struct grant *g, struct bytes filter)
{
    struct pattern p;

    if (!g) return true;
    if (!name_has_wildcard(filter)) return grant_may(g, ACL_READ, filter);
    if (!pattern_init(&p, filter)) return false;
    struct search s = {.g = g, .filter = &p, .allowed = !g->strict};
    bool any = found(&s);
    return g->strict ? !any && !s.gave_up : any || s.gave_up;
}
