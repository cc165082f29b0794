/* SPDX-License-Identifier: BSD-3-Clause */
/* disk.h -- work for the disk that a core gives away and hears of in a later turn.
 *
 * Three ways to do it, chosen at start-up: io_uring (disk_uring.h), the helper threads, where
 * io_uring is refused, and "inline", which does it within disk_poll(), for tests and tools. With
 * io_uring only commits and reads go through the ring; the rest, which is rare and slow, goes to
 * the helpers.
 *
 * Owner: one core. The operation is the caller's, must stay where it is until `done`, and may be
 * given again from there. */
#pragma once

#include "core/helper.h"
#include "store/io.h"

enum disk_kind {
    DISK_COMMIT, /* write all of it, then sync; nothing is tried twice */
    DISK_READ,   /* all of it; less only at the end of the file */
    DISK_CALL,   /* anything, off the core: op->call */
};

struct disk;

struct disk_op {
    enum disk_kind kind;
    int fd;
    uint64_t offset;
    uint8_t *buf; /* borrows, till `done`; a commit only reads it */
    size_t n;
    int64_t (*call)(struct disk_op *op, const struct store_io *io);
    void (*done)(struct disk_op *op); /* on the core, within disk_poll */

    /* The outcome: bytes (commit: n), or what `call` gave, or a negated errno, and what failed. */
    int64_t result;
    const char *failed; /* "write", "short write", "sync", "read" */

    /* The disk's own. */
    struct disk *disk;
    struct disk_op *next;
    struct helper_job job;
    uint8_t answers_due;
    bool was_short; /* a read that gave less than the whole: for a helper */
};

struct disk_ops {
    const char *name;                                  /* for the banner */
    int (*submit)(struct disk *d, struct disk_op *op); /* 0; -ERR_FULL: later */
    void (*flush)(struct disk *d);                     /* may be NULL: nothing is held back */
    unsigned (*poll)(struct disk *d, bool wait);       /* hands finished ones to disk_done() */
    int (*fd)(struct disk *d); /* readable when poll has work; -1: rings the bell */
    void (*free)(struct disk *d);
};

/* Embedded first in each kind. */
struct disk {
    const struct disk_ops *ops;
    const struct store_io *io;
    struct disk_op *waiting, **last; /* not yet taken by ops->submit */
    unsigned under_way;              /* submitted, not done */
};

/* NULL when memory runs out. `io` is borrowed. */
struct disk *disk_new_inline(const struct store_io *io);
struct disk *disk_new_helpers(const struct store_io *io, struct helpers *h, unsigned core);

/* Waits for what is under way first. */
void disk_free(struct disk **d);

/* May be held back till disk_flush(), so that several go with one call. */
void disk_submit(struct disk *d, struct disk_op *op);
void disk_flush(struct disk *d);

/* Calls `done` of what has finished. Returns how many. */
unsigned disk_poll(struct disk *d);

/* The same till nothing is under way: at the end, and in tests. */
void disk_drain(struct disk *d);

/* For the kinds of disks. */
void disk_init(struct disk *d, const struct disk_ops *ops, const struct store_io *io);
void disk_work(struct disk_op *op); /* does it here and now, as a helper does */
void disk_done(struct disk_op *op);
void disk_again(struct disk_op *op); /* submits it once more; it is not done */
