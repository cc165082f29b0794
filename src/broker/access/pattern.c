/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/access/pattern.h"

static bool is_plus(struct bytes level)
{
    return level.n == 1 && level.p[0] == '+';
}

static bool is_hash(struct bytes level)
{
    return level.n == 1 && level.p[0] == '#';
}

static bool is_dollar(struct bytes level)
{
    return level.n > 0 && level.p[0] == '$';
}

bool pattern_init(struct pattern *p, struct bytes filter)
{
    struct level_iter it = level_iter(filter);

    p->n = 0;
    p->deep = p->whole = false;
    for (struct bytes level; level_next(&it, &level);) {
        if (is_hash(level)) {
            p->deep = true;
            return true;
        }
        if (p->n == NAME_LEVELS_MAX) return false;
        p->level[p->n++] = level;
    }
    return true;
}

/* Level `i`; behind the last one any, as "#" says. */
static struct bytes level_at(const struct pattern *p, unsigned i)
{
    return i < p->n ? p->level[i] : BYTES("+");
}

/* Does the first level of `p` leave out names that begin with '$'? [MQTT-4.7.2-1] */
static bool no_dollar(const struct pattern *p)
{
    return !p->whole && is_plus(level_at(p, 0));
}

bool pattern_meet(struct pattern *out, const struct pattern *a, const struct pattern *b)
{
    if (a->n < b->n) {
        const struct pattern *longer = b;
        b = a;
        a = longer;
    }
    if (b->n < a->n && !b->deep) return false;
    for (unsigned i = 0; i < a->n; i++) {
        struct bytes la = a->level[i], lb = level_at(b, i);
        if (!is_plus(la) && !is_plus(lb) && !bytes_eq(la, lb)) return false;
        out->level[i] = is_plus(la) ? lb : la;
    }
    out->n = a->n;
    out->deep = a->deep && b->deep;
    out->whole = a->whole && b->whole;
    struct bytes first = level_at(out, 0);
    return !is_dollar(first) || (!no_dollar(a) && !no_dollar(b));
}

/* ---- samples ------------------------------------------------------------------------------------
 */

/* 0xFF is nowhere in UTF-8, so no filter has it. */
static struct bytes sample_level(const struct pattern_sample *s, unsigned i)
{
    struct bytes level = level_at(s->p, i);
    return is_plus(level) ? BYTES("\xFF") : level;
}

bool pattern_sample_dollar(const struct pattern_sample *s)
{
    return is_dollar(sample_level(s, 0));
}

bool pattern_sample_matches(struct bytes filter, const struct pattern_sample *s)
{
    struct level_iter it = level_iter(filter);
    unsigned i = 0;

    for (struct bytes level; level_next(&it, &level); i++) {
        bool wild = is_hash(level) || is_plus(level);
        if (i == 0 && wild && pattern_sample_dollar(s)) return false; /* [MQTT-4.7.2-1] */
        if (is_hash(level)) return true;
        if (i == s->levels) return false;
        if (!wild && !bytes_eq(level, sample_level(s, i))) return false;
    }
    return i == s->levels;
}
