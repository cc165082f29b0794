/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/table.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/err.h"

enum { SLOTS_MIN = 16 };
static const uint32_t SLOTS_MAX = 1u << 31;

/* Puts the item into the first free slot from its own on. There is one. */
static void put(struct table_slot *slot, uint32_t mask, uint64_t hash, void *item)
{
    uint32_t at = (uint32_t)hash & mask;
    while (slot[at].item)
        at = (at + 1) & mask;
    slot[at] = (struct table_slot){.hash = hash, .item = item};
}

static int resize(struct table *t, uint32_t slots)
{
    struct table_slot *fresh = calloc(slots, sizeof *fresh);
    if (!fresh) return -ERR_NOMEM;
    for (uint32_t i = 0; t->slot && i <= t->mask; i++)
        if (t->slot[i].item) put(fresh, slots - 1, t->slot[i].hash, t->slot[i].item);
    free(t->slot);
    t->slot = fresh;
    t->mask = slots - 1;
    return 0;
}

int table_add(struct table *t, uint64_t hash, void *item)
{
    ASSERT(item);
    if (!t->slot) {
        if (resize(t, SLOTS_MIN) < 0) return -ERR_NOMEM;
    } else if (t->used >= t->mask - t->mask / 4) {
        if (t->mask >= SLOTS_MAX - 1 || resize(t, (t->mask + 1) * 2) < 0) return -ERR_NOMEM;
    }
    put(t->slot, t->mask, hash, item);
    t->used++;
    return 0;
}

static uint32_t position(const struct table *t, uint64_t hash, const void *item)
{
    ASSERT(t->slot);
    uint32_t at = (uint32_t)hash & t->mask;
    for (; t->slot[at].item != item; at = (at + 1) & t->mask)
        ASSERT(t->slot[at].item);
    return at;
}

/* Frees a slot and shifts back what would no longer be found across the gap. */
static void close_gap(struct table *t, uint32_t gap)
{
    for (uint32_t at = (gap + 1) & t->mask; t->slot[at].item; at = (at + 1) & t->mask) {
        uint32_t wanted = (uint32_t)t->slot[at].hash & t->mask;
        if (((at - wanted) & t->mask) < ((at - gap) & t->mask)) continue;
        t->slot[gap] = t->slot[at];
        gap = at;
    }
    t->slot[gap] = (struct table_slot){0};
}

void table_del(struct table *t, uint64_t hash, const void *item)
{
    close_gap(t, position(t, hash, item));
    t->used--;
    /* Without memory for a smaller one the large table stays. */
    if (t->mask >= SLOTS_MIN && t->used < (t->mask + 1) / 8) (void)resize(t, (t->mask + 1) / 2);
}

void table_replace(struct table *t, uint64_t hash, const void *item, void *fresh)
{
    ASSERT(fresh);
    t->slot[position(t, hash, item)].item = fresh;
}

void table_each(const struct table *t, void (*fn)(void *item, void *arg), void *arg)
{
    for (uint32_t i = 0; t->slot && i <= t->mask; i++)
        if (t->slot[i].item) fn(t->slot[i].item, arg);
}

void table_fini(struct table *t)
{
    free(t->slot);
    *t = (struct table){0};
}
