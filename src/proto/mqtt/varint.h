/* SPDX-License-Identifier: BSD-3-Clause */
/* varint.h -- the variable byte integer of section 1.5.5: seven bits a byte, low
 * bits first, at most four bytes.
 *
 * The only code of its kind: remaining lengths, property lengths, property values
 * and everything that writes them come here, because a second copy is where the
 * fifth byte gets in. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum { VARINT_BYTES = 4 };

/* Bytes that `v` takes, at least one; `v` is at most MQTT_VARINT_MAX. */
static inline size_t varint_size(uint32_t v)
{
    return v < 1u << 7 ? 1 : v < 1u << 14 ? 2 : v < 1u << 21 ? 3 : 4;
}

/* Reads from the start of `in`: the number of bytes used, 0 if it goes on behind
 * the end of `in`, or -1 if it has a fifth byte. Says nothing about padding: a value
 * was padded if more than varint_size() bytes were used [MQTT-1.5.5-1]. */
static inline int varint_decode(struct bytes in, uint32_t *value)
{
    uint32_t v = 0;
    for (unsigned i = 0; i < VARINT_BYTES; i++) {
        if (i == in.n) return 0;
        v |= (uint32_t)(in.p[i] & 0x7F) << (7 * i);
        if (in.p[i] < 0x80) {
            *value = v;
            return (int)i + 1;
        }
    }
    return -1;
}

/* Writes `v` in the fewest bytes and returns how many: varint_size(v). */
static inline size_t varint_encode(uint8_t *out, uint32_t v)
{
    size_t n = varint_size(v);
    for (size_t i = 0; i + 1 < n; i++) {
        out[i] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    out[n - 1] = (uint8_t)(v & 0x7F);
    return n;
}
