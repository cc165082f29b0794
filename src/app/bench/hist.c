/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/bench/hist.h"

#include <assert.h>

/* Values below 2 * HIST_STEPS are exact; above, the top seven bits choose the bucket. */
enum { EXACT = 2 * HIST_STEPS, EXACT_BITS = 7 };

static_assert(EXACT == 1 << EXACT_BITS, "a bucket is named by the top bits of its values");

static unsigned bucket_of(uint64_t v)
{
    if (v < EXACT) return (unsigned)v;
    unsigned shift = 64 - EXACT_BITS - (unsigned)__builtin_clzll(v);
    return shift * HIST_STEPS + (unsigned)(v >> shift);
}

/* The largest value of a bucket. */
static uint64_t bucket_top(unsigned i)
{
    if (i < EXACT) return i;
    unsigned shift = i / HIST_STEPS - 1;
    uint64_t first = (uint64_t)(i - shift * HIST_STEPS) << shift;
    return first + ((1ull << shift) - 1);
}

void hist_add(struct hist *h, uint64_t value)
{
    h->bucket[bucket_of(value)]++;
    h->n++;
    h->sum += value;
    if (value > h->max) h->max = value;
}

void hist_merge(struct hist *into, const struct hist *from)
{
    for (unsigned i = 0; i < HIST_BUCKETS; i++)
        into->bucket[i] += from->bucket[i];
    into->n += from->n;
    into->sum += from->sum;
    if (from->max > into->max) into->max = from->max;
}

uint64_t hist_quantile(const struct hist *h, double q)
{
    double wanted = q * (double)h->n;
    uint64_t seen = 0;

    for (unsigned i = 0; i < HIST_BUCKETS; i++) {
        seen += h->bucket[i];
        if (seen > 0 && (double)seen >= wanted)
            return bucket_top(i) < h->max ? bucket_top(i) : h->max;
    }
    return h->max;
}
