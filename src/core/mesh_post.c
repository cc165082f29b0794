/* SPDX-License-Identifier: BSD-3-Clause */
/* mesh_post.c -- the sending half of a port.
 *
 * Mail to a core is gathered in `batch`, copied into the ring when the batch is full
 * or the turn ends, published, and then the receiver is rung. `room` counts the free
 * slots that are left for it, and only we can use them up: what is in a batch always
 * fits. Mail for which there is no room goes to the outbox, and while there is any
 * in there, all later mail goes behind it. */
#include <stdio.h>
#include <stdlib.h>

#include "core/mesh_port.h"

/* Mail may neither be dropped nor refused, so a core that can't keep it can't go on. */
static _Noreturn void die_of_memory(void)
{
    fputs("pinion: out of memory for mail between cores\n", stderr);
    abort();
}

/* Copies the batch into the ring. Published it is not. */
static void stage(struct peer *peer)
{
    uint32_t fitted = ring_stage(peer->out, peer->batch, peer->n);
    ASSERT(fitted == peer->n);
    peer->n = 0;
}

static void append(struct mesh_port *p, unsigned to, const struct mail *m)
{
    struct peer *peer = &p->peer[to];
    peer->batch[peer->n++] = *m;
    peer->room--;
    cores_add(&p->staged, to);
}

static void ring_peer(struct mesh_port *p, unsigned to)
{
    if (bell_ring(&p->peer[to].port->bell, p->id)) p->counts.bells++;
}

/* A full batch in the middle of a turn: the receiver may as well begin. */
static void flush(struct mesh_port *p, unsigned to)
{
    stage(&p->peer[to]);
    cores_remove(&p->staged, to);
    ring_publish(p->peer[to].out);
    bell_fence();
    ring_peer(p, to);
}

static bool has_room(struct peer *peer)
{
    if (peer->room == 0) peer->room = ring_room(peer->out) - peer->n;
    return peer->room > 0;
}

static uint32_t put_aside(struct mesh_port *p, unsigned to, const struct waiting *w)
{
    if (!outbox_push(&p->peer[to].outbox, &p->stock, w)) die_of_memory();
    cores_add(&p->waiting, to);
    p->outbox_bytes += w->bytes;
    p->counts.waited++;
    return w->bytes;
}

uint32_t mesh_send(struct mesh_port *p, unsigned to, struct mail m, uint32_t account,
                   uint32_t bytes)
{
    ASSERT(to < p->cores);
    struct peer *peer = &p->peer[to];
    struct waiting w = {.mail = m, .account = account, .bytes = bytes};

    if (to == p->id) {
        if (!outbox_push(&p->self, &p->stock, &w)) die_of_memory();
        return 0;
    }
    p->counts.sent++;
    if (!outbox_empty(&peer->outbox) || !has_room(peer)) return put_aside(p, to, &w);
    append(p, to, &m);
    if (peer->n == MESH_BATCH) flush(p, to);
    return 0;
}

/* From the outbox to the ring, as far as it fits. Relief comes last, when all is in
 * order again: it may send. */
static void drain(struct mesh_port *p, unsigned to)
{
    struct peer *peer = &p->peer[to];
    while (!outbox_empty(&peer->outbox) && has_room(peer)) {
        struct waiting w = outbox_pop(&peer->outbox, &p->stock);
        append(p, to, &w.mail);
        if (peer->n == MESH_BATCH) stage(peer);
        if (outbox_empty(&peer->outbox)) cores_remove(&p->waiting, to);
        p->outbox_bytes -= w.bytes;
        if (w.account && w.bytes && p->relief) p->relief(p->ctx, w.account, w.bytes);
    }
}

/* Who asked to be rung back is rung whether there is mail for it or not. */
static void ring_back(struct mesh_port *p)
{
    struct cores asked = {0};
    p->took = false;
    bell_take_asked(&p->bell, &asked);
    CORES_EACH(to, &asked) ring_peer(p, to);
}

unsigned mesh_post(struct mesh_port *p)
{
    unsigned published = 0;

    CORES_EACH(to, &p->waiting) drain(p, to);
    struct cores staged = p->staged;
    p->staged = (struct cores){0};
    CORES_EACH(to, &staged)
    {
        struct ring *out = p->peer[to].out;
        stage(&p->peer[to]);
        published += out->staged - out->tail;
        ring_publish(out);
    }
    if (published > 0 || p->took) bell_fence(); /* F1, one for all of them */
    CORES_EACH(to, &staged) ring_peer(p, to);
    if (p->took) ring_back(p);
    return published;
}
