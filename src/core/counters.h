/* SPDX-License-Identifier: BSD-3-Clause */
/* counters.h -- what a core has done, counted by that core alone.
 *
 * One writer per counter; others read with relaxed loads and add up. The list is
 * counters.def, so that names, help texts and documentation can't drift apart. */
#pragma once

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

#include "base/assert.h"

enum counter {
#define COUNTER(name, type, help) C_##name,
#include "core/counters.def"
#undef COUNTER
    COUNTERS
};

struct counters {
    alignas(2 * CACHE_LINE) _Atomic uint64_t v[COUNTERS];
};

static inline void count_add(struct counters *c, enum counter which, uint64_t n)
{
    uint64_t v = atomic_load_explicit(&c->v[which], memory_order_relaxed);
    atomic_store_explicit(&c->v[which], v + n, memory_order_relaxed);
}

static inline void count(struct counters *c, enum counter which)
{
    count_add(c, which, 1);
}

static inline void count_sub(struct counters *c, enum counter which, uint64_t n)
{
    count_add(c, which, (uint64_t)0 - n);
}

/* For what another module of the core counts itself. */
static inline void count_set(struct counters *c, enum counter which, uint64_t v)
{
    atomic_store_explicit(&c->v[which], v, memory_order_relaxed);
}

static inline uint64_t counter_read(const struct counters *c, enum counter which)
{
    return atomic_load_explicit(&c->v[which], memory_order_relaxed);
}

/* Name ("messages_received"), kind ("total" or "now") and help of a counter. */
const char *counter_name(enum counter which);
const char *counter_kind(enum counter which);
const char *counter_help(enum counter which);
