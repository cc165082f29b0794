/* SPDX-License-Identifier: BSD-3-Clause */
/* crc32c_arm.c -- the instruction of ARMv8: eight bytes at a time. */
#include <arm_acle.h>
#include <sys/auxv.h>

#include "store/crc32c.h"

enum { HAS_CRC32 = 1 << 7 }; /* HWCAP_CRC32 of the kernel's interface */

bool crc32c_has_hardware(void)
{
    return getauxval(AT_HWCAP) & HAS_CRC32;
}

__attribute__((target("+crc"))) uint32_t crc32c_hardware(uint32_t crc, struct bytes b)
{
    crc = ~crc;
    for (; b.n >= 8; b = bytes_skip(b, 8)) {
        uint64_t word;
        memcpy(&word, b.p, 8);
        crc = __crc32cd(crc, word);
    }
    for (size_t i = 0; i < b.n; i++)
        crc = __crc32cb(crc, b.p[i]);
    return ~crc;
}
