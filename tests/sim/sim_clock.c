/* SPDX-License-Identifier: BSD-3-Clause */
/* sim_clock.c -- clock.h and rng.h's outside: time stands still but for the scheduler, and
 * luck has a seed. */
#include "base/clock.h"
#include "machine.h"

enum { WALL_START_S = 1700000000 };

void clock_tick(struct clock *c)
{
    c->now_ns = machine()->now_ns;
    c->wall_ms = WALL_START_S * 1000ull + machine()->now_ns / NS_PER_MS;
}

uint64_t rng_os_seed(void)
{
    return rng_u64(&machine()->rng);
}
