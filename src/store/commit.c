/* SPDX-License-Identifier: BSD-3-Clause */
/* commit.c -- batches: what was appended, on its way to the disk.
 *
 * A batch is what one commit writes. It grows while the commit before it is under way, so the
 * slower the disk, the larger the groups. Behind its records it writes an empty header, which the
 * next batch overwrites: a recycled segment has an end, whatever lies behind. */
#include <stdlib.h>
#include <string.h>

#include "store/store_internal.h"

/* ---- batches -------------------------------------------------------------------- */

static struct batch *batch_new(struct store *s)
{
    struct batch *b = s->spare;
    if (b) {
        s->spare = b->next;
        s->nspare--;
        uint8_t *buf = b->buf;
        size_t room = b->room;
        *b = (struct batch){.buf = buf, .room = room};
        return b;
    }
    b = calloc(1, sizeof *b);
    if (!b) return NULL;
    b->room = BATCH_ROOM;
    b->buf = malloc(b->room);
    if (b->buf) return b;
    free(b);
    return NULL;
}

static void batch_free(struct store *s, struct batch *b)
{
    if (s->nspare < BATCHES_SPARE && b->room <= 16 * BATCH_ROOM) {
        b->next = s->spare;
        s->spare = b;
        s->nspare++;
        return;
    }
    free(b->buf);
    free(b);
}

static bool batch_grow(struct batch *b, size_t bytes)
{
    size_t room = b->room;
    while (room < bytes)
        room *= 2;
    if (room == b->room) return true;
    uint8_t *buf = realloc(b->buf, room);
    if (!buf) return false;
    b->buf = buf;
    b->room = room;
    return true;
}

static struct batch *batch_begin(struct store *s, size_t bytes)
{
    struct batch *b = batch_new(s);
    if (!b) return NULL;
    if (!batch_grow(b, bytes)) {
        batch_free(s, b);
        return NULL;
    }
    b->segment = s->active;
    b->at = s->active->used;
    b->commit = s->next_commit++;
    b->begun_ns = s->o.clock->now_ns;
    *s->newest = b;
    s->newest = &b->next;
    s->filling = b;
    return b;
}

struct batch *batch_room(struct store *s, uint32_t bytes)
{
    struct batch *b = s->filling;
    if (!b) return batch_begin(s, (size_t)bytes + RECORD_HEAD);
    return batch_grow(b, (size_t)b->n + bytes + RECORD_HEAD) ? b : NULL;
}

struct store_ref batch_put(struct store *s, struct batch *b, struct record *r,
                           const struct record_parts *p)
{
    struct segment *g = s->active;
    uint32_t bytes = record_size(r, p);
    struct store_ref ref = {.pos = position_of(g->seq, g->used), .bytes = bytes};

    r->commit = b->commit;
    record_write(b->buf + b->n, s->seed, ref.pos, r, p);
    b->last = b->n;
    b->n += bytes;
    g->used += bytes;
    if (r->flags & RECORD_KEEP) g->live += bytes;
    s->buffered += bytes;
    s->snapshot.log_since += bytes;
    s->stats.records++;
    s->stats.bytes += bytes;
    return ref;
}

void batch_seal(struct store *s)
{
    s->filling = NULL;
}

/* ---- commit --------------------------------------------------------------------- */

static void on_committed(struct disk_op *op)
{
    struct store *s = CONTAINER_OF(op, struct store, commit);
    struct batch *b = s->oldest;

    s->committing = false;
    b->segment->readers--;
    if (op->result < 0) {
        char name[SEGMENT_NAME];
        store_fail(s, (int)-op->result, op->failed,
                   segment_name(name, SEGMENT_LOG, b->segment->seq));
        return;
    }
    s->oldest = b->next;
    if (!s->oldest) s->newest = &s->oldest;
    s->durable = s->oldest ? position_of(b->segment->seq, b->at + b->n) : store_tail(s);
    s->buffered -= b->n;
    s->stats.commits++;
    s->stats.commit_ns = s->o.clock->now_ns - s->submitted_ns;
    latency_add(&s->latency, s->stats.commit_ns);
    batch_free(s, b);
    if (s->nfree) s->reclaim_due = true;
    store_call_waits(s);
}

static bool is_due(const struct store *s, const struct batch *b)
{
    return b->urgent || b != s->filling || s->o.clock->now_ns - b->begun_ns >= s->o.lazy_ns;
}

void commit_start(struct store *s)
{
    struct batch *b = s->oldest;
    if (s->committing || !b || !is_due(s, b)) return;
    if (b == s->filling) s->filling = NULL;

    uint32_t end = b->at + b->n;
    uint32_t zeros = end + RECORD_HEAD <= b->segment->capacity ? RECORD_HEAD : 0;
    memset(b->buf + b->n, 0, zeros);
    record_add_flags(b->buf + b->last, s->seed, position_of(b->segment->seq, b->at + b->last),
                     RECORD_LAST);
    s->committing = true;
    s->submitted_ns = s->o.clock->now_ns;
    b->segment->readers++;
    s->commit = (struct disk_op){.kind = DISK_COMMIT,
                                 .fd = b->segment->fd,
                                 .offset = b->at,
                                 .buf = b->buf,
                                 .n = b->n + zeros,
                                 .done = on_committed};
    disk_submit(s->o.disk, &s->commit);
}

const uint8_t *commit_find(const struct store *s, struct store_ref ref)
{
    uint32_t seq = position_seq(ref.pos), offset = position_offset(ref.pos);
    for (const struct batch *b = s->oldest; b; b = b->next)
        if (b->segment->seq == seq && offset >= b->at && offset - b->at < b->n)
            return b->buf + (offset - b->at);
    return NULL;
}

static void free_list(struct batch *b)
{
    while (b) {
        struct batch *next = b->next;
        free(b->buf);
        free(b);
        b = next;
    }
}

void commit_free(struct store *s)
{
    ASSERT(!s->committing);
    free_list(s->oldest);
    free_list(s->spare);
    s->oldest = s->spare = s->filling = NULL;
}
