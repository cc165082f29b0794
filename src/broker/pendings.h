/* SPDX-License-Identifier: BSD-3-Clause */
/* pendings.h -- messages of one session in a row: its queue, and its window. Home's. */
#pragma once

#include "broker/internal.h"

static inline uint32_t ring_len(const struct pendings *r)
{
    return r->tail - r->head;
}

static inline struct pending *ring_at(const struct pendings *r, uint32_t seq)
{
    return &r->at[seq & r->mask];
}

/* Moves the ring to `slots` slots, a power of two, its first element to sequence number `head`.
 * False when memory ran out. */
bool ring_move(struct pendings *r, uint32_t slots, uint32_t head);

/* A new place at the tail, or NULL when memory ran out. */
struct pending *ring_push(struct pendings *r);

void ring_free(struct pendings *r);

/* An empty ring gives a large array back. Sequence numbers go on, so that packet ids do. */
void ring_rest(struct pendings *r);

/* Fills `p` with a use of the delivery's message. -ERR_NOMEM. */
int pending_set(struct broker *b, struct pending *p, const struct delivery *d, uint32_t group);

/* Gives back its message; an entry of the log stays one. */
void pending_drop(struct broker *b, struct pending *p);

/* What is sent of it; borrows. */
struct delivery pending_delivery(struct broker *b, const struct pending *p);
