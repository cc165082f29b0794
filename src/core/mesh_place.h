/* SPDX-License-Identifier: BSD-3-Clause */
/* mesh_place.h -- memory that lies on the NUMA node of the thread that reads it most. */
#pragma once

#include <stddef.h>

/* Zeroed whole pages; NULL when memory runs out. Not touched yet, so not placed yet. */
void *place_alloc(size_t bytes);
void place_free(void *memory, size_t bytes);

/* Asks the kernel to keep these pages on the calling thread's node and to move
 * there what lies elsewhere. Best effort: a kernel or container may refuse. */
void place_here(void *memory, size_t bytes);
