/* SPDX-License-Identifier: BSD-3-Clause */
/* disk_uring_linux.c -- see disk_uring.h. A completion carries the address of its operation; that
 * of a sync has the lowest bit set; that of an introduction is 0. */
#include <errno.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "store/disk_uring.h"

enum { ENTRIES = 128, WORKERS = 2, IS_SYNC = 1 };

struct disk_uring {
    struct disk disk;
    struct io_uring ring;
    unsigned in_ring;     /* completions that are still to come */
    struct disk *helpers; /* for what is no commit and no read */
    unsigned workers;
    struct cpu_set cpus;
    bool has_cpus, set_up;
};

/* To the kernel a thread has workers, and CPUs for them, once it has submitted something. */
static void introduce_thread(struct disk_uring *x)
{
    struct io_uring_sqe *nothing = io_uring_get_sqe(&x->ring);
    io_uring_prep_nop(nothing);
    io_uring_sqe_set_data64(nothing, 0);
    x->in_ring++;
    io_uring_submit(&x->ring); /* or it goes with what comes next */
}

/* The kernel keeps these per thread, so the core's own thread must ask, not the one that starts it.
 * Best effort: without them it works, less quietly. */
static void limit_workers(struct disk_uring *x)
{
    unsigned workers[2] = {x->workers, x->workers}; /* for files; for all else */
    cpu_set_t mask[CPU_MAX / CPU_SETSIZE + 1];

    x->set_up = true;
    introduce_thread(x);
    io_uring_register_iowq_max_workers(&x->ring, workers);
    if (!x->has_cpus) return;
    memset(mask, 0, sizeof mask);
    for (unsigned cpu = 0; cpu < CPU_MAX; cpu++)
        if (cpu_set_has(&x->cpus, cpu)) CPU_SET_S(cpu, sizeof mask, mask);
    io_uring_register_iowq_aff(&x->ring, sizeof mask, mask);
}

/* What the kernel can't take now stays in the ring and goes with the next call. */
static void enter(struct disk_uring *x)
{
    if (io_uring_sq_ready(&x->ring) == 0) return;
    int n = io_uring_submit(&x->ring);
    ASSERT(n >= 0 || n == -EAGAIN || n == -EBUSY || n == -EINTR || n == -ENOMEM);
}

static void add_commit(struct disk_uring *x, struct disk_op *op)
{
    struct io_uring_sqe *write = io_uring_get_sqe(&x->ring), *sync = io_uring_get_sqe(&x->ring);
    io_uring_prep_write(write, op->fd, op->buf, (unsigned)op->n, op->offset);
    io_uring_sqe_set_flags(write, IOSQE_IO_LINK);
    io_uring_sqe_set_data64(write, (uint64_t)(uintptr_t)op);
    io_uring_prep_fsync(sync, op->fd, IORING_FSYNC_DATASYNC);
    io_uring_sqe_set_data64(sync, (uint64_t)(uintptr_t)op | IS_SYNC);
    op->answers_due = 2;
}

static void add_read(struct disk_uring *x, struct disk_op *op)
{
    struct io_uring_sqe *read = io_uring_get_sqe(&x->ring);
    io_uring_prep_read(read, op->fd, op->buf, (unsigned)op->n, op->offset);
    io_uring_sqe_set_data64(read, (uint64_t)(uintptr_t)op);
    op->answers_due = 1;
}

static int submit(struct disk *d, struct disk_op *op)
{
    struct disk_uring *x = (struct disk_uring *)d;
    if (!x->set_up) limit_workers(x);
    if (op->kind == DISK_CALL || op->was_short) return x->helpers->ops->submit(x->helpers, op);
    /* Never more than the completion queue holds. */
    if (io_uring_sq_space_left(&x->ring) < 2 || x->in_ring + 2 > ENTRIES) return -ERR_FULL;
    op->result = 0;
    if (op->kind == DISK_COMMIT)
        add_commit(x, op);
    else
        add_read(x, op);
    x->in_ring += op->answers_due;
    return 0;
}

static void flush(struct disk *d)
{
    enter((struct disk_uring *)d);
}

/* The first reason is the one that tells. That a sync was cancelled tells only that the write
 * before it failed, or was short. */
static void fail(struct disk_op *op, int64_t result, const char *what)
{
    if (op->result < 0 && op->result != -ECANCELED) return;
    op->result = result;
    op->failed = what;
}

static void on_completion(struct disk_op *op, bool is_sync, int result)
{
    if (result < 0)
        fail(op, result, is_sync ? "sync" : op->kind == DISK_READ ? "read" : "write");
    else if (!is_sync && op->kind == DISK_COMMIT && (size_t)result < op->n)
        fail(op, -EIO, "short write");
    else if (!is_sync && op->result >= 0)
        op->result = result;
}

/* A read may give less than the whole in the middle of a file: then a helper reads it all, however
 * long it takes till one can. What is short after that is the file. */
static void finish(struct disk_op *op)
{
    op->was_short = op->kind == DISK_READ && op->result >= 0 && (size_t)op->result < op->n;
    if (op->was_short)
        disk_again(op);
    else
        disk_done(op);
}

static unsigned reap(struct disk_uring *x)
{
    struct io_uring_cqe *cqe;
    unsigned n = 0;

    while (io_uring_peek_cqe(&x->ring, &cqe) == 0) {
        uint64_t tag = io_uring_cqe_get_data64(cqe);
        struct disk_op *op = (struct disk_op *)(uintptr_t)(tag & ~(uint64_t)IS_SYNC);
        int result = cqe->res;
        io_uring_cqe_seen(&x->ring, cqe);
        x->in_ring--;
        if (!op) continue;
        on_completion(op, tag & IS_SYNC, result);
        if (--op->answers_due > 0) continue;
        finish(op);
        n++;
    }
    return n;
}

static unsigned poll_ring(struct disk *d, bool wait)
{
    struct disk_uring *x = (struct disk_uring *)d;
    unsigned n = reap(x) + x->helpers->ops->poll(x->helpers, wait && x->in_ring == 0);
    if (n || !wait || x->in_ring == 0) return n;
    io_uring_submit_and_wait(&x->ring, 1);
    return reap(x);
}

static int ring_fd(struct disk *d)
{
    return ((struct disk_uring *)d)->ring.ring_fd;
}

static void free_ring(struct disk *d)
{
    struct disk_uring *x = (struct disk_uring *)d;
    io_uring_queue_exit(&x->ring);
    disk_free(&x->helpers);
    free(x);
}

static int open_ring(struct disk_uring *x, char why[DISK_URING_WHY])
{
    int err = io_uring_queue_init(ENTRIES, &x->ring, 0);
    if (err < 0) {
        snprintf(why, DISK_URING_WHY, "io_uring is refused here: %s", strerror(-err));
        return err;
    }
    struct io_uring_probe *probe = io_uring_get_probe_ring(&x->ring);
    bool able = probe && io_uring_opcode_supported(probe, IORING_OP_WRITE) &&
                io_uring_opcode_supported(probe, IORING_OP_READ) &&
                io_uring_opcode_supported(probe, IORING_OP_FSYNC);
    io_uring_free_probe(probe);
    if (able) return 0;
    snprintf(why, DISK_URING_WHY, "the io_uring of this kernel is too old");
    io_uring_queue_exit(&x->ring);
    return -ENOSYS;
}

struct disk *disk_new_uring(const struct disk_uring_options *o, char why[DISK_URING_WHY])
{
    static const struct disk_ops ops = {.name = "io_uring",
                                        .submit = submit,
                                        .flush = flush,
                                        .poll = poll_ring,
                                        .fd = ring_fd,
                                        .free = free_ring};
    struct disk_uring *x = calloc(1, sizeof *x);

    snprintf(why, DISK_URING_WHY, "out of memory");
    if (!x) return NULL;
    disk_init(&x->disk, &ops, o->io);
    x->workers = o->workers ? o->workers : WORKERS;
    x->has_cpus = o->cpus;
    if (o->cpus) x->cpus = *o->cpus;
    x->helpers = disk_new_helpers(o->io, o->helpers, o->core);
    if (!x->helpers || open_ring(x, why) < 0) {
        disk_free(&x->helpers);
        free(x);
        return NULL;
    }
    why[0] = '\0';
    return &x->disk;
}
