/* SPDX-License-Identifier: BSD-3-Clause */
/* filters.h -- a set of topic filters that can be asked: which of you match?
 *
 * Filters without wildcards sit in a hash table, so that a topic finds them with
 * the hash it carries. The others sit in a trie without nodes or labels (trie.h):
 * a topic follows at most three edges per level (its own, '+', '#').
 *
 * Used twice: by a topic's owner (filter -> cores) and by a subscriber's core
 * (filter -> subscriptions). Entries are the caller's and embed struct filter_entry. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/table.h"
#include "broker/filter_entry.h"
#include "broker/trie.h"

struct filters {
    uint64_t seed;
    uint64_t generation; /* changes with every add and del: caches are stamped with it */
    struct table exact;  /* first entry of each filter without wildcard, by the filter's hash */
    struct table shared; /* entries whose name is more than their filter, by whole name */
    struct trie trie;    /* all entries with wildcards */
};

void filters_init(struct filters *f, uint64_t seed);
void filters_fini(struct filters *f); /* entries are the caller's */

/* The entry with this whole name, or NULL. */
struct filter_entry *filters_find(const struct filters *f, uint64_t hash, struct bytes name);

/* 0, or -ERR_NOMEM and nothing changed. */
int filters_add(struct filters *f, struct filter_entry *e);
void filters_del(struct filters *f, struct filter_entry *e);

/* Calls `fn` once for every entry that matches `topic`. `fn` must not change the set. */
void filters_match(const struct filters *f, struct bytes topic, uint64_t topic_hash, filter_fn *fn,
                   void *arg);

/* Calls `fn` for every entry. `fn` may free it if the set is not used any more after this. */
void filters_each(const struct filters *f, filter_fn *fn, void *arg);
