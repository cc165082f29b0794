/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash_bytes(uint64_t seed, struct bytes s)
{
    uint64_t h = XXH3_64bits_withSeed(s.p, s.n, seed);
    return h ? h : 1;
}
