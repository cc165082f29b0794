/* SPDX-License-Identifier: BSD-3-Clause */
/* crc32c_none.c -- for processors whose instruction, if any, we do not know. */
#include "store/crc32c.h"

bool crc32c_has_hardware(void)
{
    return false;
}

uint32_t crc32c_hardware(uint32_t crc, struct bytes b)
{
    return crc32c_table(crc, b);
}
