/* SPDX-License-Identifier: BSD-3-Clause */
/* torture_pool.c -- cores make blocks, give them to each other, and send them home.
 *
 * A block carries its home, its size and a pattern that follows from both. It is
 * checked where it was given, and again at home before it is freed. A run ends when
 * every block has come home; a pool must then count no bytes as used. */
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "base/assert.h"
#include "core/pool.h"
#include "torture.h"

enum { CORES = 4, BLOCKS = 60000, OUT_MAX = 3000, BOX = 32 };

struct parcel {
    void *link; /* the pool's, once it is dead */
    uint32_t home, bytes;
    uint64_t stamp;
    uint8_t body[];
};

struct run;

struct post {
    struct run *run;
    struct pool *pool;
    struct rng luck;
    unsigned core, made, home; /* parcels made, parcels come home */
    unsigned taken;            /* parcels of others that passed through here */
    struct parcel *next;       /* made, not given yet */
};

struct run {
    struct pool *pools[CORES];
    struct post post[CORES];
    struct parcel *_Atomic box[CORES][CORES][BOX]; /* [to][from] */
    _Atomic unsigned finished;
};

static void fill(struct parcel *x, uint32_t home, uint32_t bytes, uint64_t stamp)
{
    x->home = home;
    x->bytes = bytes;
    x->stamp = stamp;
    memset(x->body, (int)(stamp & 0xFF), bytes - sizeof *x);
}

static void check(const struct parcel *x)
{
    REQUIRE(x->home < CORES && x->bytes >= sizeof *x);
    for (size_t i = 0; i < x->bytes - sizeof *x; i += 61)
        REQUIRE(x->body[i] == (uint8_t)x->stamp);
    if (x->bytes > sizeof *x) REQUIRE(x->body[x->bytes - sizeof *x - 1] == (uint8_t)x->stamp);
}

static void on_home(void *ctx, void *block)
{
    struct post *p = ctx;
    struct parcel *x = block;
    REQUIRE(x->home == p->core);
    check(x);
    p->home++;
    pool_free(p->pool, x, x->bytes);
}

/* False if the other core's box is full. */
static bool give(struct post *p, unsigned to, struct parcel *x)
{
    struct parcel *_Atomic *box = p->run->box[to][p->core];
    for (unsigned i = 0; i < BOX; i++) {
        if (atomic_load_explicit(&box[i], memory_order_acquire)) continue;
        atomic_store_explicit(&box[i], x, memory_order_release);
        return true;
    }
    return false;
}

static struct parcel *make(struct post *p)
{
    uint64_t body = rng_below(&p->luck, rng_below(&p->luck, 200) ? 600 : 2 * POOL_BLOCK_MAX);
    uint32_t bytes = (uint32_t)(sizeof(struct parcel) + body);
    struct parcel *x = pool_alloc(p->pool, bytes);
    REQUIRE(x);
    fill(x, p->core, bytes, rng_u64(&p->luck));
    p->made++;
    return x;
}

/* Until luck, the limit or a full box ends it; what did not fit is given next time. */
static void make_some(struct post *p)
{
    for (uint64_t n = rng_below(&p->luck, 40); n; n--) {
        if (!p->next && (p->made == BLOCKS || p->made - p->home >= OUT_MAX)) return;
        if (!p->next) p->next = make(p);
        unsigned to = (p->core + 1 + (unsigned)rng_below(&p->luck, CORES - 1)) % CORES;
        if (!give(p, to, p->next)) return;
        p->next = NULL;
    }
}

static void take_all(struct post *p)
{
    for (unsigned from = 0; from < CORES; from++) {
        for (unsigned i = 0; i < BOX; i++) {
            struct parcel *_Atomic *slot = &p->run->box[p->core][from][i];
            struct parcel *x = atomic_exchange_explicit(slot, NULL, memory_order_acq_rel);
            if (!x) continue;
            check(x);
            pool_send_home(p->pool, x->home, x);
            p->taken++;
        }
    }
}

static void *be_core(void *arg)
{
    struct post *p = arg;
    bool finished = false;
    while (atomic_load(&p->run->finished) < CORES) {
        make_some(p);
        take_all(p);
        pool_take_home(p->pool, on_home, p);
        if (p->made == BLOCKS || rng_below(&p->luck, 4) == 0) pool_flush_home(p->pool);
        if (!finished && p->home == BLOCKS) {
            finished = true;
            atomic_fetch_add(&p->run->finished, 1);
        }
        if (p->next || p->made == BLOCKS) sched_yield();
    }
    return NULL;
}

int main(int argc, char **argv)
{
    static struct run run;
    pthread_t thread[CORES];
    uint64_t seed = torture_seed(argc, argv);
    unsigned taken = 0;
    torture_watchdog();
    for (unsigned i = 0; i < CORES; i++) {
        run.post[i] = (struct post){.run = &run, .core = i};
        run.post[i].pool = pool_new(i, CORES, run.pools);
        REQUIRE(run.post[i].pool);
        rng_seed(&run.post[i].luck, seed + i);
    }
    for (unsigned i = 0; i < CORES; i++)
        thread[i] = torture_start(be_core, &run.post[i]);
    for (unsigned i = 0; i < CORES; i++)
        torture_join(thread[i]);
    for (unsigned i = 0; i < CORES; i++) {
        REQUIRE(pool_bytes_used(run.pools[i]) == 0);
        taken += run.post[i].taken;
    }
    for (unsigned i = 0; i < CORES; i++)
        pool_free_all(&run.pools[i]);
    REQUIRE(taken == CORES * BLOCKS);
    return 0;
}
