/* SPDX-License-Identifier: BSD-3-Clause */
/* clock.h -- the time, read once per turn.
 *
 * Each core has one clock and reads it at the start of a turn; everything in
 * that turn sees the same moment. clock_tick() comes from outside: from Linux
 * in the broker, from the simulator in tests. */
#pragma once

#include <stdint.h>

#define NS_PER_US 1000ull
#define NS_PER_MS 1000000ull
#define NS_PER_S 1000000000ull

struct clock {
    uint64_t now_ns;  /* monotonic, from an arbitrary start */
    uint64_t wall_ms; /* since 1970-01-01 UTC; may jump */
};

/* Linked from outside: base/clock_linux.c or the simulator. */
void clock_tick(struct clock *c);

/* Whole seconds of the monotonic clock. */
static inline uint32_t clock_s(const struct clock *c)
{
    return (uint32_t)(c->now_ns / NS_PER_S);
}
