/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "core/cpu.h"

_Noreturn void bench_die(const char *why)
{
    fprintf(stderr, "bench: %s\n", why);
    exit(1);
}

static uint64_t read_clock(clockid_t id)
{
    struct timespec t;
    if (clock_gettime(id, &t) != 0) bench_die("no clock");
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t bench_now_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t bench_cpu_ns(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

void *bench_alloc(size_t bytes)
{
    size_t whole = (bytes + 2 * CACHE_LINE - 1) / (2 * CACHE_LINE) * (2 * CACHE_LINE);
    void *memory = aligned_alloc(2 * CACHE_LINE, whole);
    if (!memory) bench_die("out of memory");
    return memset(memory, 0, whole);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_quantile(double *v, size_t n, double q)
{
    qsort(v, n, sizeof *v, by_value);
    return v[(size_t)(q * (double)(n - 1))];
}

double bench_median(double *v, unsigned n)
{
    return bench_quantile(v, n, 0.5);
}

/* Three digits are what such a figure is worth; whole numbers have no more. */
static int decimals(double v)
{
    if (v >= 100 || v == (double)(long)v) return 0;
    return v < 10 ? 2 : 1;
}

void bench_report(const struct bench *b, const char *measure, const char *subject,
                  const struct figure *f, size_t n)
{
    if (b->json) {
        printf("{\"bench\":\"%s\",\"measure\":\"%s\",\"subject\":\"%s\"", b->name, measure,
               subject);
        for (size_t i = 0; i < n; i++)
            printf(",\"%s\":%.7g", f[i].name, f[i].value);
        puts("}");
    } else {
        printf("%-10s %-8s", measure, subject);
        for (size_t i = 0; i < n; i++)
            printf("  %s %-8.*f", f[i].name, decimals(f[i].value), f[i].value);
        putchar('\n');
    }
    fflush(stdout);
}

void bench_wait(struct patience *p)
{
    enum { SPINS = 4096 };
    static const uint64_t TRIES_MAX = 1ull << 32;

    if (++p->tries > TRIES_MAX) bench_die("the other side is stuck");
    if (p->tries > SPINS && p->tries % 64 == 0) sched_yield();
}

static void *start(void *arg)
{
    struct runner *r = arg;
    struct patience patience = {0};

    if (cpu_pin(r->cpu) < 0) bench_die("cannot pin a thread: see --cpus");
    atomic_fetch_add(&r->gate->waiting, 1);
    while (atomic_load(&r->gate->waiting) < r->gate->all)
        bench_wait(&patience);
    r->began_ns = bench_now_ns();
    r->run(r->arg);
    r->ended_ns = bench_now_ns();
    return NULL;
}

uint64_t bench_run(struct runner *r, unsigned n)
{
    struct gate gate = {.all = n};
    uint64_t began = UINT64_MAX, ended = 0;

    for (unsigned i = 0; i < n; i++) {
        r[i].gate = &gate;
        if (pthread_create(&r[i].thread, NULL, start, &r[i]) != 0) bench_die("no more threads");
    }
    for (unsigned i = 0; i < n; i++) {
        if (pthread_join(r[i].thread, NULL) != 0) bench_die("a thread is lost");
        if (r[i].began_ns < began) began = r[i].began_ns;
        if (r[i].ended_ns > ended) ended = r[i].ended_ns;
    }
    return ended - began;
}

uint64_t bench_pair(const struct bench *b, void (*left)(void *), void (*right)(void *), void *arg)
{
    struct runner pair[] = {
        {.run = left, .arg = arg, .cpu = b->cpu[0]},
        {.run = right, .arg = arg, .cpu = b->cpu[1]},
    };
    return bench_run(pair, ARRAY_LEN(pair));
}
