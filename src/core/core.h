/* SPDX-License-Identifier: BSD-3-Clause */
/* core.h -- a core: one pinned thread and everything it owns. core_turn() is its loop.
 *
 * The modules here know only bytes, sockets, mail and time. What a turn does
 * above that (deliver, commit, flush) comes from above as `struct turn_ops`. All
 * state hangs off struct core; there is none in globals or thread-locals, so that
 * the simulator can run many cores in one thread. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rng.h"
#include "core/counters.h"
#include "core/helper.h"
#include "core/memory.h"
#include "core/mesh.h"
#include "core/pool.h"
#include "core/reactor.h"
#include "core/wheel.h"

enum idle { IDLE_SLEEP, IDLE_SPIN, IDLE_BUSY };

enum { SPIN_NS = 50000 };

/* The upper layers' share of a turn. Each returns how much work it did; a member may be NULL. */
struct turn_ops {
    unsigned (*deliver)(void *broker); /* fill windows, encode */
    unsigned (*commit)(void *store);   /* one write, one sync for the turn */
    unsigned (*flush)(void *net);      /* one send per connection */
    void *broker, *store, *net;
    pool_home_fn *block_home; /* a block of ours came back from another core; its ctx is the core */
    /* When the commit phase must run though nothing wakes the core for it, on the core's clock;
     * UINT64_MAX: it need not. */
    uint64_t (*commit_due_ns)(void *store);
};

/* How long turns take and how long the core sleeps between them. */
struct turn_times {
    uint64_t slept_ns;                      /* in all */
    uint64_t began_ns;                      /* when this turn woke up */
    uint64_t longest_ns, longest_before_ns; /* of this period and of the one before */
    uint32_t period;
};

enum { TURN_PERIOD_S = 10 };

struct core {
    struct clock clock;
    struct reactor *reactor;
    struct mesh_port *mesh;
    struct pool *pool;
    struct helpers *helpers; /* shared by all cores; may be NULL */
    struct turn_ops ops;
    /* The core's log, as the commit phase has left it; UINT64_MAX both where there is none. */
    uint64_t durable;    /* all that was appended before this position is on disk; only rises */
    uint64_t commit_pos; /* what `durable` will be when the commit under way ends; what it is, if
                          * none is */
    void *modules;       /* the layers above: the app's table of what else lives on this core */
    unsigned id;         /* 0 to cores-1 */
    unsigned cores;
    enum idle idle;
    uint64_t idle_since_ns; /* first turn without work; 0 while busy */
    unsigned last_work;     /* of the previous turn */
    bool again; /* something was left undone that neither socket nor bell will announce */
    uint64_t refused_seen; /* of the pool */
    struct turn_times times;
    uint32_t refused_due_s; /* when the log may tell of it again */
    struct memory *memory;  /* of the process, shared by all cores; may be NULL */
    struct memory_look memory_look;
    bool draining;     /* the broker ends soon: no new clients, and /readyz says so */
    _Atomic bool stop; /* set by any thread, then mesh_ring() */
    struct watch bell;
    struct wheel wheel;
    struct rng rng;
    struct log log;
    struct counters counters;
};

struct core_options {
    unsigned id, cores;
    enum idle idle;
    struct mesh *mesh;
    struct pool **pools; /* `cores` entries, shared; ours is made here */
    struct helpers *helpers;
    struct memory *memory; /* NULL: nobody watches it */
    uint64_t seed;
    struct log_options log;
};

/* Makes a core in caller's memory (zeroed). -ERR_NOMEM, -ERR_NOFILE. `ops` is set by the caller
 * afterwards. */
int core_init(struct core *c, const struct core_options *o);
void core_fini(struct core *c);

/* One pass of the loop; see core.c, which is the table of contents of a turn. Returns the work
 * done. */
unsigned core_turn(struct core *c);

/* Turns until `stop`. */
void core_run(struct core *c);

/* A module that stopped at one of its limits, or was given work after its phase of the turn:
 * the core turns once more before it may sleep. */
static inline void core_turn_again(struct core *c)
{
    c->again = true;
}

/* The longest turn of the last TURN_PERIOD_S seconds or somewhat more. */
static inline uint64_t core_longest_turn_ns(const struct core *c)
{
    const struct turn_times *t = &c->times;
    return t->longest_ns > t->longest_before_ns ? t->longest_ns : t->longest_before_ns;
}

static inline uint32_t core_now_s(const struct core *c)
{
    return clock_s(&c->clock);
}

/* Has the process reached limits.memory? Then nothing new is taken: no session, no message. */
static inline bool core_memory_full(const struct core *c)
{
    return UNLIKELY(c->memory_look.full);
}
