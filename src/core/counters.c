/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/counters.h"

#define TOTAL "total"
#define NOW "now"

static const struct {
    const char *name, *kind, *help;
} row[COUNTERS] = {
#define COUNTER(name_, kind_, help_) [C_##name_] = {.name = #name_, .kind = kind_, .help = help_},
#include "core/counters.def"
#undef COUNTER
};

const char *counter_name(enum counter which)
{
    ASSERT(which < COUNTERS);
    return row[which].name;
}

const char *counter_kind(enum counter which)
{
    ASSERT(which < COUNTERS);
    return row[which].kind;
}

const char *counter_help(enum counter which)
{
    ASSERT(which < COUNTERS);
    return row[which].help;
}
