/* SPDX-License-Identifier: BSD-3-Clause */
/* outbox.h -- mail that waits on the sender's side for room in a ring: a FIFO.
 *
 * Made of chunks, so that it grows without copying, and bounded only by memory: the
 * layer above stops reading from whoever is charged for it (mesh.h). Chunks
 * come from a small stock that all outboxes of a port share.
 *
 * Owner: a mesh port, on its core. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/mail.h"

/* A mail, and who is charged how much while it waits. */
struct waiting {
    struct mail mail;
    uint32_t account;
    uint32_t bytes;
};

struct chunk;

/* Empty chunks to go on with. */
struct chunks {
    struct chunk *free;
    unsigned n;
};

struct outbox {
    struct chunk *first, *last; /* NULL when empty */
    uint32_t head, tail;        /* next entry to pop in `first`, to push in `last` */
    size_t n;
};

static inline bool outbox_empty(const struct outbox *o)
{
    return o->n == 0;
}

/* Puts `w` at the end. False if memory has run out. */
bool outbox_push(struct outbox *o, struct chunks *stock, const struct waiting *w);

/* Takes the oldest; asserts that there is one. */
struct waiting outbox_pop(struct outbox *o, struct chunks *stock);

/* Forgets what waits. */
void outbox_clear(struct outbox *o, struct chunks *stock);

void chunks_fini(struct chunks *stock);
