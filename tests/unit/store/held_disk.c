/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit/store/held_disk.h"

#include <stdlib.h>

struct disk_held {
    struct disk disk;
    const struct held_kinds *held;
    struct disk_op *first;
};

static bool is_held(const struct held_kinds *held, enum disk_kind kind)
{
    switch (kind) {
    case DISK_COMMIT: return held->commits;
    case DISK_READ: return held->reads;
    case DISK_CALL: return held->calls;
    }
    return false;
}

static int submit(struct disk *d, struct disk_op *op)
{
    struct disk_held *x = (struct disk_held *)d;
    struct disk_op **end = &x->first;
    while (*end)
        end = &(*end)->next;
    op->next = NULL;
    *end = op;
    return 0;
}

static unsigned poll_held(struct disk *d, bool wait)
{
    struct disk_held *x = (struct disk_held *)d;
    struct disk_op *op = x->first;
    unsigned n = 0;

    x->first = NULL;
    while (op) {
        struct disk_op *next = op->next;
        if (!wait && is_held(x->held, op->kind)) {
            submit(d, op);
        } else {
            disk_work(op);
            disk_done(op);
            n++;
        }
        op = next;
    }
    return n;
}

static int no_fd(struct disk *d)
{
    (void)d;
    return -1;
}

static void free_held(struct disk *d)
{
    free(d);
}

struct disk *disk_new_held(const struct store_io *io, const struct held_kinds *held)
{
    static const struct disk_ops ops = {
        .name = "held", .submit = submit, .poll = poll_held, .fd = no_fd, .free = free_held};
    struct disk_held *x = calloc(1, sizeof *x);
    if (!x) return NULL;
    disk_init(&x->disk, &ops, io);
    x->held = held;
    return &x->disk;
}
