/* SPDX-License-Identifier: BSD-3-Clause */
/* table_walk.c -- meets all items of a table in steps, however it changes in between.
 *
 * Items are met in the order of their hashes read backwards, bit by bit. An item's place in a table
 * of 2^k slots is given by the k lowest bits of its hash, which are the first k of this order: so a
 * bucket of any table size is one unbroken piece of the order, and when the table grows or shrinks
 * the walk goes on at the same point of it. */
#include "base/table.h"

static uint64_t backwards(uint64_t v)
{
    v = (v >> 1 & 0x5555555555555555) | (v & 0x5555555555555555) << 1;
    v = (v >> 2 & 0x3333333333333333) | (v & 0x3333333333333333) << 2;
    v = (v >> 4 & 0x0F0F0F0F0F0F0F0F) | (v & 0x0F0F0F0F0F0F0F0F) << 4;
    return __builtin_bswap64(v);
}

/* The first in order, at `place` or behind it, of the bucket that `place` lies in. */
static bool first_of_bucket(const struct table *t, uint64_t place, uint64_t *first)
{
    uint32_t bucket = (uint32_t)backwards(place) & t->mask;
    bool found = false;

    *first = UINT64_MAX;
    for (uint32_t at = bucket; t->slot[at].item; at = (at + 1) & t->mask) {
        uint64_t key = backwards(t->slot[at].hash);
        if (((uint32_t)t->slot[at].hash & t->mask) != bucket || key < place) continue;
        if (key > *first) continue;
        *first = key;
        found = true;
    }
    return found;
}

/* All items with the same hash, which is the rule's exception. */
static bool meet(const struct table *t, uint64_t key, table_fn *fn, void *arg)
{
    struct table_iter it = table_seek(t, backwards(key));
    bool go_on = true;

    for (void *item; (item = table_next(t, &it)) != NULL;)
        go_on = fn(item, arg) && go_on;
    return go_on;
}

uint64_t table_walk(const struct table *t, uint64_t place, unsigned buckets, table_fn *fn,
                    void *arg)
{
    if (!t->slot) return 0;
    uint64_t bucket = 1ull << (64 - __builtin_popcount(t->mask)); /* of the order */

    for (; buckets > 0; buckets--) {
        for (uint64_t key = 0; first_of_bucket(t, place, &key);) {
            bool go_on = meet(t, key, fn, arg);
            place = key + 1;
            if (!go_on || place == 0) return place;
        }
        place = (place & ~(bucket - 1)) + bucket;
        if (place == 0) break;
    }
    return place;
}
