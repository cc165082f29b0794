/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/serve/serve_data.h"

#include <inttypes.h>
#include <stdio.h>

#include "app/serve/serve.h"
#include "base/err.h"
#include "base/hash.h"
#include "store/disk_uring.h"

enum {
    JOBS_MAX = 4096,
    THREADS_URING = 2, /* new files; all else goes through the ring */
    THREADS_MAX = 16,
};

static int refuse(char *error, int err, const char *why)
{
    snprintf(error, OPTIONS_ERROR, "data.dir: %s", why);
    return err;
}

/* ---- how the disk is written ------------------------------------------------------------- */

/* What is refused to one thread is refused to all. */
static bool try_uring(char why[DISK_URING_WHY])
{
    const struct disk_uring_options o = {.io = store_io_linux()};
    struct disk *d = disk_new_uring(&o, why);
    bool works = d != NULL;

    disk_free(&d);
    return works;
}

static int choose_engine(struct serve *s, char *error)
{
    uint8_t engine = s->options->data.engine;
    char why[DISK_URING_WHY];

    s->data.uring = engine != DATA_THREADS && try_uring(why);
    if (s->data.uring || engine == DATA_THREADS) return 0;
    if (engine == DATA_URING) {
        snprintf(error, OPTIONS_ERROR,
                 "data.engine: %s; allow it, or set data.engine to auto or threads", why);
        return -ERR_UNSUPPORTED;
    }
    LOG(serve_log(s), LOG_INFO, "io_uring_refused", F_STR("reason", why),
        F_STR("instead", "helper threads"));
    return 0;
}

/* A commit keeps a thread busy, so each core should find one. */
static int start_helpers(struct serve *s, char *error)
{
    unsigned cores = s->plan.cores, threads = THREADS_URING;
    int err;

    if (!s->data.uring) threads = cores + 1 < THREADS_MAX ? cores + 1 : THREADS_MAX;
    s->data.helpers = helpers_new(threads, JOBS_MAX, s->mesh, cores, &err);
    return s->data.helpers ? 0 : refuse(error, err, "threads for the disk can't be started");
}

uint32_t data_segment_bytes(const struct data_options *o)
{
    return o->segment_bytes & ~7u; /* as the store wants it */
}

/* ---- what is told ------------------------------------------------------------------------------
 */

const char data_salvage_hint[] =
    ". `pinion log check` shows all; data.salvage: true starts with what is left";

void data_tell_finding(struct log *log, const struct store_finding *f)
{
    LOG(log, f->harmless ? LOG_INFO : LOG_ERROR, f->harmless ? "log_end_cut" : "log_damaged",
        F_STR("file", f->file), F_U64("offset", f->offset), F_U64("bytes", f->bytes),
        F_STR("found", f->text));
}

/* ---- open ------------------------------------------------------------------------------------ */

static int open_dir(struct serve *s, char *error)
{
    const char *path = s->options->data.dir;
    struct store_dir *d = &s->data.dir;

    int err = store_dir_open(d, store_io_linux(), path, false);
    if (err == 0) {
        s->data.is_open = true;
        return 0;
    }
    const char *more = err == -ERR_DENIED ? "; it must be writable for the broker's user" : "";
    snprintf(error, OPTIONS_ERROR, "data.dir: %s%s", d->why, more);
    return err;
}

static int choose_logs(struct serve *s, char *error)
{
    struct data_shared *d = &s->data;

    d->generation = d->dir.generation;
    if (d->dir.generation == 0) {
        int err = store_dir_next(&d->dir, &d->generation);
        return err < 0 ? refuse(error, err, d->dir.why) : 0;
    }
    return d->dir.cores == s->plan.cores ? 0 : data_rewrite(s, error);
}

int data_open(struct serve *s, char *error)
{
    if (!*s->options->data.dir) return 0;
    int err = open_dir(s, error);
    if (err == 0) err = choose_logs(s, error);
    if (err == 0) err = choose_engine(s, error);
    if (err == 0) err = start_helpers(s, error);
    s->data.has_rest = cpu_plan_rest(&s->plan, &s->data.rest) > 0;
    return err;
}

int data_switch(struct serve *s, char *error)
{
    struct data_shared *d = &s->data;

    if (!d->is_open || d->generation == d->dir.generation) return 0;
    int err = store_dir_switch(&d->dir, d->generation, s->plan.cores);
    return err < 0 ? refuse(error, err, d->dir.why) : 0;
}

void data_close(struct serve *s)
{
    helpers_free(&s->data.helpers);
    if (s->data.is_open) store_dir_close(&s->data.dir);
    s->data.is_open = false;
}

uint64_t data_seed(const struct data_shared *d)
{
    return hash_pair(d->dir.id, 0);
}
