/* SPDX-License-Identifier: BSD-3-Clause */
/* serve_journal.c -- one core's log from its recovery to its end, and what is told of it. */
#include <stdio.h>

#include "app/serve/serve.h"
#include "base/err.h"
#include "store/disk_uring.h"

enum { FULL_TOLD_S = 60 };

/* ---- recovery ---------------------------------------------------------------------------- */

static void on_found(void *ctx, const struct store_finding *f)
{
    struct core_modules *m = ctx;

    data_tell_finding(&m->core.log, f);
}

static void on_progress(void *ctx, uint64_t done_bytes, uint64_t all_bytes)
{
    struct core_modules *m = ctx;

    atomic_store_explicit(&m->data.all_bytes, all_bytes, memory_order_relaxed);
    atomic_store_explicit(&m->data.done_bytes, done_bytes, memory_order_relaxed);
}

/* Whatever the recovery has to say, and what the operator can do. */
static int refuse(struct core_modules *m, int err, char *error)
{
    const struct serve *s = m->serve;
    const char *why = m->data.store ? store_why(m->data.store) : "";

    if (!*why) why = err_text(err);
    snprintf(error, OPTIONS_ERROR, "data.dir: %.100s: %s%s", s->options->data.dir, why,
             err == -ERR_CORRUPT && !s->options->data.salvage ? data_salvage_hint : "");
    return err;
}

static struct disk *disk_of(const struct core_modules *m)
{
    const struct data_shared *d = &m->serve->data;
    const struct disk_uring_options o = {.io = d->dir.io,
                                         .helpers = d->helpers,
                                         .core = m->core.id,
                                         .cpus = d->has_rest ? &d->rest : NULL};
    char why[DISK_URING_WHY];
    struct disk *disk = d->uring ? disk_new_uring(&o, why) : NULL;

    return disk ? disk : disk_new_helpers(d->dir.io, d->helpers, m->core.id);
}

static struct store *store_of(struct core_modules *m)
{
    const struct data_shared *d = &m->serve->data;
    const struct data_options *o = &m->serve->options->data;
    const struct store_options so = {
        .io = d->dir.io,
        .disk = m->data.disk,
        .dir = &d->dir,
        .core = m->core.id,
        .generation = d->generation,
        .clock = &m->core.clock,
        .owner = journal_owner(m->data.journal),
        .segment_bytes = data_segment_bytes(o),
        .disk_bytes_max = o->bytes_max,
        .lazy_ns = o->interval_ms * (uint64_t)NS_PER_MS,
        .salvage = o->salvage,
    };

    return store_new(&so);
}

/* ---- the turn ------------------------------------------------------------------------------ */

static void copy_counts(struct core_modules *m)
{
    struct store_stats now = store_stats(m->data.store);
    struct journal_stats journal = journal_stats(m->data.journal);
    struct counters *c = &m->core.counters;

    count_set(c, C_bytes_log_written, now.bytes);
    count_set(c, C_log_records, now.records);
    count_set(c, C_log_commits, now.commits);
    count_set(c, C_log_snapshots, now.snapshots);
    count_set(c, C_log_snapshots_failed, now.snapshots_failed);
    count_set(c, C_log_moved, now.moved);
    count_set(c, C_log_waiting, journal.notices);
    count_set(c, C_log_full, journal.refused);
    count_set(c, C_bytes_log_disk, now.disk_bytes);
    count_set(c, C_bytes_log_live, now.live_bytes);
    count_set(c, C_bytes_log_recovered, now.recovery_bytes);
}

/* Nothing that waits for the disk may leave any more. The clients that waited come back, and
 * whoever sends others here is told so. */
static void on_failed(void *core_modules, const char *why)
{
    struct core_modules *m = core_modules;

    (void)why; /* the journal has logged it */
    count_set(&m->core.counters, C_log_failed, 1);
    net_drop_held(m->net);
    admin_set_failed(&m->serve->admin, "the log on disk has failed: see the broker's log");
}

/* Who waits for what finds no room learns at least that something is wrong. */
static void on_full(void *core_modules)
{
    struct core_modules *m = core_modules;

    net_drop_late(m->net);
}

/* Once a minute while it lasts; it ends without a restart. */
static void tell_full(struct core_modules *m, uint64_t refused)
{
    const struct data_options *o = &m->serve->options->data;
    uint32_t now_s = core_now_s(&m->core);

    if (now_s < m->data.full_s) return;
    LOG(&m->core.log, LOG_WARN, "log_full", F_U64("refused", refused - m->data.refused),
        F_STR("full", o->bytes_max ? "data.bytes, or the file system" : "the file system"),
        F_STR("dir", o->dir), F_U64("disk_bytes", store_stats(m->data.store).disk_bytes));
    m->data.refused = refused;
    m->data.full_s = now_s + FULL_TOLD_S;
}

static unsigned commit(void *core_modules)
{
    struct core_modules *m = core_modules;
    unsigned work = journal_commit(m->data.journal);
    uint64_t refused = journal_stats(m->data.journal).refused;

    if (work) copy_counts(m);
    if (UNLIKELY(refused != m->data.refused)) tell_full(m, refused);
    return work;
}

static uint64_t commit_due_ns(void *core_modules)
{
    const struct core_modules *m = core_modules;

    return journal_due_ns(m->data.journal);
}

/* The commit phase of this turn hears what the disk has done. */
static void on_disk(struct watch *w, unsigned ready)
{
    (void)w;
    (void)ready;
}

/* ---- open and close ----------------------------------------------------------------------------
 */

static int recover(struct core_modules *m)
{
    const struct store_replay watch = {.ctx = m, .found = on_found, .progress = on_progress};

    int err = journal_recover(m->data.journal, m->data.store, &watch, &m->data.found);
    clock_tick(&m->core.clock); /* it may have taken long */
    if (err < 0) return err;
    int fd = store_fd(m->data.store);
    m->data.watch = (struct watch){.fd = fd, .on_ready = on_disk};
    if (fd >= 0) err = reactor_add(m->core.reactor, &m->data.watch, READY_READ);
    return err;
}

int data_core_open(struct core_modules *m, char *error)
{
    struct serve *s = m->serve;
    struct data_core *d = &m->data;
    const struct journal_options o = {.queue_memory_max = s->options->data.queue_memory,
                                      .failed = on_failed,
                                      .full = on_full,
                                      .ctx = m};

    if (!s->data.is_open) return 0;
    d->disk = disk_of(m);
    if (d->disk) d->journal = journal_new(m->broker, &o);
    if (d->journal) d->store = store_of(m);
    int err = d->store ? recover(m) : -ERR_NOMEM;
    if (err < 0) return refuse(m, err, error);
    d->is_open = true;
    m->core.ops.commit = commit;
    m->core.ops.store = m;
    m->core.ops.commit_due_ns = commit_due_ns;
    copy_counts(m);
    return 0;
}

int data_core_close(struct core_modules *m)
{
    struct data_core *d = &m->data;
    int err = 0;

    if (d->watch.registered) reactor_del(m->core.reactor, &d->watch);
    if (d->is_open)
        err = journal_close(d->journal);
    else
        store_close(&d->store);
    d->is_open = false;
    d->store = NULL;
    m->core.ops.commit = NULL;
    m->core.ops.commit_due_ns = NULL;
    return err;
}

void data_core_free(struct core_modules *m)
{
    journal_free(&m->data.journal);
    disk_free(&m->data.disk);
}
