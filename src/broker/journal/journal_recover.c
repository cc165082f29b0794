/* SPDX-License-Identifier: BSD-3-Clause */
/* journal_recover.c -- what a restart finds: the log is read into an image, the image goes to the
 * broker, and the log is open for what comes next. */
#include "broker/journal/journal_internal.h"
#include "broker/journal/restore.h"

struct recovery {
    struct image image;
    const struct store_replay *watch; /* may be NULL */
};

static int on_record(void *ctx, const struct store_record *r)
{
    struct recovery *rc = ctx;
    return image_apply(&rc->image, r);
}

static void on_found(void *ctx, const struct store_finding *f)
{
    const struct recovery *rc = ctx;
    if (rc->watch && rc->watch->found) rc->watch->found(rc->watch->ctx, f);
}

static void on_progress(void *ctx, uint64_t done_bytes, uint64_t all_bytes)
{
    const struct recovery *rc = ctx;
    if (rc->watch && rc->watch->progress)
        rc->watch->progress(rc->watch->ctx, done_bytes, all_bytes);
}

int journal_recover(struct journal *j, struct store *s, const struct store_replay *watch,
                    struct journal_found *found)
{
    struct recovery rc = {.watch = watch};
    const struct store_replay replay = {
        .ctx = &rc, .record = on_record, .found = on_found, .progress = on_progress};

    *found = (struct journal_found){.sessions = 0};
    image_init(&rc.image, j->broker->seed);
    int err = store_recover(s, &replay);
    if (err == 0) err = image_finish(&rc.image);
    if (err == 0) err = journal_restore(j, s, &rc.image, found);
    if (err < 0) {
        j->failed = true; /* nothing of what there is now is to be written */
    } else {
        store_start(s);
        j->store = s;
        for (uint32_t i = 0; i < rc.image.unfinished.n; i++)
            journal_put_done(j, &rc.image.unfinished.entry[i]);
    }
    image_fini(&rc.image);
    return err;
}
