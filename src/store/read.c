/* SPDX-License-Identifier: BSD-3-Clause */
/* read.c -- records by their positions. What is not on disk yet is copied from its batch. Every
 * record is proved again before anybody sees it. */
#include <string.h>

#include "store/store_internal.h"

void store_record_of(const struct record *r, uint64_t pos, struct store_record *out)
{
    *out = (struct store_record){
        .ref = {.pos = pos, .bytes = r->bytes},
        .type = r->type,
        .version = r->version,
        .kept = r->flags & RECORD_KEEP,
        .moved_from = r->moved_from,
        .key = r->key,
        .body = r->body,
    };
}

static void answer(struct store *s, struct store_read *r, int64_t got)
{
    struct record found;
    struct store_record record;
    const struct bytes in = bytes_of(r->room, r->ref.bytes);

    if (got < 0) {
        r->done(r, -ERR_STORAGE, NULL);
    } else if ((uint64_t)got != r->ref.bytes ||
               record_read(in, s->seed, r->ref.pos, &found) != RECORD_GOOD ||
               found.bytes != r->ref.bytes) {
        r->done(r, -ERR_CORRUPT, NULL);
    } else {
        store_record_of(&found, r->ref.pos, &record);
        r->done(r, 0, &record);
    }
}

static void on_read(struct disk_op *op)
{
    struct store_read *r = CONTAINER_OF(op, struct store_read, op);
    struct store *s = r->store;
    struct segment *g = segment_find(s, position_seq(r->ref.pos));

    g->readers--;
    if (g->readers == 0) s->reclaim_due = true;
    s->nreads--;
    answer(s, r, op->result);
}

void store_read(struct store *s, struct store_read *r)
{
    const uint8_t *here = commit_find(s, r->ref);
    r->store = s;
    r->next = NULL;
    r->in_memory = here;
    if (here) {
        memcpy(r->room, here, r->ref.bytes);
    } else { /* the segment stays till the answer */
        struct segment *g = segment_find(s, position_seq(r->ref.pos));
        ASSERT(g);
        g->readers++;
    }
    *s->last_read = r;
    s->last_read = &r->next;
}

static struct store_read *take_first(struct store *s)
{
    struct store_read *r = s->reads;
    s->reads = r->next;
    if (!s->reads) s->last_read = &s->reads;
    return r;
}

static void to_disk(struct store *s, struct store_read *r)
{
    struct segment *g = segment_find(s, position_seq(r->ref.pos));
    r->op = (struct disk_op){.kind = DISK_READ,
                             .fd = g->fd,
                             .offset = position_offset(r->ref.pos),
                             .buf = r->room,
                             .n = r->ref.bytes,
                             .done = on_read};
    s->nreads++;
    disk_submit(s->o.disk, &r->op);
}

void read_start(struct store *s)
{
    while (s->reads && !s->reads->in_memory && s->nreads < READS_MAX)
        to_disk(s, take_first(s));
}

/* Those at the head that were found in memory. What `done` asks for comes in a later turn. */
unsigned read_answer(struct store *s)
{
    struct store_read *end = s->reads ? CONTAINER_OF(s->last_read, struct store_read, next) : NULL;
    unsigned n = 0;
    while (s->reads && s->reads->in_memory) {
        struct store_read *r = take_first(s);
        answer(s, r, r->ref.bytes);
        n++;
        if (r == end) break;
    }
    return n;
}
