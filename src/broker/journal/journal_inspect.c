/* SPDX-License-Identifier: BSD-3-Clause */
/* journal_inspect.c -- what an operator may see of a core's log. */
#include "broker/inspect.h"
#include "broker/internal.h"
#include "broker/journal/journal.h"

enum {
    PARTS = 4, /* of the store's buckets, in a doubling */
    FIRST = 4, /* doublings before the first step: 16 microseconds */
};

static_assert(PARTS * (FIRST + INSPECT_COMMIT_STEPS - 1) < STORE_LATENCY_BUCKETS,
              "the store has buckets for all steps");

uint64_t inspect_commit_ns(unsigned step)
{
    return store_latency_limit_ns(PARTS * (FIRST + step));
}

bool inspect_log(struct broker *b, struct inspect_log *l)
{
    const struct store *s = b->journal ? journal_store_of(b->journal) : NULL;
    uint64_t sum = 0;
    unsigned bucket = 0;

    if (!s) return false;
    const struct store_latency *latency = store_latency(s);
    l->recovery_ns = store_stats(s).recovery_ns;
    l->commits = latency->count;
    l->commits_ns = latency->sum_ns;
    for (unsigned step = 0; step < INSPECT_COMMIT_STEPS; step++) {
        for (; bucket <= PARTS * (FIRST + step); bucket++)
            sum += latency->bucket[bucket];
        l->commits_below[step] = sum;
    }
    return true;
}
