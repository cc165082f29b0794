/* SPDX-License-Identifier: BSD-3-Clause */
/* store_recover.h -- what a start costs: a log of many small records, read back. */
#pragma once

#include "bench.h"

/* Writes `records` records of 128 bytes to a log in `folder`, and recovers them three times, each
 * in a process of its own. */
void store_recover_bench(const struct bench *b, const char *folder, unsigned long records);
