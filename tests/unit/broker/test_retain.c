/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "broker/name.h"
#include "broker/retain.h"

enum { SEED = 7, TEXT_MAX = 64, RUN_MAX = 100000 };

static const struct retain_limits no_limits = {UINT64_MAX, UINT64_MAX};

struct rig {
    struct pool *homes[1];
    struct core core;
    struct retain retain;
    size_t idle_bytes; /* of the pool, with nothing retained */
};

static int set_up(void **state)
{
    struct rig *r = aligned_alloc(_Alignof(struct rig), sizeof *r);
    if (!r) return -1;
    memset(r, 0, sizeof *r);
    r->core.cores = 1;
    r->core.pool = pool_new(0, 1, r->homes);
    if (!r->core.pool || retain_init(&r->retain, &r->core, SEED, no_limits) < 0) return -1;
    r->idle_bytes = pool_bytes_used(r->core.pool);
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;
    retain_fini(&r->retain);
    size_t left = pool_bytes_used(r->core.pool);
    uint64_t counted = counter_read(&r->core.counters, C_retained) +
                       counter_read(&r->core.counters, C_retained_bytes);
    pool_free_all(&r->core.pool);
    free(r);
    return left || counted ? -1 : 0;
}

static struct message *make(struct rig *r, const char *topic, const char *payload,
                            uint32_t expiry_s)
{
    struct publication p = {
        .topic = bytes_str(topic),
        .payload = bytes_str(payload),
        .topic_hash = name_hash(SEED, bytes_str(topic)),
        .retain = true,
        .expiry_s = expiry_s,
        .has_expiry = expiry_s > 0,
    };
    struct message *m = message_new(&r->core, &p, 1);
    assert_non_null(m);
    return m;
}

static int set_expiring(struct rig *r, const char *topic, const char *payload, uint32_t expiry_s)
{
    struct message *m = make(r, topic, payload, expiry_s);
    int err = retain_set(&r->retain, m);
    message_unref(&r->core, m);
    return err;
}

static int set(struct rig *r, const char *topic, const char *payload)
{
    return set_expiring(r, topic, payload, 0);
}

static struct message *get(struct rig *r, const char *topic)
{
    return retain_get(&r->retain, bytes_str(topic), name_hash(SEED, bytes_str(topic)));
}

static bool holds(struct rig *r, const char *topic, const char *payload)
{
    struct message *m = get(r, topic);
    return m && bytes_eq(message_topic(m), bytes_str(topic)) &&
           bytes_eq(message_payload(m), bytes_str(payload));
}

/* ---- setting and getting ------------------------------------------------------- */

static void retained_message_is_the_last_one_set(void **state)
{
    struct rig *r = *state;
    assert_null(get(r, "a/b"));
    assert_int_equal(set(r, "a/b", "1"), 0);
    assert_true(holds(r, "a/b", "1"));
    assert_int_equal(set(r, "a/b", "22"), 0);
    assert_true(holds(r, "a/b", "22"));
    assert_null(get(r, "a"));
    assert_null(get(r, "a/b/c"));
    assert_int_equal(r->retain.messages, 1);
    assert_int_equal(r->retain.bytes, 5);
    assert_int_equal(counter_read(&r->core.counters, C_retained), 1);
    assert_int_equal(counter_read(&r->core.counters, C_retained_bytes), 5);
}

static void empty_payload_clears_and_leaves_nothing_behind(void **state)
{
    struct rig *r = *state;
    assert_int_equal(set(r, "a/b/c/d", "1"), 0);
    assert_int_equal(set(r, "a/b", "2"), 0);
    assert_int_equal(set(r, "a/b", ""), 0);
    assert_null(get(r, "a/b"));
    assert_true(holds(r, "a/b/c/d", "1"));
    assert_int_equal(set(r, "a/b/c/d", ""), 0);
    assert_int_equal(set(r, "a/b/c/d", ""), 0);
    assert_int_equal(r->retain.messages + r->retain.bytes + r->retain.paths.used, 0);
    assert_int_equal(pool_bytes_used(r->core.pool), r->idle_bytes);
}

static void limit_of_messages_keeps_the_old_ones(void **state)
{
    struct rig *r = *state;
    r->retain.limits.messages_max = 2;
    assert_int_equal(set(r, "a", "1"), 0);
    assert_int_equal(set(r, "b", "1"), 0);
    assert_int_equal(set(r, "c", "1"), -ERR_FULL);
    assert_null(get(r, "c"));
    assert_int_equal(set(r, "a", "2"), 0);
    assert_int_equal(set(r, "b", ""), 0);
    assert_int_equal(set(r, "c", "1"), 0);
    assert_true(holds(r, "a", "2"));
}

static void limit_of_bytes_keeps_the_old_message(void **state)
{
    struct rig *r = *state;
    r->retain.limits.bytes_max = 6;
    assert_int_equal(set(r, "a", "12345"), 0);
    assert_int_equal(set(r, "b", "1"), -ERR_FULL);
    assert_int_equal(set(r, "a", "123456"), -ERR_FULL);
    assert_true(holds(r, "a", "12345"));
    assert_int_equal(set(r, "a", "123"), 0);
    assert_int_equal(set(r, "b", "1"), 0);
    assert_int_equal(r->retain.bytes, 6);
}

static void no_memory_changes_nothing(void **state)
{
    struct rig *r = *state;
    assert_int_equal(set(r, "a/b", "1"), 0);
    struct message *m = make(r, "a/c/d", "1", 0);
    size_t before = pool_bytes_used(r->core.pool);
    for (size_t room = 0; room < 128; room += 64) { /* no node; one of two nodes */
        pool_set_max(r->core.pool, before + room + 1);
        assert_int_equal(retain_set(&r->retain, m), -ERR_NOMEM);
        assert_int_equal(pool_bytes_used(r->core.pool), before);
        assert_int_equal(r->retain.messages, 1);
    }
    pool_set_max(r->core.pool, 0);
    message_unref(&r->core, m);
    assert_true(holds(r, "a/b", "1"));
}

static void expired_message_is_dropped_when_met(void **state)
{
    struct rig *r = *state;
    assert_int_equal(set_expiring(r, "a/b", "1", 10), 0);
    r->core.clock.now_ns += 9 * NS_PER_S;
    assert_true(holds(r, "a/b", "1"));
    r->core.clock.now_ns += NS_PER_S;
    assert_null(get(r, "a/b"));
    assert_int_equal(r->retain.messages + r->retain.paths.used, 0);
    assert_int_equal(counter_read(&r->core.counters, C_dropped_expired), 1);
}

/* ---- walks --------------------------------------------------------------------- */

/* What a caller embeds a walk in. */
struct request {
    struct retain_walk walk;
    bool done;
    struct request *then; /* started by done */
};

static struct retain *retain_of(void *ctx)
{
    return &((struct rig *)ctx)->retain;
}

static void on_done(struct retain_walk *w, void *ctx)
{
    struct request *q = CONTAINER_OF(w, struct request, walk);
    assert_false(q->done);
    q->done = true;
    if (q->then) retain_walk_start(retain_of(ctx), &q->then->walk, on_done);
}

static void start(struct rig *r, struct request *q, const char *filter)
{
    q->walk.filter = bytes_str(filter);
    q->done = false;
    retain_walk_start(&r->retain, &q->walk, on_done);
}

static void run(struct rig *r, unsigned budget)
{
    for (unsigned i = 0; r->retain.walk_head; i++) {
        assert_true(i < RUN_MAX);
        assert_true(retain_step(&r->retain, budget, r) <= budget);
    }
}

/* The vector against what is retained now: all that matches, each once, nothing else. */
static bool exact(struct rig *r, const struct request *q, const char *const *topics, size_t n)
{
    const struct retain_vector *v = &q->walk.found;
    size_t entries = 0, want = 0;
    for (uint32_t i = 0; i < v->n; i++)
        entries += v->at[i] != NULL;
    for (size_t i = 0; i < n; i++) {
        struct message *m = get(r, topics[i]);
        if (!m || !name_matches(q->walk.filter, bytes_str(topics[i]))) continue;
        size_t times = 0;
        for (uint32_t k = 0; k < v->n; k++)
            times += v->at[k] == m;
        if (times != 1) return false;
        want++;
    }
    return q->done && !q->walk.failed && entries == want;
}

static const char *const topics[] = {"a",      "a/b",     "a/b/c",   "a/x/c", "b",  "b/c",
                                     "/",      "/a",      "a/",      "a//c",  "$s", "$s/b",
                                     "$s/b/c", "c/d/e/f", "c/d/e/g", "c/d"};

static void set_all(struct rig *r)
{
    for (size_t i = 0; i < ARRAY_LEN(topics); i++)
        assert_int_equal(set(r, topics[i], "1"), 0);
}

static void walk_finds_what_matches_each_filter_at_any_budget(void **state)
{
    struct rig *r = *state;
    static const char *const filters[] = {"#",    "+",    "a/#", "a/+",     "+/b",     "+/+/c",
                                          "$s/#", "$s/+", "+/#", "a/+/c",   "c/+/e/+", "c/d/#",
                                          "z/+",  "z/#",  "/+",  "+/+/+/#", "a/b",     "$z/#"};
    set_all(r);
    for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
        for (unsigned budget = 1; budget < 40; budget += 7) {
            struct request q = {0};
            start(r, &q, filters[i]);
            run(r, budget);
            if (!exact(r, &q, topics, ARRAY_LEN(topics))) fail_msg("\"%s\"", filters[i]);
            retain_vector_fini(&q.walk.found, &r->core);
        }
    }
}

static void literal_levels_visit_no_other_branch(void **state)
{
    struct rig *r = *state;
    struct request q = {0};
    char topic[TEXT_MAX];
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(topic, sizeof topic, "%u/x/y", i);
        assert_int_equal(set(r, topic, "1"), 0);
    }
    start(r, &q, "500/x/+");
    assert_int_equal(retain_step(&r->retain, 100, r), 4);
    assert_true(q.done);
    assert_int_equal(q.walk.found.n, 1);
    retain_vector_fini(&q.walk.found, &r->core);
}

static void walks_run_one_after_another_and_may_be_started_by_done(void **state)
{
    struct rig *r = *state;
    struct request a = {0}, b = {0}, c = {.walk.filter = BYTES("c/#")};
    set_all(r);
    a.then = &c;
    start(r, &a, "a/#");
    start(r, &b, "#");
    run(r, 3);
    assert_true(exact(r, &a, topics, ARRAY_LEN(topics)));
    assert_true(exact(r, &b, topics, ARRAY_LEN(topics)));
    assert_true(exact(r, &c, topics, ARRAY_LEN(topics)));
    retain_vector_fini(&a.walk.found, &r->core);
    retain_vector_fini(&b.walk.found, &r->core);
    retain_vector_fini(&c.walk.found, &r->core);
}

static void cancelled_walk_is_never_done_and_the_next_one_runs(void **state)
{
    struct rig *r = *state;
    struct request a = {0}, b = {0}, c = {0};
    set_all(r);
    start(r, &a, "#");
    start(r, &b, "#");
    start(r, &c, "+");
    retain_step(&r->retain, 5, r);
    assert_true(a.walk.found.n > 0);
    retain_walk_cancel(&r->retain, &a.walk); /* runs */
    retain_walk_cancel(&r->retain, &b.walk); /* waits */
    assert_int_equal(a.walk.found.n, 0);
    assert_int_equal(set(r, "a", "2"), 0);
    run(r, 5);
    assert_false(a.done || b.done);
    assert_true(exact(r, &c, topics, ARRAY_LEN(topics)));
    retain_vector_fini(&c.walk.found, &r->core);

    start(r, &a, "#");
    retain_walk_cancel(&r->retain, &a.walk);
    assert_null(r->retain.walk_tail);
}

static void vector_keeps_its_messages_after_they_are_cleared(void **state)
{
    struct rig *r = *state;
    struct request q = {0};
    assert_int_equal(set(r, "a/b", "1"), 0);
    start(r, &q, "a/+");
    run(r, 10);
    assert_int_equal(set(r, "a/b", ""), 0);
    assert_int_equal(q.walk.found.n, 1);
    assert_true(bytes_eq(message_payload(q.walk.found.at[0]), BYTES("1")));
    retain_vector_fini(&q.walk.found, &r->core);
}

static void change_behind_the_cursor_replaces_clears_and_appends(void **state)
{
    struct rig *r = *state;
    static const char *const all[] = {"a/1", "a/2", "a/3", "b"};
    struct request q = {0};
    assert_int_equal(set(r, "b", "old"), 0); /* the oldest sibling is visited last */
    assert_int_equal(set(r, "a/1", "old"), 0);
    assert_int_equal(set(r, "a/2", "old"), 0);
    start(r, &q, "#");
    assert_int_equal(retain_step(&r->retain, 4, r), 4); /* the root, "a" and its children */
    assert_int_equal(q.walk.found.n, 2);
    assert_false(q.done);
    assert_int_equal(set(r, "a/1", "new"), 0);
    assert_int_equal(set(r, "a/2", ""), 0);
    assert_int_equal(set(r, "a/3", "fresh"), 0);
    run(r, 1);
    assert_true(exact(r, &q, all, ARRAY_LEN(all)));
    retain_vector_fini(&q.walk.found, &r->core);
}

static void cursor_survives_the_removal_of_its_node(void **state)
{
    struct rig *r = *state;
    static const char *const left[] = {"b", "c"};
    struct request q = {0};
    assert_int_equal(set(r, "b", "1"), 0);
    assert_int_equal(set(r, "a/x/1", "1"), 0);
    assert_int_equal(set(r, "c", "1"), 0);
    start(r, &q, "#");
    assert_int_equal(retain_step(&r->retain, 4, r), 4); /* next is "a/x/1", then "b" */
    assert_int_equal(set(r, "a/x/1", ""), 0);
    run(r, 1);
    assert_true(exact(r, &q, left, ARRAY_LEN(left)));
    retain_vector_fini(&q.walk.found, &r->core);
}

static void walk_drops_expired_messages_on_its_way(void **state)
{
    struct rig *r = *state;
    struct request q = {0};
    set_all(r);
    assert_int_equal(set_expiring(r, "c/d/e/f/g/h", "1", 5), 0);
    assert_int_equal(set_expiring(r, "b", "1", 5), 0);
    r->core.clock.now_ns += 6 * NS_PER_S;
    start(r, &q, "#");
    run(r, 1);
    assert_int_equal(r->retain.messages, ARRAY_LEN(topics) - 1);
    assert_true(exact(r, &q, topics, ARRAY_LEN(topics)));
    retain_vector_fini(&q.walk.found, &r->core);
}

/* ---- at random ------------------------------------------------------------------ */

enum { NAMES = 400, ROUNDS = 1500 };

static const char *const words[] = {"a", "b", "c", "", "$d", "word"};

static void random_name(struct rng *rng, char *out, bool filter)
{
    unsigned levels = 1 + (unsigned)rng_below(rng, 5);
    size_t n = 0;
    for (unsigned i = 0; i < levels; i++) {
        const char *word = words[rng_below(rng, ARRAY_LEN(words))];
        if (filter && rng_below(rng, 3) == 0) word = "+";
        if (filter && i + 1 == levels && rng_below(rng, 2)) word = "#";
        n += (size_t)snprintf(out + n, TEXT_MAX - n, i ? "/%s" : "%s", word);
    }
    if (n == 0) snprintf(out, TEXT_MAX, "a");
}

static void random_set(struct rig *r, struct rng *rng, const char *topic)
{
    static const char *const payloads[] = {"", "", "1", "22", "333"};
    uint32_t expiry_s = rng_below(rng, 8) ? 0 : 1 + (uint32_t)rng_below(rng, 5);
    assert_int_equal(
        set_expiring(r, topic, payloads[rng_below(rng, ARRAY_LEN(payloads))], expiry_s), 0);
}

static void random_changes_during_walks_leave_an_exact_vector(void **state)
{
    struct rig *r = *state;
    static char names[NAMES][TEXT_MAX];
    static const char *list[NAMES];
    struct rng rng;
    size_t n = 0, found = 0;
    rng_seed(&rng, 11);
    while (n < NAMES) { /* different ones */
        random_name(&rng, names[n], false);
        size_t k = 0;
        while (strcmp(names[k], names[n]) != 0)
            k++;
        if (k == n) list[n] = names[n], n++;
    }
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct request q = {0};
        char filter[TEXT_MAX];
        random_name(&rng, filter, true);
        for (unsigned k = 0; k < 20; k++)
            random_set(r, &rng, list[rng_below(&rng, NAMES)]);
        start(r, &q, filter);
        while (!q.done) {
            retain_step(&r->retain, 1 + (unsigned)rng_below(&rng, 6), r);
            for (uint64_t k = rng_below(&rng, 4); !q.done && k > 0; k--)
                random_set(r, &rng, list[rng_below(&rng, NAMES)]);
        }
        if (!exact(r, &q, list, NAMES)) fail_msg("round %u, \"%s\"", i, filter);
        found += q.walk.found.n;
        retain_vector_fini(&q.walk.found, &r->core);
        if (i % 4 == 0) r->core.clock.now_ns += NS_PER_S; /* only between walks: see exact() */
    }
    assert_true(found > 10 * ROUNDS);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(retained_message_is_the_last_one_set),
        TEST(empty_payload_clears_and_leaves_nothing_behind),
        TEST(limit_of_messages_keeps_the_old_ones),
        TEST(limit_of_bytes_keeps_the_old_message),
        TEST(no_memory_changes_nothing),
        TEST(expired_message_is_dropped_when_met),
        TEST(walk_finds_what_matches_each_filter_at_any_budget),
        TEST(literal_levels_visit_no_other_branch),
        TEST(walks_run_one_after_another_and_may_be_started_by_done),
        TEST(cancelled_walk_is_never_done_and_the_next_one_runs),
        TEST(vector_keeps_its_messages_after_they_are_cleared),
        TEST(change_behind_the_cursor_replaces_clears_and_appends),
        TEST(cursor_survives_the_removal_of_its_node),
        TEST(walk_drops_expired_messages_on_its_way),
        TEST(random_changes_during_walks_leave_an_exact_vector),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
