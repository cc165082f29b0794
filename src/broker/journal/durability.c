/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/journal/durability.h"

#include <stdlib.h>
#include <string.h>

#include "broker/name.h"

struct durability_rules *durability_rules_new(const struct durability_rule *rules, uint32_t n)
{
    size_t head = sizeof(struct durability_rules) + n * sizeof rules[0], text = 0;

    for (uint32_t i = 0; i < n; i++)
        text += rules[i].filter.n;
    struct durability_rules *r = malloc(head + text);
    if (!r) return NULL;
    r->n = n;
    uint8_t *at = (uint8_t *)r + head;
    for (uint32_t i = 0; i < n; i++) {
        struct bytes filter = rules[i].filter;
        if (filter.n) memcpy(at, filter.p, filter.n);
        r->at[i] = (struct durability_rule){bytes_of(at, filter.n), rules[i].durability};
        at += filter.n;
    }
    return r;
}

void durability_rules_free(struct durability_rules **r)
{
    free(*r);
    *r = NULL;
}

uint8_t durability_of(const struct durability_rules *r, struct bytes topic, uint8_t otherwise)
{
    if (topic.n > 0 && topic.p[0] == '$') return DURABILITY_MEMORY;
    for (uint32_t i = 0; r && i < r->n; i++)
        if (name_matches(r->at[i].filter, topic)) return r->at[i].durability;
    return otherwise;
}
