/* SPDX-License-Identifier: BSD-3-Clause */
/* round_trip.c -- one mail there and one back, both threads spinning. */
#include <ck_ring.h>
#include <stdlib.h>

#include "bench.h"
#include "core/ring.h"

CK_RING_PROTOTYPE(mail, mail)

enum { SLOTS = 1024 };

/* Two rings of either kind: out and back. */
struct trip {
    struct ring *ring[2];
    ck_ring_t *ck[2];
    struct mail *slot[2];
    uint32_t trips;
};

static void ring_put(struct ring *r, uint32_t i)
{
    struct mail m = {.kind = 1, .b = i};
    if (ring_stage(r, &m, 1) != 1) bench_die("a ring with one mail is full");
    ring_publish(r);
}

static void ring_get(struct ring *r)
{
    struct mail m;
    struct patience patience = {0};
    while (ring_take(r, &m, 1) == 0)
        bench_wait(&patience);
}

static void ring_ping(void *arg)
{
    struct trip *t = arg;
    for (uint32_t i = 0; i < t->trips; i++) {
        ring_put(t->ring[0], i);
        ring_get(t->ring[1]);
    }
}

static void ring_pong(void *arg)
{
    struct trip *t = arg;
    for (uint32_t i = 0; i < t->trips; i++) {
        ring_get(t->ring[0]);
        ring_put(t->ring[1], i);
    }
}

static void ck_put(struct trip *t, int way, uint32_t i)
{
    struct mail m = {.kind = 1, .b = i};
    if (!CK_RING_ENQUEUE_SPSC(mail, t->ck[way], t->slot[way], &m))
        bench_die("a ring with one mail is full");
}

static void ck_get(struct trip *t, int way)
{
    struct mail m;
    struct patience patience = {0};
    while (!CK_RING_DEQUEUE_SPSC(mail, t->ck[way], t->slot[way], &m))
        bench_wait(&patience);
}

static void ck_ping(void *arg)
{
    struct trip *t = arg;
    for (uint32_t i = 0; i < t->trips; i++) {
        ck_put(t, 0, i);
        ck_get(t, 1);
    }
}

static void ck_pong(void *arg)
{
    struct trip *t = arg;
    for (uint32_t i = 0; i < t->trips; i++) {
        ck_get(t, 0);
        ck_put(t, 1, i);
    }
}

static void report(const struct bench *b, const char *subject, double ns)
{
    const struct figure f[] = {{"capacity", SLOTS}, {"ns_per_trip", ns}};
    bench_report(b, "round_trip", subject, f, ARRAY_LEN(f));
}

void round_trip(const struct bench *b)
{
    struct trip t = {.trips = b->quick ? 50000 : 300000};
    for (int way = 0; way < 2; way++) {
        t.ring[way] = bench_alloc(ring_bytes(SLOTS));
        ring_init(t.ring[way], SLOTS);
        t.ck[way] = bench_alloc(sizeof *t.ck[way]);
        ck_ring_init(t.ck[way], SLOTS);
        t.slot[way] = bench_alloc(SLOTS * sizeof *t.slot[way]);
    }
    double ck_ns[BENCH_RUNS_MAX], ring_ns[BENCH_RUNS_MAX];
    for (unsigned round = 0; round < b->runs; round++) {
        ck_ns[round] = (double)bench_pair(b, ck_ping, ck_pong, &t) / t.trips;
        ring_ns[round] = (double)bench_pair(b, ring_ping, ring_pong, &t) / t.trips;
    }
    report(b, "ck_ring", bench_median(ck_ns, b->runs));
    report(b, "pinion", bench_median(ring_ns, b->runs));
    for (int way = 0; way < 2; way++) {
        free(t.ring[way]);
        free(t.ck[way]);
        free(t.slot[way]);
    }
}
