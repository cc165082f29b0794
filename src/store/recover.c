/* SPDX-License-Identifier: BSD-3-Clause */
/* recover.c -- what a restart does: the snapshot, then the log from where that begins. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/recover.h"

/* ---- which files ---------------------------------------------------------------------- */

static int load_snapshot(struct recovery *rc)
{
    int fd;
    rc->base = position_of(1, SEGMENT_HEAD);
    if (!rc->snapshot) return 0;
    int err = recover_load(rc, SEGMENT_SNAPSHOT, rc->snapshot, &fd);
    if (fd >= 0) rc->s->o.io->close(rc->s->o.io->ctx, fd);
    if (err < 0) return err;
    err = recover_snapshot(rc);
    rc->s->snapshot.current = rc->snapshot;
    rc->s->snapshot.current_base = rc->base;
    rc->s->snapshot.current_bytes = rc->n;
    recover_progress(rc, rc->n);
    return err;
}

static void measure(struct recovery *rc)
{
    const struct store_io *io = rc->s->o.io;
    char name[SEGMENT_NAME];
    for (unsigned i = 0; i <= rc->logs.n; i++) {
        bool is_log = i < rc->logs.n;
        segment_name(name, is_log ? SEGMENT_LOG : SEGMENT_SNAPSHOT,
                     is_log ? rc->logs.seq[i] : rc->snapshot);
        int fd = io->open(io->ctx, rc->s->dir, name, IO_READ);
        if (fd < 0) continue;
        int64_t size = io->size(io->ctx, fd);
        if (size > 0) rc->all_bytes += (uint64_t)size;
        io->close(io->ctx, fd);
    }
}

static int tell_missing(struct recovery *rc, uint32_t from, uint32_t to)
{
    segment_name(rc->file, SEGMENT_LOG, from);
    return recover_tell(rc, FOUND_MISSING, (struct span){0, 0},
                        "%" PRIu32 " segment%s missing, from this one on; restore them "
                        "from a backup, or start with salvage to go on without",
                        to - from + 1, to > from ? "s are" : " is");
}

/* The common case, without reading all of it. */
static bool begins_with_record(const struct recovery *rc, uint32_t seq)
{
    const struct store_io *io = rc->s->o.io;
    uint8_t head[RECORD_HEAD];
    char name[SEGMENT_NAME];
    struct record r;
    int fd = io->open(io->ctx, rc->s->dir, segment_name(name, SEGMENT_LOG, seq), IO_READ);
    if (fd < 0) return false;
    int64_t n = io_read_all(io, fd, head, sizeof head, SEGMENT_HEAD);
    io->close(io->ctx, fd);
    if (n < (int64_t)sizeof head) return false;
    enum record_state state =
        record_read(bytes_of(head, sizeof head), rc->s->seed, position_of(seq, SEGMENT_HEAD), &r);
    return state == RECORD_GOOD || state == RECORD_BAD_BODY;
}

/* Without telling what is wrong with it: that comes when its turn does. */
static int load_quietly(struct recovery *rc, uint32_t seq, int *fd)
{
    const struct store_replay *replay = rc->replay, quiet = {.ctx = NULL};
    bool salvage = rc->s->o.salvage, damaged = rc->damaged;

    rc->replay = &quiet;
    rc->s->o.salvage = true;
    rc->damaged = false;
    int err = recover_load(rc, SEGMENT_LOG, seq, fd);
    if (err == 0 && rc->damaged) err = -ERR_CORRUPT;
    rc->replay = replay;
    rc->s->o.salvage = salvage;
    rc->damaged = damaged;
    return err;
}

/* Is there a record in this segment or a later one? 1, 0, or an error. */
static int has_later(struct recovery *rc, uint32_t seq)
{
    for (unsigned i = 0; i < rc->logs.n; i++) {
        int fd;
        if (rc->logs.seq[i] < seq) continue;
        if (begins_with_record(rc, rc->logs.seq[i])) return 1;
        rc->unreadable = false;
        int err = load_quietly(rc, rc->logs.seq[i], &fd);
        if (fd >= 0) rc->s->o.io->close(rc->s->o.io->ctx, fd);
        if (err == -ERR_NOMEM || err == -ERR_UNSUPPORTED) return err;
        if (rc->unreadable) { /* this must not be kept quiet */
            err = recover_load(rc, SEGMENT_LOG, rc->logs.seq[i], &fd);
            if (fd >= 0) rc->s->o.io->close(rc->s->o.io->ctx, fd);
            if (err < 0) return err;
        }
        if (recover_has_records(rc, rc->logs.seq[i])) return 1;
    }
    return 0;
}

/* ---- segments -------------------------------------------------------------------------- */

static int add(struct recovery *rc, uint32_t seq, int fd, enum segment_state state, uint32_t used)
{
    const struct segment g = {
        .seq = seq, .capacity = (uint32_t)rc->n, .used = used, .state = state, .fd = fd};
    return segment_add(rc->s, &g);
}

static int recover_full(struct recovery *rc, uint32_t seq, enum scan_how how)
{
    struct tail t;
    int fd;
    int err = recover_load(rc, SEGMENT_LOG, seq, &fd);
    if (err == -ERR_ABSENT) return tell_missing(rc, seq, seq);
    if (err == 0 && fd >= 0 && (how != SCAN_OLD || rc->s->o.read_all))
        err = recover_scan(rc, seq, how, &t);
    if (fd < 0) return err;
    int added = add(rc, seq, fd, SEGMENT_SEALED, (uint32_t)rc->n);
    if (added < 0) rc->s->o.io->close(rc->s->o.io->ctx, fd);
    recover_progress(rc, rc->n);
    return err < 0 ? err : added;
}

static int write_all(const struct store_io *io, int fd, const void *p, size_t n, uint64_t offset)
{
    int64_t done = io->pwrite(io->ctx, fd, p, n, offset);
    if (done < 0) return (int)done;
    return (size_t)done < n ? -EIO : 0;
}

/* The last record becomes the last of its commit; what was cut off becomes zeros, lest a later
 * recovery takes it for a witness. */
static int repair(struct recovery *rc, uint32_t seq, int fd, const struct tail *t)
{
    const struct store_io *io = rc->s->o.io;
    uint32_t until = t->dirty > t->used + RECORD_HEAD ? t->dirty : t->used + RECORD_HEAD;
    int err = 0;

    if (until > rc->n) until = (uint32_t)rc->n;
    if (until < t->used) until = t->used;
    if (t->last && !rc->complete) {
        record_add_flags(rc->buf + t->last, rc->s->seed, position_of(seq, t->last), RECORD_LAST);
        err = write_all(io, fd, rc->buf + t->last, RECORD_HEAD, t->last);
    }
    memset(rc->buf + t->used, 0, until - t->used);
    if (err == 0) err = write_all(io, fd, rc->buf + t->used, until - t->used, t->used);
    if (err == 0) err = io->sync(io->ctx, fd);
    if (err == 0) return 0;
    snprintf(rc->s->why, sizeof rc->s->why, "core %u, %s: can't be written: %s", rc->s->o.core,
             rc->file, strerror(-err));
    return -err_from_errno(-err);
}

/* Appending goes on behind its records. */
static int recover_last(struct recovery *rc, uint32_t seq, bool *sealed)
{
    struct tail t;
    int fd;
    int err = recover_load(rc, SEGMENT_LOG, seq, &fd);
    if (err == 0 && fd >= 0) err = recover_scan(rc, seq, SCAN_LAST, &t);
    *sealed = err == 0 && fd >= 0 && t.sealed;
    if (err == 0 && fd >= 0 && !rc->s->o.read_only && !t.sealed) err = repair(rc, seq, fd, &t);
    if (fd < 0) return err;
    if (err == 0) err = add(rc, seq, fd, *sealed ? SEGMENT_SEALED : SEGMENT_ACTIVE, t.used);
    if (err < 0) {
        rc->s->o.io->close(rc->s->o.io->ctx, fd);
        return err;
    }
    rc->s->active = rc->s->last;
    recover_progress(rc, rc->n);
    return 0;
}

/* Segments that were made and hold nothing yet. One that is not perfect is made again. */
static int recover_ready(struct recovery *rc, uint32_t seq)
{
    const struct store_io *io = rc->s->o.io;
    int fd;
    int err = load_quietly(rc, seq, &fd);

    rc->s->why[0] = '\0';
    if (err == 0 && rc->s->last && rc->s->last->seq + 1 == seq)
        return add(rc, seq, fd, SEGMENT_READY, SEGMENT_HEAD);
    if (fd >= 0) io->close(io->ctx, fd);
    if (!rc->s->o.read_only) io->unlink(io->ctx, rc->s->dir, rc->file);
    return 0;
}

/* ---- in order ---------------------------------------------------------------------------- */

/* From before the snapshot, only what holds records that are still referred to. */
static int recover_old(struct recovery *rc, uint32_t start)
{
    const struct store_io *io = rc->s->o.io;
    char name[SEGMENT_NAME];
    int err = 0;

    for (unsigned i = 0; i < rc->wanted.n && err == 0; i++)
        if (rc->wanted.seq[i] < start && !seq_has(&rc->freed, rc->wanted.seq[i]))
            err = recover_full(rc, rc->wanted.seq[i], SCAN_OLD);
    for (unsigned i = 0; i < rc->logs.n && err == 0 && !rc->s->o.read_only; i++)
        if (rc->logs.seq[i] < start && !segment_find(rc->s, rc->logs.seq[i]))
            io->unlink(io->ctx, rc->s->dir, segment_name(name, SEGMENT_LOG, rc->logs.seq[i]));
    return err;
}

/* A log gets its first segment before its generation counts. */
static bool is_new(const struct store *s)
{
    return s->o.generation != s->o.dir->generation;
}

/* From `start` on, all must be there up to the last that has records. */
static int recover_tail(struct recovery *rc, uint32_t start)
{
    uint32_t seq = start;
    bool sealed = true; /* so far everything leads on to seq */
    int err = 0;

    for (; err == 0 && sealed; seq++) {
        int later = has_later(rc, seq + 1);
        if (later < 0) return later;
        bool last = !later;
        if (!seq_has(&rc->logs, seq)) {
            if (last && seq == 1 && !rc->snapshot && is_new(rc->s)) return 0;
            err = tell_missing(rc, seq, seq);
            if (last) return err;
        } else if (last) {
            err = recover_last(rc, seq, &sealed);
            if (err == 0 && sealed) rc->s->active = NULL;
        } else {
            err = recover_full(rc, seq, SCAN_INNER);
        }
    }
    for (unsigned i = 0; i < rc->logs.n && err == 0; i++)
        if (rc->logs.seq[i] >= seq) err = recover_ready(rc, rc->logs.seq[i]);
    return err;
}

/* FREE records are found in the tail, and say what need not be there before it; so the tail comes
 * first, and the list of segments is put in order afterwards. */
static int recover_all(struct recovery *rc)
{
    struct store *s = rc->s;
    int err = recover_list(rc);
    if (err < 0) return err;
    measure(rc);
    err = load_snapshot(rc);
    uint32_t start = position_seq(rc->base);
    struct segment *tail_first, *tail_last;
    if (err == 0) err = recover_tail(rc, start);
    if (err < 0) return err;
    tail_first = s->first;
    tail_last = s->last;
    s->first = s->last = NULL;
    err = recover_old(rc, start);
    *(s->last ? &s->last->next : &s->first) = tail_first;
    if (tail_last) s->last = tail_last;
    return err;
}

static int make_first(struct store *s)
{
    int err = prepare_now(s);
    if (err < 0) {
        snprintf(s->why, sizeof s->why, "core %u: %s of a new segment failed: %s", s->o.core,
                 s->prepare.step, strerror(-err));
        return -err_from_errno(-err);
    }
    s->active = s->last;
    s->active->state = SEGMENT_ACTIVE;
    s->nready--;
    return 0;
}

/* The first segment to append to, when recovery found none that has room. */
static int find_active(struct store *s)
{
    if (s->o.read_only || s->active) return 0;
    for (struct segment *g = s->first; g; g = g->next) {
        if (g->state != SEGMENT_READY) continue;
        g->state = SEGMENT_ACTIVE;
        s->active = g;
        s->nready--;
        return 0;
    }
    return make_first(s);
}

/* What was kept beside damage had a witness, which may have been cut off with a torn end. */
static int leave_witness(struct store *s)
{
    if (s->o.read_only) return 0;
    int err = store_put_own(s, RECORD_MARK, bytes_of(NULL, 0), true, NULL);
    if ((err == -ERR_AGAIN || err == -ERR_FULL) && prepare_now(s) == 0)
        err = store_put_own(s, RECORD_MARK, bytes_of(NULL, 0), true, NULL);
    if (err == -ERR_AGAIN || err == -ERR_FULL) return 0; /* the first append will do */
    return err < 0 ? err : store_flush(s);
}

/* s->dir stays -1 if it is gone and was only to be looked at. */
static int open_dir(struct recovery *rc)
{
    struct store *s = rc->s;
    bool create = is_new(s) && !s->o.read_only;

    s->dir = store_dir_log(s->o.dir, s->o.core, s->o.generation, create);
    if (s->dir == -ENOENT && !is_new(s)) {
        snprintf(rc->file, sizeof rc->file, "core-%u.%" PRIu32, s->o.core, s->o.generation);
        int err = recover_tell(rc, FOUND_MISSING, (struct span){0, 0},
                               "the whole log is missing; restore it from a backup, or start with "
                               "salvage to go on without");
        if (err < 0 || s->o.read_only) return err;
        s->dir = store_dir_log(s->o.dir, s->o.core, s->o.generation, true);
    }
    if (s->dir >= 0) return 0;
    snprintf(s->why, sizeof s->why, "core %u: its log can't be opened: %s", s->o.core,
             strerror(-s->dir));
    return -err_from_errno(-s->dir);
}

static int find_all(struct recovery *rc)
{
    struct store *s = rc->s;
    struct clock before, after; /* the store's own stands still meanwhile */

    clock_tick(&before);
    int err = open_dir(rc);
    if (err == 0 && s->dir >= 0) err = recover_all(rc);
    if (err >= 0) err = find_active(s);
    free(rc->buf);
    free(rc->logs.seq);
    free(rc->wanted.seq);
    free(rc->freed.seq);
    clock_tick(&after);
    s->stats.recovery_ns = after.now_ns - before.now_ns;
    s->stats.recovery_bytes = rc->done_bytes;
    return err;
}

int store_recover(struct store *s, const struct store_replay *r)
{
    struct recovery rc = {.s = s, .replay = r, .complete = true};
    ASSERT(s->state == STORE_NEW);

    int err = find_all(&rc);
    if (err < 0) return err;
    s->next_commit = rc.last_commit + 1;
    s->durable = store_tail(s);
    s->snapshot.log_since = 0;
    for (const struct segment *g = s->first; g; g = g->next)
        if (g->seq >= position_seq(rc.base) && g->state != SEGMENT_READY)
            s->snapshot.log_since += g->used;
    s->snapshot.wanted = rc.damaged;
    s->state = STORE_OPEN;
    return rc.damaged ? leave_witness(s) : 0;
}
