/* SPDX-License-Identifier: BSD-3-Clause */
/* memory.h -- the memory of the whole process, and whether it has reached its limit.
 *
 * Each core looks once a second, whenever its own pool has grown by its part of a sixteenth of the
 * limit, and when another core has found that it is reached or left: so it is passed by little,
 * whatever comes in a second. What pools keep for
 * the next who asks is not counted, as it serves before anything is asked of the system. At the
 * limit the layers above take nothing new, until the process is down to 95 % of it: what was
 * taken is delivered and deleted meanwhile. An idle core does not look; it takes nothing either.
 *
 * Owner: the application, for all cores; it outlives them. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct core;

struct memory {
    uint64_t (*bytes)(void);  /* what malloc has given to the process; any thread */
    _Atomic uint64_t max;     /* 0: no limit */
    _Atomic uint64_t used;    /* at the last look, without what pools keep */
    _Atomic uint32_t asked_s; /* when a core asked for that last */
    _Atomic bool full;
};

/* A core's part. */
struct memory_look {
    uint32_t due_s;
    size_t due_bytes; /* of the pool; 0: whatever it has */
    bool full;
};

bool memory_is_due(const struct core *c);
void memory_watch(struct core *c);
