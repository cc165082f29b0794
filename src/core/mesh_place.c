/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/mesh_place.h"

#include <linux/mempolicy.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { NODES_MAX = 1024, LONG_BITS = 8 * sizeof(unsigned long) };

void *place_alloc(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void place_free(void *memory, size_t bytes)
{
    munmap(memory, bytes);
}

void place_here(void *memory, size_t bytes)
{
    unsigned long nodes[NODES_MAX / LONG_BITS] = {0};
    unsigned cpu, node;

    if (getcpu(&cpu, &node) != 0 || node >= NODES_MAX) return;
    nodes[node / LONG_BITS] = 1ul << (node % LONG_BITS);
    (void)syscall(SYS_mbind, memory, bytes, MPOL_PREFERRED, nodes, (unsigned long)NODES_MAX,
                  MPOL_MF_MOVE);
}
