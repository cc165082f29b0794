/* SPDX-License-Identifier: BSD-3-Clause */
/* report.c -- the figures of a run, and what /proc says of the broker. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/bench/bench.h"

/* The first line of /proc/PID/NAME. */
static bool proc_line(uint32_t pid, const char *name, char *line, int n)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%u/%s", pid, name);
    FILE *f = pid ? fopen(path, "re") : NULL;
    if (!f) return false;
    bool ok = fgets(line, n, f) != NULL;
    fclose(f);
    return ok;
}

double broker_cpu_s(const struct bench *b)
{
    char line[1024];
    unsigned long user, system;

    if (!proc_line(b->options->broker_pid, "stat", line, sizeof line)) return 0;
    const char *end_of_name = strrchr(line, ')'); /* which may hold anything */
    if (!end_of_name ||
        sscanf(end_of_name + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
               &system) != 2)
        return 0;
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

double broker_rss_bytes(const struct bench *b)
{
    char line[256];
    unsigned long pages;

    if (!proc_line(b->options->broker_pid, "statm", line, sizeof line)) return 0;
    if (sscanf(line, "%*u %lu", &pages) != 1) return 0;
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static void print_json(const struct bench *b, const struct figure *f, size_t n)
{
    const struct bench_options *o = b->options;
    json_t *root = json_pack("{s:s, s:i, s:i, s:I, s:I, s:I, s:I, s:I}", "mode", b->scenario->name,
                             "version", (int)o->version, "qos", (int)o->qos, "publishers",
                             (json_int_t)o->publishers, "subscribers", (json_int_t)o->subscribers,
                             "payload", (json_int_t)o->payload_bytes, "window",
                             (json_int_t)o->window, "rate", (json_int_t)o->rate);

    for (size_t i = 0; i < n; i++)
        json_object_set_new(root, f[i].name, json_real(f[i].value));
    json_dumpf(root, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(root);
}

void report_print(const struct bench *b, const struct figure *f, size_t n)
{
    if (*b->failure) fprintf(stderr, "pinion bench: %s\n", b->failure);
    if (b->options->json) {
        print_json(b, f, n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        bool whole = !f[i].unit || f[i].value >= 1000;
        printf("%-18s %12.*f%s%s\n", f[i].name, whole ? 0 : 3, f[i].value, f[i].unit ? " " : "",
               f[i].unit ? f[i].unit : "");
    }
}
