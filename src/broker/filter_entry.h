/* SPDX-License-Identifier: BSD-3-Clause */
/* filter_entry.h -- a filter as a member of a set (filters.h).
 *
 * Kept small: a million of them is an ordinary broker. Owner: the caller, who embeds it
 * in what it knows about the filter and keeps the text of the name alive. */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct filter_entry {
    struct filter_entry *same; /* next entry with the same filter part (another share group) */
    uint64_t hash;             /* of the whole name */
    const uint8_t *text;       /* the whole name: "$share/g/a/+" or "a/+"; borrowed */
    uint16_t name_len;
    uint16_t filter_at; /* where in it the filter begins; 0 without a share group */
    bool wildcard;
};

static_assert(sizeof(struct filter_entry) == 32, "two to a cache line");

/* Prepares an entry: `name` whole (borrowed as long as the entry is in a set), `filter` the
 * part of it that is matched, its end. */
void filter_entry_init(struct filter_entry *e, uint64_t seed, struct bytes name,
                       struct bytes filter);

static inline struct bytes filter_entry_name(const struct filter_entry *e)
{
    return bytes_of(e->text, e->name_len);
}

/* The part that is matched: "a/+". */
static inline struct bytes filter_entry_filter(const struct filter_entry *e)
{
    return bytes_skip(filter_entry_name(e), e->filter_at);
}

/* The lists of entries with the same filter part: one without a share group, if there is
 * one, comes first. The newest of the others is the cheapest to take out. */
void filter_entry_link(struct filter_entry **head, struct filter_entry *e);
void filter_entry_unlink(struct filter_entry **head, struct filter_entry *e);
