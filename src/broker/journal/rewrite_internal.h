/* SPDX-License-Identifier: BSD-3-Clause */
/* rewrite_internal.h -- a rewrite under way: its logs, and what was read of them. */
#pragma once

#include "broker/journal/image.h"
#include "broker/journal/rewrite.h"

/* An old log, and what it says. */
struct rewrite_old {
    struct image image;
    struct image_entry **by_body; /* all that need one, in the order of their bodies' places */
    uint64_t nby_body, nplaced;   /* of them in new logs */
};

/* A new log. */
struct rewrite_new {
    struct disk *disk;
    struct store *store;
    uint64_t sid;     /* the last that was given */
    bool has_session; /* of the old log that is being placed */
};

struct rewriting {
    struct rewrite *r;
    struct rewrite_found *found;
    unsigned nold;
    struct rewrite_old *old;
    struct rewrite_new *new; /* r->cores */
};

/* ---- rewrite_put.c: into the new logs */

/* Gives each session its place, and writes all but what needs a body. */
int rewrite_place(struct rewriting *w, struct rewrite_old *old);
/* A body was met: it goes wherever entries refer to it, and those with it. */
int rewrite_body(struct rewriting *w, struct rewrite_old *old, const struct store_record *s);
