/* SPDX-License-Identifier: BSD-3-Clause */
/* outq.h -- bytes on their way to one socket: small frames copied and
 * coalesced, large ones referenced.
 *
 * A chain of chunks. A copy chunk holds frames back to back; a shared chunk
 * points into something that its release function lets go. Empty, the queue owns
 * nothing. Measured: in a batch of 32, copying 64-byte frames beats an iovec each.
 *
 * Some of the bytes are answers to what the peer itself has sent. They are counted by the chunk, so
 * that nothing is to be done for all the others: those of a chunk count until all of it is sent.
 *
 * Owner: the connection; chunks come from the core's pool. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "core/pool.h"

enum {
    OUTQ_COPY_MAX = 4096,   /* a frame up to this size may be reserved in one piece */
    OUTQ_SHARE_MIN = 512,   /* from this size a payload is better referenced */
    OUTQ_CHUNK_AFTER = 256, /* a copy chunk behind a shared one: the next frame's header */
    OUTQ_CHUNK_MIN = 1024,  /* first chunk, header included; later ones double ... */
    OUTQ_CHUNK_MAX = 32768, /* ... up to this */
    OUTQ_IOV_MAX = 64,      /* pieces per send */
};

struct chunk {
    struct chunk *next;
    const uint8_t *at; /* `bytes` of a copy chunk, or what a shared one points to */
    uint32_t from;     /* first unsent byte of `at` */
    uint32_t to;       /* one past the last byte */
    uint32_t room;     /* bytes that still fit; 0 in a shared chunk */
    uint32_t size;     /* of this block in the pool */
    union {
        uint32_t answers; /* of a copy chunk: how many of its bytes are answers */
        struct {          /* of a shared one: who is told that it is no longer needed */
            void (*release)(void *ctx, void *owner);
            void *ctx;
            void *owner;
        };
    };
    uint8_t bytes[];
};

struct outq {
    struct chunk *head;
    struct chunk *tail;
    size_t bytes;     /* unsent */
    uint32_t answers; /* of them: see outq_note_answer() */
};

/* The slow half of outq_reserve: another chunk. */
uint8_t *outq_grow(struct outq *q, struct pool *p, size_t n);

/* `n` contiguous bytes in the last chunk, if they fit there; else NULL. */
static inline uint8_t *outq_room(const struct outq *q, size_t n)
{
    struct chunk *t = q->tail;
    return LIKELY(t && n <= t->room) ? t->bytes + t->to : NULL;
}

/* `n` contiguous bytes at the end, n <= OUTQ_COPY_MAX; NULL when memory ran out. */
static inline uint8_t *outq_reserve(struct outq *q, struct pool *p, size_t n)
{
    uint8_t *at = outq_room(q, n);
    return LIKELY(at) ? at : outq_grow(q, p, n);
}

/* Makes `n` reserved bytes part of the queue. */
static inline void outq_commit(struct outq *q, size_t n)
{
    struct chunk *t = q->tail;

    ASSERT(t && n <= t->room);
    t->to += (uint32_t)n;
    t->room -= (uint32_t)n;
    q->bytes += n;
}

/* The `n` bytes that were committed last are an answer. */
static inline void outq_note_answer(struct outq *q, size_t n)
{
    q->tail->answers += (uint32_t)n;
    q->answers += (uint32_t)n;
}

/* Bytes that someone else owns, and who is told that they are no longer needed. */
struct shared {
    struct bytes bytes;
    void (*release)(void *ctx, void *owner);
    void *ctx;
    void *owner;
};

/* Queues bytes without copying them. On -ERR_NOMEM release has been called. */
int outq_share(struct outq *q, struct pool *p, const struct shared *s);

/* The first pieces as an iovec; returns how many (0: empty). */
int outq_pieces(const struct outq *q, struct iovec iov[OUTQ_IOV_MAX]);

/* `n` bytes were sent; chunks that are done go back. */
void outq_sent(struct outq *q, struct pool *p, size_t n);
void outq_clear(struct outq *q, struct pool *p);

/* Nothing fits behind what is queued now: outq_room() says no until the queue is cleared. */
void outq_seal(struct outq *q);
