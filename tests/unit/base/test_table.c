/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdbool.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/rng.h"
#include "base/table.h"

enum { ITEMS = 2000 };

struct item {
    uint64_t hash;
    unsigned id;
    bool in;
};

static struct item *find(const struct table *t, uint64_t hash, unsigned id)
{
    struct table_iter it = table_seek(t, hash);
    for (struct item *x; (x = table_next(t, &it)) != NULL;)
        if (x->id == id) return x;
    return NULL;
}

static void empty_table_finds_nothing_and_owns_nothing(void **state)
{
    (void)state;
    struct table t = {0};
    assert_null(find(&t, 7, 0));
    assert_null(t.slot);
    table_fini(&t);
}

static void items_with_equal_hashes_are_told_apart_by_the_caller(void **state)
{
    (void)state;
    struct table t = {0};
    struct item x[8];
    for (unsigned i = 0; i < ARRAY_LEN(x); i++) {
        x[i] = (struct item){.hash = 5, .id = i};
        assert_int_equal(table_add(&t, 5, &x[i]), 0);
    }
    table_del(&t, 5, &x[3]);
    for (unsigned i = 0; i < ARRAY_LEN(x); i++)
        assert_ptr_equal(find(&t, 5, i), i == 3 ? NULL : &x[i]);
    table_fini(&t);
}

static void deletion_keeps_what_was_displaced_over_the_end_reachable(void **state)
{
    (void)state;
    struct table t = {0};
    /* Sixteen slots: the run begins in the last two and goes on at the start. */
    static const uint64_t hashes[] = {14, 15, 14, 15, 0, 1, 14};
    struct item x[ARRAY_LEN(hashes)];
    for (unsigned gone = 0; gone < ARRAY_LEN(hashes); gone++) {
        for (unsigned i = 0; i < ARRAY_LEN(hashes); i++) {
            x[i] = (struct item){.hash = hashes[i], .id = i};
            assert_int_equal(table_add(&t, x[i].hash, &x[i]), 0);
        }
        table_del(&t, x[gone].hash, &x[gone]);
        for (unsigned i = 0; i < ARRAY_LEN(hashes); i++)
            assert_ptr_equal(find(&t, x[i].hash, i), i == gone ? NULL : &x[i]);
        table_fini(&t);
    }
}

static void replaced_item_is_found_in_its_place(void **state)
{
    (void)state;
    struct table t = {0};
    struct item a = {.id = 1}, b = {.id = 2};
    assert_int_equal(table_add(&t, 9, &a), 0);
    table_replace(&t, 9, &a, &b);
    assert_null(find(&t, 9, 1));
    assert_ptr_equal(find(&t, 9, 2), &b);
    assert_int_equal(t.used, 1);
    table_fini(&t);
}

static void add_to_count(void *item, void *arg)
{
    assert_true(((struct item *)item)->in);
    ++*(unsigned *)arg;
}

static void check_all(const struct table *t, struct item *x, unsigned in)
{
    unsigned seen = 0;
    table_each(t, add_to_count, &seen);
    assert_int_equal(seen, in);
    assert_int_equal(t->used, in);
    for (unsigned i = 0; i < ITEMS; i++)
        assert_ptr_equal(find(t, x[i].hash, i), x[i].in ? &x[i] : NULL);
}

static void random_adds_and_dels_agree_with_a_list(void **state)
{
    (void)state;
    static struct item x[ITEMS];
    struct table t = {0};
    struct rng rng;
    unsigned in = 0;

    rng_seed(&rng, 1);
    for (unsigned i = 0; i < ITEMS; i++) /* few hashes, so that runs are long */
        x[i] = (struct item){.hash = hash_mix(rng_below(&rng, ITEMS / 2)), .id = i};
    for (unsigned step = 0; step < 100000; step++) {
        /* Fills up, then empties, and again. */
        bool filling = step / 10000 % 2 == 0;
        struct item *y = &x[rng_below(&rng, ITEMS)];
        if (!y->in && (filling || rng_below(&rng, 4) == 0)) {
            assert_int_equal(table_add(&t, y->hash, y), 0);
            y->in = true;
            in++;
        } else if (y->in && (!filling || rng_below(&rng, 4) == 0)) {
            table_del(&t, y->hash, y);
            y->in = false;
            in--;
        }
        if (step % 2000 == 0) check_all(&t, x, in);
    }
    check_all(&t, x, in);
    table_fini(&t);
}

static void table_shrinks_when_nearly_empty(void **state)
{
    (void)state;
    static struct item x[ITEMS];
    struct table t = {0};
    for (unsigned i = 0; i < ITEMS; i++) {
        x[i] = (struct item){.hash = hash_mix(i), .id = i, .in = true};
        assert_int_equal(table_add(&t, x[i].hash, &x[i]), 0);
    }
    uint32_t full = t.mask;
    assert_true(t.used <= (full + 1) / 4 * 3);
    for (unsigned i = 10; i < ITEMS; i++) {
        table_del(&t, x[i].hash, &x[i]);
        x[i].in = false;
    }
    assert_true(t.mask < full / 16);
    check_all(&t, x, 10);
    table_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_table_finds_nothing_and_owns_nothing),
        cmocka_unit_test(items_with_equal_hashes_are_told_apart_by_the_caller),
        cmocka_unit_test(deletion_keeps_what_was_displaced_over_the_end_reachable),
        cmocka_unit_test(replaced_item_is_found_in_its_place),
        cmocka_unit_test(random_adds_and_dels_agree_with_a_list),
        cmocka_unit_test(table_shrinks_when_nearly_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
