/* SPDX-License-Identifier: BSD-3-Clause */
/* store_recover.h -- what a start costs: a log of many small records, read back. */
#pragma once

#include "bench.h"

/* Writes `records` records of 128 bytes to a log in `folder`, and recovers them in a process of its
 * own, twice: the second time nothing is taken from memory either. */
void store_recover_bench(const struct bench *b, const char *folder, unsigned long records);
