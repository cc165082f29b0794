/* SPDX-License-Identifier: BSD-3-Clause */
/* mesh_take.c -- the receiving half of a port.
 *
 * Who rang is kept in `pending` until its ring was seen empty, so that a sender that
 * fills its ring faster than we take gets its share and no more, and is visited
 * again next turn without ringing again. */
#include "core/mesh_place.h"
#include "core/mesh_port.h"

enum { TAKE_BATCH = 64 };

static_assert(MESH_TAKE_MAX % TAKE_BATCH == 0, "a ring is emptied in whole batches");

static void handle(struct mesh_port *p, unsigned from, const struct mail *m)
{
    ASSERT(m->kind < p->nkinds && p->handlers[m->kind]);
    p->handlers[m->kind](p->ctx, from, m);
}

/* Mail that its handlers send to ourselves comes with the next turn. */
static unsigned take_self(struct mesh_port *p)
{
    size_t n = p->self.n < MESH_TAKE_MAX ? p->self.n : MESH_TAKE_MAX;
    for (size_t i = 0; i < n; i++) {
        struct waiting w = outbox_pop(&p->self, &p->stock);
        handle(p, p->id, &w.mail);
    }
    return (unsigned)n;
}

static unsigned take_ring(struct mesh_port *p, unsigned from)
{
    struct ring *in = p->peer[from].in;
    struct mail mail[TAKE_BATCH];
    unsigned taken = 0;

    while (taken < MESH_TAKE_MAX) {
        uint32_t n = ring_take(in, mail, TAKE_BATCH);
        for (uint32_t i = 0; i < n; i++)
            handle(p, from, &mail[i]);
        taken += n;
        if (n < TAKE_BATCH) break;
    }
    if (taken < MESH_TAKE_MAX || !ring_waiting(in)) cores_remove(&p->pending, from);
    return taken;
}

/* The members of `pending` from `first` on, up to but without `end`. */
static unsigned take_range(struct mesh_port *p, unsigned first, unsigned end)
{
    unsigned taken = 0;
    for (unsigned from = cores_from(&p->pending, first); from < end;
         from = cores_from(&p->pending, from + 1))
        taken += take_ring(p, from);
    return taken;
}

unsigned mesh_take(struct mesh_port *p)
{
    if (p->place) {
        p->place = false;
        place_here(p, p->mapped_bytes); /* now we are on the core's own thread */
    }
    unsigned own = take_self(p);
    bell_take(&p->bell, &p->pending);
    if (!cores_any(&p->pending)) return own;

    unsigned taken = take_range(p, p->first, p->cores) + take_range(p, 0, p->first);
    p->first = p->first + 1 < p->cores ? p->first + 1 : 0;
    p->took |= taken > 0;
    p->counts.taken += taken;
    return own + taken;
}
