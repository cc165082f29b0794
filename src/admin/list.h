/* SPDX-License-Identifier: BSD-3-Clause */
/* list.h -- long lists of the API: gathered core after core, sent as they come, in pages.
 *
 * A page is {"NAME": [...], "next": CURSOR}. The cursor is a core and a place on it, which stays
 * right whatever comes and goes (broker/inspect.h); null ends the list. A step looks at a bounded
 * number of places on one core and lets everybody else have a turn, and a page is over after so
 * many steps: it may hold fewer entries than were asked for, even none, and yet not be the last. */
#pragma once

#include "admin/ask.h"
#include "admin/json_out.h"
#include "admin/param.h"

enum { LIST_LIMIT = 100, LIST_LIMIT_MAX = 1000, LIST_STEPS_MAX = 256, LIST_PIECE = 32 << 10 };

struct list;

/* What there is on core `there` from l->place on; returns where to go on, 0 at the end. */
typedef uint64_t list_step(struct list *l, struct broker *there);

enum { LIST_STAGES = 2 };

struct list_kind {
    const char *name;
    const char *params;           /* besides limit and cursor, with a space before each */
    bool (*take)(struct list *l); /* reads them; false: answered. NULL: there are none */
    list_step *step[LIST_STAGES]; /* on each core one after the other; the second may be NULL */
};

struct list {
    struct ask ask;
    const struct list_kind *kind;
    struct json_out out; /* of the step; its brackets are those of the whole page */
    uint64_t place;
    unsigned core, stage, steps;
    uint32_t left; /* entries that the page may still have */
    uint32_t only; /* the core that has all there is, from 1; 0: all of them */
    bool begun;
    bool with_state, connected; /* of clients: only those */
    struct param_text text;     /* a prefix or filter or client id; empty: any */
};

void list_begin(struct http_exchange *x, const struct list_kind *kind);

/* After each entry: is there room for another one? */
bool list_added(struct list *l);
