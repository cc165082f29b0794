/* SPDX-License-Identifier: BSD-3-Clause */
/* rng.h -- luck, from a seed (xoshiro256**, Blackman and Vigna 2018).
 *
 * Not for secrets. A core seeds its own from the operating system; the
 * simulator seeds all of them from one number, so that a run can be replayed. */
#pragma once

#include <stdint.h>

struct rng {
    uint64_t s[4];
};

void rng_seed(struct rng *r, uint64_t seed);
uint64_t rng_u64(struct rng *r);

/* Evenly from 0 to n-1; n > 0. */
uint64_t rng_below(struct rng *r, uint64_t n);

/* Eight bytes of the operating system's randomness. Linked from outside. */
uint64_t rng_os_seed(void);
