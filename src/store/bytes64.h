/* SPDX-License-Identifier: BSD-3-Clause */
/* bytes64.h -- numbers of eight bytes for the cursors of base/bytes.h; only what is stored has any.
 */
#pragma once

#include "base/bytes.h"

static inline uint64_t rd_u64be(struct reader *r)
{
    uint64_t high = rd_u32be(r);
    return high << 32 | rd_u32be(r);
}

static inline void wr_u64be(struct writer *w, uint64_t v)
{
    if (!wr_room(w, 8)) return;
    wr_u32be(w, (uint32_t)(v >> 32));
    wr_u32be(w, (uint32_t)v);
}
