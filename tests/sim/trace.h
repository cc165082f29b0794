/* SPDX-License-Identifier: BSD-3-Clause */
/* trace.h -- what happened in a run: the last events, a hash of them all, the broken promise. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { TRACE_LINES = 120, TRACE_LINE_MAX = 160 };

struct trace {
    bool print; /* each event as it comes */
    uint64_t n; /* events so far: the run's own clock */
    uint64_t hash;
    char line[TRACE_LINES][TRACE_LINE_MAX]; /* a ring */
    char broken[256];                       /* the first broken promise; empty: none */
};

void trace_init(struct trace *t, bool print);
void trace(struct trace *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Notes a broken promise in one sentence. The first one counts. */
void broken(struct trace *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void trace_tail(const struct trace *t, FILE *to);
