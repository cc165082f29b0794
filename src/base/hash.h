/* SPDX-License-Identifier: BSD-3-Clause */
/* hash.h -- the one hash of names: 64 bits, seeded per process.
 *
 * The seed is secret and random, so that no client can choose names that
 * collide. A name is hashed once, where it enters the process; the hash then
 * travels with it. Where a hash decides which core owns a name, the seed must
 * not matter across restarts: nothing durable depends on placement. */
#pragma once

#include <stdint.h>

#include "base/bytes.h"

/* XXH3 of `s` under `seed`. Never 0, so that 0 can mean "no hash". */
uint64_t hash_bytes(uint64_t seed, struct bytes s);

/* Spreads a number over 64 bits (the finaliser of SplitMix64). */
static inline uint64_t hash_mix(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xBF58476D1CE4E5B9ull;
    x ^= x >> 27;
    x *= 0x94D049BB133111EBull;
    return x ^ x >> 31;
}

/* The hash of a pair, order matters. */
static inline uint64_t hash_pair(uint64_t a, uint64_t b)
{
    return hash_mix(a * 0x9E3779B97F4A7C15ull + b);
}
