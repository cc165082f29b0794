/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/store_dir.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/rng.h"
#include "store/crc32c.h"

enum { LAYOUT_MAX = 256, FORMAT_VERSION = 1 };

__attribute__((format(printf, 3, 4))) static int refuse(struct store_dir *d, int err,
                                                        const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(d->why, sizeof d->why, format, args);
    va_end(args);
    return err;
}

static int refuse_errno(struct store_dir *d, int64_t result, const char *what)
{
    return refuse(d, -err_from_errno((int)-result), "%s: %s", what, strerror((int)-result));
}

/* ---- layout -------------------------------------------------------------------- */

/* The last line holds the sum of all before it. */
static size_t layout_text(const struct store_dir *d, char text[LAYOUT_MAX])
{
    int n = snprintf(text, LAYOUT_MAX,
                     "pinion data, format %d\nid %016" PRIx64 "\ngeneration %" PRIu32
                     "\ncores %" PRIu32 "\n",
                     FORMAT_VERSION, d->id, d->generation, d->cores);
    uint32_t sum = crc32c(0, bytes_of(text, (size_t)n));
    n += snprintf(text + n, LAYOUT_MAX - (size_t)n, "sum %08" PRIx32 "\n", sum);
    return (size_t)n;
}

/* Reads what layout_text wrote: the same values must give the same text. */
static int read_layout_text(struct store_dir *d, const char *text)
{
    struct store_dir read = *d;
    char again[LAYOUT_MAX];
    int version;

    if (sscanf(text, "pinion data, format %d\n", &version) != 1)
        return refuse(d, -ERR_CORRUPT,
                      "layout: this is not Pinion's, or it is damaged; restore it from a backup");
    if (version != FORMAT_VERSION)
        return refuse(d, -ERR_UNSUPPORTED,
                      "layout: the data has format %d, this program reads format %d; start the "
                      "version that wrote it, or give an empty directory",
                      version, FORMAT_VERSION);
    int fields = sscanf(
        text, "pinion data, format %d\nid %" SCNx64 "\ngeneration %" SCNu32 "\ncores %" SCNu32 "\n",
        &version, &read.id, &read.generation, &read.cores);
    layout_text(&read, again);
    if (fields != 4 || strcmp(text, again) != 0 || read.generation == 0 || read.cores == 0 ||
        read.cores > STORE_CORES_MAX)
        return refuse(d, -ERR_CORRUPT,
                      "layout: damaged: its sum is wrong; restore it from a "
                      "backup, or write it anew from what the logs say "
                      "(pinion log check)");
    *d = read;
    return 0;
}

static int read_layout(struct store_dir *d)
{
    char text[LAYOUT_MAX + 1];
    int fd = d->io->open(d->io->ctx, d->fd, "layout", IO_READ);
    if (fd == -ENOENT) return 0;
    if (fd < 0) return refuse_errno(d, fd, "layout");
    int64_t n = io_read_all(d->io, fd, text, LAYOUT_MAX, 0);
    d->io->close(d->io->ctx, fd);
    if (n < 0) return refuse_errno(d, n, "layout");
    text[n] = '\0';
    return read_layout_text(d, text);
}

static int write_synced(struct store_dir *d, int fd, const char *text, size_t n)
{
    int64_t done = d->io->pwrite(d->io->ctx, fd, text, n, 0);
    if (done >= 0 && (size_t)done < n) return -ENOSPC;
    return done < 0 ? (int)done : d->io->sync(d->io->ctx, fd);
}

static int write_layout(struct store_dir *d)
{
    const struct store_io *io = d->io;
    char text[LAYOUT_MAX];
    size_t n = layout_text(d, text);

    int err = io->unlink(io->ctx, d->fd, "layout.tmp"); /* of a start that was cut short */
    if (err < 0 && err != -ENOENT) return refuse_errno(d, err, "layout.tmp");
    int fd = io->open(io->ctx, d->fd, "layout.tmp", IO_CREATE);
    if (fd < 0) return refuse_errno(d, fd, "layout.tmp");
    err = write_synced(d, fd, text, n);
    io->close(io->ctx, fd);
    if (err >= 0) err = io->rename(io->ctx, d->fd, "layout.tmp", "layout");
    if (err >= 0) err = io->sync(io->ctx, d->fd);
    return err < 0 ? refuse_errno(d, err, "layout") : 0;
}

/* ---- other generations --------------------------------------------------------- */

enum { REMOVE_MAX = 64 }; /* per pass; there are more passes */

struct removal {
    char name[REMOVE_MAX][64];
    unsigned n;
    uint32_t keep;
    bool logs;
};

static bool is_log(const char *name, uint32_t *generation)
{
    uint32_t core;
    char rest;
    return sscanf(name, "core-%" SCNu32 ".%" SCNu32 "%c", &core, generation, &rest) == 2;
}

static void note_for_removal(void *ctx, const char *name)
{
    struct removal *r = ctx;
    uint32_t generation;

    if (r->n == REMOVE_MAX || strlen(name) >= sizeof r->name[0]) return;
    if (r->logs && (!is_log(name, &generation) || generation == r->keep)) return;
    strcpy(r->name[r->n++], name);
}

static void remove_log(struct store_dir *d, const char *name)
{
    const struct store_io *io = d->io;
    struct removal files;
    int fd = io->open_dir(io->ctx, d->fd, name, false);

    if (fd < 0) return;
    do {
        files = (struct removal){0};
        if (io->list(io->ctx, fd, note_for_removal, &files) < 0) break;
        for (unsigned i = 0; i < files.n; i++)
            if (io->unlink(io->ctx, fd, files.name[i]) < 0) files.n = 0;
    } while (files.n > 0);
    io->close(io->ctx, fd);
    io->unlink(io->ctx, d->fd, name);
}

/* Best effort: what stays is tried again at the next start, and is never read. */
static void remove_others(struct store_dir *d)
{
    struct removal logs;
    unsigned before = 0;

    for (;;) {
        logs = (struct removal){.keep = d->generation, .logs = true};
        if (d->io->list(d->io->ctx, d->fd, note_for_removal, &logs) < 0) return;
        if (logs.n == 0 || logs.n == before) return;
        for (unsigned i = 0; i < logs.n; i++)
            remove_log(d, logs.name[i]);
        before = logs.n == REMOVE_MAX ? 0 : logs.n;
    }
}

/* ---- verbs --------------------------------------------------------------------- */

static int take_lock(struct store_dir *d, const char *path)
{
    const struct store_io *io = d->io;
    d->lock = io->open(io->ctx, d->fd, "lock", IO_WRITE);
    if (d->lock == -ENOENT) d->lock = io->open(io->ctx, d->fd, "lock", IO_CREATE);
    if (d->lock < 0) return refuse_errno(d, d->lock, "lock");
    int err = io->lock(io->ctx, d->lock);
    if (err == -EWOULDBLOCK)
        return refuse(d, -ERR_BUSY,
                      "%s is in use by another Pinion; stop that first, or give "
                      "this one a directory of its own",
                      path);
    return err < 0 ? refuse_errno(d, err, "lock") : 0;
}

/* A new directory is lost with the power unless its parent is synced, and all that is in it. */
static int sync_parent(struct store_dir *d)
{
    const struct store_io *io = d->io;
    int parent = io->open_dir(io->ctx, d->fd, "..", false);
    if (parent < 0) return refuse_errno(d, parent, "the data directory's parent");
    int err = io->sync(io->ctx, parent);
    io->close(io->ctx, parent);
    return err < 0 ? refuse_errno(d, err, "the data directory's parent") : 0;
}

static int open_all(struct store_dir *d, const char *path, bool read_only)
{
    d->fd = d->io->open_dir(d->io->ctx, -1, path, !read_only);
    if (d->fd < 0) return refuse_errno(d, d->fd, path);
    int err = read_only ? 0 : take_lock(d, path);
    if (err == 0) err = read_layout(d);
    if (err < 0 || read_only) return err;
    if (d->generation == 0) { /* new */
        err = sync_parent(d);
        if (err < 0) return err;
        d->id = rng_os_seed();
    }
    remove_others(d);
    return 0;
}

int store_dir_open(struct store_dir *d, const struct store_io *io, const char *path, bool read_only)
{
    *d = (struct store_dir){.io = io, .fd = -1, .lock = -1};
    int err = open_all(d, path, read_only);
    if (err < 0) store_dir_close(d);
    return err;
}

void store_dir_close(struct store_dir *d)
{
    if (d->lock >= 0) d->io->close(d->io->ctx, d->lock);
    if (d->fd >= 0) d->io->close(d->io->ctx, d->fd);
    d->fd = d->lock = -1;
}

static void note_generation(void *ctx, const char *name)
{
    uint32_t generation, *highest = ctx;
    if (is_log(name, &generation) && generation > *highest) *highest = generation;
}

int store_dir_next(struct store_dir *d, uint32_t *generation)
{
    uint32_t highest = d->generation;
    int err = d->io->list(d->io->ctx, d->fd, note_generation, &highest);
    if (err < 0) return refuse_errno(d, err, "data directory");
    if (highest == UINT32_MAX)
        return refuse(d, -ERR_FULL, "data directory: core-N.%" PRIu32 " is the last generation",
                      highest);
    *generation = highest + 1;
    return 0;
}

int store_dir_switch(struct store_dir *d, uint32_t generation, uint32_t cores)
{
    struct store_dir before = *d;
    int err = d->io->sync(d->io->ctx, d->fd); /* the logs' directories */
    if (err < 0) return refuse_errno(d, err, "data directory");
    d->generation = generation;
    d->cores = cores;
    err = write_layout(d);
    if (err < 0) {
        d->generation = before.generation;
        d->cores = before.cores;
        return err;
    }
    remove_others(d);
    return 0;
}

int store_dir_log(const struct store_dir *d, unsigned core, uint32_t generation, bool create)
{
    char name[64];
    snprintf(name, sizeof name, "core-%u.%" PRIu32, core, generation);
    int fd = d->io->open_dir(d->io->ctx, d->fd, name, create);
    return fd;
}

uint64_t store_dir_log_id(const struct store_dir *d, unsigned core, uint32_t generation)
{
    return hash_pair(d->id, (uint64_t)core << 32 | generation);
}
