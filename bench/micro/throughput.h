/* SPDX-License-Identifier: BSD-3-Clause */
/* throughput.h -- numbered mail from one pinned thread to another, as fast as it goes. */
#pragma once

#include "bench.h"
#include "core/mail.h"

static const uint32_t CAPACITIES[] = {1u << 10, 1u << 16, 1u << 20};

static inline uint32_t throughput_mails(const struct bench *b)
{
    return b->quick ? 1u << 20 : 1u << 22;
}

/* The receiver adds these up, so that no copy can be optimised away. */
static inline uint64_t throughput_sum(uint32_t mails)
{
    return (uint64_t)mails * (mails - 1) / 2;
}

static inline void throughput_report(const struct bench *b, const char *subject, uint32_t capacity,
                                     uint32_t batch, double ns)
{
    const struct figure f[] = {
        {"capacity", capacity},
        {"batch", batch},
        {"ns_per_mail", ns},
        {"mails_per_us", 1000 / ns},
    };
    bench_report(b, "throughput", subject, f, sizeof f / sizeof f[0]);
}
