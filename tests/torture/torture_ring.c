/* SPDX-License-Identifier: BSD-3-Clause */
/* torture_ring.c -- one thread pushes numbered mail through a ring, one takes it.
 *
 * Every mail carries the address of a cell that was written, without atomics, just
 * before it was staged: reading the right number there shows that the ring carries
 * more than itself, and ThreadSanitizer sees whether that was luck. */
#include <sched.h>
#include <stdalign.h>

#include "core/ring.h"
#include "torture.h"

enum { MAILS = 200000, BATCH_MAX = 50 };

struct run {
    struct ring *ring;
    uint64_t *cell; /* MAILS of them */
    uint64_t seed;
};

static uint32_t some(struct rng *luck, uint32_t rest)
{
    uint32_t n = 1 + (uint32_t)rng_below(luck, BATCH_MAX);
    return n < rest ? n : rest;
}

static void *push_all(void *arg)
{
    struct run *run = arg;
    struct mail batch[BATCH_MAX];
    struct rng luck;
    uint32_t sent = 0;

    rng_seed(&luck, run->seed);
    while (sent < MAILS) {
        uint32_t n = some(&luck, MAILS - sent);
        for (uint32_t i = 0; i < n; i++) {
            uint64_t *cell = &run->cell[sent + i];
            *cell = ~(uint64_t)(sent + i);
            batch[i] = (struct mail){.kind = 1, .b = sent + i, .ptr = cell};
        }
        uint32_t fitted = ring_stage(run->ring, batch, n);
        sent += fitted;
        if (fitted < n || rng_below(&luck, 2)) ring_publish(run->ring);
        if (fitted < n) sched_yield();
    }
    ring_publish(run->ring);
    return NULL;
}

static void *take_all(void *arg)
{
    struct run *run = arg;
    struct mail batch[BATCH_MAX];
    struct rng luck;
    uint32_t got = 0;

    rng_seed(&luck, ~run->seed);
    while (got < MAILS) {
        uint32_t n = ring_take(run->ring, batch, some(&luck, MAILS - got));
        for (uint32_t i = 0; i < n; i++, got++) {
            REQUIRE(batch[i].b == got);
            REQUIRE(batch[i].ptr == &run->cell[got]);
            REQUIRE(run->cell[got] == ~(uint64_t)got);
        }
        if (n == 0) sched_yield();
    }
    REQUIRE(!ring_waiting(run->ring));
    return NULL;
}

static void torture(uint32_t slots, uint32_t start, uint64_t seed)
{
    struct run run = {.seed = seed};
    run.ring = aligned_alloc(alignof(struct ring), ring_bytes(slots));
    run.cell = calloc(MAILS, sizeof *run.cell);
    REQUIRE(run.ring && run.cell);
    ring_init(run.ring, slots);
    struct ring *r = run.ring; /* as if `start` mails had gone through before */
    r->tail = r->staged = r->head_seen = r->head = r->tail_seen = start;

    pthread_t pusher = torture_start(push_all, &run);
    pthread_t taker = torture_start(take_all, &run);
    torture_join(pusher);
    torture_join(taker);
    printf("ring of %u slots from %u on: %d mails, in order, none missing\n", slots, start, MAILS);
    free(run.ring);
    free(run.cell);
}

int main(int argc, char **argv)
{
    uint64_t seed = torture_seed(argc, argv);
    torture_watchdog();
    for (uint32_t slots = 2; slots <= 4096; slots *= 4) {
        torture(slots, 0, seed);
        torture(slots, UINT32_MAX - MAILS / 2, seed + slots); /* indexes wrap on the way */
    }
    return 0;
}
