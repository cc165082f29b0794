/* SPDX-License-Identifier: BSD-3-Clause */
/* cpu_choice.h -- the part of cpu.h that only thinks, apart from reading the
 * machine, so that tests can put any machine before it. Runs at start-up. */
#pragma once

#include "core/cpu.h"

void cpu_set_add(struct cpu_set *s, unsigned cpu);
unsigned cpu_set_count(const struct cpu_set *s);

/* cpu_plan_make for a machine whose `allowed` CPUs are not empty and whose quota is
 * `quota` CPUs (0: none). Leaves every node at -1. */
int cpu_choose(struct cpu_plan *p, const char *cores, const struct cpu_set *allowed, unsigned quota,
               char error[CPU_ERROR_TEXT]);

/* Whole CPUs in the text of a cgroup v2 cpu.max ("150000 100000": 2), rounded up;
 * 0 for "max" and for anything that is not understood. */
unsigned cgroup_parse_cpu_max(const char *text);

/* The quota of this process's cgroup and of those above it, the smallest, in whole
 * CPUs; 0 if there is none. Files are looked for below `root`, "" but in tests. */
unsigned cgroup_cpus(const char *root);

/* The same for memory, in whole MiB. */
unsigned cgroup_memory_mib(const char *root);

/* The first `n`-1 bytes of the file `root``path`, as a string. -ERR_ABSENT. */
int cpu_read_file(const char *root, const char *path, char *out, size_t n);
