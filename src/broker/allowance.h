/* SPDX-License-Identifier: BSD-3-Clause */
/* allowance.h -- how much a client may publish in a second, a minute, an hour and a day.
 *
 * A window begins with the first message after the one before has passed, and an allowance counts
 * what came in it. It belongs to the client id and not to the connection: a client that goes and
 * comes back does not start afresh. What clients leave behind is bounded: of those that are
 * gone, the ones that left first are forgotten first.
 *
 * Pure accounting: the time is the caller's. Owner: the broker of the client's home. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/table.h"

enum allowance_unit { ALLOWANCE_MESSAGES, ALLOWANCE_BYTES, ALLOWANCE_UNITS };

enum allowance_window {
    ALLOWANCE_SECOND,
    ALLOWANCE_MINUTE,
    ALLOWANCE_HOUR,
    ALLOWANCE_DAY,
    ALLOWANCE_WINDOWS
};

struct allowance_limits {
    uint64_t max[ALLOWANCE_UNITS][ALLOWANCE_WINDOWS]; /* 0: any number */
    uint8_t disconnects; /* a client that has used one up is sent away, rather than not read */
};

struct allowance {
    uint64_t used[ALLOWANCE_UNITS][ALLOWANCE_WINDOWS];
    uint32_t began_s[ALLOWANCE_WINDOWS];
    bool held; /* by a session; else among those that are gone */
    uint64_t key;
    struct allowance *older, *newer; /* of those that are gone */
};

struct allowances {
    struct table by_key;
    struct allowance *oldest, *newest;
    uint32_t gone;
};

enum { ALLOWANCES_GONE_MAX = 65536 };

/* Is there any limit? */
bool allowance_wanted(const struct allowance_limits *l);

/* The allowance of client `key`, held from now on; NULL when memory ran out. */
struct allowance *allowance_hold(struct allowances *all, uint64_t key);

/* The client has gone: keeps its allowance while a window runs. */
void allowance_let_go(struct allowances *all, struct allowance *a, uint32_t now_s);

void allowances_fini(struct allowances *all);

/* Counts a message of so many bytes. */
void allowance_spend(struct allowance *a, uint32_t now_s, uint32_t bytes);

/* What is used up, of the longest window if there are several. */
struct allowance_end {
    uint32_t wait_s; /* until that window has passed; 0: nothing is used up */
    enum allowance_unit unit;
    enum allowance_window window;
};
struct allowance_end allowance_ended(const struct allowance *a, const struct allowance_limits *l,
                                     uint32_t now_s);

/* "rates.messages_per_second" */
const char *allowance_setting(const struct allowance_end *e);
