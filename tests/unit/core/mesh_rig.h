/* SPDX-License-Identifier: BSD-3-Clause */
/* mesh_rig.h -- a mesh whose cores are all driven by one thread, each with an ear that
 * remembers what it was told. Included by the tests of the mesh, after cmocka.h. */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/assert.h"
#include "core/mesh.h"

enum { KIND_NOTE = 1, KIND_ECHO = 2, KINDS, NOTES_MAX = 8192, ACCOUNTS = 8 };

/* What one core was told. */
struct ear {
    struct mesh_port *port;
    struct note {
        unsigned from;
        uint32_t b;
    } note[NOTES_MAX];
    unsigned notes;
    uint32_t relieved[ACCOUNTS];
};

struct rig {
    struct mesh *mesh;
    unsigned cores;
    struct ear *ear;
};

static inline void on_note(void *ctx, unsigned from, const struct mail *m)
{
    struct ear *e = ctx;
    assert_true(e->notes < NOTES_MAX);
    e->note[e->notes++] = (struct note){from, m->b};
}

/* Answers where it came from with a note, and again to itself while `a` lasts. */
static inline void on_echo(void *ctx, unsigned from, const struct mail *m)
{
    struct ear *e = ctx;
    struct mail answer = {.kind = m->a ? KIND_ECHO : KIND_NOTE, .b = m->b};
    if (m->a) answer.a = (uint16_t)(m->a - 1);
    mesh_send(e->port, from, answer, 0, 0);
}

static inline void on_relief(void *ctx, uint32_t account, uint32_t bytes)
{
    struct ear *e = ctx;
    assert_in_range(account, 1, ACCOUNTS - 1);
    e->relieved[account] += bytes;
}

static mail_fn *const HANDLERS[KINDS] = {[KIND_NOTE] = on_note, [KIND_ECHO] = on_echo};

static inline struct rig rig_make(unsigned cores, uint32_t slots)
{
    int err = 0;
    struct rig g = {.cores = cores, .ear = calloc(cores, sizeof *g.ear)};
    assert_non_null(g.ear);
    g.mesh = mesh_new(&(struct mesh_options){.cores = cores, .ring_slots = slots}, &err);
    assert_non_null(g.mesh);
    for (unsigned i = 0; i < cores; i++) {
        g.ear[i].port = mesh_port_at(g.mesh, i);
        mesh_port_bind(g.ear[i].port, HANDLERS, KINDS, on_relief, &g.ear[i]);
    }
    return g;
}

static inline void rig_free(struct rig *g)
{
    mesh_free(&g->mesh);
    assert_null(g->mesh);
    free(g->ear);
}

static inline uint32_t note_charged(struct rig *g, unsigned from, unsigned to, uint32_t b,
                                    uint32_t bytes)
{
    struct mail m = {.kind = KIND_NOTE, .b = b};
    return mesh_send(g->ear[from].port, to, m, bytes ? 1 : 0, bytes);
}

static inline void note(struct rig *g, unsigned from, unsigned to, uint32_t b)
{
    note_charged(g, from, to, b, 0);
}

static inline unsigned take(struct rig *g, unsigned core)
{
    return mesh_take(g->ear[core].port);
}

static inline unsigned post(struct rig *g, unsigned core)
{
    return mesh_post(g->ear[core].port);
}

static inline bool may_sleep(struct rig *g, unsigned core)
{
    return mesh_may_sleep(g->ear[core].port);
}

static inline void awake(struct rig *g, unsigned core)
{
    mesh_awake(g->ear[core].port);
}

static inline bool bell_rings(struct rig *g, unsigned core)
{
    struct pollfd fd = {.fd = mesh_bell_fd(g->ear[core].port), .events = POLLIN};
    int n = poll(&fd, 1, 0);
    assert_true(n >= 0);
    return n == 1;
}

/* Everything told to `to` is `from`'s notes first, first + 1 ... */
static inline void assert_heard(struct rig *g, unsigned to, unsigned from, uint32_t first,
                                unsigned n)
{
    struct ear *e = &g->ear[to];
    assert_int_equal(e->notes, n);
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(e->note[i].from, from);
        assert_int_equal(e->note[i].b, first + i);
    }
    e->notes = 0;
}
