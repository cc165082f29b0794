/* SPDX-License-Identifier: BSD-3-Clause */
/* recover_scan.c -- reads one file record by record, and judges what is none. */
#include <inttypes.h>
#include <stdio.h>

#include "store/bytes64.h"
#include "store/recover.h"

/* What a scan of one file knows. */
struct scan {
    struct recovery *rc;
    uint64_t pos; /* of the file's first byte */
    unsigned shift;
    bool snapshot, old, may_end; /* may_end: nothing says that there is more */
    uint32_t last;
    bool sealed, ended;
    uint64_t witness; /* commit of the file's last good record; 0: not looked for yet */
};

static struct bytes file_bytes(const struct recovery *rc)
{
    return bytes_of(rc->buf, rc->n);
}

static enum record_state read_at(const struct scan *c, size_t at, struct record *r)
{
    return record_read(bytes_skip(file_bytes(c->rc), at), c->rc->s->seed, c->pos + (at >> c->shift),
                       r);
}

static size_t find_from(const struct scan *c, size_t at)
{
    return record_find(file_bytes(c->rc), at, c->rc->s->seed, c->pos, c->shift);
}

/* ---- good records ------------------------------------------------------------------- */

static int read_end(struct scan *c, struct bytes body)
{
    struct reader r = rd_of(body);
    c->rc->base = rd_u64be(&r);
    while (rd_left(&r) >= 4)
        if (!seq_add(&c->rc->wanted, rd_u32be(&r))) return -ERR_NOMEM;
    c->ended = true;
    return 0;
}

static int on_own(struct scan *c, const struct record *r)
{
    struct reader body = rd_of(r->body);
    switch (r->type) {
    case RECORD_FREE: return seq_add(&c->rc->freed, rd_u32be(&body)) ? 0 : -ERR_NOMEM;
    case RECORD_SEAL: c->sealed = true; return 0;
    case RECORD_BEGIN: c->rc->base = rd_u64be(&body); return 0;
    case RECORD_END: return read_end(c, r->body);
    default: return 0;
    }
}

static int on_good(struct scan *c, size_t at, const struct record *r)
{
    struct recovery *rc = c->rc;
    struct store_record out;
    uint64_t pos = c->pos + (at >> c->shift);
    bool old = c->old || (!c->snapshot && pos < rc->base); /* the snapshot knows it */

    c->last = (uint32_t)at;
    if (!c->snapshot && !c->old) {
        rc->last_commit = r->commit;
        rc->complete = r->flags & RECORD_LAST;
    }
    if (r->type >= RECORD_STORE_TYPES) return on_own(c, r);
    if (!rc->replay->record || (old && !rc->s->o.read_all)) return 0;
    store_record_of(r, pos, &out);
    out.snapshot = c->snapshot;
    out.old = old;
    return rc->replay->record(rc->replay->ctx, &out);
}

/* ---- bad bytes ---------------------------------------------------------------------- */

/* The commit of the last good record at or behind `at`. */
static uint64_t last_commit_from(const struct scan *c, size_t at)
{
    uint64_t commit = 0;
    struct record r;
    while (at < c->rc->n) {
        if (read_at(c, at, &r) == RECORD_GOOD) {
            commit = r.commit;
            at += r.bytes;
        } else {
            at = find_from(c, at + RECORD_ALIGN);
        }
    }
    return commit;
}

/* See recover.h: is there a witness that the bytes before `next` were on disk? */
static bool was_durable(struct scan *c, size_t next)
{
    if (c->snapshot || !c->may_end) return true;
    if (next == c->rc->n) return false;
    uint64_t damaged = c->rc->last_commit + (c->rc->complete ? 1 : 0);
    if (!c->witness) c->witness = last_commit_from(c, next);
    return c->witness > damaged;
}

static int tell_damage(struct scan *c, size_t at, size_t next, const struct record *r)
{
    char what[80] = "bytes that are no record";
    if (r->bytes)
        snprintf(what, sizeof what,
                 "a record of type %u (%" PRIu32 " bytes) whose content is damaged", r->type,
                 r->bytes);
    return recover_tell(c->rc, FOUND_DAMAGED, (struct span){at, next - at},
                        "at offset %zu, %zu bytes: %s, and good records were written after it; "
                        "restore the file from a backup, or start with salvage to lose only this",
                        at, next - at, what);
}

static int tell_torn(struct scan *c, size_t at, size_t dirty)
{
    return recover_tell(c->rc, FOUND_TORN, (struct span){at, dirty - at},
                        "the last write is incomplete at offset %zu and is cut off there; after a "
                        "loss of power this is normal, and nothing acknowledged was in it",
                        at);
}

/* At `at` is no good record. Where to go on, or where the records end (*end). */
static int on_bad(struct scan *c, size_t *at, enum record_state state, const struct record *r,
                  struct tail *t)
{
    size_t next = find_from(c, *at + RECORD_ALIGN);
    bool nothing_behind = next == c->rc->n;

    if (was_durable(c, next)) {
        if (nothing_behind && c->snapshot && c->ended) { /* what may follow the end is no matter */
            *at = next;
            return 0;
        }
        int err = tell_damage(c, *at, next, r);
        *at = next;
        return err;
    }
    t->used = (uint32_t)*at;
    t->dirty = (uint32_t)*at;
    if (!nothing_behind) t->dirty = (uint32_t)c->rc->n;
    size_t until =
        state == RECORD_BAD_BODY && *at + r->bytes <= c->rc->n ? *at + r->bytes : t->dirty;
    if (state != RECORD_NONE || !nothing_behind) tell_torn(c, *at, until);
    *at = c->rc->n;
    return 0;
}

static int scan(struct scan *c, struct tail *t)
{
    struct recovery *rc = c->rc;
    struct record r;
    size_t at = SEGMENT_HEAD;
    int err = 0;

    t->used = SEGMENT_HEAD;
    while (at < rc->n && !c->sealed && !c->ended && err >= 0) {
        enum record_state state = read_at(c, at, &r);
        if (state == RECORD_GOOD) {
            err = on_good(c, at, &r);
            at += r.bytes;
            t->used = (uint32_t)at;
        } else {
            err = on_bad(c, &at, state, &r, t);
        }
    }
    t->last = c->last;
    t->sealed = c->sealed;
    return err;
}

/* ---- files -------------------------------------------------------------------------- */

bool recover_has_records(struct recovery *rc, uint32_t seq)
{
    return record_find(file_bytes(rc), SEGMENT_HEAD, rc->s->seed, position_of(seq, 0), 0) < rc->n;
}

int recover_scan(struct recovery *rc, uint32_t seq, enum scan_how how, struct tail *t)
{
    struct scan c = {
        .rc = rc, .pos = position_of(seq, 0), .old = how == SCAN_OLD, .may_end = how == SCAN_LAST};
    *t = (struct tail){0};
    int err = scan(&c, t);
    if (err < 0 || c.sealed || c.may_end) return err;
    return recover_tell(rc, FOUND_DAMAGED, (struct span){t->used, rc->n - t->used},
                        "its end is missing from offset %" PRIu32
                        " on, and there are later records; restore it from a backup, or start with "
                        "salvage to lose only that",
                        t->used);
}

int recover_snapshot(struct recovery *rc)
{
    struct tail t;
    struct scan c = {
        .rc = rc, .pos = position_of(rc->snapshot | SNAPSHOT_SEQ, 0), .shift = 3, .snapshot = true};
    int err = scan(&c, &t);
    if (err < 0 || c.ended) return err;
    return recover_tell(
        rc, FOUND_TRUNCATED, (struct span){rc->n, 0},
        "the snapshot has no end; restore it from a backup, or start with salvage to "
        "keep what is left");
}
