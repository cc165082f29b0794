/* SPDX-License-Identifier: BSD-3-Clause */
/* held_disk.h -- a disk that is as slow as a test wants.
 *
 * What is held stays under way, turn after turn, until it is let go: one kind of work may overtake
 * another, as on a real disk. Who waits for the disk (disk_drain) lets go of everything. */
#pragma once

#include "store/disk.h"

/* The test's own; outlives the disk. */
struct held_kinds {
    bool commits, reads, calls;
};

struct disk *disk_new_held(const struct store_io *io, const struct held_kinds *held);
