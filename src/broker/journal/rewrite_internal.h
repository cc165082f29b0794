/* SPDX-License-Identifier: BSD-3-Clause */
/* rewrite_internal.h -- a rewrite under way: its logs, and what was read of them. */
#pragma once

#include "broker/journal/image.h"
#include "broker/journal/rewrite.h"

/* Sessions of one old log that know the same: they had this cohort there, and get that one. */
struct rewrite_cohort {
    uint32_t was, is; /* is 0: nothing of what they know is in doubt */
};

/* An old log, and what it says. */
struct rewrite_old {
    struct image image;
    struct image_entry **by_body;  /* all that need one, in the order of their bodies' places */
    uint64_t nby_body, nplaced;    /* of them in new logs */
    struct rewrite_cohort *cohort; /* malloc'd */
    uint32_t ncohorts;
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
    struct table doubts;     /* struct image_received of publishers that were not answered */
    uint32_t cohort;         /* the last that was given */
};

/* ---- rewrite_put.c: into the new logs */

int rewrite_put(struct rewriting *w, unsigned core, const struct record_buf *b,
                struct store_ref *ref);

/* ---- rewrite_known.c: what each old log knew */

/* Collects what is in doubt. -ERR_NOMEM. */
int rewrite_doubts(struct rewriting *w);
/* The cohort of a session in its new log, *cohort. -ERR_NOMEM. */
int rewrite_cohort(struct rewriting *w, struct rewrite_old *old, uint32_t was, uint32_t *cohort);
/* Behind all its sessions: what they know. */
int rewrite_known(struct rewriting *w, struct rewrite_old *old);
void rewrite_known_fini(struct rewriting *w);

/* Gives each session its place, and writes all but what needs a body. */
int rewrite_place(struct rewriting *w, struct rewrite_old *old);
/* A body was met: it goes wherever entries refer to it, and those with it. */
int rewrite_body(struct rewriting *w, struct rewrite_old *old, const struct store_record *s);
