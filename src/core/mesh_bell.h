/* SPDX-License-Identifier: BSD-3-Clause */
/* mesh_bell.h -- how a core learns that there is mail, awake or asleep.
 *
 * A sender sets its bit in the receiver's bitmap, if it is not set yet; the receiver
 * exchanges the bitmap for zero and looks only into the rings that rang: an idle
 * mesh costs nothing per peer. A core that sleeps says so in a flag, and of those
 * who ring then exactly one wins the flag and writes the eventfd.
 *
 * Owner: the port of the core that is rung. Every core writes here, each group of
 * fields on cache lines of its own. */
#pragma once

#include <stdalign.h>
#include <stdatomic.h>

#include "base/assert.h"
#include "core/mesh_cores.h"

struct bell {
    /* Senders add, the owner takes. */
    alignas(2 * CACHE_LINE) _Atomic uint64_t rung[CORES_WORDS];

    /* Senders that sleep until the owner has made room in a full ring. */
    alignas(2 * CACHE_LINE) _Atomic uint64_t asked[CORES_WORDS];

    /* The owner sets it before it blocks; whoever clears it has to wake the owner. */
    alignas(2 * CACHE_LINE) _Atomic bool sleeping;
    _Atomic bool called; /* by a thread that is no core */

    /* Owner. */
    alignas(2 * CACHE_LINE) int fd;
    unsigned words; /* of the bitmaps, as many as there are cores for */
    uint64_t due;   /* wake-ups written or about to be written to fd, not read yet */
    bool raised;    /* we set the flag and have not come back yet */
};

/* -ERR_NOFILE, -ERR_NOMEM. */
int bell_open(struct bell *b, unsigned cores);
void bell_close(struct bell *b);

/* Orders all that this core published or took before with the bits it looks at
 * next. Once per flush, not per receiver. */
static inline void bell_fence(void)
{
    atomic_thread_fence(memory_order_seq_cst);
}

/* Core `from`, after publishing and bell_fence(): rings. True if it woke the owner. */
bool bell_ring(struct bell *b, unsigned from);

/* Core `from`, before bell_sleep() on its own bell: asks `b`'s owner to ring back. */
void bell_ask(struct bell *b, unsigned from);

/* A thread that is no core, or a signal handler: makes the owner turn once more. */
void bell_call(struct bell *b);

/* Owner: adds who rang to `*to`, then orders what is read of their rings behind it. */
void bell_take(struct bell *b, struct cores *to);

/* Owner, after taking mail and bell_fence(): who waits to be rung back. */
void bell_take_asked(struct bell *b, struct cores *to);

/* Owner: raises the flag and looks again. True if it may block on fd; the flag is then
 * up until bell_awake(). The look orders the owner's earlier writes like bell_fence(). */
bool bell_sleep(struct bell *b);

/* Owner: takes the flag down and drains fd. Does no harm to a core that is awake. */
void bell_awake(struct bell *b);
