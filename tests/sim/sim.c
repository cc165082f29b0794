/* SPDX-License-Identifier: BSD-3-Clause */
/* sim.c -- the simulator: many cores of the real broker and many clients, in one thread,
 * under one seed. See README.md. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "world.h"

struct wish {
    uint64_t from, to;
    struct world_options world;
    bool twice; /* each seed, and the two runs must be the same */
};

static const char help[] =
    "usage: sim [--seed N | --seeds FROM-TO] [--cores N] [--steps N] [--disk] [--crashes N] "
    "[--moves] [--twice] [--trace]\n"
    "  --seed N         run one seed\n"
    "  --seeds FROM-TO  run all of them, both included (1-20)\n"
    "  --cores N        1 to 16; else the seed decides\n"
    "  --steps N        length of the storm (1500)\n"
    "  --disk           the broker has a disk, and a log on it\n"
    "  --crashes N      the same, and it crashes so often (0)\n"
    "  --moves          after a crash it may start with another number of cores\n"
    "  --twice          run each seed twice: both runs must be the same, event by event\n"
    "  --trace          print every event\n";

/* The run that is under way, for the signal handler: an assertion of the broker's ends the
 * process, and then the seed is what matters. */
static struct world *the_world;
static uint64_t the_seed;

static void on_abort(int sig)
{
    fprintf(stderr, "\nsim: seed %" PRIu64 ": the process died (signal %d) after these events:\n",
            the_seed, sig);
    trace_tail(&the_world->trace, stderr);
    signal(sig, SIG_DFL);
    raise(sig);
}

static bool number(const char *s, char **end, uint64_t *out)
{
    errno = 0;
    *out = strtoull(s, end, 10);
    return *s >= '0' && *s <= '9' && errno == 0;
}

static bool range(const char *s, struct wish *w)
{
    char *end;
    if (!number(s, &end, &w->from) || *end != '-') return false;
    return number(end + 1, &end, &w->to) && !*end && w->from <= w->to;
}

static bool single(const char *s, uint64_t max, uint64_t *out)
{
    char *end;
    return number(s, &end, out) && !*end && *out <= max;
}

static bool take_valued(const char *name, const char *value, struct wish *w)
{
    uint64_t n = 0;
    if (!value) return false;
    if (strcmp(name, "--seeds") == 0) return range(value, w);
    if (strcmp(name, "--seed") == 0) {
        if (!single(value, UINT64_MAX, &n)) return false;
        w->from = w->to = n;
        return true;
    }
    if (strcmp(name, "--cores") == 0) {
        if (!single(value, CORES_MAX, &n) || n == 0) return false;
        w->world.cores = (unsigned)n;
        return true;
    }
    if (strcmp(name, "--crashes") == 0) {
        if (!single(value, CRASHES_MAX, &n)) return false;
        w->world.crashes = (unsigned)n;
        w->world.disk |= n > 0;
        return true;
    }
    if (strcmp(name, "--steps") != 0 || !single(value, UINT_MAX, &n)) return false;
    w->world.steps = (unsigned)n;
    return true;
}

static bool read_wishes(int argc, char **argv, struct wish *w)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--trace") == 0) {
            w->world.print = true;
        } else if (strcmp(argv[i], "--disk") == 0) {
            w->world.disk = true;
        } else if (strcmp(argv[i], "--moves") == 0) {
            w->world.moves = true;
        } else if (strcmp(argv[i], "--twice") == 0) {
            w->twice = true;
        } else {
            if (!take_valued(argv[i], argv[i + 1], w)) return false;
            i++;
        }
    }
    return true;
}

static bool run_once(const struct world_options *o, uint64_t *hash)
{
    bool ok = world_run(the_world, o);
    *hash = the_world->trace.hash;
    if (ok) return true;
    printf("seed %" PRIu64 ": %s\nlast events:\n", o->seed, the_world->trace.broken);
    if (!o->print) trace_tail(&the_world->trace, stdout);
    printf("again with: sim --seed %" PRIu64 "%s --crashes %u --trace%s\n", o->seed,
           o->disk ? " --disk" : "", o->crashes,
           o->steps == STEPS_USUAL ? "" : " and the same --steps");
    return false;
}

static bool run_seed(const struct wish *w, uint64_t seed)
{
    struct world_options o = w->world;
    uint64_t first, second;
    o.seed = the_seed = seed;
    if (!run_once(&o, &first)) return false;
    if (!w->twice) return true;
    if (!run_once(&o, &second)) return false;
    if (first == second) return true;
    printf("seed %" PRIu64 ": two runs differ\n", seed);
    return false;
}

int main(int argc, char **argv)
{
    struct wish w = {.from = 1, .to = 20, .world.steps = STEPS_USUAL};
    uint64_t passed = 0, failed = 0;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(help, stdout);
        return 0;
    }
    if (!read_wishes(argc, argv, &w)) {
        fputs(help, stderr);
        return 2;
    }
    the_world = aligned_alloc(_Alignof(struct world), sizeof *the_world);
    if (!the_world) return 2;
    memset(the_world, 0, sizeof *the_world);
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGABRT, on_abort);
    signal(SIGSEGV, on_abort);
    for (uint64_t seed = w.from; seed <= w.to; seed++) {
        if (run_seed(&w, seed))
            passed++;
        else
            failed++;
        if (seed == UINT64_MAX) break;
    }
    printf("%" PRIu64 " passed, %" PRIu64 " failed\n", passed, failed);
    free(the_world);
    if (failed == 0) return 0;
    fflush(stdout);
    _exit(1); /* mail that was under way when a run was cut short is no leak to tell of */
}
