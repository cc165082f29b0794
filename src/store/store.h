/* SPDX-License-Identifier: BSD-3-Clause */
/* store.h -- one append-only log per core, for all that must survive.
 *
 * What is appended in a turn goes to the disk with one write and one sync, while the core goes on;
 * one such commit is under way at most. Who must not speak before the disk has answered
 * leaves a store_wait, and is called in the order of the log. After a restart the owner is given
 * the newest snapshot and then what was appended since its start, in order; so a
 * record must say what is now, not what has changed: to apply one twice must do no harm.
 *
 * A write or sync that fails ends it: nothing more is durable, appends are refused, the reason is
 * kept in words. Nothing is ever tried again on the same pages.
 *
 * Owner: one core; all calls are from it, and none blocks but those said to. Callbacks come from
 * store_commit() and store_poll() alone, and may append. */
#pragma once

#include "base/bytes.h"
#include "base/clock.h"
#include "store/disk.h"
#include "store/store_dir.h"

enum {
    STORE_WHY = 320,
    STORE_TYPE_MAX = 239,
    STORE_SEGMENT_MIN = 4096,
    STORE_SEGMENT_MAX = 1 << 30,
};

struct store;

/* Where a record is, and how long. Positions only rise; none is 0. */
struct store_ref {
    uint64_t pos;
    uint32_t bytes;
};

/* ---- what the owner is asked and told ----------------------------------------- */

struct store_record {
    struct store_ref ref;
    uint8_t type, version;
    bool kept;              /* STORE_KEEP */
    bool snapshot;          /* from the snapshot: `ref` means nothing */
    bool old;               /* from before the snapshot; with read_all only */
    uint64_t moved_from;    /* a copy: what was referred to there is now at ref; 0 if none */
    struct bytes key, body; /* borrows, until return */
};

struct store_owner {
    void *ctx;

    /* Puts some state (store_snapshot_put) until `budget` bytes are used up. Called turn after
     * turn, with `first` at the beginning; returns 1 when all has been put, 0 if there is more, or
     * an error: the snapshot is dropped, and the next call has `first` again. What changes in
     * between may be put as it was or as it is. */
    int (*snapshot)(void *ctx, struct store *s, bool first, size_t budget);

    /* A STORE_KEEP record of a sparse segment: does anybody refer to it? If so, it has moved. */
    bool (*is_live)(void *ctx, const struct store_record *r);
    void (*moved)(void *ctx, struct store_ref from, struct store_ref to);

    /* Once. The waits have been called already. */
    void (*failed)(void *ctx, const char *why);
};

struct store_options {
    const struct store_io *io;
    struct disk *disk;
    const struct store_dir *dir;
    unsigned core;
    uint32_t generation;
    const struct clock *clock;
    struct store_owner owner;

    uint32_t segment_bytes;    /* 0: 16 MiB; STORE_SEGMENT_MIN to MAX, a multiple of 8 */
    uint64_t disk_bytes_max;   /* 0: no limit but the disk */
    uint64_t buffer_bytes_max; /* appended, not yet on disk; 0: 64 MiB. One record may exceed it */
    uint64_t lazy_ns;          /* how long STORE_LAZY may wait */
    bool salvage;              /* after damage: keep what is proved good, and say what was lost */
    bool read_only;            /* recovery changes nothing; there is no append */
    bool read_all;             /* recovery also reads what a snapshot has superseded */
};

/* ---- open, recover, close ------------------------------------------------------ */

/* NULL when memory runs out. Reads nothing yet; all but `dir`'s path is borrowed or copied. */
struct store *store_new(const struct store_options *o);

enum store_finding_kind {
    FOUND_TORN,       /* the end of what was never acknowledged; cut off */
    FOUND_DAMAGED,    /* bytes that are no record, with good ones behind */
    FOUND_TRUNCATED,  /* a file that is too short */
    FOUND_MISSING,    /* a file that must be there */
    FOUND_BAD_HEADER, /* of a file; its records can be read all the same */
    FOUND_UNREADABLE, /* the disk refused */
};

struct store_finding {
    enum store_finding_kind kind;
    bool harmless; /* nothing acknowledged can have been in it */
    char file[40];
    uint64_t offset, bytes;
    char text[STORE_WHY]; /* what was found and what to do, in one line */
};

struct store_replay {
    void *ctx;
    int (*record)(void *ctx, const struct store_record *r); /* below 0: stop with that */
    void (*found)(void *ctx, const struct store_finding *f);
    void (*progress)(void *ctx, uint64_t done_bytes, uint64_t all_bytes);
};

/* Gives all that the log holds to `r`, then opens it for appending. Blocks. -ERR_CORRUPT: damage,
 * and no `salvage`; or what opening and reading answered. store_why() has the sentence. */
int store_recover(struct store *s, const struct store_replay *r);

/* After recovery, for each STORE_KEEP record that the owner still refers to; then once
 * store_start(). -ERR_ABSENT: it was in a segment that is lost (salvage). */
int store_claim(struct store *s, struct store_ref ref);
void store_start(struct store *s);

/* Commits what was appended, marks the end, and frees all. Blocks; waits are called. -ERR_STORAGE
 * if something appended is not on disk. */
int store_close(struct store **s);

/* ---- append ------------------------------------------------------------------- */

enum {
    STORE_KEEP = 1,    /* will be referred to by position; lives until store_release */
    STORE_LAZY = 2,    /* nobody waits for it: up to lazy_ns in memory */
    STORE_RESERVE = 4, /* frees something (an acknowledgement, a delete): may use the last space */
};

struct store_put {
    uint8_t type; /* 1 to STORE_TYPE_MAX */
    uint8_t version;
    uint8_t flags;
    struct bytes key;
    const struct bytes *part; /* of the body */
    unsigned nparts;
};

/* Borrows all until it returns. -ERR_FULL: the limit, or the disk. -ERR_AGAIN: faster than the
 * disk; read less from sockets till store_has_room(). -ERR_TOO_LARGE, -ERR_NOMEM. -ERR_STORAGE: see
 * store_why(). An error changes nothing. `ref` may be NULL. */
int store_append(struct store *s, const struct store_put *p, struct store_ref *ref);
bool store_has_room(const struct store *s); /* or waiting for some is in vain: -ERR_FULL */

/* What is appended next, up to `bytes` in all and before the next store_commit(), goes to the disk
 * in one commit; else a commit also ends where a segment does. The errors are those of an append of
 * that size. */
int store_together(struct store *s, uint32_t bytes, bool reserve);

/* Key and parts of a record may have so many bytes together, or it is -ERR_TOO_LARGE: with a
 * segment_bytes (0: the usual) that is to be, and with that of `s`. */
uint32_t store_record_limit(uint32_t segment_bytes);
uint32_t store_record_max(const struct store *s);

/* Nobody refers to it any more. */
void store_release(struct store *s, struct store_ref ref);

/* ---- the turn ----------------------------------------------------------------- */

/* Its phase of the turn: hears what the disk has done, and gives it what was appended. Returns the
 * work done. */
unsigned store_commit(struct store *s);

/* Only the hearing, for a readable store_fd() (-1: the core's bell rings). */
unsigned store_poll(struct store *s);
int store_fd(const struct store *s);

/* When a commit will be due that nothing else will wake the core for: STORE_LAZY. UINT64_MAX: none,
 * or one is under way, whose end comes first. */
uint64_t store_due_ns(const struct store *s);

/* Commits all there is, and waits for it: at start-up, and at the end. -ERR_STORAGE. Blocks. */
int store_flush(struct store *s);

/* Everything before this position is on disk. Never rises after a failure. */
uint64_t store_durable(const struct store *s);
uint64_t store_tail(const struct store *s); /* the next record's position, or less */

/* What store_durable() will be at least when the commit that is under way has succeeded;
 * store_durable() if none is. */
uint64_t store_committing(const struct store *s);

/* Embedded by who waits. `done` gets 0 when all that had been appended before store_wait() is on
 * disk, or -ERR_STORAGE when it never will be known to be. Called at once if there is nothing to
 * wait for. */
struct store_wait {
    void (*done)(struct store_wait *w, int err);
    uint64_t pos;
    struct store_wait *next;
};

void store_wait(struct store *s, struct store_wait *w);

/* ---- read --------------------------------------------------------------------- */

/* Embedded by who reads. `room` is the caller's, of ref.bytes bytes, till `done`, which comes
 * in a later turn with 0 and the record (borrowed from room), or -ERR_CORRUPT, -ERR_STORAGE. */
struct store_read {
    struct store_ref ref;
    uint8_t *room;
    void (*done)(struct store_read *r, int err, const struct store_record *record);

    struct disk_op op; /* the store's own */
    struct store *store;
    struct store_read *next;
    bool in_memory;
};

void store_read(struct store *s, struct store_read *r);

/* ---- snapshot and space ------------------------------------------------------- */

/* One record of state, from owner.snapshot(). */
int store_snapshot_put(struct store *s, const struct store_put *p);

/* Starts one now, whatever the store thinks; -ERR_BUSY if one is under way. By itself it starts one
 * when the log since the last is longer than that was, and not short. */
int store_snapshot_start(struct store *s);

/* ---- what can be asked -------------------------------------------------------- */

enum store_state { STORE_NEW, STORE_OPEN, STORE_FAILED };

struct store_stats {
    uint64_t records, bytes, commits, snapshots, snapshots_failed, moved; /* since the start */
    uint64_t live_bytes, log_bytes, disk_bytes; /* now: kept, in use, of all files */
    uint64_t commit_ns;                         /* of the last commit */
    uint64_t recovery_ns, recovery_bytes;       /* store_recover(): its time, the files it read */
    unsigned segments, reads_waiting, waits;
};

/* How long commits took, from giving them to the disk till hearing of it, by the clock of the turn.
 * Bucket i counts those below store_latency_limit_ns(i) and not below that of i - 1; the last one
 * all others. Four buckets to each doubling, from a microsecond on. Written by the core. */
enum { STORE_LATENCY_BUCKETS = 26 * 4 };

struct store_latency {
    uint64_t bucket[STORE_LATENCY_BUCKETS];
    uint64_t sum_ns, count;
};

enum store_state store_state(const struct store *s);
const char *store_why(const struct store *s);    /* empty while all is well */
const char *store_engine(const struct store *s); /* "io_uring", "helper threads" */
struct store_stats store_stats(const struct store *s);
const struct store_latency *store_latency(const struct store *s);
uint64_t store_latency_limit_ns(unsigned bucket);
