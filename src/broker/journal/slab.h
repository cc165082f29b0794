/* SPDX-License-Identifier: BSD-3-Clause */
/* slab.h -- items of one size by the million: memory in large blocks, given back all at once.
 *
 * Owner: whoever embeds it, with `item_bytes` set and all else 0. */
#pragma once

#include <stddef.h>

struct slab_block;

struct slab {
    size_t item_bytes; /* a multiple of 8, and not below */
    struct slab_block *blocks;
    void *freed; /* a list through their first bytes */
    size_t at;   /* items given of the newest block */
};

/* A zeroed item, or NULL when memory ran out. */
void *slab_get(struct slab *s);
void slab_put(struct slab *s, void *item);
void slab_fini(struct slab *s);
