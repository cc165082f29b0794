/* SPDX-License-Identifier: BSD-3-Clause */
/* latency.c -- how long commits took, in buckets of which four make a doubling: a percentile
 * read from them is less than a quarter too high. */
#include "base/clock.h"
#include "store/store_internal.h"

enum { PARTS_LOG2 = 2, PARTS = 1 << PARTS_LOG2, FIRST_NS = 1024, FIRST_LOG2 = 10 };

uint64_t store_latency_limit_ns(unsigned bucket)
{
    uint64_t doubling = (uint64_t)FIRST_NS << bucket / PARTS;
    return doubling + (doubling >> PARTS_LOG2) * (bucket % PARTS);
}

void latency_add(struct store_latency *l, uint64_t ns)
{
    unsigned bucket = 0;
    if (ns >= FIRST_NS) {
        unsigned log2 = 63 - (unsigned)__builtin_clzll(ns);
        bucket = (log2 - FIRST_LOG2) * PARTS + (unsigned)(ns >> (log2 - PARTS_LOG2)) % PARTS + 1;
    }
    if (bucket >= STORE_LATENCY_BUCKETS) bucket = STORE_LATENCY_BUCKETS - 1;
    l->bucket[bucket]++;
    l->sum_ns += ns;
    l->count++;
}
