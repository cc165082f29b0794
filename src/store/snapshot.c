/* SPDX-License-Identifier: BSD-3-Clause */
/* snapshot.c -- the state in a file of its own, so that replay need not begin at the beginning.
 *
 * The owner puts a little in each turn while the core goes on and the log grows. So the snapshot
 * shows no single moment; but replay starts at the position where it was begun, and what changed in
 * between comes again. It counts once it is complete, synced and renamed, and not before the log is
 * on disk as far as the snapshot refers to it. A snapshot that fails is dropped, and begun again
 * later. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/bytes64.h"
#include "store/store_internal.h"

enum { RETRY_S = 10, SHIFT = 3 }; /* positions in a snapshot count units of 8 bytes */

#define SNAPSHOT_BYTES_MAX ((uint64_t)UINT32_MAX << SHIFT)

static const char temporary[] = "snapshot.tmp";

/* ---- on a helper ----------------------------------------------------------------------- */

static int64_t write_call(struct disk_op *op, const struct store_io *io)
{
    struct snapshot *t = CONTAINER_OF(op, struct snapshot, op);
    if (t->fd < 0) {
        int err = io->unlink(io->ctx, t->dir, temporary);
        if (err < 0 && err != -ENOENT) return err;
        t->fd = io->open(io->ctx, t->dir, temporary, IO_CREATE);
        if (t->fd < 0) return t->fd;
    }
    int64_t done = io->pwrite(io->ctx, t->fd, t->out, t->nout, t->written);
    if (done < 0) return done;
    if ((size_t)done < t->nout) return -ENOSPC;
    t->written += t->nout;
    return io->sync(io->ctx, t->fd);
}

static int64_t rename_call(struct disk_op *op, const struct store_io *io)
{
    struct snapshot *t = CONTAINER_OF(op, struct snapshot, op);
    char name[SEGMENT_NAME];
    int err = io->rename(io->ctx, t->dir, temporary, segment_name(name, SEGMENT_SNAPSHOT, t->seq));
    return err < 0 ? err : io->sync(io->ctx, t->dir);
}

/* ---- on the core ----------------------------------------------------------------------- */

static void close_file(struct store *s)
{
    if (s->snapshot.fd >= 0) s->o.io->close(s->o.io->ctx, s->snapshot.fd);
    s->snapshot.fd = -1;
}

static void drop(struct store *s)
{
    struct snapshot *t = &s->snapshot;
    close_file(s);
    t->active = false;
    t->wanted = true;
    t->retry_ns = s->o.clock->now_ns + RETRY_S * NS_PER_S;
    s->stats.snapshots_failed++;
}

static void on_written(struct disk_op *op)
{
    struct store *s = CONTAINER_OF(op, struct store, snapshot.op);
    s->snapshot.writing = false;
    if (op->result < 0) drop(s);
}

static void on_renamed(struct disk_op *op)
{
    struct store *s = CONTAINER_OF(op, struct store, snapshot.op);
    struct snapshot *t = &s->snapshot;
    char name[SEGMENT_NAME];

    t->writing = false;
    if (op->result < 0) { /* whether it counts is not known: nothing may be freed for it */
        drop(s);
        return;
    }
    close_file(s);
    if (t->current && !s->removal.under_way)
        remove_file(s, segment_name(name, SEGMENT_SNAPSHOT, t->current), -1);
    t->active = false;
    t->current = t->seq;
    t->current_base = t->base;
    t->current_bytes = t->written;
    s->stats.snapshots++;
    s->reclaim_due = true;
}

static void submit(struct store *s, int64_t (*call)(struct disk_op *, const struct store_io *),
                   void (*done)(struct disk_op *))
{
    s->snapshot.writing = true;
    s->snapshot.op = (struct disk_op){.kind = DISK_CALL, .call = call, .done = done};
    disk_submit(s->o.disk, &s->snapshot.op);
}

static void write_chunk(struct store *s)
{
    struct snapshot *t = &s->snapshot;
    uint8_t *out = t->out;
    size_t room = t->out_room;

    t->out = t->buf;
    t->out_room = t->room;
    t->nout = t->n;
    t->buf = out;
    t->room = room;
    t->n = 0;
    submit(s, write_call, on_written);
}

static bool make_room(struct snapshot *t, size_t bytes)
{
    size_t room = t->room ? t->room : SNAPSHOT_CHUNK + SNAPSHOT_STEP;
    while (room < t->n + bytes)
        room *= 2;
    if (room == t->room) return true;
    uint8_t *buf = realloc(t->buf, room);
    if (!buf) return false;
    t->buf = buf;
    t->room = room;
    return true;
}

static int put(struct store *s, uint8_t type, const struct store_put *p)
{
    struct snapshot *t = &s->snapshot;
    const struct record_parts parts = {.key = p->key, .part = p->part, .nparts = p->nparts};
    const struct record r = {.type = type, .version = p->version};
    uint32_t bytes = record_size(&r, &parts);

    if (bytes == 0 || t->offset + bytes > SNAPSHOT_BYTES_MAX) return -ERR_TOO_LARGE;
    if (!make_room(t, bytes)) return -ERR_NOMEM;
    uint64_t pos = position_of(t->seq | SNAPSHOT_SEQ, 0) + (t->offset >> SHIFT);
    record_write(t->buf + t->n, s->seed, pos, &r, &parts);
    t->n += bytes;
    t->offset += bytes;
    return 0;
}

int store_snapshot_put(struct store *s, const struct store_put *p)
{
    ASSERT(s->snapshot.active && !s->snapshot.put_all);
    ASSERT(p->type >= 1 && p->type <= STORE_TYPE_MAX);
    return put(s, p->type, p);
}

static int put_end(struct store *s)
{
    struct snapshot *t = &s->snapshot;
    size_t room = 8 + 4 * (size_t)s->nsegments;
    uint8_t *list = malloc(room);
    if (!list) return -ERR_NOMEM;
    struct writer w = wr_of(list, room);
    wr_u64be(&w, t->base);
    for (const struct segment *g = s->first; g; g = g->next)
        if (g->state != SEGMENT_FREE) wr_u32be(&w, g->seq);
    const struct bytes body = bytes_of(list, wr_len(&w));
    int err = put(s, RECORD_END, &(struct store_put){.part = &body, .nparts = 1});
    free(list);
    t->put_all = err == 0;
    t->end_pos = store_tail(s);
    return err;
}

static int put_begin(struct store *s)
{
    struct snapshot *t = &s->snapshot;
    uint8_t base[8];
    struct writer w = wr_of(base, sizeof base);
    const struct bytes body = bytes_of(base, sizeof base);
    const struct segment_head h = {.kind = SEGMENT_SNAPSHOT, .seq = t->seq, .log_id = s->log_id};

    if (!make_room(t, SEGMENT_HEAD)) return -ERR_NOMEM;
    segment_head_write(t->buf, &h);
    t->n = t->offset = SEGMENT_HEAD;
    wr_u64be(&w, t->base);
    return put(s, RECORD_BEGIN, &(struct store_put){.part = &body, .nparts = 1});
}

int store_snapshot_start(struct store *s)
{
    struct snapshot *t = &s->snapshot;
    if (t->active) return -ERR_BUSY;
    if (s->state != STORE_OPEN || !s->started || !s->o.owner.snapshot) return -ERR_STORAGE;
    t->active = t->first = true;
    t->put_all = t->wanted = t->doomed = false;
    t->seq = t->current + 1;
    t->base = store_tail(s);
    t->log_since = t->written = t->n = 0;
    t->dir = s->dir;
    if (put_begin(s) < 0) drop(s);
    return 0;
}

static bool is_wanted(const struct store *s)
{
    const struct snapshot *t = &s->snapshot;
    uint64_t enough = 2ull * s->o.segment_bytes;
    if (!s->o.owner.snapshot || s->o.clock->now_ns < t->retry_ns) return false;
    if (t->current_bytes > enough) enough = t->current_bytes;
    return t->wanted || t->log_since >= enough ||
           (!prepare_is_allowed(s) && t->log_since >= s->o.segment_bytes);
}

static int ask_owner(struct store *s)
{
    struct snapshot *t = &s->snapshot;
    bool first = t->first;
    t->first = false;
    int err = s->o.owner.snapshot(s->o.owner.ctx, s, first, SNAPSHOT_STEP);
    return err > 0 ? put_end(s) : err;
}

unsigned snapshot_step(struct store *s)
{
    struct snapshot *t = &s->snapshot;

    if (!t->active && is_wanted(s)) store_snapshot_start(s);
    if (!t->active) return 0;
    if (!t->doomed && !t->put_all && t->n < SNAPSHOT_CHUNK) t->doomed = ask_owner(s) < 0;
    if (t->writing) return 0;
    if (t->doomed)
        drop(s);
    else if (t->n >= SNAPSHOT_CHUNK || (t->put_all && t->n > 0))
        write_chunk(s);
    else if (t->put_all && s->durable >= t->end_pos)
        submit(s, rename_call, on_renamed);
    else
        return !t->put_all; /* waits for the log, or has more to ask */
    return 1;
}

void snapshot_free(struct store *s)
{
    ASSERT(!s->snapshot.writing);
    close_file(s);
    free(s->snapshot.buf);
    free(s->snapshot.out);
}
