/* SPDX-License-Identifier: BSD-3-Clause */
/* slow_disk.h -- a core's disk in simulated time: each piece of work takes a while, and what was
 * given later may be done earlier. In calm weather all is done at the next look.
 *
 * Owner: the world; one per core, over the one sim_disk of the broker. */
#pragma once

#include "store/disk.h"

/* NULL: no memory. */
struct disk *slow_disk_new(const struct store_io *io);

/* When the first piece of work will be done; UINT64_MAX: there is none. */
uint64_t slow_disk_due_ns(const struct disk *d);

/* The machine stops: of what is under way some has been done, though nobody hears of it any more.
 */
void slow_disk_stop(struct disk *d);
