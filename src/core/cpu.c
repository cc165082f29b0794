/* SPDX-License-Identifier: BSD-3-Clause */
/* cpu.c -- CPU lists and the choice of cores; see cpu_choice.h. */
#include "core/cpu.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "core/cpu_choice.h"

void cpu_set_add(struct cpu_set *s, unsigned cpu)
{
    ASSERT(cpu < CPU_MAX);
    s->bits[cpu / 64] |= 1ull << cpu % 64;
}

bool cpu_set_has(const struct cpu_set *s, unsigned cpu)
{
    return cpu < CPU_MAX && (s->bits[cpu / 64] >> cpu % 64 & 1);
}

unsigned cpu_set_count(const struct cpu_set *s)
{
    unsigned n = 0;
    for (size_t i = 0; i < ARRAY_LEN(s->bits); i++)
        n += (unsigned)__builtin_popcountll(s->bits[i]);
    return n;
}

/* Reads a number below `limit` and moves *s behind it; -1 if there is none. */
static int parse_number(const char **s, int limit)
{
    int n = 0;
    if (**s < '0' || **s > '9') return -1;
    for (; **s >= '0' && **s <= '9'; ++*s) {
        n = n * 10 + (**s - '0');
        if (n >= limit) return -1;
    }
    return n;
}

int cpu_list_parse(struct cpu_set *s, const char *text)
{
    *s = (struct cpu_set){0};
    for (;;) {
        int first = parse_number(&text, CPU_MAX);
        int last = first;
        if (first >= 0 && *text == '-') {
            text++;
            last = parse_number(&text, CPU_MAX);
        }
        if (first < 0 || last < first) return -ERR_INVALID;
        for (int cpu = first; cpu <= last; cpu++)
            cpu_set_add(s, (unsigned)cpu);
        if (!*text) return 0;
        if (*text++ != ',') return -ERR_INVALID;
    }
}

/* As a list such as "0-3,8", as many whole items as fit. */
static const char *set_text(const struct cpu_set *s, char *out, size_t n)
{
    size_t used = 0;
    ASSERT(n > 0);
    out[0] = '\0';
    for (unsigned cpu = 0; cpu < CPU_MAX; cpu++) {
        if (!cpu_set_has(s, cpu)) continue;
        char item[32];
        unsigned first = cpu;
        while (cpu_set_has(s, cpu + 1))
            cpu++;
        int len = snprintf(item, sizeof item, first == cpu ? "%s%u" : "%s%u-%u", used ? "," : "",
                           first, cpu);
        if (used + (size_t)len >= n) return out;
        memcpy(out + used, item, (size_t)len + 1);
        used += (size_t)len;
    }
    return out;
}

const char *cpu_plan_text(const struct cpu_plan *p, char *out, size_t n)
{
    struct cpu_set s = {0};
    for (unsigned i = 0; i < p->cores; i++)
        cpu_set_add(&s, p->cpu[i]);
    return set_text(&s, out, n);
}

/* Puts "cores: <what is wrong>; there are <CPUs>" into `error`. */
__attribute__((format(printf, 3, 4))) static int
refuse(char error[CPU_ERROR_TEXT], const struct cpu_set *allowed, const char *format, ...)
{
    char wrong[128], list[64];
    va_list args;
    va_start(args, format);
    vsnprintf(wrong, sizeof wrong, format, args);
    va_end(args);
    snprintf(error, CPU_ERROR_TEXT, "cores: %s; there are %s", wrong,
             set_text(allowed, list, sizeof list));
    return -ERR_INVALID;
}

/* Cores on the CPUs of `s` in turn. */
static void spread(struct cpu_plan *p, const struct cpu_set *s, unsigned cores)
{
    p->cores = cores;
    for (unsigned i = 0, cpu = 0; i < cores; cpu = (cpu + 1) % CPU_MAX) {
        if (!cpu_set_has(s, cpu)) continue;
        p->cpu[i] = (uint16_t)cpu;
        p->node[i] = -1;
        i++;
    }
}

static int choose_listed(struct cpu_plan *p, const struct cpu_set *listed,
                         const struct cpu_set *allowed, char error[CPU_ERROR_TEXT])
{
    for (unsigned cpu = 0; cpu < CPU_MAX; cpu++) {
        if (cpu_set_has(listed, cpu) && !cpu_set_has(allowed, cpu))
            return refuse(error, allowed, "CPU %u does not exist or is not allowed here", cpu);
    }
    unsigned count = cpu_set_count(listed);
    if (count > CPU_CORES_MAX)
        return refuse(error, allowed, "%u CPUs are listed but there can be at most %d cores", count,
                      CPU_CORES_MAX);
    spread(p, listed, count);
    return 0;
}

int cpu_choose(struct cpu_plan *p, const char *cores, const struct cpu_set *allowed, unsigned quota,
               char error[CPU_ERROR_TEXT])
{
    unsigned cpus = cpu_set_count(allowed);
    ASSERT(cpus > 0);

    if (strcmp(cores, "auto") == 0) {
        if (quota && quota < cpus) cpus = quota;
        spread(p, allowed, cpus < CPU_CORES_MAX ? cpus : CPU_CORES_MAX);
        return 0;
    }
    if (*cores && strspn(cores, "0123456789") == strlen(cores)) {
        const char *s = cores;
        int n = parse_number(&s, CPU_CORES_MAX + 1);
        if (n < 1)
            return refuse(error, allowed, "%.40s is not a number of cores from 1 to %d", cores,
                          CPU_CORES_MAX);
        spread(p, allowed, (unsigned)n);
        return 0;
    }
    struct cpu_set listed;
    if (cpu_list_parse(&listed, cores) < 0)
        return refuse(error, allowed,
                      "\"%.40s\" is not auto, a number or a list of CPUs such as 0-3,8", cores);
    return choose_listed(p, &listed, allowed, error);
}
