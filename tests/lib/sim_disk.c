/* SPDX-License-Identifier: BSD-3-Clause */
#include "lib/sim_disk.h"

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
    unsigned i = 0;
    while (i < d->ninodes && d->inode[i].used)
        i++;
    ASSERT(i < SIM_FILES);
    d->inode[i] = (struct sim_inode){.used = true, .is_dir = is_dir};
    if (i == d->ninodes) d->ninodes++;
    return (int)i;
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
    if (d->nsteps == d->steps_room) {
        d->steps_room = d->steps_room ? d->steps_room * 2 : 1024;
        d->step = resize(d->step, d->steps_room * sizeof *d->step);
    }
    struct sim_step *s = &d->step[d->nsteps++];
    *s = (struct sim_step){.kind = kind, .inode = inode};
    return s;
}

static void set_name(struct sim_name list[SIM_FILES], unsigned *count, const struct sim_name *to)
{
    struct sim_name *n = NULL, *free_one = NULL;
    for (unsigned i = 0; !n && i < *count; i++) {
        if (list[i].inode < 0)
            free_one = &list[i];
        else if (list[i].dir == to->dir && strcmp(list[i].name, to->name) == 0)
            n = &list[i];
    }
    if (!n) n = free_one;
    if (!n) {
        ASSERT(*count < SIM_FILES);
        n = &list[(*count)++];
    }
    *n = *to;
}

static bool has_name(const struct sim_name list[SIM_FILES], unsigned count, int inode)
{
    for (unsigned i = 0; i < count; i++)
        if (list[i].inode == inode) return true;
    return false;
}

/* Its bytes are free, unless it can still be reached. */
static void let_go(struct sim_disk *d, int inode)
{
    struct sim_inode *f = &d->inode[inode];
    if (has_name(d->name, d->nnames, inode)) return;
    for (int fd = 0; fd < SIM_FDS; fd++)
        if (d->fd[fd] == inode) return;
    d->bytes -= f->size;
    free(f->data);
    f->data = NULL;
    f->size = f->room = 0;
    f->gone = true;
}

static void change_name(struct sim_disk *d, int dir, const char *name, int inode)
{
    const struct sim_name *was = find_name(d, dir, name);
    int old = was ? was->inode : -1;
    struct sim_step *s = new_step(d, STEP_NAME, dir);
    s->name.dir = dir;
    s->name.inode = inode;
    snprintf(s->name.name, sizeof s->name.name, "%s", name);
    set_name(d->name, &d->nnames, &s->name);
    if (old >= 0) let_go(d, old);
}

/* Bytes of a file, as they are seen or as they were. */
static void put(uint8_t **at, size_t *size, size_t *room, const struct sim_step *s)
{
    size_t end = s->offset + s->n;
    if (end > *room) {
        *room = end * 2;
        *at = resize(*at, *room);
    }
    if (end > *size) {
        memset(*at + *size, 0, end - *size);
        *size = end;
    }
    if (s->n) memcpy(*at + s->offset, s->data, s->n);
}

static void put_bytes(struct sim_inode *f, const struct sim_step *s)
{
    put(&f->data, &f->size, &f->room, s);
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
    put_bytes(f, s);
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
    int inode = d->fd[fd];
    d->fd[fd] = -1;
    let_go(d, inode);
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
        const struct sim_step part = {.offset = s->offset + at, .data = s->data + at, .n = n};
        if (chosen(r, seed)) put_bytes(f, &part);
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

/* What has no name can't be reached, and neither can what is in it. True if anything was lost. */
static bool lose_nameless(struct sim_disk *d)
{
    bool any = false;
    for (unsigned i = 1; i < d->ninodes; i++) {
        struct sim_inode *f = &d->inode[i];
        if (!f->used || has_name(d->name, d->nnames, (int)i)) continue;
        free(f->data);
        *f = (struct sim_inode){.used = false};
        any = true;
    }
    for (unsigned i = 0; i < d->nnames; i++)
        if (!d->inode[d->name[i].dir].used) d->name[i].inode = -1;
    return any;
}

/* What is there now was there before the first step. */
static void keep_base(struct sim_disk *d)
{
    while (lose_nameless(d))
        ;
    for (unsigned i = 0; i < d->ninodes; i++) {
        struct sim_inode *f = &d->inode[i];
        if (!f->used) continue;
        f->base = must(malloc(f->size + 1));
        if (f->size) memcpy(f->base, f->data, f->size);
        f->base_size = f->size;
        f->base_room = f->size + 1;
        d->bytes += f->size;
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
        const struct sim_inode *was = &d->inode[i];
        const struct sim_step all = {.data = was->base, .n = was->base_size};
        after->inode[i].used = was->used;
        after->inode[i].is_dir = was->is_dir;
        synced[i] = last_sync(d, steps, (int)i);
        if (was->base_size) put_bytes(&after->inode[i], &all);
    }
    memcpy(after->name, d->base_name, sizeof after->name);
    after->nnames = d->nbase;
    /* In order; of what was not synced a later write may be there without an earlier one. A torn
     * write of half the steps comes whole or not at all, so that both kinds are seen. */
    for (unsigned i = 0; i < steps; i++) {
        const struct sim_step *s = &d->step[i];
        bool safe = (long)i < synced[s->inode];
        if (s->kind == STEP_NAME && (safe || chosen(&r, seed)))
            set_name(after->name, &after->nnames, &s->name);
        if (s->kind != STEP_WRITE) continue;
        if (safe || (seed > 1 && rng_below(&r, 3) == 0))
            put_bytes(&after->inode[s->inode], s);
        else
            write_torn(&after->inode[s->inode], s, &r, seed);
    }
    keep_base(after);
    return after;
}

/* ---- fold --------------------------------------------------------------------------- */

static void fold_step(struct sim_disk *d, const struct sim_step *s)
{
    struct sim_inode *f = &d->inode[s->inode];
    if (s->kind == STEP_WRITE) put(&f->base, &f->base_size, &f->base_room, s);
    if (s->kind == STEP_NAME) set_name(d->base_name, &d->nbase, &s->name);
}

/* Inodes that neither a name nor a step tells of can be used again. */
static void free_inodes(struct sim_disk *d)
{
    bool wanted[SIM_FILES] = {true};
    for (unsigned i = 0; i < d->nbase; i++)
        if (d->base_name[i].inode >= 0) wanted[d->base_name[i].inode] = true;
    for (unsigned i = 0; i < d->nsteps; i++) {
        wanted[d->step[i].inode] = true;
        if (d->step[i].kind == STEP_NAME && d->step[i].name.inode >= 0)
            wanted[d->step[i].name.inode] = true;
    }
    for (unsigned i = 0; i < d->ninodes; i++) {
        struct sim_inode *f = &d->inode[i];
        if (wanted[i] || !f->gone) continue;
        free(f->base);
        *f = (struct sim_inode){.used = false};
    }
}

void sim_disk_fold(struct sim_disk *d)
{
    long synced[SIM_FILES];
    unsigned kept = 0;

    for (unsigned i = 0; i < d->ninodes; i++)
        synced[i] = last_sync(d, d->nsteps, (int)i);
    for (unsigned i = 0; i < d->nsteps; i++) {
        struct sim_step *s = &d->step[i];
        if ((long)i > synced[s->inode]) {
            d->step[kept++] = *s;
            continue;
        }
        fold_step(d, s);
        free(s->data);
    }
    d->nsteps = kept;
    free_inodes(d);
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
