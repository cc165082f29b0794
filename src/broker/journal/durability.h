/* SPDX-License-Identifier: BSD-3-Clause */
/* durability.h -- what an acknowledgement means: chosen per listener and by rules of topics.
 *
 * Rules are made by the main thread, never changed, and in force on all cores at once. */
#pragma once

#include <stdint.h>

#include "base/bytes.h"

enum durability {
    DURABILITY_MEMORY,   /* nothing is written: a restart forgets it */
    DURABILITY_INTERVAL, /* written soon: acknowledged at once, on disk within data.interval */
    DURABILITY_COMMIT,   /* acknowledged means on disk */
};

enum { DURABILITY_RULES_MAX = 256 };

struct durability_rule {
    struct bytes filter;
    uint8_t durability;
};

/* The first whose filter matches decides. malloc'd in one piece. */
struct durability_rules {
    uint32_t n;
    struct durability_rule at[];
};

/* Copies the filters. NULL: no memory. */
struct durability_rules *durability_rules_new(const struct durability_rule *rules, uint32_t n);
void durability_rules_free(struct durability_rules **r);

/* What holds for a topic: what a rule says, else `otherwise`. Topics that begin with '$' are never
 * written. `r` may be NULL. */
uint8_t durability_of(const struct durability_rules *r, struct bytes topic, uint8_t otherwise);
