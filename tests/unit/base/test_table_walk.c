/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/table.h"

enum { ITEMS = 4000, STAY = 1000 };

struct thing {
    uint64_t hash;
    unsigned met;
};

static struct thing *things_new(void)
{
    struct thing *x = calloc(ITEMS, sizeof *x);

    assert_non_null(x);
    for (unsigned i = 0; i < ITEMS; i++)
        x[i].hash = hash_pair(i, 99);
    return x;
}

static bool meet(void *item, void *arg)
{
    unsigned *left = arg;

    ((struct thing *)item)->met++;
    return *left == 0 || --*left > 0;
}

static void add(struct table *t, struct thing *x, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++)
        assert_int_equal(table_add(t, x[i].hash, &x[i]), 0);
}

static void del(struct table *t, const struct thing *x, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++)
        table_del(t, x[i].hash, &x[i]);
}

/* Goes on to the end in steps of that size. */
static void walk_on(const struct table *t, uint64_t place, unsigned step)
{
    do {
        unsigned left = step;
        place = table_walk(t, place, 7, meet, &left);
    } while (place);
}

static uint64_t walk_for(const struct table *t, unsigned items)
{
    unsigned left = items;

    return table_walk(t, 0, UINT32_MAX, meet, &left);
}

static void empty_table_is_over_at_once(void **state)
{
    struct table t = {0};

    (void)state;
    assert_int_equal(table_walk(&t, 0, 1, meet, NULL), 0);
}

static void steps_of_any_size_meet_everything_once(void **state)
{
    struct thing *x = things_new();
    struct table t = {0};

    (void)state;
    add(&t, x, 0, ITEMS);
    for (unsigned step = 0; step < 5; step++)
        walk_on(&t, 0, step);
    for (unsigned i = 0; i < ITEMS; i++)
        assert_int_equal(x[i].met, 5);
    table_fini(&t);
    free(x);
}

static void what_stays_is_met_once_while_the_table_grows(void **state)
{
    struct thing *x = things_new();
    struct table t = {0};

    (void)state;
    add(&t, x, 0, STAY);
    uint64_t place = walk_for(&t, 300);
    add(&t, x, STAY, ITEMS);
    walk_on(&t, place, 10);
    for (unsigned i = 0; i < STAY; i++)
        assert_int_equal(x[i].met, 1);
    for (unsigned i = STAY; i < ITEMS; i++)
        assert_true(x[i].met <= 1);
    table_fini(&t);
    free(x);
}

static void what_stays_is_met_once_while_the_table_shrinks(void **state)
{
    struct thing *x = things_new();
    struct table t = {0};

    (void)state;
    add(&t, x, 0, ITEMS);
    uint64_t place = walk_for(&t, 1501);
    del(&t, x, 100, ITEMS);
    walk_on(&t, place, 3);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(x[i].met, 1);
    table_fini(&t);
    free(x);
}

static void items_of_one_hash_are_met_together(void **state)
{
    struct thing twins[3] = {{.hash = 7}, {.hash = 7}, {.hash = 7}};
    struct table t = {0};

    (void)state;
    add(&t, twins, 0, 3);
    walk_on(&t, 0, 1);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(twins[i].met, 1);
    table_fini(&t);
}

static void last_hash_in_order_ends_the_walk(void **state)
{
    struct thing last = {.hash = UINT64_MAX};
    struct table t = {0};

    (void)state;
    add(&t, &last, 0, 1);
    walk_on(&t, 0, 1);
    assert_int_equal(last.met, 1);
    table_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_table_is_over_at_once),
        cmocka_unit_test(steps_of_any_size_meet_everything_once),
        cmocka_unit_test(what_stays_is_met_once_while_the_table_grows),
        cmocka_unit_test(what_stays_is_met_once_while_the_table_shrinks),
        cmocka_unit_test(items_of_one_hash_are_met_together),
        cmocka_unit_test(last_hash_in_order_ends_the_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
