/* SPDX-License-Identifier: BSD-3-Clause */
/* crc32c_x86.c -- the instruction of SSE 4.2: eight bytes at a time. */
#include <nmmintrin.h>

#include "store/crc32c.h"

bool crc32c_has_hardware(void)
{
    return __builtin_cpu_supports("sse4.2");
}

__attribute__((target("sse4.2"))) uint32_t crc32c_hardware(uint32_t crc, struct bytes b)
{
    uint64_t sum = ~crc;
    for (; b.n >= 8; b = bytes_skip(b, 8)) {
        uint64_t word;
        memcpy(&word, b.p, 8);
        sum = _mm_crc32_u64(sum, word);
    }
    uint32_t rest = (uint32_t)sum;
    for (size_t i = 0; i < b.n; i++)
        rest = _mm_crc32_u8(rest, b.p[i]);
    return ~rest;
}
