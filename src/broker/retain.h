/* SPDX-License-Identifier: BSD-3-Clause */
/* retain.h -- the retained messages of the topics this core owns, and how a new
 * wildcard subscription collects its own.
 *
 * A tree by level: a node per path, found by the path's hash in one table for the
 * whole tree, and linked to its siblings for wildcards. The exact look-up is the
 * same table, asked once.
 *
 * A walk visits the nodes that may match a filter in bounded steps and puts what it
 * finds in a vector. One walk runs at a time, the others wait in line. While it
 * runs, retain_set() keeps its vector true: a change to a topic already visited
 * replaces its entry, a new topic is appended if it matches. So when a walk ends its
 * vector is exactly what is retained at that moment, and what is published
 * later is live: none twice, none missed (model: tests/models/retained.pml). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/table.h"
#include "broker/message.h"
#include "broker/name.h"

struct retain_limits {
    uint64_t messages_max;
    uint64_t bytes_max; /* topics, properties and payloads; UINT64_MAX: no limit */
};

struct journal;
struct retain_node;

/* Messages found, each with one use taken for the vector's owner. An entry may be
 * NULL (cleared while the walk ran). */
struct retain_vector {
    struct message **at;
    uint32_t n, cap;
};

/* One collection. Embedded in the caller's request. */
struct retain_walk {
    struct retain_walk *next;
    struct bytes filter; /* borrowed until done */
    struct retain_vector found;
    bool failed;                                    /* memory ran out: the vector is incomplete */
    void (*done)(struct retain_walk *w, void *ctx); /* takes the vector */
};

enum { RETAIN_ROOTS = 2 }; /* names that begin with '$' hang below a root of their own */

struct retain {
    struct core *core;
    uint64_t seed;
    struct retain_limits limits;
    uint64_t messages, bytes;
    struct table paths; /* every node but the roots, by path hash */
    struct retain_node *root[RETAIN_ROOTS];

    /* The running walk. */
    struct retain_walk *walk_head, *walk_tail; /* head: running, or the next to run */
    uint64_t walk_id;           /* 0 while none runs; nodes remember the last that found them */
    uint64_t walks;             /* the last id given */
    struct retain_node *cursor; /* the next node to visit */
    unsigned depth;             /* of the cursor; the root has 0 */
    unsigned levels;            /* of the filter, without '#' */
    bool deep;                  /* the filter ends with '#' */
    uint64_t level[NAME_LEVELS_MAX]; /* level hashes of the filter (path.h) */
};

int retain_init(struct retain *r, struct core *c, uint64_t seed, struct retain_limits limits);
void retain_fini(struct retain *r);

/* Keeps `m` (message_keep) as its topic's retained message; an empty payload clears
 * it [MQTT-3.3.1-6]. 0, -ERR_FULL at a limit, limits.memory too (the old one stays), -ERR_NOMEM. */
int retain_set(struct retain *r, struct message *m);

/* The same, and the log knows it before: a logged message, or that a logged one has gone.
 * `*written`: something was appended. What that answers is an error as well: the old one stays. `j`
 * may be NULL. */
int retain_set_logged(struct retain *r, struct message *m, struct journal *j, bool *written);

/* The same for what a restart has found in the log: it is within no limit, and is kept. */
int retain_restore(struct retain *r, struct message *m);

/* The retained message of exactly this topic, not expired, or NULL. Borrows. */
struct message *retain_get(struct retain *r, struct bytes topic, uint64_t topic_hash);

/* Queues a walk for a filter with wildcards. `w` belongs to the store until done. */
void retain_walk_start(struct retain *r, struct retain_walk *w,
                       void (*done)(struct retain_walk *w, void *ctx));

/* Takes `w` back before it is done; its vector is emptied. */
void retain_walk_cancel(struct retain *r, struct retain_walk *w);

/* Goes on with the walks: at most `budget` nodes. `ctx` goes to done(). Returns nodes visited. */
unsigned retain_step(struct retain *r, unsigned budget, void *ctx);

/* Gives back all messages of a vector and frees it. */
void retain_vector_fini(struct retain_vector *v, struct core *c);
