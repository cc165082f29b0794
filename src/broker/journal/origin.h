/* SPDX-License-Identifier: BSD-3-Clause */
/* origin.h -- under what name a core knows a QoS 2 message: (origin, serial).
 *
 * An origin is a client, in the high half; the low half says for whom this core knows it. The
 * sessions of a core know all that its log does. When the number of cores changes, sessions of
 * several logs come together that do not know the same: those of one log are a cohort then, and
 * what their log knew is known for them alone (rewrite_known.c). */
#pragma once

#include <stdint.h>

#include "base/bytes.h"
#include "base/hash.h"

enum {
    ORIGIN_OF_SESSIONS = 0,
    ORIGIN_OF_GROUP = 1, /* with a hash of its filter above */
    ORIGIN_OF_RETAINED = 2,
    ORIGIN_OF_COHORT = 4, /* with its number above the lowest three bits */
    ORIGIN_KIND = 7,
    COHORT_MAX = (1 << 29) - 1,
};

/* Of a client, in every run and on every core. Never 0. */
static inline uint64_t origin_of(uint8_t tenant, struct bytes client_id)
{
    static const uint64_t seed = 0x0123456789abcdef;
    uint64_t client = hash_pair(hash_bytes(seed, client_id), tenant);
    return (client | 1ull << 32) & ~(uint64_t)UINT32_MAX;
}
static inline uint64_t origin_client(uint64_t origin)
{
    return origin & ~(uint64_t)UINT32_MAX;
}
static inline uint64_t origin_for_group(uint64_t origin, struct bytes filter)
{
    return origin_client(origin) | (uint32_t)hash_bytes(0, filter) | ORIGIN_OF_GROUP;
}
static inline uint64_t origin_for_retained(uint64_t origin)
{
    return origin_client(origin) | ORIGIN_OF_RETAINED;
}
static inline uint64_t origin_for_cohort(uint64_t origin, uint32_t cohort)
{
    return origin_client(origin) | (uint32_t)(cohort << 3) | ORIGIN_OF_COHORT;
}
static inline bool origin_is_of_cohort(uint64_t origin, uint32_t *cohort)
{
    *cohort = (uint32_t)origin >> 3;
    return (origin & ORIGIN_KIND) == ORIGIN_OF_COHORT;
}
