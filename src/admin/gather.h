/* SPDX-License-Identifier: BSD-3-Clause */
/* gather.h -- asks all cores the same and waits for their answers, but not for ever.
 *
 * Each core writes into a slot of its own. When all have, or when the time is up, done() runs on
 * the core that asked. A core that is late may still write to its slot: the memory stays till
 * it has, and the slot counts as empty. */
#pragma once

#include "admin/internal.h"
#include "broker/errand.h"

enum {
    GATHER_S = 2,     /* for all cores to answer */
    GATHERS_MAX = 64, /* under way on a core; one that does not answer keeps them so */
};

struct gather;

struct gather_question {
    size_t slot_bytes;
    void (*look)(void *slot, struct broker *there); /* on each core; slot is zeroed */
    void (*done)(struct gather *g, void *owner);    /* on the asking core */
};

/* NULL: no memory, or too many under way. */
struct gather *gather_new(struct admin *a, const struct gather_question *q, void *owner);

/* Asks. done() may be called before this returns. */
void gather_send(struct gather *g);

/* What the core wrote; NULL: it has not answered in time. In done() and later. */
const void *gather_slot(const struct gather *g, unsigned core);

/* The owner needs it no more, whether it is done or not; done() is not called from now on. */
void gather_release(struct gather **g);

/* At the end, when no core runs. */
void gather_free_all(struct admin *a);
