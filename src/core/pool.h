/* SPDX-License-Identifier: BSD-3-Clause */
/* pool.h -- memory blocks of one core, by size class, that find their way home.
 *
 * pool_alloc and pool_free work on free lists without locks or atomics. A block
 * that ended on another core goes home: that core collects dead blocks per home in
 * chains of POOL_CHAIN and pushes a chain with one compare-and-swap
 * (pool_send_home, pool_flush_home); the home core takes all chains with one
 * exchange (pool_take_home). Blocks above POOL_BLOCK_MAX come from and return to
 * malloc (jemalloc) directly.
 *
 * Owner: the core. The first word of a dead block is its link. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { POOL_CHAIN = 16, POOL_CLASSES = 20, POOL_BLOCK_MAX = 32768 };

struct pool;

/* `homes` is shared by all cores' pools: an array of pointers to the pool of
 * every core, filled before any core runs (each pool_new puts in its own). NULL
 * when memory runs out. */
struct pool *pool_new(unsigned core, unsigned cores, struct pool **homes);

/* Frees the pool with every block it ever gave, wherever that is now. */
void pool_free_all(struct pool **p);

/* At least `n` bytes, aligned to 16, not zeroed; NULL when memory runs out or the
 * configured maximum is reached. */
void *pool_alloc(struct pool *p, size_t n);

/* Frees a block of this pool, on its own core; `n` as it was asked for. */
void pool_free(struct pool *p, void *block, size_t n);

/* On another core: the block goes home (`home` is its core) and what `on_home`
 * was set to is called there with it, on pool_take_home. */
void pool_send_home(struct pool *p, unsigned home, void *block);
void pool_flush_home(struct pool *p); /* at the end of the turn: incomplete chains too */

typedef void pool_home_fn(void *ctx, void *block);

/* Takes what came home, a bounded number, and hands each block to `fn`. Returns how many. */
unsigned pool_take_home(struct pool *p, pool_home_fn *fn, void *ctx);

/* Bytes handed out and not yet freed (size classes, not what was asked). */
size_t pool_bytes_used(const struct pool *p);

/* Bytes that the pool has from malloc and nobody has from the pool: it keeps them for the next who
 * asks. pool_tell_spare tells the other cores how many there are, and pool_told_spare is what all
 * pools together have told last. */
size_t pool_bytes_spare(const struct pool *p);
void pool_tell_spare(struct pool *p);
size_t pool_told_spare(const struct pool *p);
uint64_t pool_refused(const struct pool *p);     /* how often pool_alloc gave nothing */
void pool_set_max(struct pool *p, size_t bytes); /* 0: no maximum */
