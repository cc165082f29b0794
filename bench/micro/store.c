/* SPDX-License-Identifier: BSD-3-Clause */
/* store.c -- what a commit costs: records of 128 bytes in groups, through the store (io_uring,
 * helper threads), and through a plain program that writes the same bytes with pwrite and
 * fdatasync.
 *
 * Each subject has the group on disk before the next begins: latency is that of an acknowledgement.
 * The plain program writes into a file that was filled with zeros, as the store does.
 *
 *     store [--json] [--quick] [--dir DIR]      DIR: where the files go (.)
 *     store --recover N [--json] [--dir DIR]    instead: what a start costs with N records
 *     store --plain BYTES [--json] [--quick] [--dir DIR]   instead: the plain program alone, with
 *                                               commits of that size: what the disk itself can do
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "bench.h"
#include "store/disk_uring.h"
#include "store/store.h"
#include "store_recover.h"

enum {
    RECORD = 128,
    STORED = RECORD + 24, /* with the header */
    SAMPLES_MAX = 1 << 16,
    PLAIN_BYTES = 64 << 20,
    SLICE = 8, /* commits */
    SUBJECTS = 3,
};

struct subject {
    const char *name;
    bool uring;
    struct mesh *mesh;
    struct helpers *helpers;
    struct disk *disk;
    struct store_dir dir;
    struct clock clock;
    struct store *store;
    bool done;
    struct store_wait wait;
    int fd; /* the plain program's */
    uint64_t at;
    uint8_t *group;
    double *us; /* of each commit */
    unsigned nus;
    uint64_t spent_ns;
};

static void on_done(struct store_wait *w, int err)
{
    struct subject *x = CONTAINER_OF(w, struct subject, wait);
    if (err < 0) bench_die("the store failed");
    x->done = true;
}

/* As a core does: sleeps until the ring or the bell has something. */
static void wait_for_disk(struct subject *x)
{
    struct mesh_port *port = mesh_port_at(x->mesh, 0);
    if (mesh_may_sleep(port)) {
        struct pollfd fds[] = {{.fd = mesh_bell_fd(port), .events = POLLIN},
                               {.fd = store_fd(x->store), .events = POLLIN}};
        poll(fds, ARRAY_LEN(fds), 1000);
        mesh_awake(port);
    }
}

static int put(struct subject *x)
{
    const struct bytes body = bytes_of(x->group, RECORD);
    return store_append(
        x->store, &(struct store_put){.type = 1, .version = 1, .part = &body, .nparts = 1}, NULL);
}

static void commit_group(struct subject *x, unsigned group)
{
    clock_tick(&x->clock);
    for (unsigned i = 0; i < group;) {
        if (put(x) == 0)
            i++;
        else
            store_commit(x->store); /* the next segment is on its way */
    }
    x->done = false;
    store_wait(x->store, &x->wait);
    store_commit(x->store);
    while (!x->done) {
        wait_for_disk(x);
        store_commit(x->store);
    }
}

static void plain_commit(struct subject *x, size_t n)
{
    if (x->at + n > PLAIN_BYTES) x->at = 0;
    if (pwrite(x->fd, x->group, n, (off_t)x->at) != (ssize_t)n || fdatasync(x->fd) < 0)
        bench_die("the file can't be written");
    x->at += n;
}

/* The state is empty: all that was written may be forgotten, and segments are used again. */
static int on_snapshot(void *ctx, struct store *s, bool first, size_t budget)
{
    (void)ctx, (void)s, (void)first, (void)budget;
    return 1;
}

static void open_store(struct subject *x, const char *path)
{
    char why[DISK_URING_WHY];
    int err;
    x->mesh = mesh_new(&(struct mesh_options){.cores = 1}, &err);
    x->helpers = x->mesh ? helpers_new(2, 64, x->mesh, 1, &err) : NULL;
    if (!x->helpers) bench_die("no helpers");
    const struct disk_uring_options o = {.io = store_io_linux(), .helpers = x->helpers};
    x->disk = x->uring ? disk_new_uring(&o, why) : disk_new_helpers(o.io, x->helpers, 0);
    if (!x->disk) bench_die(x->uring ? why : "no memory");
    if (store_dir_open(&x->dir, o.io, path, false) < 0) bench_die(x->dir.why);
    x->store = store_new(&(struct store_options){.io = o.io,
                                                 .disk = x->disk,
                                                 .dir = &x->dir,
                                                 .generation = 1,
                                                 .clock = &x->clock,
                                                 .owner = {.snapshot = on_snapshot}});
    if (!x->store) bench_die("no memory");
    if (store_recover(x->store, &(struct store_replay){.ctx = NULL}) < 0)
        bench_die(store_why(x->store));
    store_start(x->store);
    x->wait.done = on_done;
    store_commit(x->store);
    store_flush(x->store);
}

static void open_plain(struct subject *x, const char *path)
{
    uint8_t *zeros = bench_alloc(1 << 20);
    x->fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (x->fd < 0) bench_die("the file can't be made");
    for (unsigned i = 0; i < PLAIN_BYTES >> 20; i++)
        if (write(x->fd, zeros, 1 << 20) != 1 << 20 || fdatasync(x->fd) < 0)
            bench_die("the file can't be filled");
    free(zeros);
}

static void close_subject(struct subject *x)
{
    if (x->fd >= 0) close(x->fd);
    store_close(&x->store);
    disk_free(&x->disk);
    helpers_free(&x->helpers);
    mesh_free(&x->mesh);
    if (x->dir.io) store_dir_close(&x->dir);
    free(x->group);
    free(x->us);
}

/* A few commits, timed one by one. */
static void run_slice(struct subject *x, unsigned group)
{
    uint64_t now = bench_now_ns(), began = now;
    for (unsigned i = 0; i < SLICE && x->nus < SAMPLES_MAX; i++) {
        uint64_t start = now;
        x->fd >= 0 ? plain_commit(x, (size_t)group * STORED) : commit_group(x, group);
        now = bench_now_ns();
        x->us[x->nus++] = (double)(now - start) / 1000;
    }
    x->spent_ns += now - began;
}

static void report(const struct bench *b, struct subject *x, unsigned group)
{
    const struct figure f[] = {
        {"group", group},
        {"records_per_s", (double)x->nus * group * 1e9 / (double)x->spent_ns},
        {"p50_us", bench_quantile(x->us, x->nus, 0.5)},
        {"p99_us", bench_quantile(x->us, x->nus, 0.99)},
        {"commits", x->nus},
    };
    bench_report(b, "commit", x->name, f, ARRAY_LEN(f));
}

static bool has_uring(void)
{
    char why[DISK_URING_WHY];
    int err;
    struct mesh *mesh = mesh_new(&(struct mesh_options){.cores = 1}, &err);
    struct helpers *h = mesh ? helpers_new(1, 4, mesh, 1, &err) : NULL;
    if (!h) bench_die("no helpers");
    struct disk *d =
        disk_new_uring(&(struct disk_uring_options){.io = store_io_linux(), .helpers = h}, why);
    bool has = d;
    if (!d) fprintf(stderr, "store: %s\n", why);
    disk_free(&d);
    helpers_free(&h);
    mesh_free(&mesh);
    return has;
}

static void open_subject(struct subject *x, unsigned i, unsigned group, const char *folder)
{
    static const char *const names[] = {"plain", "helpers", "io_uring"};
    char path[512];
    *x = (struct subject){.name = names[i], .uring = i == 2, .fd = -1};
    snprintf(path, sizeof path, "%s/%s.%u", folder, names[i], group);
    x->group = bench_alloc((size_t)group * STORED);
    x->us = bench_alloc(SAMPLES_MAX * sizeof *x->us);
    i == 0 ? open_plain(x, path) : open_store(x, path);
}

/* The subjects take turns, slice by slice: what else the disk does at the time hits all. */
static void run_group(const struct bench *b, unsigned group, unsigned subjects, const char *folder)
{
    static struct subject x[SUBJECTS];
    uint64_t limit_ns = (b->quick ? 600 : 6000) * 1000000ull, began;

    for (unsigned i = 0; i < subjects; i++)
        open_subject(&x[i], i, group, folder);
    for (began = bench_now_ns(); bench_now_ns() - began < limit_ns;)
        for (unsigned i = 0; i < subjects; i++)
            run_slice(&x[i], group);
    for (unsigned i = 0; i < subjects; i++) {
        report(b, &x[i], group);
        close_subject(&x[i]);
    }
}

static void run_all(const struct bench *b, const char *folder)
{
    static const unsigned groups[] = {1, 16, 128, 1024};
    unsigned subjects = has_uring() ? SUBJECTS : SUBJECTS - 1;
    for (unsigned g = 0; g < ARRAY_LEN(groups); g++)
        run_group(b, groups[g], subjects, folder);
}

static void run_plain(const struct bench *b, size_t bytes, const char *folder)
{
    struct subject x = {.name = "plain", .fd = -1};
    uint64_t limit_ns = (b->quick ? 1000 : 3000) * 1000000ull, began, now;
    char path[512];

    if (bytes > PLAIN_BYTES) bench_die("that is too much for one commit");
    snprintf(path, sizeof path, "%s/plain", folder);
    x.group = bench_alloc(bytes);
    x.us = bench_alloc(SAMPLES_MAX * sizeof *x.us);
    open_plain(&x, path);
    for (began = now = bench_now_ns(); now - began < limit_ns && x.nus < SAMPLES_MAX;) {
        uint64_t start = now;
        plain_commit(&x, bytes);
        now = bench_now_ns();
        x.us[x.nus++] = (double)(now - start) / 1000;
    }
    double seconds = (double)(now - began) / 1e9;
    const struct figure f[] = {
        {"bytes", (double)bytes},
        {"commits_per_s", (double)x.nus / seconds},
        {"bytes_per_s", (double)x.nus * (double)bytes / seconds},
        {"p50_us", bench_quantile(x.us, x.nus, 0.5)},
        {"p99_us", bench_quantile(x.us, x.nus, 0.99)},
    };
    bench_report(b, "commit", x.name, f, ARRAY_LEN(f));
    close_subject(&x);
}

int main(int argc, char **argv)
{
    struct bench b = {.name = "store", .runs = 1};
    const char *dir = ".";
    char folder[256], command[320];
    unsigned long recover = 0, plain = 0;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            b.json = true;
        else if (strcmp(argv[i], "--quick") == 0)
            b.quick = true;
        else if (strcmp(argv[i], "--dir") == 0 && i + 1 < argc)
            dir = argv[++i];
        else if (strcmp(argv[i], "--plain") == 0 && i + 1 < argc)
            plain = strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--recover") == 0 && i + 1 < argc)
            recover = strtoul(argv[++i], NULL, 10);
        else
            bench_die("usage: store [--json] [--quick] [--recover N | --plain BYTES] [--dir DIR]");
    }
    snprintf(folder, sizeof folder, "%s/bench_store.XXXXXX", dir);
    if (!mkdtemp(folder)) bench_die("no folder can be made there: see --dir");
    if (recover)
        store_recover_bench(&b, folder, recover);
    else if (plain)
        run_plain(&b, plain, folder);
    else
        run_all(&b, folder);
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command) == 0 ? 0 : 1;
}
