/* SPDX-License-Identifier: BSD-3-Clause */
/* table.h -- a hash table of pointers: open addressing, linear probing, deletion
 * without tombstones (later entries shift back).
 *
 * The caller has hashed the key already (hash.h) and compares candidates itself:
 *
 *     struct table_iter it = table_seek(t, hash);
 *     for (struct thing *x; (x = table_next(t, &it)) != NULL;)
 *         if (bytes_eq(x->name, name)) return x;
 *
 * Owner: whoever embeds it. Items are not owned. Grows by doubling at 3/4, shrinks at 1/8. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table_slot {
    uint64_t hash;
    void *item; /* NULL: free */
};

struct table {
    struct table_slot *slot; /* NULL while empty */
    uint32_t mask;
    uint32_t used;
};

struct table_iter {
    uint64_t hash;
    uint32_t at;
};

static inline struct table_iter table_seek(const struct table *t, uint64_t hash)
{
    return (struct table_iter){.hash = hash, .at = (uint32_t)hash & t->mask};
}

/* The next item whose hash is equal, or NULL. */
static inline void *table_next(const struct table *t, struct table_iter *it)
{
    if (!t->slot) return NULL;
    for (;;) {
        const struct table_slot *s = &t->slot[it->at];
        if (!s->item) return NULL;
        it->at = (it->at + 1) & t->mask;
        if (s->hash == it->hash) return s->item;
    }
}

/* 0, or -ERR_NOMEM (the table is then unchanged). The item must not be in it. */
int table_add(struct table *t, uint64_t hash, void *item);

/* Takes `item` out, found by identity; asserts that it is there. */
void table_del(struct table *t, uint64_t hash, const void *item);

/* Puts `fresh` in the place of `item`, which is there. Cannot fail. */
void table_replace(struct table *t, uint64_t hash, const void *item, void *fresh);

/* Calls `fn` for every item; `fn` must not change the table. */
void table_each(const struct table *t, void (*fn)(void *item, void *arg), void *arg);

/* The same a little at a time (table_walk.c): calls `fn` for items from `place` on, 0 being the
 * beginning, till it has looked at `buckets` places or `fn` answers false. Returns where to go on,
 * 0 at the end. Whatever happens to the table between two calls, an item that is there from the
 * first to the last is met exactly once. `fn` must not change the table. */
typedef bool table_fn(void *item, void *arg);
uint64_t table_walk(const struct table *t, uint64_t place, unsigned buckets, table_fn *fn,
                    void *arg);
void table_fini(struct table *t);
