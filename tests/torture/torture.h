/* SPDX-License-Identifier: BSD-3-Clause */
/* torture.h -- what torture tests share: a check that ends the program, a watchdog
 * that turns a hang into a failure, threads, and luck that a seed replays.
 *
 * Nothing here waits for a time to pass: a test ends when its counts are complete,
 * and the watchdog's limit is far beyond what the slowest machine needs. */
#pragma once

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/rng.h"

enum { WATCHDOG_S = 240 };

#define REQUIRE(x) ((x) ? (void)0 : torture_fail(#x, __FILE__, __LINE__))

_Noreturn static inline void torture_fail(const char *expr, const char *file, int line)
{
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, expr);
    _exit(1);
}

static inline void torture_hangs(int signal)
{
    (void)signal;
    static const char TEXT[] = "the watchdog barks: mail or a wake-up was lost\n";
    ssize_t n = write(STDERR_FILENO, TEXT, sizeof TEXT - 1);
    _exit(n < 0 ? 2 : 1);
}

static inline void torture_watchdog(void)
{
    REQUIRE(signal(SIGALRM, torture_hangs) != SIG_ERR);
    alarm(WATCHDOG_S);
}

/* The seed is the program's only argument; a run without one has seed 1. */
static inline uint64_t torture_seed(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    printf("seed %llu\n", (unsigned long long)seed);
    return seed;
}

static inline pthread_t torture_start(void *(*run)(void *), void *arg)
{
    pthread_t t;
    REQUIRE(pthread_create(&t, NULL, run, arg) == 0);
    return t;
}

static inline void torture_join(pthread_t t)
{
    REQUIRE(pthread_join(t, NULL) == 0);
}
