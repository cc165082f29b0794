/* SPDX-License-Identifier: BSD-3-Clause */
/* cpu_cgroup.c -- how many CPUs the control groups of this process leave it.
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

/* Is "cpu" in the comma-separated list of controllers? */
static bool has_cpu(const char *controllers)
{
    for (const char *c = controllers; c; c = strchr(c, ',')) {
        if (*c == ',') c++;
        if (strncmp(c, "cpu", 3) == 0 && (c[3] == ',' || c[3] == '\0')) return true;
    }
    return false;
}

/* One line, "id:controllers:group"; version 2 has no controllers there. */
static unsigned quota_of_line(const char *root, char *line)
{
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group) return 0;
    *group++ = '\0';
    controllers++;
    if (!*controllers) return smallest_above(root, "/sys/fs/cgroup", group, quota_v2);
    if (!has_cpu(controllers)) return 0;
    return smallest_above(root, "/sys/fs/cgroup/cpu", group, quota_v1);
}

unsigned cgroup_cpus(const char *root)
{
    char text[8192];
    unsigned cpus = 0;
    if (cpu_read_file(root, "/proc/self/cgroup", text, sizeof text) < 0) return 0;
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        cpus = smaller(cpus, quota_of_line(root, line));
    return cpus;
}
