/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/journal/slab.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

enum { BLOCK_BYTES = 1 << 16 };

struct slab_block {
    struct slab_block *next;
    max_align_t items[];
};

void *slab_get(struct slab *s)
{
    ASSERT(s->item_bytes >= sizeof(void *) && s->item_bytes % sizeof(void *) == 0);
    if (s->freed) {
        void *item = s->freed;
        memcpy(&s->freed, item, sizeof s->freed);
        return memset(item, 0, s->item_bytes);
    }
    if (!s->blocks || s->at == BLOCK_BYTES / s->item_bytes) {
        struct slab_block *block = malloc(sizeof *block + BLOCK_BYTES);
        if (!block) return NULL;
        block->next = s->blocks;
        s->blocks = block;
        s->at = 0;
    }
    return memset((uint8_t *)s->blocks->items + s->item_bytes * s->at++, 0, s->item_bytes);
}

void slab_put(struct slab *s, void *item)
{
    memcpy(item, &s->freed, sizeof s->freed);
    s->freed = item;
}

void slab_fini(struct slab *s)
{
    for (struct slab_block *next, *block = s->blocks; block; block = next) {
        next = block->next;
        free(block);
    }
    *s = (struct slab){.item_bytes = s->item_bytes};
}
