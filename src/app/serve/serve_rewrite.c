/* SPDX-License-Identifier: BSD-3-Clause */
/* serve_rewrite.c -- a start on another number of cores than before: the logs are written anew
 * before any core runs. On the main thread. */
#include <inttypes.h>
#include <stdio.h>

#include "app/serve/serve.h"
#include "base/err.h"

struct rewriting {
    struct serve *serve;
    struct progress progress;
};

static unsigned core_of(void *ctx, uint64_t hash)
{
    const struct rewriting *w = ctx;

    return broker_core_of(hash, w->serve->plan.cores);
}

static void on_found(void *ctx, const struct store_finding *f)
{
    const struct rewriting *w = ctx;

    data_tell_finding(serve_log(w->serve), f);
}

static void on_progress(void *ctx, unsigned permille)
{
    struct rewriting *w = ctx;

    progress_rewrite(&w->progress, w->serve, permille);
    signals_look();
}

static int refuse(const struct serve *s, const struct rewrite *r, int err, char *error)
{
    const struct data_shared *d = &s->data;

    snprintf(error, OPTIONS_ERROR,
             "data.dir: %.100s, of %" PRIu32 " cores, can't be written anew for %u: %s%s",
             s->options->data.dir, d->dir.cores, s->plan.cores, *r->why ? r->why : d->dir.why,
             err == -ERR_CORRUPT && !r->salvage ? data_salvage_hint : "");
    return err;
}

/* Every session and topic goes to the core whose it is now. Till the switch the old logs count. */
int data_rewrite(struct serve *s, char *error)
{
    struct data_shared *d = &s->data;
    const struct data_options *o = &s->options->data;
    struct rewriting w = {.serve = s};
    uint32_t cores = d->dir.cores;
    int err = store_dir_next(&d->dir, &d->generation);

    if (err < 0) {
        snprintf(error, OPTIONS_ERROR, "data.dir: %s", d->dir.why);
        return err;
    }
    struct rewrite r = {.dir = &d->dir,
                        .generation = d->generation,
                        .cores = s->plan.cores,
                        .seed = data_seed(d),
                        .segment_bytes = data_segment_bytes(o),
                        .disk_bytes_max = o->bytes_max,
                        .salvage = o->salvage,
                        .clock = &s->clock,
                        .ctx = &w,
                        .core_of = core_of,
                        .found = on_found,
                        .progress = on_progress};
    progress_begin(&w.progress, s);
    err = journal_rewrite(&r, &d->rewritten);
    if (err == 0) err = store_dir_switch(&d->dir, d->generation, s->plan.cores);
    progress_end(&w.progress);
    if (err < 0) return refuse(s, &r, err, error);
    LOG(serve_log(s), LOG_INFO, "log_rewritten", F_U64("from_cores", cores),
        F_U64("to_cores", s->plan.cores), F_U64("sessions", d->rewritten.sessions),
        F_U64("messages", d->rewritten.messages), F_U64("retained", d->rewritten.retained));
    if (d->rewritten.lost)
        LOG(&s->log, LOG_ERROR, "messages_lost", F_U64("messages", d->rewritten.lost));
    return 0;
}
