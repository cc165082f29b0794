/* SPDX-License-Identifier: BSD-3-Clause */
/* json_in.h -- JSON from people we do not trust: one bounded door to jansson.
 *
 * Refused besides what is not JSON: nesting deeper than `depth_max`, a name that an object
 * has twice (whoever reads the other one would see something else), U+0000 in a text, and
 * anything behind the value. */
#pragma once

#include <jansson.h>

#include "base/bytes.h"

/* The value, to be given back with json_decref(); NULL: not JSON, or refused. */
json_t *json_in(struct bytes text, unsigned depth_max);

/* The text of a string value; {NULL, 0} for every other value and NULL. */
struct bytes json_in_text(const json_t *v);
