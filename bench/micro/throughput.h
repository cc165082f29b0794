/* SPDX-License-Identifier: BSD-3-Clause */
/* throughput.h -- numbered mail from one pinned thread to another, as fast as it goes. */
#pragma once

#include "bench.h"

/* One run each; ns per mail. */
double ck_once(const struct bench *b, uint32_t mails, uint32_t capacity);
double ring_once(const struct bench *b, uint32_t mails, uint32_t capacity, uint32_t batch);

/* The receiver adds up the numbers, so that no copy can be optimised away. */
static inline uint64_t throughput_sum(uint32_t mails)
{
    return (uint64_t)mails * (mails - 1) / 2;
}
