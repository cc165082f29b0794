/* SPDX-License-Identifier: BSD-3-Clause */
/* mesh_port.h -- the inside of a port, shared by mesh.c (making it) and mesh_post.c,
 * mesh_take.c (using it). Nobody else includes it.
 *
 * A port's memory is one mapping: the port, its peers, then the rings that lead to
 * it, all on its own core's NUMA node. Other cores touch only `bell` and the rings. */
#pragma once

#include "core/mesh.h"
#include "core/mesh_bell.h"
#include "core/outbox.h"
#include "core/ring.h"

/* What a port knows of one other core. */
struct peer {
    struct mesh_port *port;
    struct ring *out; /* to that core; lies in its memory */
    struct ring *in;  /* from that core */
    struct outbox outbox;
    uint32_t room; /* free slots of `out` as last seen, less what `batch` will need */
    uint32_t n;    /* mails in `batch`: they always fit */
    struct mail batch[MESH_BATCH];
};

struct mesh_port {
    struct bell bell;

    /* Own core. */
    alignas(2 * CACHE_LINE) mail_fn *const *handlers;
    unsigned nkinds;
    relief_fn *relief;
    void *ctx;
    struct cores staged;  /* have mail in `batch` or behind the ring's tail */
    struct cores waiting; /* have mail in their outbox */
    struct cores pending; /* rang, and may have mail for us */
    unsigned id, cores;
    unsigned first;     /* core whose ring is taken from first this turn */
    bool took;          /* made room since the last look at who asked to be rung back */
    bool place;         /* memory still to be placed on our node */
    struct outbox self; /* mail to ourselves */
    struct chunks stock;
    size_t outbox_bytes;
    size_t mapped_bytes;
    struct mesh_counts counts;
    struct peer peer[];
};
