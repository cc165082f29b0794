/* SPDX-License-Identifier: BSD-3-Clause */
#include "trace.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "machine.h"

void trace_init(struct trace *t, bool print)
{
    memset(t, 0, sizeof *t);
    t->print = print;
}

static void keep(struct trace *t, const char *text)
{
    char *line = t->line[t->n % TRACE_LINES];
    snprintf(line, TRACE_LINE_MAX, "%8" PRIu64 " %.6f %s", t->n,
             (double)machine()->now_ns / (double)NS_PER_S, text);
    t->n++;
    t->hash = hash_pair(t->hash, hash_bytes(1, bytes_str(line)));
    if (t->print) puts(line);
}

void trace(struct trace *t, const char *format, ...)
{
    char text[TRACE_LINE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    keep(t, text);
}

void broken(struct trace *t, const char *format, ...)
{
    if (t->broken[0]) return;
    va_list args;
    va_start(args, format);
    vsnprintf(t->broken, sizeof t->broken, format, args);
    va_end(args);
    keep(t, t->broken);
}

void trace_tail(const struct trace *t, FILE *to)
{
    uint64_t from = t->n > TRACE_LINES ? t->n - TRACE_LINES : 0;
    for (uint64_t i = from; i < t->n; i++)
        fprintf(to, "%s\n", t->line[i % TRACE_LINES]);
}
