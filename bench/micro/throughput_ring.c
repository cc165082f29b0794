/* SPDX-License-Identifier: BSD-3-Clause */
/* throughput_ring.c -- our ring, published once per batch. */
#include <stdlib.h>

#include "core/ring.h"
#include "throughput.h"

enum { BATCH_MAX = 256 };

struct flow {
    struct ring *ring;
    uint32_t mails, batch;
};

static void push(void *arg)
{
    struct flow *f = arg;
    struct mail m[BATCH_MAX] = {{.kind = 1}};
    for (uint32_t sent = 0; sent < f->mails;) {
        struct patience patience = {0};
        for (uint32_t i = 0; i < f->batch; i++)
            m[i].c = sent + i;
        uint32_t fitted = 0;
        for (;;) {
            fitted += ring_stage(f->ring, m + fitted, f->batch - fitted);
            ring_publish(f->ring);
            if (fitted == f->batch) break;
            bench_wait(&patience);
        }
        sent += fitted;
    }
}

static void take(void *arg)
{
    struct flow *f = arg;
    struct mail m[BATCH_MAX];
    struct patience patience = {0};
    uint64_t sum = 0;
    for (uint32_t got = 0; got < f->mails;) {
        uint32_t n = ring_take(f->ring, m, f->batch);
        for (uint32_t i = 0; i < n; i++)
            sum += m[i].c;
        got += n;
        if (n > 0)
            patience.tries = 0;
        else
            bench_wait(&patience);
    }
    if (sum != throughput_sum(f->mails)) bench_die("mail was lost");
}

double ring_once(const struct bench *b, uint32_t mails, uint32_t capacity, uint32_t batch)
{
    struct flow f = {.mails = mails, .batch = batch};
    ASSERT(batch <= BATCH_MAX && mails % batch == 0);
    f.ring = bench_alloc(ring_bytes(capacity));
    ring_init(f.ring, capacity);
    double ns = (double)bench_pair(b, push, take, &f) / mails;
    free(f.ring);
    return ns;
}
