/* SPDX-License-Identifier: BSD-3-Clause */
#include <sys/random.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/rng.h"

uint64_t rng_os_seed(void)
{
    uint64_t v;
    /* Eight bytes never come short, and fail only before the kernel's pool is ready. */
    ASSERT(getrandom(&v, sizeof v, 0) == (ssize_t)sizeof v);
    return v;
}
