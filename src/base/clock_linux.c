/* SPDX-License-Identifier: BSD-3-Clause */
#include <time.h>

#include "base/clock.h"

static uint64_t read_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

void clock_tick(struct clock *c)
{
    c->now_ns = read_ns(CLOCK_MONOTONIC);
    /* Coarse is a few nanoseconds instead of thirty, and a millisecond is all that is asked. */
    c->wall_ms = read_ns(CLOCK_REALTIME_COARSE) / NS_PER_MS;
}
