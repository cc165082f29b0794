/* SPDX-License-Identifier: BSD-3-Clause */
/* cache.h -- remembers what a look-up of a topic gave, until a filter changes.
 *
 * Direct-mapped by the topic's hash. Every result carries the generation of the
 * filters it was made from; a look-up with a newer one misses. A topic is
 * remembered only when it is met for the second time in a row in its place, so
 * that a stream of topics that never repeat costs no memory traffic.
 *
 * Owner: the broker. A result is one malloc'd block that begins with struct cached. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct cached {
    uint64_t generation;
    uint16_t topic_len;
    uint32_t topic_at; /* offset of the topic's text in this block */
};

struct cache_slot {
    uint64_t hash; /* of the topic that is cached, or was met last */
    struct cached *result;
};

struct cache {
    struct cache_slot *slot;
    uint32_t mask;
};

int cache_init(struct cache *c, uint32_t slots); /* a power of two; -ERR_NOMEM */
void cache_fini(struct cache *c);

/* The result for this topic and generation, or NULL. */
static inline struct cached *cache_find(struct cache *c, uint64_t hash, struct bytes topic,
                                        uint64_t generation)
{
    struct cache_slot *s = &c->slot[hash & c->mask];
    struct cached *r = s->result;
    if (!r || s->hash != hash || r->generation != generation || r->topic_len != topic.n)
        return NULL;
    return memcmp((const char *)r + r->topic_at, topic.p, topic.n) == 0 ? r : NULL;
}

/* Is a result for this hash worth keeping? True from the second time on. */
bool cache_worth(struct cache *c, uint64_t hash);

/* Keeps `r`, whose fields are filled; frees what was there. Takes. */
void cache_keep(struct cache *c, uint64_t hash, struct cached *r);
