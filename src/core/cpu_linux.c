/* SPDX-License-Identifier: BSD-3-Clause */
/* cpu_linux.c -- reads the machine for cpu.h: affinity mask, cgroup quota, NUMA nodes. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "core/cpu_choice.h"

enum { MASKS = 8 }; /* the kernel refuses a mask shorter than its own: room for 8192 CPUs */

static int allowed_cpus(struct cpu_set *s)
{
    cpu_set_t mask[MASKS] = {0};
    *s = (struct cpu_set){0};
    if (sched_getaffinity(0, sizeof mask, mask) < 0) return -ERR_OS;
    for (unsigned cpu = 0; cpu < CPU_MAX; cpu++)
        if (CPU_ISSET_S(cpu, sizeof mask, mask)) cpu_set_add(s, cpu);
    return cpu_set_count(s) ? 0 : -ERR_OS;
}

/* A kernel file that holds a list such as "0-3,8". */
static int read_list(struct cpu_set *s, const char *path)
{
    char text[4096];
    int err = cpu_read_file("", path, text, sizeof text);
    if (err < 0) return err;
    text[strcspn(text, "\n")] = '\0';
    return cpu_list_parse(s, text);
}

/* Best effort: a node that can't be read leaves its CPUs at -1. */
static void find_nodes(struct cpu_plan *p)
{
    struct cpu_set nodes, cpus;
    char path[64];
    if (read_list(&nodes, "/sys/devices/system/node/online") < 0) return;
    for (unsigned node = 0; node < CPU_MAX; node++) {
        if (!cpu_set_has(&nodes, node)) continue;
        snprintf(path, sizeof path, "/sys/devices/system/node/node%u/cpulist", node);
        if (read_list(&cpus, path) < 0) continue;
        for (unsigned i = 0; i < p->cores; i++)
            if (cpu_set_has(&cpus, p->cpu[i])) p->node[i] = (int16_t)node;
    }
}

int cpu_plan_make(struct cpu_plan *p, const char *cores, bool pin, char error[CPU_ERROR_TEXT])
{
    struct cpu_set allowed;
    *p = (struct cpu_plan){.pin = pin};
    if (allowed_cpus(&allowed) < 0) {
        snprintf(error, CPU_ERROR_TEXT, "cores: the CPUs of this machine can't be read");
        return -ERR_INVALID;
    }
    int err = cpu_choose(p, cores, &allowed, cgroup_cpus(""), error);
    if (err < 0) return err;
    find_nodes(p);
    return 0;
}

unsigned cpu_plan_rest(const struct cpu_plan *p, struct cpu_set *rest)
{
    if (!p->pin || allowed_cpus(rest) < 0) return 0;
    for (unsigned i = 0; i < p->cores; i++)
        rest->bits[p->cpu[i] / 64] &= ~(1ull << p->cpu[i] % 64);
    return cpu_set_count(rest);
}

int cpu_pin(unsigned cpu)
{
    cpu_set_t mask[MASKS] = {0};
    ASSERT(cpu < CPU_MAX);
    CPU_SET_S(cpu, sizeof mask, mask);
    return pthread_setaffinity_np(pthread_self(), sizeof mask, mask) ? -ERR_OS : 0;
}
