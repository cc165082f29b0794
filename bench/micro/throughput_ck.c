/* SPDX-License-Identifier: BSD-3-Clause */
/* throughput_ck.c -- Concurrency Kit's own ring, one mail at a time: the yardstick. */
#include <ck_ring.h>
#include <stdlib.h>

#include "core/mail.h"
#include "throughput.h"

CK_RING_PROTOTYPE(mail, mail)

struct flow {
    ck_ring_t *ring;
    struct mail *slot;
    uint32_t mails;
};

static void push(void *arg)
{
    struct flow *f = arg;
    for (uint32_t i = 0; i < f->mails; i++) {
        struct mail m = {.kind = 1, .c = i};
        struct patience patience = {0};
        while (!CK_RING_ENQUEUE_SPSC(mail, f->ring, f->slot, &m))
            bench_wait(&patience);
    }
}

static void take(void *arg)
{
    struct flow *f = arg;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < f->mails; i++) {
        struct mail m;
        struct patience patience = {0};
        while (!CK_RING_DEQUEUE_SPSC(mail, f->ring, f->slot, &m))
            bench_wait(&patience);
        sum += m.c;
    }
    if (sum != throughput_sum(f->mails)) bench_die("mail was lost");
}

double ck_once(const struct bench *b, uint32_t mails, uint32_t capacity)
{
    struct flow f = {.mails = mails};
    f.ring = bench_alloc(sizeof *f.ring);
    f.slot = bench_alloc(capacity * sizeof *f.slot);
    ck_ring_init(f.ring, capacity);
    double ns = (double)bench_pair(b, push, take, &f) / mails;
    free(f.slot);
    free(f.ring);
    return ns;
}
