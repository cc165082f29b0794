/* SPDX-License-Identifier: BSD-3-Clause */
/* disk.c -- what all disks share, and the one that does its work inline. */
#include "store/disk.h"

#include <errno.h>
#include <stdlib.h>

#include "base/assert.h"

void disk_init(struct disk *d, const struct disk_ops *ops, const struct store_io *io)
{
    *d = (struct disk){.ops = ops, .io = io};
    d->last = &d->waiting;
}

void disk_free(struct disk **dp)
{
    struct disk *d = *dp;
    if (!d) return;
    disk_drain(d);
    d->ops->free(d);
    *dp = NULL;
}

static void work_commit(struct disk_op *op, const struct store_io *io)
{
    op->failed = "write";
    op->result = io->pwrite(io->ctx, op->fd, op->buf, op->n, op->offset);
    if (op->result < 0) return;
    if ((size_t)op->result < op->n) {
        op->failed = "short write";
        op->result = -EIO;
        return;
    }
    int synced = io->sync(io->ctx, op->fd);
    if (synced < 0) {
        op->failed = "sync";
        op->result = synced;
    }
}

void disk_work(struct disk_op *op)
{
    const struct store_io *io = op->disk->io;
    switch (op->kind) {
    case DISK_COMMIT: work_commit(op, io); break;
    case DISK_READ:
        op->failed = "read";
        op->result = io_read_all(io, op->fd, op->buf, op->n, op->offset);
        break;
    case DISK_CALL: op->result = op->call(op, io); break;
    }
}

void disk_done(struct disk_op *op)
{
    ASSERT(op->disk->under_way > 0);
    op->disk->under_way--;
    op->done(op);
}

static void keep_waiting(struct disk *d, struct disk_op *op)
{
    op->next = NULL;
    *d->last = op;
    d->last = &op->next;
}

void disk_submit(struct disk *d, struct disk_op *op)
{
    op->disk = d;
    d->under_way++;
    if (d->ops->submit(d, op) < 0) keep_waiting(d, op);
}

void disk_again(struct disk_op *op)
{
    struct disk *d = op->disk;
    if (d->ops->submit(d, op) < 0) keep_waiting(d, op);
}

void disk_flush(struct disk *d)
{
    if (d->ops->flush) d->ops->flush(d);
}

/* All are tried: what waits for a helper does not keep back what waits for the ring. */
static void submit_waiting(struct disk *d)
{
    struct disk_op *op = d->waiting;
    d->waiting = NULL;
    d->last = &d->waiting;
    while (op) {
        struct disk_op *next = op->next; /* the disk may use it for a list of its own */
        if (d->ops->submit(d, op) < 0) keep_waiting(d, op);
        op = next;
    }
}

unsigned disk_poll(struct disk *d)
{
    unsigned n = d->ops->poll(d, false);
    submit_waiting(d);
    disk_flush(d);
    return n;
}

void disk_drain(struct disk *d)
{
    while (d->under_way) {
        disk_flush(d);
        d->ops->poll(d, true);
        submit_waiting(d);
    }
}

/* ---- inline ------------------------------------------------------------------ */

struct disk_inline {
    struct disk disk;
    struct disk_op *first, **last;
};

static int inline_submit(struct disk *d, struct disk_op *op)
{
    struct disk_inline *x = (struct disk_inline *)d;
    op->next = NULL;
    *x->last = op;
    x->last = &op->next;
    return 0;
}

/* Only what was there before: what `done` submits is for the next poll, as with a real disk. */
static unsigned inline_poll(struct disk *d, bool wait)
{
    struct disk_inline *x = (struct disk_inline *)d;
    struct disk_op *op = x->first;
    unsigned n = 0;

    (void)wait;
    x->first = NULL;
    x->last = &x->first;
    for (; op; n++) {
        struct disk_op *next = op->next;
        disk_work(op);
        disk_done(op);
        op = next;
    }
    return n;
}

static int inline_fd(struct disk *d)
{
    (void)d;
    return -1;
}

static void inline_free(struct disk *d)
{
    free(d);
}

struct disk *disk_new_inline(const struct store_io *io)
{
    static const struct disk_ops ops = {.name = "inline",
                                        .submit = inline_submit,
                                        .poll = inline_poll,
                                        .fd = inline_fd,
                                        .free = inline_free};
    struct disk_inline *x = calloc(1, sizeof *x);
    if (!x) return NULL;
    disk_init(&x->disk, &ops, io);
    x->last = &x->first;
    return &x->disk;
}
