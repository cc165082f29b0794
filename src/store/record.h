/* SPDX-License-Identifier: BSD-3-Clause */
/* record.h -- a record as bytes (FORMAT.md has every one of them), and back.
 *
 * Two sums protect it. That of the header covers the identity of the log and the record's own
 * position too, neither of which is written: bytes that were copied, moved, or left over in a
 * recycled segment are no record. Since the header is proved without the body, a scan that has lost
 * its way finds the next record in one pass, whatever clients have put into theirs; and a damaged
 * body costs that record alone.
 *
 * Pure functions between bytes and structs. */
#pragma once

#include "base/bytes.h"

enum {
    RECORD_HEAD = 24,
    RECORD_ALIGN = 8,
    RECORD_SEAL_BYTES = RECORD_HEAD + 8, /* the last one of a segment */

    /* flags */
    RECORD_LAST = 1,  /* of its commit */
    RECORD_KEEP = 2,  /* somebody refers to it by position: not superseded by a snapshot */
    RECORD_MOVED = 4, /* a copy: its first 8 bytes are the position it had before */
};

/* The store's own types; those below are the broker's. */
enum record_type {
    RECORD_STORE_TYPES = 240,
    RECORD_MARK = 250,  /* empty: what came before was on disk */
    RECORD_FREE = 251,  /* body: u32 sequence of a segment that holds nothing more */
    RECORD_SEAL = 252,  /* last of a segment; body: u32 sequence of the next */
    RECORD_BEGIN = 253, /* first of a snapshot; body: u64 position where replay starts */
    RECORD_END = 254,   /* last of a snapshot; body: the same, and u32 of each segment there is */
};

struct record {
    uint8_t type, version, flags;
    uint64_t commit;
    uint64_t moved_from; /* with RECORD_MOVED */
    struct bytes key, body;
    uint32_t bytes; /* all of it, with header and padding */
};

enum record_state {
    RECORD_GOOD,
    RECORD_NONE,     /* zeros, where a header would be */
    RECORD_BAD_HEAD, /* no header of this log at this position */
    RECORD_BAD_BODY, /* a good header (*r has all but key and body), a body that is not */
};

/* What to put behind a header. The parts are written one behind the other. */
struct record_parts {
    struct bytes key;
    const struct bytes *part;
    unsigned nparts;
};

/* Bytes of a record whose key and parts have so many; 0 if it cannot be one. */
uint32_t record_size(const struct record *r, const struct record_parts *p);

/* The sum every header of this log starts from. */
uint32_t record_seed(uint64_t log_id);

/* Writes record_size() bytes. Of `r`: type, version, flags, commit, moved_from. */
void record_write(uint8_t *out, uint32_t seed, uint64_t pos, const struct record *r,
                  const struct record_parts *p);

/* Gives a written record more flags. */
void record_add_flags(uint8_t *out, uint32_t seed, uint64_t pos, uint8_t flags);

/* The record at the start of `in`; borrows from it. */
enum record_state record_read(struct bytes in, uint32_t seed, uint64_t pos, struct record *r);

/* Offset in `in` of the next good record (header and body) at or after `from`; in.n if there is
 * none. `pos` is the position of in.p[0]; positions count units of 1 << `shift` bytes. */
size_t record_find(struct bytes in, size_t from, uint32_t seed, uint64_t pos, unsigned shift);

/* A position: the sequence of the segment and the offset in it. */
static inline uint64_t position_of(uint32_t seq, uint32_t offset)
{
    return (uint64_t)seq << 32 | offset;
}

static inline uint32_t position_seq(uint64_t pos)
{
    return (uint32_t)(pos >> 32);
}

static inline uint32_t position_offset(uint64_t pos)
{
    return (uint32_t)pos;
}
