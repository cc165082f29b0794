/* SPDX-License-Identifier: BSD-3-Clause */
/* outq.h -- bytes on their way to one socket: small frames copied and
 * coalesced, large ones referenced.
 *
 * A chain of chunks. A copy chunk holds frames back to back; a shared chunk
 * points into something that its release function lets go. Empty, the queue owns
 * nothing. Measured: in a batch of 32, copying 64-byte frames beats an iovec each.
 *
 * Owner: the connection; chunks come from the core's pool. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "core/pool.h"

enum {
    OUTQ_COPY_MAX = 4096,   /* a frame up to this size may be reserved in one piece */
    OUTQ_SHARE_MIN = 512,   /* from this size a payload is better referenced */
    OUTQ_CHUNK_MIN = 1024,  /* first chunk, header included; later ones double ... */
    OUTQ_CHUNK_MAX = 32768, /* ... up to this */
    OUTQ_IOV_MAX = 64,      /* pieces per send */
};

struct chunk {
    struct chunk *next;
    uint32_t size; /* of this block in the pool */
    uint32_t from; /* first unsent byte */
    uint32_t to;   /* one past the last byte */
    bool shared;
    /* A shared chunk: what it points to and who is told. */
    const uint8_t *at;
    void (*release)(void *ctx, void *owner);
    void *ctx;
    void *owner;
    uint8_t bytes[];
};

struct outq {
    struct chunk *head;
    struct chunk *tail;
    size_t bytes; /* unsent */
};

/* `n` contiguous bytes at the end, n <= OUTQ_COPY_MAX; NULL when memory ran out. */
uint8_t *outq_reserve(struct outq *q, struct pool *p, size_t n);

/* Makes `n` reserved bytes part of the queue. */
void outq_commit(struct outq *q, size_t n);

int outq_share(struct outq *q, struct pool *p, const uint8_t *at, size_t n,
               void (*release)(void *ctx, void *owner), void *ctx, void *owner);

/* The first pieces as an iovec; returns how many (0: empty). */
int outq_pieces(const struct outq *q, struct iovec iov[OUTQ_IOV_MAX]);

/* `n` bytes were sent; chunks that are done go back. */
void outq_sent(struct outq *q, struct pool *p, size_t n);
void outq_clear(struct outq *q, struct pool *p);
