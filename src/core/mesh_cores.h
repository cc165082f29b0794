/* SPDX-License-Identifier: BSD-3-Clause */
/* mesh_cores.h -- a set of cores as a bitmap: who has mail to publish, who rang, who has
 * subscribers.
 *
 * One 64-bit word per 64 cores, so that visiting a set costs its members and not
 * its universe. Private to one core; what cores share is in mesh_bell.h. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/mesh.h"

enum { CORES_WORDS = MESH_CORES_MAX / 64 };

struct cores {
    uint64_t word[CORES_WORDS];
};

static inline bool cores_has(const struct cores *s, unsigned core)
{
    return (s->word[core / 64] >> (core % 64) & 1) != 0;
}

static inline void cores_add(struct cores *s, unsigned core)
{
    s->word[core / 64] |= 1ull << (core % 64);
}

static inline void cores_remove(struct cores *s, unsigned core)
{
    s->word[core / 64] &= ~(1ull << (core % 64));
}

static inline bool cores_any(const struct cores *s)
{
    uint64_t all = 0;
    for (unsigned i = 0; i < CORES_WORDS; i++)
        all |= s->word[i];
    return all != 0;
}

/* The first member that is `core` or above; MESH_CORES_MAX if there is none. */
static inline unsigned cores_from(const struct cores *s, unsigned core)
{
    if (core >= MESH_CORES_MAX) return MESH_CORES_MAX;
    unsigned i = core / 64;
    uint64_t w = s->word[i] & (UINT64_MAX << (core % 64));
    while (w == 0 && ++i < CORES_WORDS)
        w = s->word[i];
    return w ? i * 64 + (unsigned)__builtin_ctzll(w) : MESH_CORES_MAX;
}

#define CORES_EACH(core, s)                                                                        \
    for (unsigned core = cores_from(s, 0); core < MESH_CORES_MAX; core = cores_from(s, core + 1))
