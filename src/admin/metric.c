/* SPDX-License-Identifier: BSD-3-Clause */
#include "admin/metric.h"

#include <stdio.h>
#include <string.h>

/* Words that make a family of the counters that begin with them. */
static const struct {
    const char *word, *name, *label, *help;
} families[] = {
    {"dropped_", "messages_dropped", "reason", "messages that were not delivered, by reason"},
    {"denied_", "denied", "action", "what clients were not allowed to do, by action"},
    {"refused_", "refused", "reason", "clients and requests that were refused, by reason"},
    {"limited_", "limited", "reason", "times that a client met a limit, by limit"},
};

/* Index of the family, -1 if it is its own. */
static int family_of(enum counter c)
{
    const char *name = counter_name(c);

    for (size_t i = 0; i < ARRAY_LEN(families); i++)
        if (strncmp(name, families[i].word, strlen(families[i].word)) == 0) return (int)i;
    return -1;
}

static bool is_total(enum counter c)
{
    return strcmp(counter_kind(c), "total") == 0;
}

struct metric metric_of(enum counter c)
{
    const char *name = counter_name(c), *end = is_total(c) ? "_total" : "";
    struct metric m = {.kind = is_total(c) ? "counter" : "gauge", .help = counter_help(c)};
    int f = family_of(c);

    if (f >= 0) {
        snprintf(m.name, sizeof m.name, "pinion_%s%s", families[f].name, end);
        m.help = families[f].help;
        m.label = families[f].label;
        m.value = name + strlen(families[f].word);
    } else if (strncmp(name, "bytes_", 6) == 0) {
        snprintf(m.name, sizeof m.name, "pinion_%s_bytes%s", name + 6, end);
    } else {
        snprintf(m.name, sizeof m.name, "pinion_%s%s", name, end);
    }
    return m;
}

bool metric_same(enum counter a, enum counter b)
{
    return a == b ||
           (family_of(a) >= 0 && family_of(a) == family_of(b) && is_total(a) == is_total(b));
}

bool metric_is_first(enum counter c)
{
    for (enum counter before = 0; before < c; before++)
        if (metric_same(before, c)) return false;
    return true;
}

static const struct metric_extra extras[METRICS] = {
#define METRIC(id, name_, kind_, labels_, help_)                                                   \
    [METRIC_##id] = {.name = name_, .kind = kind_, .labels = labels_, .help = help_},
#include "admin/metrics.def"
#undef METRIC
};

const struct metric_extra *metric_extra(enum metric_id id)
{
    ASSERT(id < METRICS);
    return &extras[id];
}
