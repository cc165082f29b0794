/* SPDX-License-Identifier: BSD-3-Clause */
/* name.h -- topics and filters as sequences of levels (MQTT 5.0 section 4.7).
 *
 * Names were checked where they entered; here they are well-formed. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum { NAME_LEVELS_MAX = 128 };

/* Hash of a topic or of a whole filter under the process's seed (0 stays free). */
uint64_t name_hash(uint64_t seed, struct bytes name);

/* Does the topic match the filter? '$' topics are not matched by a filter that
 * begins with a wildcard [MQTT-4.7.2-1]; "a/#" matches "a" too (4.7.1.2). */
bool name_matches(struct bytes filter, struct bytes topic);

bool name_has_wildcard(struct bytes filter);

/* The next level of *rest, which loses it and its '/'. False when there is none
 * left. An empty name has no level; "a/" has two, the second empty. */
struct level_iter {
    struct bytes rest;
    bool more;
};
struct level_iter level_iter(struct bytes name);
bool level_next(struct level_iter *it, struct bytes *level);
