/* SPDX-License-Identifier: BSD-3-Clause */
/* filters.h -- a set of topic filters that can be asked: which of you match?
 *
 * Filters without wildcards sit in a hash table, so that a topic finds them with
 * the hash it carries. The others sit in a trie without nodes or labels: one
 * table maps the hash of each path ("a", "a/+", "a/+/b") to what ends there and
 * how many paths go on. A topic follows at most three edges per level
 * (its own, '+', '#'). Two paths that collide in 64 seeded bits would only share
 * an edge: every match is checked against the filter's text before it counts.
 *
 * Used twice: by a topic's owner (filter -> cores) and by a subscriber's core
 * (filter -> subscriptions). Entries are the caller's and embed struct filter_entry. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/table.h"

struct filter_entry {
    struct filter_entry *same; /* next entry with the same filter part (another share group) */
    uint64_t hash;             /* of the whole name */
    uint64_t filter_hash;      /* of the filter part */
    struct bytes name;         /* whole: "$share/g/a/+" or "a/+"; borrowed from the caller's entry */
    struct bytes filter;       /* the part that is matched: "a/+"; within name */
    bool wildcard;
};

struct filters {
    uint64_t seed;
    uint64_t generation; /* changes with every add and del: caches are stamped with it */
    struct table names;  /* all entries, by whole name */
    struct table exact;  /* first entry of each filter without wildcard, by filter_hash */
    /* The trie: see filters.c. */
    struct trie_edge *edge;
    uint32_t edge_mask, edges;
    uint32_t wildcards; /* entries with a wildcard */
};

void filters_init(struct filters *f, uint64_t seed);
void filters_fini(struct filters *f); /* entries are the caller's */

/* Prepares an entry: `name` whole (borrowed as long as the entry is in a set), `filter` its matched part. */
void filter_entry_init(struct filter_entry *e, uint64_t seed, struct bytes name, struct bytes filter);

/* The entry with this whole name, or NULL. */
struct filter_entry *filters_find(const struct filters *f, uint64_t hash, struct bytes name);

/* 0, or -ERR_NOMEM and nothing changed. */
int filters_add(struct filters *f, struct filter_entry *e);
void filters_del(struct filters *f, struct filter_entry *e);

/* Calls `fn` once for every entry that matches `topic`. `fn` must not change the set. */
typedef void filter_fn(struct filter_entry *e, void *arg);
void filters_match(const struct filters *f, struct bytes topic, uint64_t topic_hash, filter_fn *fn,
                   void *arg);

/* Calls `fn` for every entry. */
void filters_each(const struct filters *f, filter_fn *fn, void *arg);
