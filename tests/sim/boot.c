/* SPDX-License-Identifier: BSD-3-Clause */
/* boot.c -- the broker's disk: each core's log is opened at a start and read back, as the
 * application does it, but in simulated time and with small segments. */
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/hash.h"
#include "broker/journal/rewrite.h"
#include "world.h"

void boot_choose(struct world *w)
{
    static const uint32_t segments[] = {16384, 16384, 65536, 262144};
    static const uint64_t lazy[] = {0, NS_PER_MS, 50 * NS_PER_MS, NS_PER_S};
    w->segment_bytes = segments[any_below(ARRAY_LEN(segments))];
    w->lazy_ns = lazy[any_below(ARRAY_LEN(lazy))];
    w->queue_memory = once_in(2) ? 64u << 20 : once_in(2) ? 0 : 5000;
    w->door = (struct access_door){
        .name = "sim", .anonymous = DOOR_ALLOWED, .durability = DURABILITY_COMMIT};
    w->listener.proto_ctx = &w->door;
    trace(&w->trace, "segments of %u bytes, lazy %llu ns, queue_memory %llu", w->segment_bytes,
          (unsigned long long)w->lazy_ns, (unsigned long long)w->queue_memory);
}

/* ---- the directory ------------------------------------------------------------------------- */

static unsigned core_of(void *ctx, uint64_t hash)
{
    const struct world *w = ctx;
    return broker_core_of(hash, w->cores);
}

static void on_found(void *ctx, const struct store_finding *f)
{
    struct world *w = ctx;
    trace(&w->trace, "recovery: %s", f->text);
    if (!f->harmless) broken(&w->trace, "recovery found damage: %s", f->text);
}

/* It starts with another number of cores. */
static void move(struct world *w)
{
    struct rewrite_found found = {0};
    struct clock clock;
    clock_tick(&clock);
    w->cores = 1 + any_below(4);
    if (w->cores == w->dir.cores) return;
    int err = store_dir_next(&w->dir, &w->generation);
    ASSERT(err == 0);
    struct rewrite r = {.dir = &w->dir,
                        .generation = w->generation,
                        .cores = w->cores,
                        .seed = w->seed,
                        .segment_bytes = w->segment_bytes,
                        .clock = &clock,
                        .ctx = w,
                        .core_of = core_of,
                        .found = on_found};
    err = journal_rewrite(&r, &found);
    if (err == 0) err = store_dir_switch(&w->dir, w->generation, w->cores);
    if (err < 0) broken(&w->trace, "the logs can't be written anew: %s", r.why);
    if (found.lost) broken(&w->trace, "%u messages got lost on the way", (unsigned)found.lost);
}

void boot_open(struct world *w)
{
    int err = store_dir_open(&w->dir, &w->sim->io, "data", false);
    if (err < 0) broken(&w->trace, "the data directory is refused: %s", w->dir.why);
    w->generation = w->dir.generation;
    if (err == 0 && w->generation == 0) err = store_dir_next(&w->dir, &w->generation);
    ASSERT(err == 0);
    w->seed = hash_pair(w->dir.id, 0);
    if (w->dir.generation == 0) return;
    w->cores = w->dir.cores;
    if (w->moves && once_in(2)) move(w);
}

void boot_close(struct world *w)
{
    store_dir_close(&w->dir);
}

/* ---- a core -------------------------------------------------------------------------------- */

static unsigned commit(void *place)
{
    struct place *p = place;
    return journal_commit(p->journal);
}

static uint64_t commit_due_ns(void *place)
{
    const struct place *p = place;
    return journal_due_ns(p->journal);
}

static void on_failed(void *ctx, const char *why)
{
    struct place *p = ctx;
    (void)why;
    net_drop_held(p->net);
}

static void on_full(void *ctx)
{
    struct place *p = ctx;
    net_drop_late(p->net);
}

void boot_core(struct world *w, unsigned i)
{
    struct place *p = &w->place[i];
    const struct journal_options jo = {
        .queue_memory_max = w->queue_memory, .failed = on_failed, .full = on_full, .ctx = p};
    const struct store_replay watch = {.ctx = w, .found = on_found};
    struct journal_found found = {0};

    p->disk = slow_disk_new(&w->sim->io);
    p->journal = journal_new(p->broker, &jo);
    ASSERT(p->disk && p->journal);
    struct store *s = store_new(&(struct store_options){.io = &w->sim->io,
                                                        .disk = p->disk,
                                                        .dir = &w->dir,
                                                        .core = i,
                                                        .generation = w->generation,
                                                        .clock = &p->core.clock,
                                                        .owner = journal_owner(p->journal),
                                                        .segment_bytes = w->segment_bytes,
                                                        .lazy_ns = w->lazy_ns});
    ASSERT(s);
    int err = journal_recover(p->journal, s, &watch, &found);
    if (err < 0)
        broken(&w->trace, "core %u does not start: %s %s", i, err_text(err),
               store_why(journal_store_of(p->journal)));
    trace(&w->trace, "core %u: %u sessions, %u subscriptions, %u messages, %u retained", i,
          (unsigned)found.sessions, (unsigned)found.subscriptions, (unsigned)found.messages,
          (unsigned)found.retained);
    if (found.lost) broken(&w->trace, "core %u lost %u messages", i, (unsigned)found.lost);
    p->core.ops.commit = commit;
    p->core.ops.commit_due_ns = commit_due_ns;
    p->core.ops.store = p;
}

/* All have been read: these logs count, and each core learns what the others' sessions want. */
void boot_end(struct world *w)
{
    bool calm = machine()->calm;
    int err = 0;
    if (w->generation != w->dir.generation)
        err = store_dir_switch(&w->dir, w->generation, w->cores);
    ASSERT(err == 0);
    machine()->calm = true;
    world_run_until_asleep(w, w->cores);
    machine()->calm = calm;
}
