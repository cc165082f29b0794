/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit/store/sim_disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

static void *must(void *p)
{
    ASSERT(p);
    return p;
}

/* Twice: a test in which an allocation fails means the store's (test_no_memory.c). */
static void *resize(void *old, size_t n)
{
    void *p = realloc(old, n);
    return p ? p : must(realloc(old, n));
}

/* True: this call is to fail. */
static bool fails(struct sim_disk *d, enum sim_call call)
{
    d->calls[call]++;
    if (!d->fail_at || call != d->fail_call) return false;
    if (d->fail_at > 1) {
        d->fail_at--;
        return false;
    }
    if (!d->fail_all) d->fail_at = 0;
    d->failed++;
    return true;
}

static struct sim_inode *at_fd(struct sim_disk *d, int fd)
{
    ASSERT(fd >= 0 && fd < SIM_FDS && d->fd[fd] >= 0);
    return &d->inode[d->fd[fd]];
}

static int new_fd(struct sim_disk *d, int inode)
{
    for (int fd = 0; fd < SIM_FDS; fd++) {
        if (d->fd[fd] >= 0) continue;
        d->fd[fd] = inode;
        return fd;
    }
    return -EMFILE;
}

static int new_inode(struct sim_disk *d, bool is_dir)
{
    ASSERT(d->ninodes < SIM_FILES * 1u);
    d->inode[d->ninodes] = (struct sim_inode){.used = true, .is_dir = is_dir};
    return (int)d->ninodes++;
}

static struct sim_name *find_name(struct sim_disk *d, int dir, const char *name)
{
    for (unsigned i = 0; i < d->nnames; i++)
        if (d->name[i].dir == dir && d->name[i].inode >= 0 && strcmp(d->name[i].name, name) == 0)
            return &d->name[i];
    return NULL;
}

/* ---- steps -------------------------------------------------------------------------- */

static struct sim_step *new_step(struct sim_disk *d, enum sim_step_kind kind, int inode)
{
    ASSERT(d->nsteps < SIM_STEPS);
    struct sim_step *s = &d->step[d->nsteps++];
    *s = (struct sim_step){.kind = kind, .inode = inode};
    return s;
}

static void set_name(struct sim_disk *d, int dir, const char *name, int inode)
{
    struct sim_name *n = find_name(d, dir, name);
    for (unsigned i = 0; !n && i < d->nnames; i++)
        if (d->name[i].inode < 0) n = &d->name[i];
    if (!n) {
        ASSERT(d->nnames < SIM_FILES);
        n = &d->name[d->nnames++];
    }
    n->dir = dir;
    n->inode = inode;
    snprintf(n->name, sizeof n->name, "%s", name);
}

static void change_name(struct sim_disk *d, int dir, const char *name, int inode)
{
    struct sim_step *s = new_step(d, STEP_NAME, dir);
    s->name.dir = dir;
    s->name.inode = inode;
    snprintf(s->name.name, sizeof s->name.name, "%s", name);
    set_name(d, dir, name, inode);
}

static void put_bytes(struct sim_inode *f, const uint8_t *p, size_t n, uint64_t offset)
{
    size_t end = offset + n;
    if (end > f->room) {
        f->room = end * 2;
        f->data = resize(f->data, f->room);
    }
    if (end > f->size) {
        memset(f->data + f->size, 0, end - f->size);
        f->size = end;
    }
    memcpy(f->data + offset, p, n);
}

/* ---- the table ---------------------------------------------------------------------- */

static int sim_open_dir(void *ctx, int at, const char *name, bool create)
{
    struct sim_disk *d = ctx;
    if (fails(d, SIM_OPEN)) return -d->fail_errno;
    if (strcmp(name, "..") == 0) return new_fd(d, 0);
    int dir = at < 0 ? 0 : d->fd[at];
    struct sim_name *n = find_name(d, dir, name);
    if (n) return new_fd(d, n->inode);
    if (!create) return -ENOENT;
    int inode = new_inode(d, true);
    change_name(d, dir, name, inode);
    return new_fd(d, inode);
}

static int sim_list(void *ctx, int dir, io_name_fn *fn, void *arg)
{
    struct sim_disk *d = ctx;
    if (fails(d, SIM_LIST)) return -d->fail_errno;
    for (unsigned i = 0; i < d->nnames; i++)
        if (d->name[i].dir == d->fd[dir] && d->name[i].inode >= 0) fn(arg, d->name[i].name);
    return 0;
}

static int sim_rename(void *ctx, int dir, const char *from, const char *to)
{
    struct sim_disk *d = ctx;
    struct sim_name *n = find_name(d, d->fd[dir], from);
    if (fails(d, SIM_RENAME)) return -d->fail_errno;
    if (!n) return -ENOENT;
    int inode = n->inode;
    /* One step for both names would be a journal's promise; the new name first is the weaker one
     * that any file system keeps. */
    change_name(d, d->fd[dir], to, inode);
    change_name(d, d->fd[dir], from, -1);
    return 0;
}

static int sim_unlink(void *ctx, int dir, const char *name)
{
    struct sim_disk *d = ctx;
    if (fails(d, SIM_UNLINK)) return -d->fail_errno;
    if (!find_name(d, d->fd[dir], name)) return -ENOENT;
    change_name(d, d->fd[dir], name, -1);
    return 0;
}

static int sim_open(void *ctx, int dir, const char *name, enum io_how how)
{
    struct sim_disk *d = ctx;
    struct sim_name *n = find_name(d, d->fd[dir], name);
    if (fails(d, SIM_OPEN)) return -d->fail_errno;
    if (how == IO_CREATE && n) return -EEXIST;
    if (how != IO_CREATE) return n ? new_fd(d, n->inode) : -ENOENT;
    int inode = new_inode(d, false);
    change_name(d, d->fd[dir], name, inode);
    return new_fd(d, inode);
}

static int sim_lock(void *ctx, int fd)
{
    (void)ctx;
    (void)fd;
    return 0;
}

static int64_t sim_size(void *ctx, int fd)
{
    return (int64_t)at_fd(ctx, fd)->size;
}

static int64_t sim_pread(void *ctx, int fd, void *buf, size_t n, uint64_t offset)
{
    struct sim_disk *d = ctx;
    const struct sim_inode *f = at_fd(d, fd);
    if (fails(d, SIM_READ)) return -d->fail_errno;
    if (offset >= f->size) return 0;
    if (n > f->size - offset) n = f->size - offset;
    memcpy(buf, f->data + offset, n);
    return (int64_t)n;
}

static int64_t sim_pwrite(void *ctx, int fd, const void *buf, size_t n, uint64_t offset)
{
    struct sim_disk *d = ctx;
    struct sim_inode *f = at_fd(d, fd);
    bool fail = fails(d, SIM_WRITE);
    size_t grows = offset + n > f->size ? offset + n - f->size : 0;

    if (fail && !d->fail_short) return -d->fail_errno;
    if (d->bytes_max && d->bytes + grows > d->bytes_max) return -ENOSPC;
    if (fail) n /= 2;
    struct sim_step *s = new_step(d, STEP_WRITE, d->fd[fd]);
    s->offset = offset;
    s->n = n;
    s->data = resize(NULL, n ? n : 1);
    memcpy(s->data, buf, n);
    d->bytes += grows;
    put_bytes(f, buf, n, offset);
    return (int64_t)n;
}

/* A sync that fails leaves what memory has looking clean: it is never written. */
static int sim_sync(void *ctx, int fd)
{
    struct sim_disk *d = ctx;
    if (fails(d, SIM_SYNC)) return -d->fail_errno;
    new_step(d, STEP_SYNC, d->fd[fd]);
    return 0;
}

static int sim_forget(void *ctx, int fd)
{
    (void)ctx;
    (void)fd;
    return 0;
}

static void sim_close(void *ctx, int fd)
{
    struct sim_disk *d = ctx;
    at_fd(d, fd);
    d->fd[fd] = -1;
}

struct sim_disk *sim_disk_new(void)
{
    struct sim_disk *d = must(calloc(1, sizeof *d));
    d->io = (struct store_io){
        .ctx = d,
        .open_dir = sim_open_dir,
        .list = sim_list,
        .rename = sim_rename,
        .unlink = sim_unlink,
        .open = sim_open,
        .lock = sim_lock,
        .size = sim_size,
        .pread = sim_pread,
        .pwrite = sim_pwrite,
        .sync = sim_sync,
        .forget = sim_forget,
        .close = sim_close,
    };
    d->step = must(calloc(SIM_STEPS, sizeof *d->step));
    for (int i = 0; i < SIM_FDS; i++)
        d->fd[i] = -1;
    new_inode(d, true); /* the root */
    return d;
}

void sim_disk_free(struct sim_disk **dp)
{
    struct sim_disk *d = *dp;
    if (!d) return;
    for (unsigned i = 0; i < d->ninodes; i++) {
        free(d->inode[i].data);
        free(d->inode[i].base);
    }
    for (unsigned i = 0; i < d->nsteps; i++)
        free(d->step[i].data);
    free(d->step);
    free(d);
    *dp = NULL;
}

/* ---- crash -------------------------------------------------------------------------- */

static bool chosen(struct rng *r, uint64_t seed)
{
    return seed == 1 || (seed > 1 && rng_below(r, 2));
}

/* Whole sectors of the file, some of them. */
static void write_torn(struct sim_inode *f, const struct sim_step *s, struct rng *r, uint64_t seed)
{
    size_t at = 0;
    while (at < s->n) {
        size_t n = SIM_SECTOR - (s->offset + at) % SIM_SECTOR;
        if (n > s->n - at) n = s->n - at;
        if (chosen(r, seed)) put_bytes(f, s->data + at, n, s->offset + at);
        at += n;
    }
}

/* The step of the last sync of `inode` among the first `steps`, or -1. */
static long last_sync(const struct sim_disk *d, unsigned steps, int inode)
{
    for (long i = (long)steps - 1; i >= 0; i--)
        if (d->step[i].kind == STEP_SYNC && d->step[i].inode == inode) return i;
    return -1;
}

static void keep_base(struct sim_disk *d)
{
    for (unsigned i = 0; i < d->ninodes; i++) {
        struct sim_inode *f = &d->inode[i];
        f->base = must(malloc(f->size + 1));
        if (f->size) memcpy(f->base, f->data, f->size);
        f->base_size = f->size;
    }
    memcpy(d->base_name, d->name, sizeof d->name);
    d->nbase = d->nnames;
}

struct sim_disk *sim_disk_crash(const struct sim_disk *d, unsigned steps, uint64_t seed)
{
    struct sim_disk *after = sim_disk_new();
    struct rng r;
    long synced[SIM_FILES];

    rng_seed(&r, seed);
    after->ninodes = d->ninodes;
    for (unsigned i = 0; i < d->ninodes; i++) {
        after->inode[i].used = true;
        after->inode[i].is_dir = d->inode[i].is_dir;
        synced[i] = last_sync(d, steps, (int)i);
        if (d->inode[i].base_size)
            put_bytes(&after->inode[i], d->inode[i].base, d->inode[i].base_size, 0);
    }
    memcpy(after->name, d->base_name, sizeof after->name);
    after->nnames = d->nbase;
    /* In order; of what was not synced a later write may be there without an earlier one. A torn
     * write of half the steps comes whole or not at all, so that both kinds are seen. */
    for (unsigned i = 0; i < steps; i++) {
        const struct sim_step *s = &d->step[i];
        bool safe = (long)i < synced[s->inode];
        if (s->kind == STEP_NAME && (safe || chosen(&r, seed)))
            set_name(after, s->name.dir, s->name.name, s->name.inode);
        if (s->kind != STEP_WRITE) continue;
        if (safe || (seed > 1 && rng_below(&r, 3) == 0))
            put_bytes(&after->inode[s->inode], s->data, s->n, s->offset);
        else
            write_torn(&after->inode[s->inode], s, &r, seed);
    }
    keep_base(after);
    return after;
}

struct sim_inode *sim_disk_file(struct sim_disk *d, const char *dir, const char *name)
{
    struct sim_name *at = find_name(d, 0, dir);
    char *slash = NULL, path[96];
    snprintf(path, sizeof path, "%s", name);
    for (char *part = path; at; part = slash + 1) {
        slash = strchr(part, '/');
        if (slash) *slash = '\0';
        at = find_name(d, at->inode, part);
        if (!slash) break;
    }
    return at ? &d->inode[at->inode] : NULL;
}

void sim_disk_flip(struct sim_inode *f, uint64_t bit)
{
    ASSERT(bit / 8 < f->size);
    f->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    if (bit / 8 < f->base_size) f->base[bit / 8] ^= (uint8_t)(1u << bit % 8);
}
