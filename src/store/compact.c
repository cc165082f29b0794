/* SPDX-License-Identifier: BSD-3-Clause */
/* compact.c -- empties segments in which only a few records are still referred to.
 *
 * One segment at a time, a bounded step per turn: its records are read, the owner says which of
 * those to keep are live, these are appended again, and the owner takes down where they are now.
 * The copy says where it was before, for a snapshot that still refers to it there. */
#include <stdlib.h>

#include "store/store_internal.h"

static bool is_sparse(const struct store *s, const struct segment *g)
{
    return g->state == SEGMENT_SEALED && g->live > 0 && !g->skip && g->readers == 0 &&
           g->live < g->capacity / COMPACT_SPARSE &&
           g->seq < position_seq(s->snapshot.current_base);
}

/* Copying costs writes: only when most of the log is dead, and that is not little. */
static struct segment *choose(const struct store *s)
{
    struct segment *best = NULL;
    uint64_t live = 0, used = 0;
    for (struct segment *g = s->first; g; g = g->next) {
        live += g->live;
        if (g->state != SEGMENT_READY) used += g->capacity;
        if (is_sparse(s, g) && (!best || g->live < best->live)) best = g;
    }
    bool worth = used > 2 * live + 4ull * s->o.segment_bytes || !prepare_is_allowed(s);
    return worth ? best : NULL;
}

static void stop(struct store *s, bool skip)
{
    struct compact *c = &s->compact;
    c->segment->readers--;
    c->segment->skip = skip;
    c->segment = NULL;
    s->reclaim_due = true;
}

static void on_read(struct disk_op *op)
{
    struct store *s = CONTAINER_OF(op, struct store, compact.op);
    s->compact.reading = false;
    s->compact.n = op->result > 0 ? (uint32_t)op->result : 0;
    if (op->result < 0) stop(s, true);
}

/* What is to be read for the record at `next`, at least `bytes`. */
static bool fetch(struct store *s, uint32_t bytes)
{
    struct compact *c = &s->compact;
    size_t n = bytes > COMPACT_CHUNK ? bytes : COMPACT_CHUNK;
    if (bytes > c->segment->capacity - c->next) return false;
    if (n > c->segment->capacity - c->next) n = c->segment->capacity - c->next;
    if (n > c->room) {
        uint8_t *buf = realloc(c->buf, n);
        if (!buf) return false;
        c->buf = buf;
        c->room = n;
    }
    c->at = c->next;
    c->asked = (uint32_t)n;
    c->n = 0;
    c->reading = true;
    c->op = (struct disk_op){.kind = DISK_READ,
                             .fd = c->segment->fd,
                             .offset = c->at,
                             .buf = c->buf,
                             .n = n,
                             .done = on_read};
    disk_submit(s->o.disk, &c->op);
    return true;
}

static int move(struct store *s, const struct record *r, uint64_t pos)
{
    struct store_record was;
    struct store_ref to;
    struct record copy = {.type = r->type,
                          .version = r->version,
                          .flags = RECORD_KEEP | RECORD_MOVED,
                          .moved_from = pos};
    const struct store_put p = {
        .flags = STORE_LAZY | STORE_RESERVE, .key = r->key, .part = &r->body, .nparts = 1};

    store_record_of(r, pos, &was);
    if (!s->o.owner.is_live(s->o.owner.ctx, &was)) return 0;
    int err = store_put(s, &copy, &p, &to);
    if (err < 0) return err;
    s->stats.moved++;
    s->o.owner.moved(s->o.owner.ctx, was.ref, to);
    store_release(s, was.ref);
    return 0;
}

/* The record at `next`, if all of it is in buf; if not, how much of the segment is needed. */
static enum record_state look_at(const struct store *s, struct record *r, uint32_t *need)
{
    const struct compact *c = &s->compact;
    uint32_t in = c->next - c->at;
    struct bytes rest = in < c->n ? bytes_of(c->buf + in, c->n - in) : bytes_of(NULL, 0);

    *need = RECORD_HEAD;
    if (rest.n < RECORD_HEAD) return RECORD_NONE;
    *need = 0;
    enum record_state state = record_read(rest, s->seed, position_of(c->segment->seq, c->next), r);
    if (state == RECORD_BAD_BODY && r->bytes > rest.n) *need = r->bytes;
    return state;
}

/* Looks at the records in buf, a bounded number, and asks for more when they end. */
static unsigned look(struct store *s)
{
    struct compact *c = &s->compact;
    uint32_t until = c->next + COMPACT_STEP;

    while (c->next < until) {
        struct record r;
        uint32_t need;
        enum record_state state = look_at(s, &r, &need);
        bool asked_already = c->at == c->next && c->asked >= need;
        if (need) {
            if (asked_already || !fetch(s, need)) stop(s, true);
            return 0;
        }
        if (state != RECORD_GOOD || r.type == RECORD_SEAL) {
            stop(s, state != RECORD_GOOD || c->segment->live > 0);
            return 1;
        }
        int err = 0;
        if (r.flags & RECORD_KEEP) err = move(s, &r, position_of(c->segment->seq, c->next));
        if (err == -ERR_TOO_LARGE) stop(s, true); /* segments were larger when it was written */
        if (err < 0) return 0;
        c->next += r.bytes;
    }
    return 1;
}

unsigned compact_step(struct store *s)
{
    struct compact *c = &s->compact;
    if (!s->o.owner.is_live || c->reading) return 0;
    if (!c->segment) {
        if (!s->compact_due) return 0;
        s->compact_due = false;
        c->segment = choose(s);
        if (!c->segment) return 0;
        c->segment->readers++;
        c->at = c->n = c->asked = 0;
        c->next = SEGMENT_HEAD;
    }
    return look(s);
}

void compact_free(struct store *s)
{
    ASSERT(!s->compact.reading);
    free(s->compact.buf);
}
