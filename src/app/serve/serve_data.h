/* SPDX-License-Identifier: BSD-3-Clause */
/* serve_data.h -- the data directory while the broker starts, runs and ends.
 *
 * The main thread opens the directory and says which logs count. Each core's thread makes its own
 * disk and journal, and reads its own log back, all cores at once. Then logs that are new begin to
 * count, and one thread turns all cores until each knows what the others' sessions want; only then
 * does anyone listen.
 *
 * Without `data.dir` there is nothing of all this: no core has a journal. */
#pragma once

#include <stdatomic.h>

#include "broker/journal/journal.h"
#include "broker/journal/rewrite.h"
#include "core/cpu.h"
#include "core/reactor.h"
#include "store/disk.h"
#include "store/store_dir.h"

struct core_modules;
struct data_options;
struct log;
struct serve;

/* The main thread's; constant while cores run. */
struct data_shared {
    struct store_dir dir;
    uint32_t generation;     /* that the cores open */
    struct helpers *helpers; /* for the disk alone, so that nothing else makes it wait */
    struct cpu_set rest;     /* CPUs that no core is pinned to */
    bool is_open, has_rest, uring;
    struct journal_found found;     /* by all cores */
    struct rewrite_found rewritten; /* when another number of cores ran before */
    uint64_t recovery_ms;
};

/* A core's. */
struct data_core {
    struct disk *disk;
    struct store *store; /* the journal's, once it is open */
    struct journal *journal;
    struct watch watch; /* of the disk's file descriptor, if it has one */
    struct journal_found found;
    bool is_open;                           /* all was read back, and it can be written */
    uint32_t full_s;                        /* when the log may tell again that the disk is full */
    uint64_t refused;                       /* for want of space, when it was told */
    _Atomic uint64_t done_bytes, all_bytes; /* of recovery; the main thread looks */
};

/* ---- serve_data.c: on the main thread ------------------------------------------------------ */

/* Opens data.dir, and settles which logs the cores open. 0, or -ERR_X with a sentence in
 * error[OPTIONS_ERROR]. */
int data_open(struct serve *s, char *error);

/* When all cores have read theirs: from now on these logs count. The same. */
int data_switch(struct serve *s, char *error);

/* Of the files of a log. */
uint32_t data_segment_bytes(const struct data_options *o);

/* What was found, and what to do. */
void data_tell_finding(struct log *log, const struct store_finding *f);

/* What whoever finds damage may do, to be put behind the sentence that says where. */
extern const char data_salvage_hint[];

/* When no core runs any more. */
void data_close(struct serve *s);

/* Where a client's home and a topic's owner are must not change from one start to the next. */
uint64_t data_seed(const struct data_shared *d);

/* ---- serve_rewrite.c: on the main thread ----------------------------------------------------- */

/* Makes logs for the cores of now, all live data in them, and lets them count. Blocks. 0, or -ERR_X
 * with a sentence in error[OPTIONS_ERROR]: the old ones still count. */
int data_rewrite(struct serve *s, char *error);

/* ---- serve_journal.c: on a core's thread ------------------------------------------------------
 */

/* Makes the core's journal and reads the log back. Blocks. 0, or -ERR_X with a sentence in
 * error[OPTIONS_ERROR]. */
int data_core_open(struct core_modules *m, char *error);

/* Writes what there is, and closes the log. Blocks. -ERR_STORAGE: not all of it is on disk. */
int data_core_close(struct core_modules *m);

/* After broker_free. */
void data_core_free(struct core_modules *m);

/* ---- progress.c: on the main thread ---------------------------------------------------------- */

/* How far recovery has come, to the log, a terminal and the service manager. */
struct progress {
    uint64_t began_ns, log_due_ns, line_due_ns;
    bool terminal, has_line;
};

void progress_begin(struct progress *p, struct serve *s);
/* As often as you like: of reading by all cores, of logs written anew. */
void progress_look(struct progress *p, struct serve *s);
void progress_rewrite(struct progress *p, struct serve *s, unsigned permille);
void progress_end(struct progress *p);
/* All have read theirs: tells what came back. */
void progress_recovered(const struct progress *p, struct serve *s);
