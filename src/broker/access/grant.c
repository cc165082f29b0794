/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/access/grant.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/utf8.h"
#include "broker/access/grant_internal.h"
#include "broker/name.h"

/* A name longer than a rule may be is not filled in, nor does a filled filter grow beyond this:
 * the size of a grant is the operator's choice, never a client's. */
enum { VALUE_MAX = ACL_TOPIC_MAX, FILTER_MAX = 4 * ACL_TOPIC_MAX };

/* Without rules, and without leave for the rest. */
static const struct grant nothing = {.bytes = sizeof(struct grant), .fixed = true};

/* ---- making one -------------------------------------------------------------------------------
 */

/* A grant that grows: its rules have their room from the start, text is added. */
struct build {
    const struct acl_subject *who;
    struct grant *g;
    size_t used, cap;
};

static bool add_text(struct build *b, struct bytes text)
{
    if (b->used + text.n > UINT32_MAX) return false; /* offsets have 32 bits */
    if (b->used + text.n > b->cap) {
        size_t cap = 2 * b->cap + text.n;
        struct grant *g = realloc(b->g, cap);
        if (!g) return false;
        b->g = g;
        b->cap = cap;
    }
    if (text.n) memcpy((char *)b->g + b->used, text.p, text.n);
    b->used += text.n;
    return true;
}

/* The value that stands for this level; NULL: it stands for itself. */
static const struct bytes *value_of(const struct acl_subject *who, struct bytes level)
{
    if (bytes_eq(level, BYTES("%u"))) return &who->user;
    if (bytes_eq(level, BYTES("%c"))) return &who->client_id;
    return NULL;
}

/* Can it be one level, and no more than that? Else it could widen a rule that allows: by a
 * wildcard, by another level, or by making a topic one of the broker's ('$'). A rule that denies
 * is not widened by a '$'. */
static bool is_level(struct bytes value, bool first, bool allow)
{
    if (value.n == 0 || value.n > VALUE_MAX) return false;
    if (first && allow && value.p[0] == '$') return false;
    for (size_t i = 0; i < value.n; i++)
        if (value.p[i] == '+' || value.p[i] == '#' || value.p[i] == '/') return false;
    return utf8_valid(value); /* nor a NUL */
}

/* A filter under construction. */
struct filling {
    size_t start;    /* of its text */
    unsigned levels; /* so far */
    bool unfit;      /* a value can't be a level: nothing of that level was written */
};

static bool add_level(struct build *b, struct filling *f, struct bytes level, bool allow)
{
    const struct bytes *value = value_of(b->who, level);

    if (value) level = *value;
    f->unfit = (value && !is_level(level, f->levels == 0, allow)) ||
               b->used - f->start + level.n + 1 > FILTER_MAX;
    if (f->unfit) return true;
    if (f->levels++ > 0 && !add_text(b, BYTES("/"))) return false;
    return add_text(b, level);
}

/* What was filled in of a rule that denies is cut off there, and all below is denied. */
static bool add_rest(struct build *b, const struct filling *f)
{
    return f->levels == 0 || add_text(b, BYTES("/#"));
}

/* The bytes before the first level that is a wildcard, without the '/' before a '#': "a/#"
 * is also "a". */
static size_t literal_of(struct bytes filter)
{
    size_t n = 0;
    while (n < filter.n && filter.p[n] != '+' && filter.p[n] != '#')
        n++;
    bool deep = n > 0 && n < filter.n && filter.p[n] == '#';
    return deep ? n - 1 : n;
}

/* Up to 8 bytes as a number, the first one lowest. */
static uint64_t short_text(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n && i < 8; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

static uint64_t load64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* What can be told of the filter without its text. */
static void set_outline(struct grant_rule *r, struct bytes filter)
{
    size_t n = literal_of(filter);
    r->len = (uint16_t)filter.n;
    r->literal = (uint16_t)n;
    r->tail = n >= 8 ? load64(filter.p + n - 8) : short_text(filter.p, n);
    if (!name_has_wildcard(filter)) r->flags |= GRANT_EXACT;
}

static bool add_rule(struct build *b, const struct acl_rule *r, struct bytes topic)
{
    struct level_iter it = level_iter(topic);
    struct filling f = {.start = b->used};

    for (struct bytes level; !f.unfit && level_next(&it, &level);)
        if (!add_level(b, &f, level, r->allow)) return false;
    if (f.unfit && r->allow) {
        b->used = f.start;
        return true;
    }
    if (f.unfit && !add_rest(b, &f)) return false;
    if (f.levels + f.unfit > b->g->levels_max) b->g->levels_max = f.levels + f.unfit;
    struct grant_rule *own = &b->g->rule[b->g->n++];
    *own = (struct grant_rule){
        .at = (uint32_t)f.start,
        .place = r->place,
        .actions = r->actions,
        .flags = (uint8_t)((r->allow ? GRANT_ALLOW : 0) | (f.levels ? 0 : GRANT_WHOLE)),
    };
    set_outline(own, bytes_of((const uint8_t *)b->g + f.start, b->used - f.start));
    return true;
}

/* A rule without topics: "#" if it allows; if it denies, '$' topics are not left out. */
static bool add_any(struct build *b, const struct acl_rule *r)
{
    if (r->allow) return add_rule(b, r, BYTES("#"));
    b->g->rule[b->g->n++] =
        (struct grant_rule){.place = r->place, .actions = r->actions, .flags = GRANT_WHOLE};
    return true;
}

static bool add_rules(struct build *b, const struct acl_rule *r, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (!acl_applies(&r[i], b->who)) continue;
        if (r[i].ntopics == 0 && !add_any(b, &r[i])) return false;
        for (uint32_t k = 0; k < r[i].ntopics; k++)
            if (!add_rule(b, &r[i], r[i].topics[k])) return false;
    }
    return true;
}

/* How many entries the rules that apply can have. */
static size_t room_for(const struct acl_rule *r, unsigned n, const struct acl_subject *who)
{
    size_t room = 0;
    for (unsigned i = 0; i < n; i++)
        if (acl_applies(&r[i], who)) room += r[i].ntopics ? r[i].ntopics : 1;
    return room;
}

static struct grant *make(const struct acl *a, const struct acl_subject *who)
{
    unsigned n = 0, nown = who->has_own ? who->nown : 0;
    const struct acl_rule *rules = a ? acl_rules(a, &n) : NULL;
    size_t room = room_for(rules, n, who) + room_for(who->own, nown, who);
    struct build b = {.who = who, .used = sizeof(struct grant) + room * sizeof(struct grant_rule)};

    b.cap = b.used + 32 * room;
    b.g = calloc(1, b.cap);
    if (!b.g) return NULL;
    b.g->own = who->has_own;
    b.g->allow_rest = a ? acl_options(a)->allow_rest : true;
    b.g->strict = a && acl_options(a)->strict;
    bool made = add_rules(&b, who->own, nown);
    b.g->nown = b.g->n;
    if (!made || !add_rules(&b, rules, n)) {
        free(b.g);
        return NULL;
    }
    b.g->bytes = (uint32_t)b.used;
    return b.g;
}

int grant_new(const struct grant **g, const struct acl *a, const struct acl_subject *who)
{
    *g = NULL;
    if (who->superuser || (!a && !who->has_own)) return 0;
    *g = make(a, who);
    if (*g) return 0;
    *g = grant_nothing();
    return -ERR_NOMEM;
}

void grant_free(const struct grant **g)
{
    if (*g && !(*g)->fixed) free((void *)*g);
    *g = NULL;
}

const struct grant *grant_nothing(void)
{
    return &nothing;
}

bool grant_eq(const struct grant *a, const struct grant *b)
{
    if (!a || !b) return a == b;
    return a == b || (a->bytes == b->bytes && memcmp(a, b, a->bytes) == 0);
}

/* ---- topics -------------------------------------------------------------------------------------
 */

struct asked {
    struct bytes topic;
    uint64_t head; /* short_text of it */
};

/* False: surely not. */
static bool may_fit(const struct grant_rule *r, const struct asked *a)
{
    size_t n = r->literal;
    if (a->topic.n < n) return false;
    if (n >= 8) return load64(a->topic.p + n - 8) == r->tail;
    return (a->head & ((1ull << 8 * n) - 1)) == r->tail;
}

static bool fits_topic(const struct grant *g, const struct grant_rule *r, const void *asked)
{
    const struct asked *a = asked;
    if (LIKELY(!may_fit(r, a))) return false;
    if (r->flags & GRANT_WHOLE) return true;
    struct bytes filter = grant_rule_filter(g, r);
    return r->flags & GRANT_EXACT ? bytes_eq(filter, a->topic) : name_matches(filter, a->topic);
}

struct grant_verdict grant_judge(const struct grant *g, enum acl_action action, struct bytes topic)
{
    if (!g) return (struct grant_verdict){.allowed = true};
    struct asked a = {.topic = topic, .head = short_text(topic.p, topic.n)};
    return grant_decide(g, (uint8_t)action, fits_topic, &a, topic.n && topic.p[0] == '$');
}
