/* SPDX-License-Identifier: BSD-3-Clause */
/* Every filter and every topic of a small world, against the definition. */
#include "base/rng.h"
#include "broker/name.h"
#include "unit/access/access_rig.h"

enum { DEPTH = 3, TOPIC_DEPTH = DEPTH + 1, RULES_EACH = 5 };

/* 'z' stands for all names that no rule speaks of. */
static const char *const levels[] = {"a", "b", "$s", "z"};
static const char *const in_rules[] = {"a", "b", "$s", "+", "+", "#"};

struct world {
    char topic[400][16];
    unsigned topics;
    char filter[400][16];
    unsigned filters;
};

static void add_topics(struct world *w, const char *prefix, unsigned depth)
{
    for (unsigned i = 0; i < ARRAY_LEN(levels); i++) {
        char *t = w->topic[w->topics++];
        snprintf(t, sizeof w->topic[0], "%s%s%s", prefix, *prefix ? "/" : "", levels[i]);
        if (depth > 1) add_topics(w, t, depth - 1);
    }
}

static void add_filters(struct world *w, const char *prefix, unsigned depth)
{
    for (unsigned i = 0; i < ARRAY_LEN(in_rules); i++) {
        if (i && strcmp(in_rules[i], in_rules[i - 1]) == 0) continue;
        char *f = w->filter[w->filters++];
        snprintf(f, sizeof w->filter[0], "%s%s%s", prefix, *prefix ? "/" : "", in_rules[i]);
        if (depth > 1 && *in_rules[i] != '#') add_filters(w, f, depth - 1);
    }
}

struct test_rules {
    char text[RULES_EACH][24];
    const char *at[RULES_EACH + 1];
    unsigned n;
};

static void make_rules(struct test_rules *r, struct rng *rng)
{
    r->n = (unsigned)rng_below(rng, RULES_EACH + 1);
    for (unsigned i = 0; i < r->n; i++) {
        static const char *const acts[] = {"r", "r", "r", "rw", "w"};
        int n = snprintf(r->text[i], sizeof r->text[i], "%c%s", rng_below(rng, 2) ? '+' : '-',
                         acts[rng_below(rng, ARRAY_LEN(acts))]);
        r->at[i] = r->text[i];
        if (rng_below(rng, 20) == 0) continue; /* every topic */
        unsigned depth = 1 + (unsigned)rng_below(rng, DEPTH);
        for (unsigned k = 0; k < depth; k++) {
            const char *level = in_rules[rng_below(rng, ARRAY_LEN(in_rules))];
            n += snprintf(r->text[i] + n, sizeof r->text[i] - (size_t)n, "%c%s", k ? '/' : ' ',
                          level);
            if (*level == '#') break;
        }
    }
    r->at[r->n] = NULL;
}

/* 1 allowed, 0 denied, -1 no rule. */
static int first_says(const struct test_rules *r, const char *topic)
{
    for (unsigned i = 0; i < r->n; i++) {
        const char *filter = strchr(r->text[i], ' ');
        bool allow = *r->text[i] == '+';
        if (r->text[i][1] != 'r') continue;
        if (!filter && allow) filter = " #";
        if (!filter || name_matches(bytes_str(filter + 1), bytes_str(topic))) return allow;
    }
    return -1;
}

static bool by_definition(const struct test_rules *rules, const struct test_rules *own,
                          bool allow_rest, const char *topic)
{
    int configured = first_says(rules, topic);
    if (own) return first_says(own, topic) == 1 && configured != 0;
    if (configured >= 0) return configured;
    return allow_rest && *topic != '$';
}

/* What part of the filter's topics may be read? */
static void count_topics(const struct world *w, const char *filter, const bool *may,
                         unsigned counts[2])
{
    counts[0] = counts[1] = 0;
    for (unsigned i = 0; i < w->topics; i++)
        if (name_matches(bytes_str(filter), bytes_str(w->topic[i]))) counts[may[i]]++;
}

static void one_round(const struct world *w, struct rng *rng)
{
    struct test_rules rules, own;
    bool may[ARRAY_LEN(w->topic)];
    make_rules(&rules, rng);
    make_rules(&own, rng);
    bool has_own = rng_below(rng, 2);
    struct acl_options o = {.allow_rest = rng_below(rng, 4) == 0};
    struct acl_subject who = {.client_id = BYTES("c")};
    const char *const *brought = has_own ? own.at : NULL;
    const struct grant *g = rig_grant(rules.at, brought, who, o);
    o.strict = true;
    const struct grant *strict = rig_grant(rules.at, brought, who, o);

    for (unsigned i = 0; i < w->topics; i++) {
        may[i] = by_definition(&rules, has_own ? &own : NULL, o.allow_rest, w->topic[i]);
        assert_int_equal(grant_may(g, ACL_READ, bytes_str(w->topic[i])), may[i]);
    }
    for (unsigned i = 0; i < w->filters; i++) {
        unsigned counts[2];
        count_topics(w, w->filter[i], may, counts);
        if (grant_may_subscribe(g, bytes_str(w->filter[i])) != (counts[1] > 0) ||
            grant_may_subscribe(strict, bytes_str(w->filter[i])) != (counts[0] == 0))
            fail_msg("%s: %u may be read, %u not", w->filter[i], counts[1], counts[0]);
    }
    grant_free(&g);
    grant_free(&strict);
}

static void filters_are_judged_as_all_their_topics_together(void **state)
{
    static struct world w;
    struct rng rng;
    (void)state;
    add_topics(&w, "", TOPIC_DEPTH);
    add_filters(&w, "", DEPTH);
    rng_seed(&rng, 20260);
    for (unsigned i = 0; i < 3000; i++)
        one_round(&w, &rng);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_are_judged_as_all_their_topics_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
