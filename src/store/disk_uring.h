/* SPDX-License-Identifier: BSD-3-Clause */
/* disk_uring.h -- a disk whose commits and reads go through io_uring.
 *
 * A commit is a write and a sync, linked: the sync starts only when the write has written all. Both
 * are submitted with one call and never block the core. What the kernel can't do at once it gives
 * to workers of its own: they are bounded, and kept on the CPUs that no core is pinned to. */
#pragma once

#include "core/cpu.h"
#include "store/disk.h"

enum { DISK_URING_WHY = 160 };

struct disk_uring_options {
    const struct store_io *io; /* for what does not go through the ring */
    struct helpers *helpers;
    unsigned core;
    unsigned workers;           /* of the kernel, at most; 0: 2 */
    const struct cpu_set *cpus; /* where they may run; NULL: anywhere. Read on first use */
};

/* NULL where it is refused (a container's rules, an old kernel), with the reason in `why`. */
struct disk *disk_new_uring(const struct disk_uring_options *o, char why[DISK_URING_WHY]);
