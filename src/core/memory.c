/* SPDX-License-Identifier: BSD-3-Clause */
/* memory.c -- see memory.h. */
#include "core/memory.h"

#include "core/core.h"

enum { LOOKS = 16 }; /* growth of one part in so many of the limit is looked at */

bool memory_is_due(const struct core *c)
{
    const struct memory_look *l = &c->memory_look;

    if (!c->memory) return false;
    return core_now_s(c) >= l->due_s || pool_bytes_used(c->pool) > l->due_bytes ||
           atomic_load_explicit(&c->memory->full, memory_order_relaxed) != l->full;
}

/* The first core of a second asks for all, as the allocator has one lock for that; a core whose
 * pool has grown asks again. */
static bool must_ask(struct core *c)
{
    struct memory *m = c->memory;
    uint32_t now_s = core_now_s(c);
    uint32_t asked_s = atomic_load_explicit(&m->asked_s, memory_order_relaxed);
    bool grown = pool_bytes_used(c->pool) > c->memory_look.due_bytes;

    if (grown) return true;
    return asked_s != now_s &&
           atomic_compare_exchange_strong_explicit(&m->asked_s, &asked_s, now_s,
                                                   memory_order_relaxed, memory_order_relaxed);
}

static uint64_t used(struct core *c)
{
    pool_tell_spare(c->pool);
    if (!must_ask(c)) return atomic_load_explicit(&c->memory->used, memory_order_relaxed);
    uint64_t all = c->memory->bytes();
    uint64_t spare = pool_told_spare(c->pool);
    return all > spare ? all - spare : 0;
}

static void tell(struct core *c, bool full, uint64_t bytes, uint64_t max)
{
    LOG(&c->log, full ? LOG_ERROR : LOG_WARN, full ? "memory_full" : "memory_free",
        F_U64("bytes_used", bytes), F_U64("bytes_max", max), F_STR("setting", "limits.memory"));
}

void memory_watch(struct core *c)
{
    struct memory *m = c->memory;
    struct memory_look *l = &c->memory_look;
    uint64_t max = atomic_load_explicit(&m->max, memory_order_relaxed);
    uint64_t bytes = used(c);
    bool was = atomic_load_explicit(&m->full, memory_order_relaxed);
    bool full = max && bytes >= (was ? max - max / 20 : max);

    l->due_s = core_now_s(c) + 1;
    l->due_bytes = max ? pool_bytes_used(c->pool) + (size_t)(max / LOOKS / c->cores) : SIZE_MAX;
    l->full = full;
    atomic_store_explicit(&m->used, bytes, memory_order_relaxed);
    if (atomic_exchange_explicit(&m->full, full, memory_order_relaxed) != full)
        tell(c, full, bytes, max);
    count_set(&c->counters, C_memory_full, full);
}
