/* SPDX-License-Identifier: BSD-3-Clause */
/* pool.c -- see pool.h.
 *
 * A class cuts its blocks from slabs, one after the other and only when its free
 * list is empty, so that pages nobody asked for are never touched. A class's first
 * slab is a page and each further one twice as large, up to SLAB_MAX: an idle
 * broker stays small. A block has no header; only blocks above POOL_BLOCK_MAX have
 * one, on whose list pool_free_all finds them. */
#include "core/pool.h"

#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/assert.h"
#include "core/pool_poison.h"

enum {
    SLAB_MIN = 4096,
    SLAB_MAX = 65536,
    SLAB_HEAD = CACHE_LINE, /* keeps blocks of whole cache lines on their lines */
    TAKE_MAX = 4096,        /* blocks taken home in one turn */
};

struct dead {
    struct dead *next;
};

struct slab {
    struct slab *next;
};

struct big {
    struct big *next;
    struct big **link; /* what points at us */
};

static_assert(sizeof(struct big) == 16, "big blocks stay aligned to 16");

struct class
{
    struct dead *free;
    uint8_t *fresh; /* rest of the newest slab, never handed out */
    uint32_t fresh_blocks;
    uint32_t slab_bytes; /* of the next slab */
};

/* Dead blocks on their way to one home. */
struct chain {
    struct dead *first, *last;
    uint32_t blocks;
    bool open; /* is on the list of open chains */
};

struct pool {
    /* Own core. */
    struct class classes[POOL_CLASSES];
    size_t used, max;
    size_t big, slab;     /* of `used`: in big blocks; and what all slabs hold */
    _Atomic size_t spare; /* as told; other cores read it */
    uint64_t refused;
    struct slab *slabs;
    struct big *bigs;
    struct dead *came; /* taken from `inbox`, not yet handed to the caller */
    struct pool **homes;
    struct chain *chains; /* one per core */
    uint16_t *open;       /* homes whose chain is open */
    unsigned nopen, core, cores;

    /* Every core pushes, the own core takes all. */
    alignas(2 * CACHE_LINE) struct dead *_Atomic inbox;
};

/* Two classes to each doubling: 32, 48, 64, 96, 128, 192 ... 12288, 16384; then 32768. */
static unsigned class_of(size_t n)
{
    if (n <= 32) return 0;
    if (n > 16384) return POOL_CLASSES - 1;
    unsigned last = (unsigned)n - 1;
    unsigned log2 = 31u - (unsigned)__builtin_clz(last);
    return 2 * (log2 - 5) + (last >> (log2 - 1) & 1) + 1;
}

static size_t class_bytes(unsigned k)
{
    if (k == 0) return 32;
    if (k == POOL_CLASSES - 1) return POOL_BLOCK_MAX;
    return (size_t)(k % 2 ? 48 : 64) << (k - 1) / 2;
}

static_assert(POOL_CLASSES == 20 && POOL_BLOCK_MAX == 32768, "class_of counts on it");

struct pool *pool_new(unsigned core, unsigned cores, struct pool **homes)
{
    ASSERT(core < cores && cores <= UINT16_MAX);
    struct pool *p = aligned_alloc(alignof(struct pool), sizeof *p);
    if (!p) return NULL;
    *p = (struct pool){.max = SIZE_MAX, .homes = homes, .core = core, .cores = cores};
    for (unsigned k = 0; k < POOL_CLASSES; k++)
        p->classes[k].slab_bytes = SLAB_MIN;
    p->chains = calloc(cores, sizeof *p->chains);
    p->open = calloc(cores, sizeof *p->open);
    homes[core] = p;
    if (!p->chains || !p->open) pool_free_all(&homes[core]);
    return homes[core];
}

/* Open chains and the inbox need no visit: what is on them lies in its home's slabs and bigs. */
void pool_free_all(struct pool **pp)
{
    struct pool *p = *pp;
    if (!p) return;
    for (struct slab *s = p->slabs, *next; s; s = next) {
        next = s->next;
        free(s);
    }
    for (struct big *b = p->bigs, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    p->homes[p->core] = NULL;
    free(p->chains);
    free(p->open);
    free(p);
    *pp = NULL;
}

static void *alloc_big(struct pool *p, size_t n)
{
    if (n > PTRDIFF_MAX - sizeof(struct big)) return NULL;
    struct big *b = malloc(sizeof *b + n);
    if (!b) return NULL;
    b->next = p->bigs;
    if (b->next) b->next->link = &b->next;
    b->link = &p->bigs;
    p->bigs = b;
    p->used += n;
    p->big += n;
    return b + 1;
}

static void free_big(struct pool *p, void *block, size_t n)
{
    struct big *b = (struct big *)block - 1;
    *b->link = b->next;
    if (b->next) b->next->link = b->link;
    p->used -= n;
    p->big -= n;
    free(b);
}

static bool add_slab(struct pool *p, struct class *c, size_t block_bytes)
{
    size_t blocks = (c->slab_bytes - SLAB_HEAD) / block_bytes;
    if (blocks == 0) blocks = 1;
    size_t bytes = SLAB_HEAD + blocks * block_bytes;
    bytes = (bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    struct slab *s = aligned_alloc(CACHE_LINE, bytes);
    if (!s) return false;
    s->next = p->slabs;
    p->slabs = s;
    p->slab += blocks * block_bytes;
    c->fresh = (uint8_t *)s + SLAB_HEAD;
    c->fresh_blocks = (uint32_t)blocks;
    if (c->slab_bytes < SLAB_MAX) c->slab_bytes *= 2;
    pool_poison(c->fresh, blocks * block_bytes);
    return true;
}

static void *alloc_small(struct pool *p, size_t n, unsigned k)
{
    struct class *c = &p->classes[k];
    size_t bytes = class_bytes(k);
    void *block = c->free;

    if (block) {
        c->free = c->free->next;
    } else {
        if (!c->fresh_blocks && !add_slab(p, c, bytes)) return NULL;
        block = c->fresh;
        c->fresh += bytes;
        c->fresh_blocks--;
    }
    p->used += bytes;
    pool_unpoison(block, n < sizeof(struct dead) ? sizeof(struct dead) : n);
    return block;
}

void *pool_alloc(struct pool *p, size_t n)
{
    bool big = n > POOL_BLOCK_MAX;
    unsigned k = big ? 0 : class_of(n);
    size_t bytes = big ? n : class_bytes(k);
    void *block = NULL;

    if (LIKELY(bytes <= p->max && p->used <= p->max - bytes))
        block = big ? alloc_big(p, n) : alloc_small(p, n, k);
    if (UNLIKELY(!block)) p->refused++;
    return block;
}

void pool_free(struct pool *p, void *block, size_t n)
{
    if (n > POOL_BLOCK_MAX) {
        free_big(p, block, n);
        return;
    }
    unsigned k = class_of(n);
    struct class *c = &p->classes[k];
    struct dead *d = block;
    d->next = c->free;
    c->free = d;
    p->used -= class_bytes(k);
    pool_poison(d + 1, class_bytes(k) - sizeof *d);
}

/* One compare-and-swap for the whole chain. Its release, and those of chains pushed
 * before, are what pool_take_home acquires. */
static void push_chain(struct pool *p, unsigned home)
{
    struct chain *c = &p->chains[home];
    struct pool *h = p->homes[home];
    struct dead *top = atomic_load_explicit(&h->inbox, memory_order_relaxed);
    do {
        c->last->next = top;
    } while (!atomic_compare_exchange_weak_explicit(&h->inbox, &top, c->first, memory_order_release,
                                                    memory_order_relaxed));
    c->first = c->last = NULL;
    c->blocks = 0;
}

void pool_send_home(struct pool *p, unsigned home, void *block)
{
    ASSERT(home < p->cores);
    struct chain *c = &p->chains[home];
    struct dead *d = block;
    d->next = c->first;
    c->first = d;
    if (!c->last) c->last = d;
    if (++c->blocks == POOL_CHAIN) {
        push_chain(p, home);
    } else if (!c->open) {
        c->open = true;
        p->open[p->nopen++] = (uint16_t)home;
    }
}

void pool_flush_home(struct pool *p)
{
    while (p->nopen) {
        unsigned home = p->open[--p->nopen];
        p->chains[home].open = false;
        if (p->chains[home].blocks) push_chain(p, home);
    }
}

unsigned pool_take_home(struct pool *p, pool_home_fn *fn, void *ctx)
{
    /* The look is cheap; the exchange is not, and most turns find nothing. */
    if (!p->came && atomic_load_explicit(&p->inbox, memory_order_relaxed))
        p->came = atomic_exchange_explicit(&p->inbox, NULL, memory_order_acquire);

    unsigned taken = 0;
    while (p->came && taken < TAKE_MAX) {
        struct dead *d = p->came;
        p->came = d->next;
        fn(ctx, d);
        taken++;
    }
    return taken;
}

uint64_t pool_refused(const struct pool *p)
{
    return p->refused;
}

size_t pool_bytes_used(const struct pool *p)
{
    return p->used;
}

size_t pool_bytes_spare(const struct pool *p)
{
    return p->slab - (p->used - p->big);
}

void pool_tell_spare(struct pool *p)
{
    atomic_store_explicit(&p->spare, pool_bytes_spare(p), memory_order_relaxed);
}

size_t pool_told_spare(const struct pool *p)
{
    size_t spare = 0;

    for (unsigned i = 0; i < p->cores; i++)
        spare += atomic_load_explicit(&p->homes[i]->spare, memory_order_relaxed);
    return spare;
}

void pool_set_max(struct pool *p, size_t bytes)
{
    p->max = bytes ? bytes : SIZE_MAX;
}
