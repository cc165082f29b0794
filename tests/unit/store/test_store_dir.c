/* SPDX-License-Identifier: BSD-3-Clause */
/* test_store_dir.c -- another number of cores, with a crash at every step; a directory in use; logs
 * of which something is gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/err.h"
#include "unit/store/rig.h"

enum { NUMBERS = 20, CORES_MAX = 4 };

/* What the logs that count hold. */
struct content {
    struct rig rig; /* only its store, to put with */
    struct store_dir dir;
    unsigned seen[NUMBERS], misplaced, core;
    char why[STORE_WHY];
};

static int on_record(void *ctx, const struct store_record *r)
{
    struct content *c = ctx;
    uint32_t number;
    if (!rig_is(r, &number) || number >= NUMBERS || number % c->dir.cores != c->core)
        c->misplaced++;
    else
        c->seen[number]++;
    return 0;
}

static int open_log(struct content *c, struct disk *disk, uint32_t generation, bool read_only)
{
    static const struct clock clock = {.now_ns = 1};
    const struct store_options o = {.io = c->dir.io,
                                    .disk = disk,
                                    .dir = &c->dir,
                                    .core = c->core,
                                    .generation = generation,
                                    .clock = &clock,
                                    .segment_bytes = RIG_SEGMENT,
                                    .read_only = read_only};
    c->rig.store = store_new(&o);
    assert_non_null(c->rig.store);
    int err = store_recover(c->rig.store, &(struct store_replay){.ctx = c, .record = on_record});
    snprintf(c->why, sizeof c->why, "%s", store_why(c->rig.store));
    return err;
}

/* Opens the directory (it stays open) and reads all logs. */
static int read_all(struct content *c, const struct store_io *io)
{
    struct disk *disk = disk_new_inline(io);
    memset(c, 0, sizeof *c);
    int err = store_dir_open(&c->dir, io, "data", false);
    for (; err == 0 && c->core < c->dir.cores; c->core++) {
        err = open_log(c, disk, c->dir.generation, true);
        store_close(&c->rig.store);
    }
    disk_free(&disk);
    return err;
}

/* What a start with another number of cores does. The numbers from 0 to n - 1 are written. */
static int write_logs(struct content *c, unsigned cores, unsigned n)
{
    struct disk *disk = disk_new_inline(c->dir.io);
    struct content fresh = {.dir = c->dir};
    uint32_t generation;
    int err = store_dir_next(&c->dir, &generation);

    fresh.dir.cores = cores;
    for (; err == 0 && fresh.core < cores; fresh.core++) {
        err = open_log(&fresh, disk, generation, false);
        for (unsigned i = fresh.core; err == 0 && i < n; i += cores)
            err = rig_put(&fresh.rig, i, 100, 0, NULL);
        int closed = store_close(&fresh.rig.store);
        if (err == 0) err = closed;
    }
    disk_free(&disk);
    for (unsigned i = 0; i < NUMBERS; i++)
        assert_int_equal(fresh.seen[i], 0); /* a new log is empty */
    assert_int_equal(fresh.misplaced, 0);
    return err < 0 ? err : store_dir_switch(&c->dir, generation, cores);
}

static struct sim_disk *make(unsigned cores)
{
    struct sim_disk *d = sim_disk_new();
    struct content *c = malloc(sizeof *c);
    assert_int_equal(read_all(c, &d->io), 0);
    assert_int_equal(c->dir.generation, 0);
    assert_int_equal(write_logs(c, cores, NUMBERS), 0);
    store_dir_close(&c->dir);
    struct sim_disk *after = sim_disk_crash(d, d->nsteps, 0);
    sim_disk_free(&d);
    free(c);
    return after;
}

static bool is_whole(const struct content *c)
{
    for (unsigned i = 0; i < NUMBERS; i++)
        if (c->seen[i] != 1) return false;
    return c->misplaced == 0;
}

static void count_log(void *ctx, const char *name)
{
    *(unsigned *)ctx += strncmp(name, "core-", 5) == 0;
}

/* After a crash: all is there, in the old logs or in the new ones, and the start that was cut short
 * can be made again. Returns how many cores there were. */
static unsigned check_crash(struct sim_disk *d, unsigned from, unsigned to, const char *where)
{
    struct content *c = malloc(sizeof *c);
    unsigned logs = 0;
    int err = read_all(c, &d->io);
    unsigned cores = c->dir.cores;

    if (err != 0 || !is_whole(c) || (cores != from && cores != to))
        fail_msg("%s: error %d, %u cores; %s%s", where, err, cores, c->dir.why, c->why);
    if (write_logs(c, to, NUMBERS) != 0) fail_msg("%s: again: %s", where, c->dir.why);
    store_dir_close(&c->dir);
    struct sim_disk *after = sim_disk_crash(d, d->nsteps, 0);
    if (read_all(c, &after->io) != 0 || !is_whole(c) || c->dir.cores != to)
        fail_msg("%s: at the end: %s%s", where, c->dir.why, c->why);
    assert_int_equal(after->io.list(after, c->dir.fd, count_log, &logs), 0);
    assert_int_equal(logs, to); /* no leftovers */
    store_dir_close(&c->dir);
    sim_disk_free(&after);
    sim_disk_free(&d);
    free(c);
    return cores;
}

static void a_change_of_cores_cut_short_at_any_step_loses_nothing(void **state)
{
    static const unsigned from[] = {1, 4, 4}, to[] = {4, 2, 4};
    struct content *c = malloc(sizeof *c);
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(from); i++) {
        struct sim_disk *d = make(from[i]);
        assert_int_equal(read_all(c, &d->io), 0);
        assert_int_equal(write_logs(c, to[i], NUMBERS), 0);
        store_dir_close(&c->dir);
        for (unsigned steps = 0; steps <= d->nsteps; steps++) {
            for (uint64_t seed = 0; seed < 4; seed++) {
                char where[64];
                snprintf(where, sizeof where, "%u to %u, step %u, seed %lu", from[i], to[i], steps,
                         (unsigned long)seed);
                check_crash(sim_disk_crash(d, steps, seed > 1 ? seed + 100 * steps : seed), from[i],
                            to[i], where);
            }
        }
        /* It was done when it was said to be. */
        assert_int_equal(check_crash(sim_disk_crash(d, d->nsteps, 0), from[i], to[i], "end"),
                         to[i]);
        sim_disk_free(&d);
    }
    free(c);
}

/* ---- leftovers that stay ---------------------------------------------------------------- */

static int keep_logs(void *ctx, int dir, const char *name)
{
    struct sim_disk *d = ctx;
    bool stays = strstr(name, ".log") || strncmp(name, "core-", 5) == 0;
    return stays ? -EIO : d->io.unlink(ctx, dir, name);
}

static int keep_layout(void *ctx, int dir, const char *from, const char *to)
{
    struct sim_disk *d = ctx;
    return strcmp(to, "layout") == 0 ? -EIO : d->io.rename(ctx, dir, from, to);
}

/* A change of cores that failed, a life with the old number, in which something went away, and
 * another change: what the first one wrote must not come back. */
static void what_a_failed_change_left_behind_is_never_read(void **state)
{
    struct sim_disk *d = make(1);
    struct store_io stubborn = d->io;
    struct content *c = malloc(sizeof *c);

    (void)state;
    stubborn.unlink = keep_logs;
    stubborn.rename = keep_layout;
    assert_int_equal(read_all(c, &stubborn), 0);
    assert_true(write_logs(c, 4, NUMBERS) < 0);
    store_dir_close(&c->dir);

    stubborn.rename = d->io.rename;
    assert_int_equal(read_all(c, &stubborn), 0);
    assert_int_equal(write_logs(c, 4, NUMBERS / 2), 0);
    store_dir_close(&c->dir);
    assert_int_equal(read_all(c, &d->io), 0);
    for (unsigned i = 0; i < NUMBERS; i++)
        assert_int_equal(c->seen[i], i < NUMBERS / 2);
    store_dir_close(&c->dir);
    sim_disk_free(&d);
    free(c);
}

/* ---- something is gone --------------------------------------------------------------------- */

static void a_log_that_is_gone_is_named(void **state)
{
    struct sim_disk *whole = make(4);
    struct content *c = malloc(sizeof *c);
    (void)state;
    for (unsigned how = 0; how < 2; how++) {
        struct sim_disk *d = sim_disk_crash(whole, whole->nsteps, 1);
        int root = d->io.open_dir(d, -1, "data", false);
        int log = d->io.open_dir(d, root, "core-2.1", false);
        if (how == 0) { /* the directory; else only what is in it */
            assert_int_equal(d->io.unlink(d, root, "core-2.1"), 0);
        } else {
            d->io.unlink(d, log, "00000001.log");
            d->io.unlink(d, log, "00000002.log");
            d->io.unlink(d, log, "00000003.log");
        }
        assert_int_equal(read_all(c, &d->io), -ERR_CORRUPT);
        assert_int_equal(c->core, 3); /* counted up once more */
        assert_non_null(strstr(c->why, how == 0 ? "core 2, core-2.1: " : "core 2, 00000001.log: "));
        assert_non_null(strstr(c->why, "missing"));
        store_dir_close(&c->dir);
        sim_disk_free(&d);
    }
    sim_disk_free(&whole);
    free(c);
}

/* ---- in use --------------------------------------------------------------------------------- */

static pid_t hold(const char *path, int *ready)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct store_dir d;
        char said = store_dir_open(&d, store_io_linux(), path, false) == 0 ? 'y' : 'n';
        if (write(ends[1], &said, 1) != 1) _exit(1);
        for (;;)
            pause();
    }
    close(ends[1]);
    *ready = ends[0];
    return pid;
}

static void a_directory_in_use_by_another_process_is_refused_till_that_ends(void **state)
{
    char path[] = "/tmp/pinion_dir.XXXXXX", command[64], said = 0;
    struct store_dir d;
    int ready, status;

    (void)state;
    assert_non_null(mkdtemp(path));
    pid_t pid = hold(path, &ready);
    assert_int_equal(read(ready, &said, 1), 1);
    assert_int_equal(said, 'y');
    close(ready);
    int while_held = store_dir_open(&d, store_io_linux(), path, false);
    char why[STORE_DIR_WHY];
    snprintf(why, sizeof why, "%s", d.why);
    int to_look = store_dir_open(&d, store_io_linux(), path, true);
    store_dir_close(&d);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(while_held, -ERR_BUSY);
    assert_non_null(strstr(why, path));
    assert_non_null(strstr(why, "is in use by another Pinion; stop that first"));
    assert_int_equal(to_look, 0);
    assert_int_equal(store_dir_open(&d, store_io_linux(), path, false), 0);
    store_dir_close(&d);
    snprintf(command, sizeof command, "rm -r '%s'", path);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_of_cores_cut_short_at_any_step_loses_nothing),
        cmocka_unit_test(what_a_failed_change_left_behind_is_never_read),
        cmocka_unit_test(a_log_that_is_gone_is_named),
        cmocka_unit_test(a_directory_in_use_by_another_process_is_refused_till_that_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
