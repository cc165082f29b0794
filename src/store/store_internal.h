/* SPDX-License-Identifier: BSD-3-Clause */
/* store_internal.h -- the store's inside, shared by its files and by nobody else.
 *
 *     store.c     open and close, append, waits       commit.c   batches on their way to the disk
 *     prepare.c   segments, before they are needed    read.c     records, back from the disk
 *     recover.c   what a restart finds                snapshot.c the state, beside the log
 *     reclaim.c   segments that hold nothing          compact.c  ... or too little */
#pragma once

#include "base/assert.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/table.h"
#include "store/record.h"
#include "store/segment.h"
#include "store/store.h"

enum {
    READY_WANTED = 2, /* the next segment, and the reserve */
    BATCH_ROOM = 65536,
    BATCHES_SPARE = 3,
    READS_MAX = 64, /* under way at a time */
    PREPARE_STEP = 1 << 20,
    SNAPSHOT_STEP = 64 * 1024,   /* bytes asked of the owner in a turn */
    SNAPSHOT_CHUNK = 256 * 1024, /* bytes per write */
    COMPACT_CHUNK = 256 * 1024,  /* bytes per read */
    COMPACT_SPARSE = 4,          /* when less than one in so many bytes is live */
    COMPACT_STEP = 64 * 1024,    /* bytes looked at in a turn */
};

/* Records of one commit: a run of bytes of one segment. */
struct batch {
    struct segment *segment;
    uint32_t at, n; /* from this offset, so many bytes */
    uint32_t last;  /* where in buf its last record begins */
    uint64_t commit;
    uint64_t begun_ns;
    bool urgent; /* somebody waits for it, or it was not lazy */
    uint8_t *buf;
    size_t room;
    struct batch *next;
};

/* A segment that is being made. */
struct prepare {
    struct disk_op op;
    bool under_way;
    int old_fd; /* of a file to use again; -1: a new one */
    char old_name[SEGMENT_NAME];
    int dir;
    uint64_t log_id;
    uint32_t seq, capacity;
    uint32_t written; /* zeros so far */
    int fd;
    int error;         /* errno of the last attempt; 0: it worked */
    const char *step;  /* what failed */
    uint64_t retry_ns; /* not before */
};

/* A file that nobody needs, on its way out. */
struct removal {
    struct disk_op op;
    bool under_way;
    int dir, fd;
    char name[SEGMENT_NAME];
};

struct snapshot {
    /* The one that counts. */
    uint32_t current; /* its number; 0: none */
    uint64_t current_base, current_bytes;
    uint64_t log_since; /* bytes appended since its base */

    /* The one that is being written. */
    bool active, first, put_all, wanted;
    bool doomed;      /* the owner or memory failed: dropped once the disk has let go of it */
    uint64_t base;    /* replay will start here */
    uint64_t end_pos; /* the log must be on disk up to here before it may count */
    uint64_t offset;  /* of the next record in the file */
    uint8_t *buf;     /* what was put and not yet given to the disk */
    size_t n, room;
    uint64_t retry_ns;

    /* What a helper does with it, while `writing`. */
    struct disk_op op;
    bool writing;
    int dir, fd;
    uint32_t seq;
    uint8_t *out;
    size_t nout, out_room;
    uint64_t written;
};

struct compact {
    struct segment *segment; /* NULL: none */
    struct disk_op op;
    bool reading;
    uint8_t *buf; /* of the segment, from offset `at` on, `n` bytes */
    size_t room;
    uint32_t at, n, asked, next; /* `next`: in the segment, where to go on */
};

struct store {
    struct store_options o;
    uint32_t seed;
    uint64_t log_id;
    int dir;
    enum store_state state;
    char why[STORE_WHY];
    bool started;

    struct table by_seq;
    struct segment *first, *last; /* all, by rising sequence */
    struct segment *active;       /* the ready ones are behind it */
    unsigned nsegments, nready, nfree;
    bool in_reserve; /* the active segment was the last that was ready */
    uint64_t disk_bytes;

    struct batch *oldest, **newest; /* those that are not on disk; the first may be under way */
    struct batch *filling;
    struct batch *spare;
    unsigned nspare;
    uint64_t buffered;
    bool committing;
    struct disk_op commit;
    uint64_t submitted_ns;
    uint64_t next_commit;
    uint64_t durable;

    struct store_wait *waits, **last_wait;
    struct store_read *reads, **last_read; /* not yet given to the disk, or to be answered */
    unsigned nreads;                       /* with the disk */

    struct prepare prepare;
    struct removal removal;
    bool reclaim_due; /* a segment may have become free */
    bool compact_due; /* ... or sparse */
    struct snapshot snapshot;
    struct compact compact;
    struct store_stats stats;
    struct store_latency latency;
};

/* ---- store.c */
void store_fail(struct store *s, int os_error, const char *what, const char *where);
int store_put(struct store *s, struct record *r, const struct store_put *p, struct store_ref *ref);
int store_put_own(struct store *s, enum record_type type, struct bytes body, bool reserve,
                  struct store_ref *ref);
void store_call_waits(struct store *s);

/* ---- commit.c */
struct batch *batch_room(struct store *s, uint32_t bytes); /* where to append; NULL: no memory */
struct store_ref batch_put(struct store *s, struct batch *b, struct record *r,
                           const struct record_parts *p); /* batch_room() was asked */
void batch_seal(struct store *s);                         /* nothing more is added to this one */
void commit_start(struct store *s);
void commit_free(struct store *s);
void latency_add(struct store_latency *l, uint64_t ns);                  /* latency.c */
const uint8_t *commit_find(const struct store *s, struct store_ref ref); /* still in memory */

/* ---- segments: prepare.c */
struct segment *segment_find(const struct store *s, uint32_t seq);
int segment_add(struct store *s, const struct segment *like); /* at the end; copies. -ERR_NOMEM */
void segment_drop(struct store *s, struct segment *g);        /* closes its file */
int segment_rotate(struct store *s, bool reserve);            /* to the next ready one */
/* Is the active one the reserve, with none behind it? What frees nothing may not go there. */
bool segment_is_reserve(const struct store *s);
int segment_none(const struct store *s); /* why there is none to go on in: -ERR_AGAIN, -ERR_FULL */
void prepare_start(struct store *s);     /* if one is wanted and allowed */
int prepare_now(struct store *s);        /* blocks: the first one */
bool prepare_may_come(const struct store *s);
bool prepare_is_allowed(const struct store *s);

/* ---- read.c */
void read_start(struct store *s);
unsigned read_answer(struct store *s);
void store_record_of(const struct record *r, uint64_t pos, struct store_record *out);

/* ---- snapshot.c, reclaim.c, compact.c */
unsigned snapshot_step(struct store *s);
void snapshot_free(struct store *s);
void reclaim(struct store *s); /* what nobody needs becomes free, what is free is used again */
void remove_file(struct store *s, const char *name, int fd); /* closes fd, too; one at a time */
unsigned compact_step(struct store *s);
void compact_free(struct store *s);
