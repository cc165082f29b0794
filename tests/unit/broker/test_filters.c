/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/rng.h"
#include "broker/filters.h"
#include "broker/name.h"

enum { SEED = 42, TEXT_MAX = 64 };

/* What a caller embeds an entry in. */
struct sub {
    struct filter_entry entry;
    char text[TEXT_MAX];
    bool in;
    unsigned hits;
};

static struct sub *sub_of(struct filter_entry *e)
{
    return CONTAINER_OF(e, struct sub, entry);
}

/* `group` may be empty. */
static void sub_init(struct sub *s, const char *group, const char *filter)
{
    *s = (struct sub){0};
    size_t at = 0;
    if (*group) at = (size_t)snprintf(s->text, TEXT_MAX, "$share/%s/", group);
    size_t n = at + (size_t)snprintf(s->text + at, TEXT_MAX - at, "%s", filter);
    assert_true(n < TEXT_MAX);
    filter_entry_init(&s->entry, SEED, bytes_of(s->text, n), bytes_of(s->text + at, n - at));
}

static void sub_add(struct filters *f, struct sub *s, const char *group, const char *filter)
{
    sub_init(s, group, filter);
    assert_int_equal(filters_add(f, &s->entry), 0);
    s->in = true;
}

static void hit(struct filter_entry *e, void *arg)
{
    struct sub *s = sub_of(e);
    assert_true(s->in);
    s->hits++;
    ++*(unsigned *)arg;
}

static unsigned match(const struct filters *f, const char *topic)
{
    unsigned hits = 0;
    struct bytes t = bytes_str(topic);
    filters_match(f, t, name_hash(SEED, t), hit, &hits);
    return hits;
}

static struct filter_entry *find(const struct filters *f, const char *name)
{
    return filters_find(f, name_hash(SEED, bytes_str(name)), bytes_str(name));
}

static void empty_set_matches_nothing(void **state)
{
    (void)state;
    struct filters f;
    filters_init(&f, SEED);
    assert_int_equal(match(&f, "a/b"), 0);
    assert_null(find(&f, "a/b"));
    assert_null(find(&f, "a/+"));
    filters_fini(&f);
}

static void every_kind_of_filter_finds_its_topic(void **state)
{
    (void)state;
    static const char *const filters[] = {"a/b/c", "a/+/c", "a/b/#", "+/b/c", "#",   "a/b/c/#",
                                          "+/+/+", "a/#",   "+/#",   "a/b/+", "x/+", "a/b"};
    struct filters f;
    struct sub s[ARRAY_LEN(filters)];
    filters_init(&f, SEED);
    for (size_t i = 0; i < ARRAY_LEN(filters); i++)
        sub_add(&f, &s[i], "", filters[i]);

    assert_int_equal(match(&f, "a/b/c"), 10);
    for (size_t i = 0; i < ARRAY_LEN(filters); i++)
        assert_int_equal(s[i].hits, i < 10);
    assert_int_equal(match(&f, "x/y"), 3); /* "#", "+/#", "x/+" */
    assert_int_equal(match(&f, "$a/b"), 0);
    filters_fini(&f);
}

static void one_filter_takes_one_edge_until_another_shares_its_path(void **state)
{
    (void)state;
    struct filters f;
    struct sub s[2];
    filters_init(&f, SEED);
    sub_add(&f, &s[0], "", "a/b/c/d/+");
    assert_int_equal(f.trie.used, 1);
    sub_add(&f, &s[1], "", "a/b/+");
    assert_int_equal(f.trie.used, 4); /* forks "a", "a/b"; leaves "a/b/c", "a/b/+" */
    assert_int_equal(match(&f, "a/b/c/d/e"), 1);
    assert_int_equal(match(&f, "a/b/c"), 1);
    filters_del(&f, &s[0].entry);
    s[0].in = false;
    assert_int_equal(f.trie.used, 3);
    assert_int_equal(match(&f, "a/b/c"), 1);
    filters_del(&f, &s[1].entry);
    assert_int_equal(f.trie.used, 0);
    assert_int_equal(f.trie.root.entries, 0);
    filters_fini(&f);
}

static void filter_that_ends_where_another_goes_on_keeps_its_own_edge(void **state)
{
    (void)state;
    struct filters f;
    struct sub s[3];
    filters_init(&f, SEED);
    sub_add(&f, &s[0], "", "a/+");
    sub_add(&f, &s[1], "", "a/+/b");
    sub_add(&f, &s[2], "", "a/+/#");
    assert_int_equal(match(&f, "a/x"), 2);
    assert_int_equal(s[0].hits, 1);
    assert_int_equal(match(&f, "a/x/b"), 2);
    assert_int_equal(s[1].hits, 1);
    assert_int_equal(s[2].hits, 2);
    filters_fini(&f);
}

static void dollar_topics_are_hidden_from_leading_wildcards(void **state)
{
    (void)state;
    struct filters f;
    struct sub s[6];
    filters_init(&f, SEED);
    sub_add(&f, &s[0], "", "#");
    sub_add(&f, &s[1], "", "+/up");
    sub_add(&f, &s[2], "", "+/up/#");
    sub_add(&f, &s[3], "", "$SYS/+");
    sub_add(&f, &s[4], "", "$SYS/#");
    sub_add(&f, &s[5], "", "$SYS/up");
    assert_int_equal(match(&f, "$SYS/up"), 3);
    assert_int_equal(s[0].hits + s[1].hits + s[2].hits, 0);
    filters_fini(&f);
}

static void share_groups_of_a_filter_all_match_and_go_one_by_one(void **state)
{
    (void)state;
    static const char *const filters[] = {"a/b", "a/+"};
    for (size_t k = 0; k < ARRAY_LEN(filters); k++) {
        struct filters f;
        struct sub g1, g2, plain;
        filters_init(&f, SEED);
        sub_add(&f, &g1, "g1", filters[k]);
        sub_add(&f, &plain, "", filters[k]);
        sub_add(&f, &g2, "g2", filters[k]);
        assert_int_equal(match(&f, "a/b"), 3);
        assert_ptr_equal(find(&f, filters[k]), &plain.entry);
        assert_ptr_equal(find(&f, g1.text), &g1.entry);
        assert_ptr_equal(find(&f, g2.text), &g2.entry);

        filters_del(&f, &plain.entry);
        plain.in = false;
        assert_null(find(&f, filters[k]));
        assert_int_equal(match(&f, "a/b"), 2);
        filters_del(&f, &g1.entry);
        g1.in = false;
        assert_null(find(&f, g1.text));
        assert_int_equal(match(&f, "a/b"), 1);
        filters_del(&f, &g2.entry);
        g2.in = false;
        assert_int_equal(match(&f, "a/b"), 0);
        assert_int_equal(f.trie.used + f.exact.used + f.shared.used, 0);
        filters_fini(&f);
    }
}

static void group_name_alone_does_not_find_another_group(void **state)
{
    (void)state;
    struct filters f;
    struct sub s;
    filters_init(&f, SEED);
    sub_add(&f, &s, "g", "a/+");
    assert_null(find(&f, "a/+"));
    assert_null(find(&f, "$share/h/a/+"));
    assert_ptr_equal(find(&f, "$share/g/a/+"), &s.entry);
    filters_fini(&f);
}

static void every_change_has_a_new_generation(void **state)
{
    (void)state;
    struct filters f;
    struct sub s;
    filters_init(&f, SEED);
    uint64_t before = f.generation;
    sub_add(&f, &s, "", "a");
    uint64_t added = f.generation;
    filters_del(&f, &s.entry);
    assert_true(before != added && added != f.generation && f.generation != before);
    filters_fini(&f);
}

static void deepest_topic_and_filter_fit(void **state)
{
    (void)state;
    struct filters f;
    char text[2 * NAME_LEVELS_MAX], topic[2 * NAME_LEVELS_MAX];
    for (int i = 0; i < NAME_LEVELS_MAX; i++) {
        text[2 * i] = '+';
        topic[2 * i] = 'a';
        text[2 * i + 1] = topic[2 * i + 1] = '/';
    }
    text[2 * NAME_LEVELS_MAX - 1] = topic[2 * NAME_LEVELS_MAX - 1] = 0;
    /* The second makes a fork of every level of the first; both ways are open at each. */
    char other[2 * NAME_LEVELS_MAX];
    memcpy(other, text, sizeof text);
    other[2 * NAME_LEVELS_MAX - 2] = 'a';
    struct sub a = {.in = true}, b = {.in = true};
    filter_entry_init(&a.entry, SEED, bytes_str(text), bytes_str(text));
    filter_entry_init(&b.entry, SEED, bytes_str(other), bytes_str(other));
    filters_init(&f, SEED);
    assert_int_equal(filters_add(&f, &a.entry), 0);
    assert_int_equal(filters_add(&f, &b.entry), 0);
    assert_int_equal(match(&f, topic), 2);
    topic[2 * NAME_LEVELS_MAX - 2] = 'b';
    assert_int_equal(match(&f, topic), 1);
    filters_fini(&f);
}

/* ---- against brute force ------------------------------------------------------- */

enum { SUBS = 600, STEPS = 60000 };

static const char *const words[] = {"a", "b", "", "$x", "long-level-name"};

/* A name of one to five levels of few words, so that many share paths. */
static void random_name(struct rng *rng, char *out, bool filter)
{
    unsigned levels = 1 + (unsigned)rng_below(rng, 4);
    size_t n = 0;
    for (unsigned i = 0; i < levels; i++) {
        const char *word = words[rng_below(rng, ARRAY_LEN(words))];
        if (filter && rng_below(rng, 3) == 0) word = "+";
        if (filter && i + 1 == levels && rng_below(rng, 3) == 0) word = "#";
        n += (size_t)snprintf(out + n, TEXT_MAX - 16 - n, i ? "/%s" : "%s", word);
    }
    if (n == 0) snprintf(out, TEXT_MAX, "a");
}

static void check_topic(const struct filters *f, struct sub *s, const char *topic)
{
    for (unsigned i = 0; i < SUBS; i++)
        s[i].hits = 0;
    unsigned hits = match(f, topic);
    for (unsigned i = 0; i < SUBS; i++) {
        bool want = s[i].in && name_matches(filter_entry_filter(&s[i].entry), bytes_str(topic));
        if (s[i].hits != want) fail_msg("\"%s\" on \"%s\": %u", s[i].text, topic, s[i].hits);
        hits -= want;
    }
    assert_int_equal(hits, 0);
}

static void see(struct filter_entry *e, void *arg)
{
    assert_true(sub_of(e)->in);
    ++*(unsigned *)arg;
}

static void random_change(struct filters *f, struct rng *rng, struct sub *x, bool filling,
                          unsigned *in)
{
    if (x->in && (!filling || rng_below(rng, 4) == 0)) {
        filters_del(f, &x->entry);
        assert_null(find(f, x->text));
        x->in = false;
        --*in;
    } else if (!x->in && (filling || rng_below(rng, 4) == 0)) {
        char group[8] = "", filter[TEXT_MAX];
        if (rng_below(rng, 4) == 0)
            snprintf(group, sizeof group, "g%u", (unsigned)rng_below(rng, 3));
        random_name(rng, filter, true);
        sub_init(x, group, filter);
        if (find(f, x->text)) return; /* names are unique in a set */
        assert_int_equal(filters_add(f, &x->entry), 0);
        assert_ptr_equal(find(f, x->text), &x->entry);
        x->in = true;
        ++*in;
    }
}

static void random_sets_agree_with_brute_force(void **state)
{
    (void)state;
    struct sub *s = calloc(SUBS, sizeof *s);
    assert_non_null(s);
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct filters f;
        struct rng rng;
        unsigned in = 0, seen = 0;
        filters_init(&f, SEED);
        rng_seed(&rng, seed);
        for (unsigned step = 0; step < STEPS; step++) {
            struct sub *x = &s[rng_below(&rng, SUBS)];
            random_change(&f, &rng, x, step / 5000 % 2 == 0, &in);
            if (step % 20) continue;
            char topic[TEXT_MAX];
            random_name(&rng, topic, false);
            check_topic(&f, s, topic);
        }
        filters_each(&f, see, &seen);
        assert_int_equal(seen, in);
        for (unsigned i = 0; i < SUBS; i++) {
            if (s[i].in) filters_del(&f, &s[i].entry);
            s[i].in = false;
        }
        assert_int_equal(f.trie.used + f.exact.used + f.shared.used + f.trie.root.entries, 0);
        filters_fini(&f);
    }
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_set_matches_nothing),
        cmocka_unit_test(every_kind_of_filter_finds_its_topic),
        cmocka_unit_test(one_filter_takes_one_edge_until_another_shares_its_path),
        cmocka_unit_test(filter_that_ends_where_another_goes_on_keeps_its_own_edge),
        cmocka_unit_test(dollar_topics_are_hidden_from_leading_wildcards),
        cmocka_unit_test(share_groups_of_a_filter_all_match_and_go_one_by_one),
        cmocka_unit_test(group_name_alone_does_not_find_another_group),
        cmocka_unit_test(every_change_has_a_new_generation),
        cmocka_unit_test(deepest_topic_and_filter_fit),
        cmocka_unit_test(random_sets_agree_with_brute_force),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
