/* SPDX-License-Identifier: BSD-3-Clause */
/* disk_helpers.c -- a disk whose work helper threads do. Jobs of one core may overtake each
 * other; a store has one commit under way at most, so nothing depends on their order. */
#include <sched.h>
#include <stdlib.h>

#include "base/assert.h"
#include "store/disk.h"

struct disk_helpers {
    struct disk disk;
    struct helpers *helpers;
    unsigned core;
};

static void work(struct helper_job *j)
{
    disk_work(CONTAINER_OF(j, struct disk_op, job));
}

static void done(struct helper_job *j)
{
    disk_done(CONTAINER_OF(j, struct disk_op, job));
}

static int submit(struct disk *d, struct disk_op *op)
{
    struct disk_helpers *x = (struct disk_helpers *)d;
    op->job = (struct helper_job){.work = work, .done = done};
    return helper_submit(x->helpers, x->core, &op->job);
}

static unsigned poll_helpers(struct disk *d, bool wait)
{
    struct disk_helpers *x = (struct disk_helpers *)d;
    unsigned n = helper_take(x->helpers, x->core);
    if (n == 0 && wait) sched_yield();
    return n;
}

static int no_fd(struct disk *d)
{
    (void)d;
    return -1;
}

static void free_helpers(struct disk *d)
{
    free(d);
}

struct disk *disk_new_helpers(const struct store_io *io, struct helpers *h, unsigned core)
{
    static const struct disk_ops ops = {.name = "helper threads",
                                        .submit = submit,
                                        .poll = poll_helpers,
                                        .fd = no_fd,
                                        .free = free_helpers};
    struct disk_helpers *x = calloc(1, sizeof *x);
    if (!x) return NULL;
    disk_init(&x->disk, &ops, io);
    x->helpers = h;
    x->core = core;
    return &x->disk;
}
