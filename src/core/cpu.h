/* SPDX-License-Identifier: BSD-3-Clause */
/* cpu.h -- which CPUs there are, which ones we may use, and pinning to one.
 *
 * `cores: auto` is one core per CPU of the process's cpuset, but no more than the
 * cgroup's CPU quota rounded up (cgroup v2 cpu.max, v1 cpu.cfs_quota_us). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CPU_MAX = 1024, CPU_CORES_MAX = 256, CPU_ERROR_TEXT = 256 };

struct cpu_plan {
    unsigned cores; /* how many core threads */
    bool pin;       /* pin thread i to cpu[i] */
    uint16_t cpu[CPU_CORES_MAX];
    int16_t node[CPU_CORES_MAX]; /* NUMA node of cpu[i]; -1 unknown */
};

/* Makes a plan from the setting `cores`: "auto", a count ("4"; more cores than
 * CPUs share them in turn), or a CPU list ("0-7,16-23"). -ERR_INVALID with a
 * sentence in `error` that names the setting, what is wrong with it and the
 * CPUs there are, as in: cores: CPU 9 does not exist or is not allowed here;
 * there are 0-1. */
int cpu_plan_make(struct cpu_plan *p, const char *cores, bool pin, char error[CPU_ERROR_TEXT]);

/* Writes CPU numbers of `p` as a list such as "0-3,8"; returns out. */
const char *cpu_plan_text(const struct cpu_plan *p, char *out, size_t n);

/* CPUs that we may use and to which no core of `p` is pinned, into `rest`. Returns how many: 0 if
 * there are none, or nothing is pinned. */
struct cpu_set;
unsigned cpu_plan_rest(const struct cpu_plan *p, struct cpu_set *rest);

/* Pins the calling thread. -ERR_OS. */
int cpu_pin(unsigned cpu);

/* Parses "0-7,16-23" into a set; -ERR_INVALID. */
struct cpu_set {
    uint64_t bits[CPU_MAX / 64];
};
int cpu_list_parse(struct cpu_set *s, const char *text);
bool cpu_set_has(const struct cpu_set *s, unsigned cpu);
