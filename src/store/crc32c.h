/* SPDX-License-Identifier: BSD-3-Clause */
/* crc32c.h -- CRC32C (Castagnoli), the check of all that is stored.
 *
 * A sum is continued by giving it back: crc32c(crc32c(0, a), b) is that of a followed by b. The
 * processor's instruction does it where there is one, asked for at run time; a table elsewhere.
 * Pure functions, any thread. Source: RFC 3720, appendix B.4. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"

uint32_t crc32c(uint32_t crc, struct bytes b);

/* The two ways, apart for tests. crc32c_hardware() may be called only where there is one. */
uint32_t crc32c_table(uint32_t crc, struct bytes b);
uint32_t crc32c_hardware(uint32_t crc, struct bytes b);
bool crc32c_has_hardware(void);
