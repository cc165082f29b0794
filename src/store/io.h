/* SPDX-License-Identifier: BSD-3-Clause */
/* io.h -- every call that the store makes to a file system, as a table.
 *
 * The broker gets the operating system's (io_linux.c); tests put a disk of their own behind it,
 * that forgets, tears, fails and fills, and failpoints before it. All calls may block: they are
 * made at start-up, or by helper threads (disk.h), never in a turn.
 *
 * Every call returns 0 or more, or the negated number of the operating system's error (-EIO): what
 * a person is told names that. Names are those of files in an open directory, without '/'. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum io_how { IO_READ, IO_WRITE, IO_CREATE };

typedef void io_name_fn(void *ctx, const char *name);

struct store_io {
    void *ctx; /* first argument of all */

    /* Directories: `at` < 0 means that `name` is a path. Made with mode 0700 if `create`. */
    int (*open_dir)(void *ctx, int at, const char *name, bool create);
    int (*list)(void *ctx, int dir, io_name_fn *fn, void *arg);
    int (*rename)(void *ctx, int dir, const char *from, const char *to);
    int (*unlink)(void *ctx, int dir, const char *name); /* an empty directory as well */

    /* Files: mode 0600, never through a symbolic link. IO_CREATE fails if it is there. */
    int (*open)(void *ctx, int dir, const char *name, enum io_how how);
    int (*lock)(void *ctx, int fd); /* exclusive, at once or -EWOULDBLOCK */
    int64_t (*size)(void *ctx, int fd);
    int64_t (*pread)(void *ctx, int fd, void *buf, size_t n, uint64_t offset);
    int64_t (*pwrite)(void *ctx, int fd, const void *buf, size_t n, uint64_t offset);
    int (*sync)(void *ctx, int fd); /* data of a file, or entries of a directory, to the disk */

    /* Drops what memory holds of a file, so that reading shows what the disk has: after a failed
     * sync the two differ. */
    int (*forget)(void *ctx, int fd);
    void (*close)(void *ctx, int fd);
};

/* The operating system's. */
const struct store_io *store_io_linux(void);

/* Reads all `n` bytes; less only at the end of the file. */
int64_t io_read_all(const struct store_io *io, int fd, void *buf, size_t n, uint64_t offset);
