/* SPDX-License-Identifier: BSD-3-Clause */
/* recover_file.c -- the files of a log, as a restart finds them. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/recover.h"

/* Kept in order: a directory lists in any. */
bool seq_add(struct seq_list *l, uint32_t seq)
{
    if (l->n == l->room) {
        unsigned room = l->room ? 2 * l->room : 64;
        uint32_t *more = realloc(l->seq, room * sizeof *more);
        if (!more) return false;
        l->seq = more;
        l->room = room;
    }
    unsigned at = l->n++;
    for (; at > 0 && l->seq[at - 1] > seq; at--)
        l->seq[at] = l->seq[at - 1];
    l->seq[at] = seq;
    return true;
}

bool seq_has(const struct seq_list *l, uint32_t seq)
{
    unsigned from = 0, to = l->n;
    while (from < to) {
        unsigned middle = from + (to - from) / 2;
        if (l->seq[middle] == seq) return true;
        if (l->seq[middle] < seq)
            from = middle + 1;
        else
            to = middle;
    }
    return false;
}

void recover_progress(struct recovery *rc, uint64_t bytes)
{
    rc->done_bytes += bytes;
    if (rc->replay->progress) rc->replay->progress(rc->replay->ctx, rc->done_bytes, rc->all_bytes);
}

int recover_tell(struct recovery *rc, enum store_finding_kind kind, struct span at,
                 const char *format, ...)
{
    struct store_finding f = {
        .kind = kind, .harmless = kind == FOUND_TORN, .offset = at.offset, .bytes = at.bytes};
    va_list args;
    int used = snprintf(f.text, sizeof f.text, "core %u, %s: ", rc->s->o.core, rc->file);

    snprintf(f.file, sizeof f.file, "%s", rc->file);
    va_start(args, format);
    vsnprintf(f.text + used, sizeof f.text - (size_t)used, format, args);
    va_end(args);
    if (rc->replay->found) rc->replay->found(rc->replay->ctx, &f);
    if (f.harmless) return 0;
    rc->damaged = true;
    if (rc->s->o.salvage) return 0;
    snprintf(rc->s->why, sizeof rc->s->why, "%s", f.text);
    return -ERR_CORRUPT;
}

struct listing {
    struct recovery *rc;
    struct seq_list stale; /* snapshots that have a successor */
    bool no_memory;
};

static void on_name(void *ctx, const char *name)
{
    struct listing *l = ctx;
    enum segment_kind kind;
    uint32_t seq;

    if (!segment_name_read(name, &kind, &seq)) return;
    if (kind == SEGMENT_LOG) {
        if (!seq_add(&l->rc->logs, seq)) l->no_memory = true;
        return;
    }
    uint32_t older = seq < l->rc->snapshot ? seq : l->rc->snapshot;
    if (seq > l->rc->snapshot) l->rc->snapshot = seq;
    if (older && !seq_add(&l->stale, older)) l->no_memory = true;
}

/* What an interrupted run left unfinished. If it can't be removed it does no harm. */
static void remove_leftovers(struct recovery *rc, const struct seq_list *stale)
{
    const struct store_io *io = rc->s->o.io;
    char name[SEGMENT_NAME];

    io->unlink(io->ctx, rc->s->dir, "prepare.tmp");
    io->unlink(io->ctx, rc->s->dir, "snapshot.tmp");
    for (unsigned i = 0; i < stale->n; i++)
        io->unlink(io->ctx, rc->s->dir, segment_name(name, SEGMENT_SNAPSHOT, stale->seq[i]));
}

int recover_list(struct recovery *rc)
{
    struct listing l = {.rc = rc};
    const struct store_io *io = rc->s->o.io;
    int err = io->list(io->ctx, rc->s->dir, on_name, &l);

    if (err == 0 && !l.no_memory && !rc->s->o.read_only) remove_leftovers(rc, &l.stale);
    free(l.stale.seq);
    if (l.no_memory) return -ERR_NOMEM;
    if (err == 0) return 0;
    snprintf(rc->s->why, sizeof rc->s->why, "core %u: its log can't be listed: %s", rc->s->o.core,
             strerror(-err));
    return -err_from_errno(-err);
}

static int unreadable(struct recovery *rc, int64_t result, const char *what)
{
    rc->unreadable = true;
    return recover_tell(rc, FOUND_UNREADABLE, (struct span){0, 0},
                        "%s failed: %s; look at the disk, then start again, or start with salvage "
                        "to go on without this file",
                        what, strerror((int)-result));
}

/* What is in memory and not on the disk must not be taken for durable: first to the disk with it,
 * then read what the disk has. */
static int64_t read_durable(struct recovery *rc, int fd, const char **what)
{
    const struct store_io *io = rc->s->o.io;
    int64_t size = io->size(io->ctx, fd);
    *what = "reading";
    if (size < 0) return size;
    if (size > STORE_SEGMENT_MAX * 32ll) return -EFBIG;
    if ((size_t)size > rc->room) {
        uint8_t *more = realloc(rc->buf, (size_t)size);
        if (!more) return -ENOMEM;
        rc->buf = more;
        rc->room = (size_t)size;
    }
    if (!rc->s->o.read_only) {
        *what = "syncing";
        int err = io->sync(io->ctx, fd);
        if (err < 0) return err;
        io->forget(io->ctx, fd);
        *what = "reading";
    }
    return io_read_all(io, fd, rc->buf, (size_t)size, 0);
}

static int check_head(struct recovery *rc, enum segment_kind kind, uint32_t seq, int64_t size)
{
    struct segment_head h = {.capacity = 0};
    int err = segment_head_read(bytes_of(rc->buf, rc->n), rc->s->log_id, &h);

    if (err == -ERR_UNSUPPORTED) {
        snprintf(rc->s->why, sizeof rc->s->why,
                 "core %u, %s: written by another version of the format; start the version that "
                 "wrote it",
                 rc->s->o.core, rc->file);
        return err;
    }
    if (err < 0 || h.kind != kind || h.seq != seq)
        return recover_tell(
            rc, FOUND_BAD_HEADER, (struct span){0, SEGMENT_HEAD},
            "its header is damaged, or it is a file of another log; its records are "
            "checked one by one. Restore it from a backup, or start with salvage");
    if (kind == SEGMENT_LOG && size < (int64_t)h.capacity)
        return recover_tell(rc, FOUND_TRUNCATED,
                            (struct span){(uint64_t)size, h.capacity - (uint64_t)size},
                            "truncated: it has %" PRId64 " of %" PRIu32
                            " bytes; restore it from a backup, or start with salvage to keep what "
                            "is left",
                            size, h.capacity);
    return 0;
}

int recover_load(struct recovery *rc, enum segment_kind kind, uint32_t seq, int *fd)
{
    struct store *s = rc->s;
    const struct store_io *io = s->o.io;
    const char *what = "opening";

    rc->n = 0;
    segment_name(rc->file, kind, seq);
    *fd = io->open(io->ctx, s->dir, rc->file, s->o.read_only ? IO_READ : IO_WRITE);
    if (*fd == -ENOENT) return -ERR_ABSENT;
    int64_t size = *fd < 0 ? *fd : read_durable(rc, *fd, &what);
    if (size == -ENOMEM) return -ERR_NOMEM;
    if (size < 0) return unreadable(rc, size, what);
    rc->n = (size_t)size;
    return check_head(rc, kind, seq, size);
}
