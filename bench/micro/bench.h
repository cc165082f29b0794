/* SPDX-License-Identifier: BSD-3-Clause */
/* bench.h -- what measurements share: pinned threads, patience, medians, one line per result.
 *
 * A measurement is a function that runs its scenario several times and reports the
 * median. Absolute numbers don't carry to another machine: compare within one run. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BENCH_RUNS_MAX = 15 };

struct bench {
    const char *name; /* of the program */
    bool json, quick;
    unsigned runs;   /* per result; odd */
    unsigned cpu[2]; /* where the two threads of a pair run */
};

/* A named number of a result: what was set, or what came out. */
struct figure {
    const char *name;
    double value;
};

/* Prints one result, as a JSON line or for people. */
void bench_report(const struct bench *b, const char *measure, const char *subject,
                  const struct figure *f, size_t n);

/* Sorts in place. */
double bench_median(double *v, unsigned n);
double bench_quantile(double *v, size_t n, double q);

uint64_t bench_now_ns(void);
uint64_t bench_cpu_ns(void); /* of all threads of the process */

/* Cache-aligned zeroed memory that has been touched; ends the program if there is none. */
void *bench_alloc(size_t bytes);

/* Ends the program with a sentence. */
_Noreturn void bench_die(const char *why);

/* Threads that start together: `run(arg)` on CPU `cpu`. */
struct gate {
    _Atomic unsigned waiting;
    unsigned all;
};

struct runner {
    pthread_t thread;
    struct gate *gate;
    void (*run)(void *arg);
    void *arg;
    unsigned cpu;
    uint64_t began_ns, ended_ns;
};

/* Runs `n` runners side by side. Returns ns from the first start to the last end. */
uint64_t bench_run(struct runner *r, unsigned n);

/* The same for a pair on the bench's two CPUs. */
uint64_t bench_pair(const struct bench *b, void (*left)(void *), void (*right)(void *), void *arg);

/* Waiting for the other side: spins, then lets others run, and gives up for good after
 * a very long time. Zeroed at the start and after every success. */
struct patience {
    uint64_t tries;
};

void bench_wait(struct patience *p);

/* The measurements. */
void throughput(const struct bench *b);
void round_trip(const struct bench *b);
void mesh_growth(const struct bench *b);
void wake_up(const struct bench *b);
