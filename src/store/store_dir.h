/* SPDX-License-Identifier: BSD-3-Clause */
/* store_dir.h -- the data directory: who uses it, how it is laid out, which logs count.
 *
 * The file `lock` is held as long as the directory is in use. The file `layout` says the version of
 * the format, the identity of the data, how many cores wrote it, and its generation: core N's log
 * is the directory core-N.GENERATION. A restart with another number of cores reads all old logs,
 * writes the new ones with the next generation beside them, and makes them count with one rename of
 * `layout`.
 *
 * Owner: the application, before and after the cores run. All calls block. */
#pragma once

#include "store/io.h"

enum { STORE_DIR_WHY = 320, STORE_CORES_MAX = 4096 };

struct store_dir {
    const struct store_io *io;
    int fd, lock; /* -1 while closed */
    uint64_t id;
    uint32_t generation; /* 0: new, holds nothing */
    uint32_t cores;
    char why[STORE_DIR_WHY]; /* of the last error, for the operator */
};

/* Opens, locks, and reads the layout; makes what is not there, unless `read_only`, which takes no
 * lock either. -ERR_BUSY: in use. -ERR_UNSUPPORTED: another version. -ERR_CORRUPT. */
int store_dir_open(struct store_dir *d, const struct store_io *io, const char *path,
                   bool read_only);
void store_dir_close(struct store_dir *d);

/* A generation of which there is no log, not even one that could not be removed: for new logs, and
 * then for the switch to them. */
int store_dir_next(struct store_dir *d, uint32_t *generation);

/* Makes `generation` with `cores` logs the one that counts. Their logs must be on disk. Others are
 * removed, now or at the next start. */
int store_dir_switch(struct store_dir *d, uint32_t generation, uint32_t cores);

/* The directory of a log; made if `create`. A file descriptor, or an error (why). */
int store_dir_log(const struct store_dir *d, unsigned core, uint32_t generation, bool create);

/* The identity that all records of a log carry in their sums. */
uint64_t store_dir_log_id(const struct store_dir *d, unsigned core, uint32_t generation);
