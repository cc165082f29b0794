/* SPDX-License-Identifier: BSD-3-Clause */
/* hist.h -- a log-linear histogram: 64 steps per power of two, so a value is known to
 * within 1.6 %, from 1 to 2^64, in fixed memory. Owner: whoever embeds it. */
#pragma once

#include <stdint.h>

enum { HIST_STEPS = 64, HIST_BUCKETS = 59 * HIST_STEPS + HIST_STEPS };

struct hist {
    uint64_t n, sum, max;
    uint64_t bucket[HIST_BUCKETS];
};

void hist_add(struct hist *h, uint64_t value);
void hist_merge(struct hist *into, const struct hist *from);

/* The value that the share `q` (0 to 1) of all values does not exceed; 0 without values. */
uint64_t hist_quantile(const struct hist *h, double q);
