/* SPDX-License-Identifier: BSD-3-Clause */
#include "slow_disk.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/err.h"
#include "client.h"
#include "machine.h"

enum { ENTRIES = 128, QUICK_NS = 300000, SLOW_NS = 20000000 };

struct entry {
    struct disk_op *op;
    uint64_t due_ns;
    bool worked; /* done already; only nobody was told */
};

struct slow_disk {
    struct disk disk;
    unsigned n, room; /* room: a small one is full now and then */
    struct entry at[ENTRIES];
};

static int submit(struct disk *d, struct disk_op *op)
{
    struct slow_disk *x = (struct slow_disk *)d;
    if (x->n == x->room) return -ERR_FULL;
    uint64_t takes = any_below(once_in(20) ? SLOW_NS : QUICK_NS);
    x->at[x->n++] = (struct entry){.op = op, .due_ns = machine()->now_ns + takes};
    return 0;
}

static bool is_due(const struct entry *e)
{
    return machine()->calm || e->due_ns <= machine()->now_ns;
}

/* Only what was there before: what `done` submits is for the next look. */
static unsigned look(struct disk *d, bool wait)
{
    struct slow_disk *x = (struct slow_disk *)d;
    struct entry due[ENTRIES];
    unsigned n = 0, left = 0;

    for (unsigned i = 0; i < x->n; i++) {
        if (wait || is_due(&x->at[i]))
            due[n++] = x->at[i];
        else
            x->at[left++] = x->at[i];
    }
    x->n = left;
    for (unsigned i = n; i > 0; i--) {
        struct entry *e = &due[any_below(i)];
        struct entry now = *e;
        *e = due[i - 1];
        if (!now.worked) disk_work(now.op);
        disk_done(now.op);
    }
    return n;
}

static int no_fd(struct disk *d)
{
    (void)d;
    return -1;
}

static void free_slow(struct disk *d)
{
    free(d);
}

struct disk *slow_disk_new(const struct store_io *io)
{
    static const struct disk_ops ops = {
        .name = "simulated", .submit = submit, .poll = look, .fd = no_fd, .free = free_slow};
    struct slow_disk *x = calloc(1, sizeof *x);
    if (!x) return NULL;
    disk_init(&x->disk, &ops, io);
    x->room = once_in(2) ? ENTRIES : 2 + any_below(6);
    return &x->disk;
}

uint64_t slow_disk_due_ns(const struct disk *d)
{
    const struct slow_disk *x = (const struct slow_disk *)d;
    uint64_t first = UINT64_MAX;
    for (unsigned i = 0; i < x->n; i++)
        if (x->at[i].due_ns < first) first = x->at[i].due_ns;
    return machine()->calm && x->n ? machine()->now_ns : first;
}

void slow_disk_stop(struct disk *d)
{
    struct slow_disk *x = (struct slow_disk *)d;
    for (unsigned i = 0; i < x->n; i++) {
        if (once_in(2)) continue;
        disk_work(x->at[i].op);
        x->at[i].worked = true;
    }
}
