/* SPDX-License-Identifier: BSD-3-Clause */
/* crash.c -- the whole broker stops at once, and starts again with what its disk has kept.
 *
 * Memory has to be given back in good order, also that of a process that has died. So the disk's
 * state after the crash is made first; then the old cores, cut off from the network, work off on
 * the old disk what they have, and are closed. Nobody sees what they do. */
#include "base/assert.h"
#include "world.h"

enum { DOWN_STEPS_MAX = 60 };

/* What the disk holds now: of the work under way some was done, up to one step of it. */
static struct sim_disk *keep_some(struct world *w)
{
    unsigned steps = w->sim->nsteps;
    for (unsigned i = 0; i < w->cores; i++)
        if (w->place[i].disk) slow_disk_stop(w->place[i].disk);
    steps += any_below(w->sim->nsteps - steps + 1);
    uint64_t seed = once_in(4) ? any_below(2) : rng_u64(&machine()->rng) | 2;
    return sim_disk_crash(w->sim, steps, seed);
}

static void bury_cores(struct world *w)
{
    bool calm = machine()->calm;
    machine()->calm = true;
    for (unsigned i = 0; i < w->cores; i++)
        w->place[i].starved = 0;
    world_run_until_asleep(w, w->cores);
    cores_stop(w);
    for (unsigned i = 0; i < FILES_MAX; i++)
        ASSERT(machine()->file[i].kind == FILE_FREE);
    machine()->calm = calm;
}

void world_crash(struct world *w)
{
    trace(&w->trace, "the broker crashes");
    struct sim_disk *after = keep_some(w);
    net_break_all();
    oracle_crash(&w->oracle);
    for (unsigned i = 0; i < w->clients; i++)
        client_crash(&w->client[i]);
    bury_cores(w);
    sim_disk_free(&w->sim);
    w->sim = after;
    if (w->trace.broken[0]) return;
    for (unsigned i = any_below(DOWN_STEPS_MAX); i > 0; i--)
        client_act(&w->client[any_below(w->clients)], true);
    cores_start(w);
    trace(&w->trace, "the broker is back with %u cores", w->cores);
}
