/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/number.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/assert.h"
#include "base/err.h"

struct unit {
    const char *name;
    uint64_t factor;
};

/* Largest last; the first spelling of a factor is the one that is written. */
static const struct unit counts[] = {{"", 1}, {"k", 1000}, {"M", 1000000}};
static const struct unit sizes[] = {
    {"B", 1},        {"", 1},           {"KiB", 1u << 10}, {"K", 1u << 10},     {"MiB", 1u << 20},
    {"M", 1u << 20}, {"GiB", 1u << 30}, {"G", 1u << 30},   {"TiB", 1ull << 40}, {"T", 1ull << 40},
};
static const struct unit times[] = {
    {"ms", 1}, {"s", 1000}, {"", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000},
};

static const struct {
    const struct unit *unit;
    size_t units;
    const char *form;
} kinds[] = {
    [NUMBER_COUNT] = {counts, ARRAY_LEN(counts), "a whole number"},
    [NUMBER_SIZE] = {sizes, ARRAY_LEN(sizes), "a size such as 64 MiB"},
    [NUMBER_MS] = {times, ARRAY_LEN(times), "a time such as 500ms or 10s"},
    [NUMBER_S] = {times, ARRAY_LEN(times), "a time such as 10s or 2h"},
};

const char *number_form(enum number_kind kind)
{
    return kinds[kind].form;
}

static const struct unit *find_unit(enum number_kind kind, const char *name)
{
    for (size_t i = 0; i < kinds[kind].units; i++)
        if (strcasecmp(kinds[kind].unit[i].name, name) == 0) return &kinds[kind].unit[i];
    return NULL;
}

int number_parse(enum number_kind kind, const char *text, uint64_t *value)
{
    uint64_t n = 0;
    const char *p = text;

    for (; *p >= '0' && *p <= '9'; p++) {
        if (__builtin_mul_overflow(n, 10u, &n)) return -ERR_TOO_LARGE;
        if (__builtin_add_overflow(n, (uint64_t)(*p - '0'), &n)) return -ERR_TOO_LARGE;
    }
    if (p == text) return -ERR_INVALID;
    if (*p == ' ') p++;

    const struct unit *unit = find_unit(kind, p);
    if (!unit) return -ERR_INVALID;
    if (__builtin_mul_overflow(n, unit->factor, &n)) return -ERR_TOO_LARGE;
    if (kind == NUMBER_S) {
        if (n % 1000 != 0) return -ERR_INVALID;
        n /= 1000;
    }
    *value = n;
    return 0;
}

/* Bare below 1000 of anything that is counted; sizes and times in their largest whole unit. */
const char *number_text(enum number_kind kind, uint64_t value, char *out)
{
    const struct unit *best = &kinds[kind].unit[0];
    uint64_t n = value;

    if (kind == NUMBER_S && __builtin_mul_overflow(n, 1000u, &n)) n = UINT64_MAX / 1000 * 1000;
    for (size_t i = 0; kind != NUMBER_COUNT && i < kinds[kind].units; i++) {
        const struct unit *u = &kinds[kind].unit[i];
        if (n != 0 && n % u->factor == 0 && u->factor > best->factor) best = u;
    }
    if (n == 0 && kind != NUMBER_COUNT) {
        snprintf(out, NUMBER_TEXT, "0");
        return out;
    }
    snprintf(out, NUMBER_TEXT, kind == NUMBER_SIZE ? "%llu %s" : "%llu%s",
             (unsigned long long)(n / best->factor), best->name);
    return out;
}
