/* SPDX-License-Identifier: BSD-3-Clause */
/* restart.h -- the machine stops, and the brokers of a rig come back from what their disks hold. */
#pragma once

#include <limits.h>

#include "unit/journal/journal_rig.h"

/* Core `i` with what `sim` holds. */
static inline void restart_core(struct journal_rig *r, unsigned i, struct sim_disk *sim,
                                const struct journal_options *o, struct journal_found *found)
{
    struct rig *d = &r->disk[i];
    struct journal *j = r->journal[i] = journal_new(r->k->broker[i], o);
    assert_non_null(j);
    rig_init(d, sim);
    assert_int_equal(store_dir_open(&d->dir, &sim->io, "data", false), 0);
    d->disk = disk_new_inline(&sim->io);
    d->options = (struct store_options){.io = &sim->io,
                                        .disk = d->disk,
                                        .dir = &d->dir,
                                        .generation = 1,
                                        .clock = &r->k->core[i].clock,
                                        .segment_bytes = r->segment_bytes,
                                        .lazy_ns = NS_PER_S,
                                        .owner = journal_owner(j)};
    r->k->core[i].clock.wall_ms = 1000000;
    d->store = store_new(&d->options);
    assert_non_null(d->store);
    assert_int_equal(journal_recover(j, d->store, NULL, found), 0);
}

/* After the first `steps` of what the disks did (of one core's disk, if it is not all), what was
 * not synced is gone (seed 0), there (1), or anything between. Clients are not told: their sessions
 * are other ones now. */
static inline void rig_restart_from(struct journal_rig *r, unsigned steps, uint64_t seed,
                                    uint64_t queue_memory_max, struct journal_found *found)
{
    const struct journal_options o = {
        .queue_memory_max = queue_memory_max, .failed = rig_on_failed, .ctx = r};
    struct sim_disk *sim[CLUSTER_CORES];
    unsigned cores = r->k->cores;

    ASSERT(cores == 1 || steps == UINT_MAX);
    for (unsigned i = 0; i < cores; i++) {
        unsigned all = r->disk[i].sim->nsteps;
        sim[i] = sim_disk_crash(r->disk[i].sim, steps < all ? steps : all, seed);
    }
    for (unsigned i = 0; i < cores; i++) {
        (void)journal_close(r->journal[i]);
        r->disk[i].store = NULL;
    }
    cluster_free(r->k);
    for (unsigned i = 0; i < cores; i++) {
        journal_free(&r->journal[i]);
        rig_fini(&r->disk[i]);
    }
    r->k = cluster_new(cores, NULL);
    for (unsigned i = 0; i < cores; i++)
        restart_core(r, i, sim[i], &o, found);
    rig_turn(r);
}

static inline void rig_restart(struct journal_rig *r, uint64_t seed, uint64_t queue_memory_max,
                               struct journal_found *found)
{
    rig_restart_from(r, UINT_MAX, seed, queue_memory_max, found);
}
