/* SPDX-License-Identifier: BSD-3-Clause */
/* rewrite.c -- reads the old logs and opens the new ones. */
#include "broker/journal/rewrite.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/err.h"
#include "broker/journal/rewrite_internal.h"

enum { PERMILLE = 1000 };

/* ---- reading ------------------------------------------------------------------------------ */

/* One reading of one old log. */
struct reading {
    struct rewriting *w;
    struct rewrite_old *old;
    unsigned step, steps; /* of all readings */
    int (*record)(struct reading *rd, const struct store_record *s);
};

static int read_into_image(struct reading *rd, const struct store_record *s)
{
    return image_apply(&rd->old->image, s);
}

static int read_body(struct reading *rd, const struct store_record *s)
{
    return s->type == RECORD_BODY ? rewrite_body(rd->w, rd->old, s) : 0;
}

static int on_record(void *ctx, const struct store_record *s)
{
    struct reading *rd = ctx;
    return rd->record(rd, s);
}

/* What is wrong is told once, by the first reading. */
static void on_found(void *ctx, const struct store_finding *f)
{
    const struct reading *rd = ctx;
    const struct rewrite *r = rd->w->r;
    if (r->found && rd->record == read_into_image) r->found(r->ctx, f);
}

static void on_progress(void *ctx, uint64_t done_bytes, uint64_t all_bytes)
{
    const struct reading *rd = ctx;
    const struct rewrite *r = rd->w->r;
    uint64_t part = all_bytes ? PERMILLE * done_bytes / all_bytes : 0;
    if (r->progress) r->progress(r->ctx, (unsigned)((rd->step * PERMILLE + part) / rd->steps));
}

static void keep_why(struct rewrite *r, const struct store *s, int err)
{
    if (!*r->why)
        snprintf(r->why, sizeof r->why, "%s", s && *store_why(s) ? store_why(s) : err_text(err));
}

static int read_log(struct reading *rd, unsigned core)
{
    struct rewrite *r = rd->w->r;
    struct disk *disk = disk_new_inline(r->dir->io);
    const struct store_options o = {.io = r->dir->io,
                                    .disk = disk,
                                    .dir = r->dir,
                                    .core = core,
                                    .generation = r->dir->generation,
                                    .clock = r->clock,
                                    .salvage = r->salvage,
                                    .read_only = true,
                                    .read_all = rd->record == read_body};
    struct store *s = disk ? store_new(&o) : NULL;
    const struct store_replay replay = {
        .ctx = rd, .record = on_record, .found = on_found, .progress = on_progress};
    int err = s ? store_recover(s, &replay) : -ERR_NOMEM;
    if (err < 0) keep_why(r, s, err);
    store_close(&s);
    disk_free(&disk);
    return err;
}

static int read_all(struct rewriting *w, bool bodies)
{
    int err = 0;
    for (unsigned i = 0; i < w->nold && err == 0; i++) {
        struct reading rd = {.w = w,
                             .old = &w->old[i],
                             .step = i + (bodies ? w->nold : 0),
                             .steps = 2 * w->nold,
                             .record = bodies ? read_body : read_into_image};
        if (bodies && rd.old->nby_body == 0) continue;
        err = read_log(&rd, i);
    }
    return err;
}

/* ---- the new logs --------------------------------------------------------------------------- */

static int ignore(void *ctx, const struct store_record *s)
{
    (void)ctx;
    (void)s;
    return 0;
}

static int open_new(struct rewriting *w, unsigned core)
{
    struct rewrite *r = w->r;
    struct rewrite_new *n = &w->new[core];
    n->disk = disk_new_inline(r->dir->io);
    const struct store_options o = {.io = r->dir->io,
                                    .disk = n->disk,
                                    .dir = r->dir,
                                    .core = core,
                                    .generation = r->generation,
                                    .clock = r->clock,
                                    .segment_bytes = r->segment_bytes,
                                    .disk_bytes_max = r->disk_bytes_max};
    if (n->disk) n->store = store_new(&o);
    int err =
        n->store ? store_recover(n->store, &(struct store_replay){.record = ignore}) : -ERR_NOMEM;
    if (err < 0)
        keep_why(r, n->store, err);
    else
        store_start(n->store);
    return err;
}

/* On disk, or it does not count. */
static int close_new(struct rewriting *w, int err)
{
    for (unsigned i = 0; i < w->r->cores; i++) {
        struct rewrite_new *n = &w->new[i];
        int closed = n->store ? store_close(&n->store) : 0;
        disk_free(&n->disk);
        if (err == 0) err = closed;
    }
    return err;
}

/* ---- all ------------------------------------------------------------------------------------- */

static int rewrite(struct rewriting *w)
{
    int err = read_all(w, false);
    for (unsigned i = 0; i < w->nold && err == 0; i++)
        err = image_finish(&w->old[i].image);
    if (err == 0) err = rewrite_doubts(w);
    for (unsigned i = 0; i < w->r->cores && err == 0; i++)
        err = open_new(w, i);
    for (unsigned i = 0; i < w->nold && err == 0; i++)
        err = rewrite_place(w, &w->old[i]);
    if (err == 0) err = read_all(w, true);
    for (unsigned i = 0; i < w->nold && err == 0; i++)
        w->found->lost += w->old[i].nby_body - w->old[i].nplaced;
    return close_new(w, err);
}

int journal_rewrite(struct rewrite *r, struct rewrite_found *found)
{
    struct rewriting w = {.r = r, .found = found, .nold = r->dir->cores};
    int err = -ERR_NOMEM;

    *found = (struct rewrite_found){.sessions = 0};
    *r->why = '\0';
    w.old = calloc(w.nold, sizeof *w.old);
    w.new = calloc(r->cores, sizeof *w.new);
    for (unsigned i = 0; w.old && i < w.nold; i++)
        image_init(&w.old[i].image, r->seed);
    if (w.old && w.new) err = rewrite(&w);
    rewrite_known_fini(&w);
    for (unsigned i = 0; w.old && i < w.nold; i++) {
        image_fini(&w.old[i].image);
        free(w.old[i].by_body);
    }
    free(w.old);
    free(w.new);
    if (err < 0) keep_why(r, NULL, err);
    return err;
}
