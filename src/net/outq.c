/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/outq.h"

#include <assert.h>

#include "base/err.h"

enum { HEADER = offsetof(struct chunk, bytes) };

static_assert(HEADER + 64 <= OUTQ_CHUNK_AFTER, "a packet's header fits behind a shared payload");
static_assert(HEADER + OUTQ_COPY_MAX <= OUTQ_CHUNK_MAX, "the largest frame fits in a chunk");
static_assert((int)OUTQ_CHUNK_MAX <= (int)POOL_BLOCK_MAX, "chunks come from the pool's free lists");

static bool is_shared(const struct chunk *k)
{
    return k->at != k->bytes;
}

static void append(struct outq *q, struct chunk *k)
{
    k->next = NULL;
    if (q->tail)
        q->tail->next = k;
    else
        q->head = k;
    q->tail = k;
}

static void drop_head(struct outq *q, struct pool *p)
{
    struct chunk *k = q->head;

    q->head = k->next;
    if (!q->head) q->tail = NULL;
    if (is_shared(k))
        k->release(k->ctx, k->owner);
    else
        q->answers -= k->answers;
    pool_free(p, k, k->size);
}

/* Chunks double while frames are copied behind each other. Behind a shared one
 * they start small: what follows is often no more than the header of the next. */
static uint32_t size_for(const struct outq *q, size_t n)
{
    uint32_t size = OUTQ_CHUNK_MIN;

    if (q->tail && is_shared(q->tail))
        size = OUTQ_CHUNK_AFTER;
    else if (q->tail && q->tail->size < OUTQ_CHUNK_MAX)
        size = q->tail->size * 2;
    else if (q->tail)
        size = OUTQ_CHUNK_MAX;
    while (size < HEADER + n)
        size *= 2;
    return size;
}

uint8_t *outq_grow(struct outq *q, struct pool *p, size_t n)
{
    ASSERT(n <= OUTQ_COPY_MAX);

    uint32_t size = size_for(q, n);
    struct chunk *k = pool_alloc(p, size);

    if (!k) return NULL;
    *k = (struct chunk){.at = k->bytes, .room = size - HEADER, .size = size};
    append(q, k);
    return k->bytes;
}

int outq_share(struct outq *q, struct pool *p, const struct shared *s)
{
    ASSERT(s->bytes.n <= UINT32_MAX);

    struct chunk *k = pool_alloc(p, sizeof *k);

    if (!k) {
        s->release(s->ctx, s->owner);
        return -ERR_NOMEM;
    }
    *k = (struct chunk){
        .at = s->bytes.p,
        .to = (uint32_t)s->bytes.n,
        .size = sizeof *k,
        .release = s->release,
        .ctx = s->ctx,
        .owner = s->owner,
    };
    append(q, k);
    q->bytes += s->bytes.n;
    return 0;
}

int outq_pieces(const struct outq *q, struct iovec iov[OUTQ_IOV_MAX])
{
    int n = 0;

    for (const struct chunk *k = q->head; k && n < OUTQ_IOV_MAX; k = k->next) {
        if (k->from == k->to) continue; /* reserved, never committed */
        iov[n].iov_base = (void *)(uintptr_t)(k->at + k->from);
        iov[n].iov_len = k->to - k->from;
        n++;
    }
    return n;
}

void outq_sent(struct outq *q, struct pool *p, size_t n)
{
    ASSERT(n <= q->bytes);
    q->bytes -= n;
    while (q->head) {
        struct chunk *k = q->head;
        size_t left = k->to - k->from;

        if (n < left) {
            k->from += (uint32_t)n;
            return;
        }
        n -= left;
        drop_head(q, p);
    }
}

void outq_clear(struct outq *q, struct pool *p)
{
    while (q->head)
        drop_head(q, p);
    q->bytes = 0;
}

void outq_seal(struct outq *q)
{
    if (q->tail) q->tail->room = 0;
}
