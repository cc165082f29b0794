/* SPDX-License-Identifier: BSD-3-Clause */
/* recover.h -- what the parts of recovery share.
 *
 * What damage is. A commit is written only when the one before it is on disk. So if there is any
 * good record of a later commit, all of the earlier ones was on disk, and what is missing there has
 * been damaged since. Bad bytes without such a witness behind them are the torn end of a commit
 * that nobody was told of; they are cut off. (Damage to the very last commit looks the same. A log
 * that was closed in good order ends in a mark, which is a witness for everything.)
 *
 * Owner: the store, during store_recover(). */
#pragma once

#include "store/store_internal.h"

/* Sequences, rising. */
struct seq_list {
    uint32_t *seq;
    unsigned n, room;
};

struct recovery {
    struct store *s;
    const struct store_replay *replay;

    struct seq_list logs;   /* files that are there */
    struct seq_list wanted; /* that the snapshot says must be there */
    struct seq_list freed;  /* that the log says are free */
    uint32_t snapshot;      /* the newest; 0: none */
    uint64_t base;          /* where replay starts */
    bool damaged, unreadable;

    uint8_t *buf; /* of the file being read */
    size_t n, room;
    char file[SEGMENT_NAME];

    uint64_t last_commit; /* of the last good record */
    bool complete;        /* that was the last of its commit */
    uint64_t done_bytes, all_bytes;
};

/* The end of what is good in the segment where appending goes on. */
struct tail {
    uint32_t used;  /* records end here */
    uint32_t dirty; /* bytes up to here may look like records */
    uint32_t last;  /* offset of the last good record; 0: none */
    bool sealed;
};

bool seq_add(struct seq_list *l, uint32_t seq);
bool seq_has(const struct seq_list *l, uint32_t seq);

/* recover_file.c: reads a file whole. 0; -ERR_ABSENT; -ERR_NOMEM; -ERR_CORRUPT (it was told). */
int recover_list(struct recovery *rc);
int recover_load(struct recovery *rc, enum segment_kind kind, uint32_t seq, int *fd);
void recover_progress(struct recovery *rc, uint64_t bytes);

/* Bytes of a file. */
struct span {
    uint64_t offset, bytes;
};

/* Tells the operator; -ERR_CORRUPT if it is not harmless and nothing may be lost. */
__attribute__((format(printf, 4, 5))) int recover_tell(struct recovery *rc,
                                                       enum store_finding_kind kind, struct span at,
                                                       const char *format, ...);

/* recover_scan.c */
enum scan_how {
    SCAN_OLD,   /* from before the snapshot */
    SCAN_INNER, /* it is full: there are later records */
    SCAN_LAST,  /* nothing says that there is more */
};
int recover_scan(struct recovery *rc, uint32_t seq, enum scan_how how, struct tail *t);
bool recover_has_records(struct recovery *rc, uint32_t seq); /* of the file that is loaded */
int recover_snapshot(struct recovery *rc);
