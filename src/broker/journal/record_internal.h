/* SPDX-License-Identifier: BSD-3-Clause */
/* record_internal.h -- what the files of the codec share: how a record begins, how its bytes are
 * laid out one piece behind the other, and how reading one ends. */
#pragma once

#include "base/assert.h"
#include "base/err.h"
#include "broker/journal/record.h"
#include "store/bytes64.h"

/* Fixed fields go to b->head, what the caller lends becomes a piece of its own. */
struct record_writer {
    struct record_buf *buf;
    struct writer w;
    size_t cut; /* up to here the head belongs to pieces already */
};

static inline struct record_writer record_begin(struct record_buf *b, enum record_type type,
                                                uint8_t flags, struct bytes key)
{
    b->put = (struct store_put){
        .type = (uint8_t)type, .version = 1, .flags = flags, .key = key, .part = b->part};
    return (struct record_writer){.buf = b, .w = wr_of(b->head, sizeof b->head)};
}

static inline void record_lend(struct record_writer *rw, struct bytes piece)
{
    if (piece.n == 0) return;
    ASSERT(rw->buf->put.nparts < RECORD_PARTS);
    rw->buf->part[rw->buf->put.nparts++] = piece;
}

/* What was written since the last cut is a piece. */
static inline void record_cut(struct record_writer *rw)
{
    ASSERT(!rw->w.bad);
    record_lend(rw, bytes_of(rw->buf->head + rw->cut, wr_len(&rw->w) - rw->cut));
    rw->cut = wr_len(&rw->w);
}

static inline struct reader record_open(const struct store_record *s, int *err)
{
    *err = s->version == 1 ? 0 : -ERR_UNSUPPORTED;
    return rd_of(s->body);
}

/* All of it was there, nothing more was, and no field had a value that is never written. */
static inline int record_close(const struct reader *r, bool sound)
{
    return r->bad || rd_left(r) > 0 || !sound ? -ERR_CORRUPT : 0;
}
