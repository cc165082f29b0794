/* SPDX-License-Identifier: BSD-3-Clause */
/* metric.h -- what each counter is called towards Prometheus.
 *
 * By rule, so that a new row in counters.def is a new metric: "pinion_" in front; "_total" behind
 * what only rises; bytes_x is x_bytes. What begins with a word of the table in metric.c is one
 * family, and the rest of its name is a label: dropped_slow is
 * pinion_messages_dropped_total{reason="slow"}. */
#pragma once

#include <stdbool.h>

#include "core/counters.h"

enum { METRIC_NAME_MAX = 96 };

struct metric {
    char name[METRIC_NAME_MAX]; /* of the family */
    const char *kind;           /* "counter", "gauge" */
    const char *help;           /* of the family */
    const char *label;          /* NULL: none but the core */
    const char *value;          /* of that label */
};

struct metric metric_of(enum counter c);

/* Is it the first counter of its family? */
bool metric_is_first(enum counter c);

/* Are both of one family? */
bool metric_same(enum counter a, enum counter b);

/* ---- those that are no counters ------------------------------------------------------------ */

struct metric_extra {
    const char *name, *kind, *labels, *help;
};

enum metric_id {
#define METRIC(id, name, kind, labels, help) METRIC_##id,
#include "admin/metrics.def"
#undef METRIC
    METRICS
};

const struct metric_extra *metric_extra(enum metric_id id);
