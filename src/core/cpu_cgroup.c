/* SPDX-License-Identifier: BSD-3-Clause */
/* cpu_cgroup.c -- how many CPUs, and how much memory, the control groups of this process leave it.
 *
 * /proc/self/cgroup names our group. A container may see only a part of the
 * tree, so the group's own directory can be missing: we look there and in every
 * directory above, and the smallest quota found counts (a parent's binds too). */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "core/cpu_choice.h"

int cpu_read_file(const char *root, const char *path, char *out, size_t n)
{
    char full[PATH_MAX];
    if ((size_t)snprintf(full, sizeof full, "%s%s", root, path) >= sizeof full) return -ERR_ABSENT;
    int fd = open(full, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -ERR_ABSENT;
    ssize_t got = 1;
    size_t used = 0;
    while (got > 0 && used < n - 1) {
        got = read(fd, out + used, n - 1 - used);
        if (got > 0) used += (size_t)got;
    }
    close(fd);
    out[used] = '\0';
    return got < 0 ? -ERR_ABSENT : 0;
}

/* 0 for no or a senseless quota. */
static unsigned whole_cpus(long long quota_us, long long period_us)
{
    if (quota_us <= 0 || period_us <= 0) return 0;
    long long cpus = quota_us / period_us + (quota_us % period_us != 0);
    return cpus > CPU_MAX ? CPU_MAX : (unsigned)cpus;
}

/* A number and what follows it; -1 if there is none, as v1 says "no quota". */
static long long number(const char **text)
{
    char *end;
    errno = 0;
    long long n = strtoll(*text, &end, 10);
    if (end == *text || errno) return -1;
    *text = end;
    return n;
}

unsigned cgroup_parse_cpu_max(const char *text)
{
    long long quota_us = number(&text);
    if (quota_us <= 0 || *text != ' ') return 0; /* "max 100000" as well */
    return whole_cpus(quota_us, number(&text));
}

static unsigned quota_v2(const char *root, const char *dir)
{
    char path[PATH_MAX], text[64];
    if ((size_t)snprintf(path, sizeof path, "%s/cpu.max", dir) >= sizeof path) return 0;
    return cpu_read_file(root, path, text, sizeof text) < 0 ? 0 : cgroup_parse_cpu_max(text);
}

static unsigned quota_v1(const char *root, const char *dir)
{
    char path[PATH_MAX], quota[64], period[64];
    const char *q = quota, *p = period;
    if ((size_t)snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", dir) >= sizeof path) return 0;
    if (cpu_read_file(root, path, quota, sizeof quota) < 0) return 0;
    if ((size_t)snprintf(path, sizeof path, "%s/cpu.cfs_period_us", dir) >= sizeof path) return 0;
    if (cpu_read_file(root, path, period, sizeof period) < 0) return 0;
    return whole_cpus(number(&q), number(&p));
}

static unsigned smaller(unsigned a, unsigned b)
{
    if (!a || !b) return a + b; /* 0 is no limit */
    return a < b ? a : b;
}

/* The smallest quota from `mount``group` up to `mount`. */
static unsigned smallest_above(const char *root, const char *mount, const char *group,
                               unsigned (*quota)(const char *root, const char *dir))
{
    char dir[PATH_MAX];
    size_t mount_len = strlen(mount);
    if ((size_t)snprintf(dir, sizeof dir, "%s%s", mount, group) >= sizeof dir) return 0;
    unsigned cpus = 0;
    for (;;) {
        cpus = smaller(cpus, quota(root, dir));
        char *slash = strrchr(dir, '/');
        if (!slash || slash < dir + mount_len) return cpus;
        *slash = '\0';
    }
}

/* Whole MiB in a file of bytes; 0 for "max". */
static unsigned memory_in(const char *root, const char *dir, const char *file)
{
    char path[PATH_MAX], text[64];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", dir, file) >= sizeof path) return 0;
    if (cpu_read_file(root, path, text, sizeof text) < 0) return 0;
    const char *at = text;
    long long mib = number(&at) / (1 << 20);
    return mib > 0 && mib < UINT_MAX ? (unsigned)mib : 0;
}

static unsigned memory_v2(const char *root, const char *dir)
{
    return memory_in(root, dir, "memory.max");
}

static unsigned memory_v1(const char *root, const char *dir)
{
    return memory_in(root, dir, "memory.limit_in_bytes");
}

/* What is looked for, in each version. */
struct resource {
    const char *controller, *mount_v1;
    unsigned (*v1)(const char *root, const char *dir);
    unsigned (*v2)(const char *root, const char *dir);
};

static const struct resource cpu = {"cpu", "/sys/fs/cgroup/cpu", quota_v1, quota_v2};
static const struct resource memory = {"memory", "/sys/fs/cgroup/memory", memory_v1, memory_v2};

/* Is it in the comma-separated list of controllers? */
static bool has_controller(const char *controllers, const char *name)
{
    size_t n = strlen(name);
    for (const char *c = controllers; c; c = strchr(c, ',')) {
        if (*c == ',') c++;
        if (strncmp(c, name, n) == 0 && (c[n] == ',' || c[n] == '\0')) return true;
    }
    return false;
}

/* One line, "id:controllers:group"; version 2 has no controllers there. */
static unsigned quota_of_line(const char *root, char *line, const struct resource *of)
{
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group) return 0;
    *group++ = '\0';
    controllers++;
    if (!*controllers) return smallest_above(root, "/sys/fs/cgroup", group, of->v2);
    if (!has_controller(controllers, of->controller)) return 0;
    return smallest_above(root, of->mount_v1, group, of->v1);
}

static unsigned smallest(const char *root, const struct resource *of)
{
    char text[8192];
    unsigned least = 0;
    if (cpu_read_file(root, "/proc/self/cgroup", text, sizeof text) < 0) return 0;
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        least = smaller(least, quota_of_line(root, line, of));
    return least;
}

unsigned cgroup_cpus(const char *root)
{
    return smallest(root, &cpu);
}

unsigned cgroup_memory_mib(const char *root)
{
    return smallest(root, &memory);
}
