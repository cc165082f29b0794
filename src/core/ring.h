/* SPDX-License-Identifier: BSD-3-Clause */
/* ring.h -- one-way mail between two cores.
 *
 * One core pushes, one core pops; no locks and no waiting. The pusher stages
 * mail in the slots and publishes its tail once per batch, and each side keeps a
 * copy of the other's index and reads the shared one only when the copy says
 * full or empty: in a batch, a mail costs no cache miss of its own. A full ring
 * is an answer, not an accident: the pusher keeps the mail in its own outbox and
 * slows its clients down (mesh.h).
 *
 * Owner: the mesh. A ring lives as long as the process, and its memory lies on
 * the popping core's NUMA node. Atomics are Concurrency Kit's ck_pr, kept in
 * ring.c with acquire and release annotations for ThreadSanitizer. */
#pragma once

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "core/mail.h"

/* Each index that crosses has a line to itself: what a core keeps for itself must not
 * lie where the other one looks. */
struct ring {
    /* Pushing core; the other reads it. */
    alignas(2 * CACHE_LINE) uint32_t tail; /* published: slots before it may be read */

    /* Pushing core alone. */
    alignas(2 * CACHE_LINE) uint32_t staged; /* written, not yet published */
    uint32_t head_seen;                      /* the popping core's head, as last read */

    /* Popping core; the other reads it. */
    alignas(2 * CACHE_LINE) uint32_t head; /* slots before it may be written again */

    /* Popping core alone. */
    alignas(2 * CACHE_LINE) uint32_t tail_seen; /* the pushing core's tail, as last read */

    /* Set once. */
    alignas(2 * CACHE_LINE) uint32_t mask;  /* slots - 1 */
    alignas(CACHE_LINE) struct mail slot[]; /* four whole mails to a line */
};

/* Bytes of a ring with `slots` slots, a power of two from 2 to 2^20. */
size_t ring_bytes(uint32_t slots);

/* Makes a ring in caller's memory of ring_bytes(slots), aligned to 2 cache lines. */
void ring_init(struct ring *r, uint32_t slots);

/* Pushing core: puts up to `n` mails in place, in order, and returns how many
 * fitted. The other side sees none of them before ring_publish(). */
uint32_t ring_stage(struct ring *r, const struct mail *m, uint32_t n);

/* Pushing core: how many more mails can be staged. Reads the shared index. */
uint32_t ring_room(struct ring *r);

/* Pushing core: makes all staged mail visible (one store-release). False if there was none. */
bool ring_publish(struct ring *r);

/* Popping core: takes up to `n` mails, in order, and returns how many there were. */
uint32_t ring_take(struct ring *r, struct mail *m, uint32_t n);

/* Popping core: is there published mail? Reads the shared index. */
bool ring_waiting(struct ring *r);
