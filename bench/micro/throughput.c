/* SPDX-License-Identifier: BSD-3-Clause */
/* throughput.c -- ck_ring and our ring side by side.
 *
 * All subjects run once a round, for several rounds: when a virtual machine's CPUs move
 * further apart in the middle of it, that happens to all of them. */
#include "throughput.h"

#include "base/assert.h"

static const uint32_t CAPACITIES[] = {1u << 10, 1u << 16, 1u << 20};

/* Mails published at once; 0 stands for ck_ring, which goes one by one. */
static const uint32_t BATCHES[] = {0, 1, 4, 16, 32, 64, 256};

static void report(const struct bench *b, uint32_t capacity, uint32_t batch, double ns)
{
    const struct figure f[] = {
        {"capacity", capacity},
        {"batch", batch ? batch : 1},
        {"ns_per_mail", ns},
        {"mails_per_us", 1000 / ns},
    };
    bench_report(b, "throughput", batch ? "pinion" : "ck_ring", f, ARRAY_LEN(f));
}

static void at(const struct bench *b, uint32_t capacity)
{
    uint32_t mails = b->quick ? 1u << 20 : 1u << 22;
    double ns[ARRAY_LEN(BATCHES)][BENCH_RUNS_MAX];

    for (unsigned round = 0; round < b->runs; round++) {
        ns[0][round] = ck_once(b, mails, capacity);
        for (size_t i = 1; i < ARRAY_LEN(BATCHES); i++)
            ns[i][round] = ring_once(b, mails, capacity, BATCHES[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(BATCHES); i++)
        report(b, capacity, BATCHES[i], bench_median(ns[i], b->runs));
}

void throughput(const struct bench *b)
{
    for (size_t c = 0; c < ARRAY_LEN(CAPACITIES); c++)
        at(b, CAPACITIES[c]);
}
