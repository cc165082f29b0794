/* SPDX-License-Identifier: BSD-3-Clause */
/* top_view.h -- what changed between two looks at the cores, as a table. */
#pragma once

#include <jansson.h>
#include <stdio.h>

/* `before` and `now` are arrays of cores as /api/v1/cores has them; a core that has not answered
 * in both has a row without figures. Each line ends with `eol`. */
void top_view(FILE *out, const json_t *before, const json_t *now, const char *eol);
