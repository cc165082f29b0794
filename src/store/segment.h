/* SPDX-License-Identifier: BSD-3-Clause */
/* segment.h -- one file of a log: its name, its header, and what the store knows of it.
 *
 * A segment gets its full length, its header and a place in the directory before the first record
 * is written to it, all synced: appending changes nothing but data. The file may be new, filled
 * with zeros, or one whose records nobody needs any more; these are no records at the new sequence.
 *
 * Owner: the store of a core. */
#pragma once

#include "base/bytes.h"
#include "store/io.h"

enum {
    SEGMENT_HEAD = 64,
    SEGMENT_NAME = 32,
};

enum segment_kind { SEGMENT_LOG, SEGMENT_SNAPSHOT };

enum segment_state {
    SEGMENT_READY,  /* no record yet */
    SEGMENT_ACTIVE, /* where appends go */
    SEGMENT_SEALED, /* full */
    SEGMENT_FREE,   /* holds nothing; a record that says so is on its way to the disk */
};

struct segment {
    uint32_t seq, capacity; /* file's bytes */
    uint32_t used;          /* up to the end of the last record appended */
    enum segment_state state;
    int fd;
    unsigned readers;     /* operations that use the file now */
    uint64_t live;        /* bytes of STORE_KEEP records that were not released */
    bool skip;            /* compaction could not read it, or found no use */
    uint64_t free_pos;    /* of the record that says it's free */
    struct segment *next; /* by rising sequence */
};

struct segment_head {
    enum segment_kind kind;
    uint32_t seq, capacity;
    uint64_t log_id;
};

enum { SNAPSHOT_SEQ = 1u << 31 }; /* in positions within a snapshot */

void segment_head_write(uint8_t out[SEGMENT_HEAD], const struct segment_head *h);

/* 0; -ERR_CORRUPT: not a header, or not this log's; -ERR_UNSUPPORTED: another version. */
int segment_head_read(struct bytes in, uint64_t log_id, struct segment_head *h);

/* "00000007.log", "snapshot-00000007"; returns out. */
const char *segment_name(char out[SEGMENT_NAME], enum segment_kind kind, uint32_t seq);

/* The other way; false for any other name. */
bool segment_name_read(const char *name, enum segment_kind *kind, uint32_t *seq);
