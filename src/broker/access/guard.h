/* SPDX-License-Identifier: BSD-3-Clause */
/* guard.h -- counts that hold for the whole broker: the connections of an address, a user or a
 * listener, how fast an address connects, how often it fails to log in. Of IPv6 a whole /64 is one
 * address (login_places.c).
 *
 * One core keeps the count of a name, picked by the name's hash as a topic's owner is, so every
 * count has one writer. A core that lets a client in asks by errand for a pass, which holds one
 * place under each name; dropping the pass gives the places back.
 *
 * Owner: the broker of each core keeps a table (struct guard); a pass belongs to who asked. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/table.h"
#include "core/core.h"

struct broker;
struct guard_pass;

/* What a count is kept of. */
enum guard_kind { GUARD_LISTENER, GUARD_ADDRESS, GUARD_USER, GUARD_KINDS };

struct guard_limits {
    uint32_t address_connections; /* at a time; 0: no limit, here and below */
    uint32_t user_connections;
    uint32_t connect_rate;  /* of an address, per second */
    uint32_t connect_burst; /* and so many at once, if it was quiet before */
    uint32_t failures;      /* logins of an address that may fail ... */
    uint32_t failures_s;    /* ... within this time */
    uint32_t ban_s;         /* before it is sent away for so long */
};

#define GUARD_LIMITS_DEFAULT                                                                       \
    {                                                                                              \
        .address_connections = 10000, .connect_rate = 200, .connect_burst = 2000, .failures = 20,  \
        .failures_s = 60, .ban_s = 60,                                                             \
    }

enum guard_answer {
    GUARD_OK,
    GUARD_TOO_MANY,
    GUARD_TOO_FAST,
    GUARD_BANNED,
    GUARD_NO_MEMORY,
    GUARD_ASKED, /* of a pass: the answer is still to come */
};

/* ---- the table of a core ------------------------------------------------------------------ */

struct guard {
    struct core *core;
    struct guard_limits limits;
    struct table names; /* struct guarded, by hash of kind and name */
};

void guard_init(struct guard *g, struct core *c, const struct guard_limits *l);
void guard_fini(struct guard *g);

/* One more of that name, if there may be as many as `max` (0: any number); an address must also
 * come slowly enough and not be banned. */
enum guard_answer guard_admit(struct guard *g, enum guard_kind kind, uint64_t hash, uint32_t max);

/* One less of a name that was admitted. `failed`: its login has failed. */
void guard_leave(struct guard *g, uint64_t hash, bool failed);

/* ---- a pass ---------------------------------------------------------------------------------- */

/* What to ask for. A member whose `wanted` is false is not asked. */
struct guard_name {
    uint64_t hash; /* guard_hash() */
    uint32_t max;
    bool wanted;
};

struct guard_request {
    struct guard_name name[GUARD_KINDS];
};

uint64_t guard_hash(const struct broker *b, enum guard_kind kind, struct bytes name);

/* A pass that holds nothing yet. NULL: no memory. */
typedef void guard_done(void *asker, enum guard_answer answer);
struct guard_pass *guard_pass_new(struct broker *b, guard_done *done, void *asker);

/* Asks for places; what is held already stays. The answer, if all those cores are this one; else
 * GUARD_ASKED, and `done` is called with it later. */
enum guard_answer guard_ask(struct guard_pass *p, const struct guard_request *r);

/* Gives the places back; if an answer is still to come, `done` is not called any more. Nulls the
 * pointer; harmless if it is NULL. */
void guard_drop(struct guard_pass **p, bool failed);
