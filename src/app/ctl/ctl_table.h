/* SPDX-License-Identifier: BSD-3-Clause */
/* ctl_table.h -- JSON objects as rows for people.
 *
 * What clients have named goes to a terminal here: control characters are shown, never sent. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct ctl_column {
    const char *heading;
    const char *member; /* "a.b" is the member b of the member a */
};

enum { CTL_COLUMNS_MAX = 13, CTL_CELL_MAX = 512 };

/* The value as text, shortened to fit: "-" for null and what is not there. */
void ctl_cell(const json_t *row, const char *member, char out[CTL_CELL_MAX]);

/* A line for each object of the array `rows`, the columns as wide as what is in them. Returns how
 * many there were. */
size_t ctl_table(FILE *out, const struct ctl_column *columns, const json_t *rows, bool headings);

/* "name: value" for each member that is neither object nor array. */
void ctl_members(FILE *out, const json_t *object);
