/* SPDX-License-Identifier: BSD-3-Clause */
/* mesh.c -- making and freeing a mesh, and falling asleep in it. Sending is in
 * mesh_post.c, receiving in mesh_take.c, bells are in mesh_bell.c. */
#include "core/mesh.h"

#include <stdlib.h>

#include "base/err.h"
#include "core/mesh_place.h"
#include "core/mesh_port.h"

enum { SLOTS_SMALL_MESH = 1024, SLOTS_LARGE_MESH = 256, SMALL_MESH_CORES = 8 };

struct mesh {
    unsigned cores;
    struct mesh_port *port[];
};

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

static uint32_t slots_for(const struct mesh_options *o)
{
    if (o->ring_slots) return o->ring_slots;
    return o->cores <= SMALL_MESH_CORES ? SLOTS_SMALL_MESH : SLOTS_LARGE_MESH;
}

static void port_free(struct mesh_port *p)
{
    for (unsigned i = 0; i < p->cores; i++)
        outbox_clear(&p->peer[i].outbox, &p->stock);
    outbox_clear(&p->self, &p->stock);
    chunks_fini(&p->stock);
    bell_close(&p->bell);
    place_free(p, p->mapped_bytes);
}

/* The port with the rings that lead to it; a core has no ring to itself. */
static struct mesh_port *port_new(unsigned id, const struct mesh_options *o, int *err)
{
    size_t ring = ring_bytes(slots_for(o));
    size_t own =
        round_up(sizeof(struct mesh_port) + o->cores * sizeof(struct peer), 2 * CACHE_LINE);
    size_t bytes = own + (o->cores - 1) * ring;
    struct mesh_port *p = place_alloc(bytes);
    *err = -ERR_NOMEM;
    if (!p) return NULL;

    p->id = id;
    p->cores = o->cores;
    p->place = o->numa;
    p->mapped_bytes = bytes;
    char *at = (char *)p + own;
    for (unsigned from = 0; from < o->cores; from++) {
        if (from == id) continue;
        p->peer[from].in = (struct ring *)(void *)at;
        ring_init(p->peer[from].in, slots_for(o));
        at += ring;
    }
    *err = bell_open(&p->bell, o->cores);
    if (*err == 0) return p;
    port_free(p);
    return NULL;
}

static void connect(struct mesh *m)
{
    for (unsigned a = 0; a < m->cores; a++) {
        for (unsigned b = 0; b < m->cores; b++) {
            m->port[a]->peer[b].port = m->port[b];
            m->port[a]->peer[b].out = m->port[b]->peer[a].in;
        }
    }
}

struct mesh *mesh_new(const struct mesh_options *o, int *err)
{
    ASSERT(o->cores >= 1 && o->cores <= MESH_CORES_MAX);
    struct mesh *m = calloc(1, sizeof *m + o->cores * sizeof m->port[0]);
    *err = -ERR_NOMEM;
    if (!m) return NULL;

    while (m->cores < o->cores) {
        m->port[m->cores] = port_new(m->cores, o, err);
        if (!m->port[m->cores]) {
            mesh_free(&m);
            return NULL;
        }
        m->cores++;
    }
    connect(m);
    return m;
}

void mesh_free(struct mesh **m)
{
    if (!*m) return;
    for (unsigned i = 0; i < (*m)->cores; i++)
        port_free((*m)->port[i]);
    free(*m);
    *m = NULL;
}

struct mesh_port *mesh_port_at(struct mesh *m, unsigned core)
{
    ASSERT(core < m->cores);
    return m->port[core];
}

void mesh_port_bind(struct mesh_port *p, mail_fn *const *handlers, unsigned nkinds,
                    relief_fn *relief, void *ctx)
{
    p->handlers = handlers;
    p->nkinds = nkinds;
    p->relief = relief;
    p->ctx = ctx;
}

static bool is_busy(const struct mesh_port *p)
{
    return p->took || cores_any(&p->pending) || cores_any(&p->staged) || !outbox_empty(&p->self);
}

static bool can_post(const struct mesh_port *p)
{
    CORES_EACH(to, &p->waiting) if (ring_room(p->peer[to].out) > 0) return true;
    return false;
}

/* Nobody rings a core whose outbox waits for room unless it asked before it looked
 * whether there is room; see mesh_bell.c. */
bool mesh_may_sleep(struct mesh_port *p)
{
    if (is_busy(p)) return false;
    CORES_EACH(to, &p->waiting) bell_ask(&p->peer[to].port->bell, p->id);
    if (!bell_sleep(&p->bell)) return false;
    if (!can_post(p)) return true;
    bell_awake(&p->bell);
    return false;
}

void mesh_awake(struct mesh_port *p)
{
    bell_awake(&p->bell);
}

int mesh_bell_fd(const struct mesh_port *p)
{
    return p->bell.fd;
}

void mesh_ring(struct mesh_port *p)
{
    bell_call(&p->bell);
}

struct mesh_counts mesh_counts(const struct mesh_port *p)
{
    return p->counts;
}

size_t mesh_outbox_bytes(const struct mesh_port *p)
{
    return p->outbox_bytes;
}
