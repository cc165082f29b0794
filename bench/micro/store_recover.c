/* SPDX-License-Identifier: BSD-3-Clause */
/* store_recover.c -- see store_recover.h. Recovery runs in a child, whose peak of memory is
 * recovery's own. It reads from the disk, not from memory, as every start does. */
#include "store_recover.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "store/store.h"

enum { RECORD = 128, PER_TURN = 4096, RUNS = 3 };

struct start {
    struct disk *disk;
    struct store_dir dir;
    struct clock clock;
    struct store *store;
    unsigned long records;
    unsigned progressed; /* callbacks */
    unsigned percent;    /* shown last */
};

static int count_record(void *ctx, const struct store_record *r)
{
    struct start *x = ctx;
    x->records += r->body.n == RECORD;
    return 0;
}

static void show_progress(void *ctx, uint64_t done, uint64_t all)
{
    struct start *x = ctx;
    unsigned percent = all ? (unsigned)(done * 100 / all) : 100;
    x->progressed++;
    if (percent < x->percent + 25) return;
    x->percent = percent;
    fprintf(stderr, "store: %u %% of %llu MiB read\n", percent, (unsigned long long)all >> 20);
}

static void open_start(struct start *x, const char *path)
{
    const struct store_io *io = store_io_linux();
    *x = (struct start){.disk = disk_new_inline(io)};
    if (!x->disk || store_dir_open(&x->dir, io, path, false) < 0) bench_die("no data directory");
    x->store = store_new(&(struct store_options){
        .io = io, .disk = x->disk, .dir = &x->dir, .generation = 1, .clock = &x->clock});
    if (!x->store) bench_die("no memory");
    if (store_recover(x->store, &(struct store_replay){.ctx = x,
                                                       .record = count_record,
                                                       .progress = show_progress}) < 0)
        bench_die(store_why(x->store));
}

static void close_start(struct start *x)
{
    if (store_close(&x->store) < 0) bench_die("the store failed");
    disk_free(&x->disk);
    store_dir_close(&x->dir);
}

static void write_log(const char *path, unsigned long records)
{
    static const uint8_t zeros[RECORD];
    const struct bytes body = bytes_of(zeros, sizeof zeros);
    const struct store_put p = {.type = 1, .version = 1, .part = &body, .nparts = 1};
    struct start x;

    open_start(&x, path);
    if (store_dir_switch(&x.dir, 1, 1) < 0) bench_die(x.dir.why);
    store_start(x.store);
    for (unsigned long i = 0; i < records;) {
        for (unsigned n = 0; n < PER_TURN && i < records; n++) {
            if (store_append(x.store, &p, NULL) < 0) break; /* the next segment is on its way */
            i++;
        }
        store_commit(x.store);
        if (store_state(x.store) == STORE_FAILED) bench_die(store_why(x.store));
    }
    close_start(&x);
}

static double peak_mib(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_maxrss / 1024;
}

static void recover_once(const struct bench *b, const char *path, unsigned long records)
{
    struct start x;
    double before = peak_mib();
    uint64_t began = bench_now_ns();

    open_start(&x, path);
    double s = (double)(bench_now_ns() - began) / 1e9;
    if (x.records != records) bench_die("records are missing");
    const struct figure f[] = {
        {"records", (double)records},           {"s_per_million", s * 1e6 / (double)records},
        {"records_per_s", (double)records / s}, {"memory_mib", peak_mib() - before},
        {"progress_calls", x.progressed},
    };
    bench_report(b, "recover", "store", f, ARRAY_LEN(f));
    close_start(&x);
}

void store_recover_bench(const struct bench *b, const char *folder, unsigned long records)
{
    char path[320];
    snprintf(path, sizeof path, "%s/log", folder);
    write_log(path, records);
    for (unsigned i = 0; i < RUNS; i++) {
        int status;
        fflush(NULL);
        pid_t pid = fork();
        if (pid < 0) bench_die("no process");
        if (pid == 0) {
            recover_once(b, path, records);
            fflush(NULL);
            _exit(0);
        }
        if (waitpid(pid, &status, 0) != pid || status != 0) bench_die("recovery failed");
    }
}
