/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/cache.h"

#include <stdlib.h>

#include "base/err.h"

int cache_init(struct cache *c, uint32_t slots)
{
    c->slot = calloc(slots, sizeof *c->slot);
    c->mask = slots - 1;
    return c->slot ? 0 : -ERR_NOMEM;
}

void cache_fini(struct cache *c)
{
    if (!c->slot) return;
    for (uint32_t i = 0; i <= c->mask; i++)
        free(c->slot[i].result);
    free(c->slot);
    c->slot = NULL;
}

bool cache_worth(struct cache *c, uint64_t hash)
{
    struct cache_slot *s = &c->slot[hash & c->mask];
    if (s->hash == hash) return true;
    if (s->result) {
        /* Somebody's result lies here: it has had its chance if it is met no more. */
        free(s->result);
        s->result = NULL;
    }
    s->hash = hash;
    return false;
}

void cache_keep(struct cache *c, uint64_t hash, struct cached *r)
{
    struct cache_slot *s = &c->slot[hash & c->mask];
    free(s->result);
    s->result = r;
    s->hash = hash;
}
