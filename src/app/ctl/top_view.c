/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/ctl/top_view.h"

#include <stdbool.h>

#include "base/assert.h"

enum kind { KIND_BUSY, KIND_LONGEST, KIND_NOW, KIND_RATE, KIND_KIB_RATE, KIND_DROPPED };

/* What a column shows: of all cores together the sum, or the largest. */
static const struct column {
    const char *heading;
    enum kind kind;
    int width;
    const char *counter;
} columns[] = {
    {"BUSY%", KIND_BUSY, 6, NULL},
    {"TURNS/s", KIND_RATE, 9, "turns"},
    {"LONGEST us", KIND_LONGEST, 11, NULL},
    {"CONNS", KIND_NOW, 8, "connections"},
    {"CLIENTS", KIND_NOW, 8, "clients"},
    {"SESSIONS", KIND_NOW, 9, "sessions"},
    {"MSG IN/s", KIND_RATE, 10, "messages_received"},
    {"MSG OUT/s", KIND_RATE, 10, "messages_sent"},
    {"KiB IN/s", KIND_KIB_RATE, 10, "bytes_received"},
    {"KiB OUT/s", KIND_KIB_RATE, 10, "bytes_sent"},
    {"MESH/s", KIND_RATE, 10, "mails_sent"},
    {"DISK KiB/s", KIND_KIB_RATE, 12, "bytes_log_written"},
    {"QUEUED", KIND_NOW, 8, "queued"},
    {"DROPS/s", KIND_DROPPED, 8, NULL},
};

static double member(const json_t *core, const char *name)
{
    return json_number_value(json_object_get(core, name));
}

static double counter(const json_t *core, const char *name)
{
    return member(json_object_get(core, "counters"), name);
}

static double dropped(const json_t *core)
{
    static const char *const reasons[] = {"dropped_slow", "dropped_queue", "dropped_expired",
                                          "dropped_too_large"};
    double n = 0;

    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        n += counter(core, reasons[i]);
    return n;
}

static double value_of(const struct column *c, const json_t *before, const json_t *now)
{
    double s = member(now, "clock_seconds") - member(before, "clock_seconds");
    double slept = member(now, "slept_seconds") - member(before, "slept_seconds");

    if (s <= 0) s = 1e-3; /* the core has not turned in between */
    switch (c->kind) {
    case KIND_BUSY: return slept < s ? 100 * (1 - slept / s) : 0;
    case KIND_LONGEST: return member(now, "longest_turn_us");
    case KIND_NOW: return counter(now, c->counter);
    case KIND_RATE: return (counter(now, c->counter) - counter(before, c->counter)) / s;
    case KIND_KIB_RATE: return (counter(now, c->counter) - counter(before, c->counter)) / s / 1024;
    default: return (dropped(now) - dropped(before)) / s;
    }
}

static bool is_up(const json_t *core)
{
    return json_is_true(json_object_get(core, "up"));
}

/* Adds the row to the sums. */
static void put_core(FILE *out, const json_t *before, const json_t *now, double *sums)
{
    fprintf(out, "%5.0f", member(now, "core"));
    if (!is_up(before) || !is_up(now)) {
        fputs("  no answer", out);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
        double v = value_of(&columns[i], before, now);
        fprintf(out, "%*.0f", columns[i].width, v);
        if (columns[i].kind != KIND_LONGEST)
            sums[i] += v;
        else if (v > sums[i])
            sums[i] = v;
    }
}

void top_view(FILE *out, const json_t *before, const json_t *now, const char *eol)
{
    double sums[ARRAY_LEN(columns)] = {0};
    size_t cores = json_array_size(now);

    fputs(" CORE", out);
    for (size_t i = 0; i < ARRAY_LEN(columns); i++)
        fprintf(out, "%*s", columns[i].width, columns[i].heading);
    fputs(eol, out);
    for (size_t i = 0; i < cores; i++) {
        put_core(out, json_array_get(before, i), json_array_get(now, i), sums);
        fputs(eol, out);
    }
    fputs("  all", out);
    for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
        bool mean = columns[i].kind == KIND_BUSY && cores > 0;
        fprintf(out, "%*.0f", columns[i].width, mean ? sums[i] / (double)cores : sums[i]);
    }
    fputs(eol, out);
}
