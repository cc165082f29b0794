/* SPDX-License-Identifier: BSD-3-Clause */
/* trie.h -- filters with wildcards, as a trie that is one hash table.
 *
 * There are no nodes and no labels. The table maps the hash of a path ("a", "a/+",
 * "a/+/b") to an edge, and an edge is one of two things: a leaf, which is the only filter
 * that begins with this path, or a fork, which says how many filters go on from here and by
 * which kinds of level, so that a topic makes no hopeless look-ups. A filter is therefore stored
 * at its shortest path that no other filter has: mostly one edge of 16 bytes.
 *
 * A leaf says nothing about the levels behind its path, so every match is checked against
 * the filter's text before it counts; this also settles two paths whose hashes collide.
 *
 * Owner: struct filters, which embeds it. */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "broker/filter_entry.h"

struct trie_fork {
    uint32_t entries;       /* that go on from here; in all */
    uint32_t literals : 29; /* those whose next level is no wildcard */
    uint32_t plus : 1;      /* is there an edge for '+'? */
    uint32_t hash : 1;      /* for '#'? */
    uint32_t end : 1;       /* for the filter that ends here? */
};

enum { TRIE_ENTRIES_MAX = (1 << 29) - 1 };

struct trie_edge {
    uint64_t path : 63; /* hash (path.h); 0: free */
    uint64_t is_fork : 1;
    union {
        struct filter_entry *leaf; /* first of its list */
        struct trie_fork fork;
    };
};

static_assert(sizeof(struct trie_edge) == 16, "four edges to a cache line");

struct trie {
    uint64_t seed;
    struct trie_edge *edge; /* open addressing, linear probing; NULL while empty */
    uint32_t mask, used;
    struct trie_fork root;
};

typedef void filter_fn(struct filter_entry *e, void *arg);

void trie_init(struct trie *t, uint64_t seed);
void trie_fini(struct trie *t); /* entries are the caller's */

/* 0, or -ERR_NOMEM and nothing changed. */
int trie_add(struct trie *t, struct filter_entry *e);

/* Asserts that it is there. */
void trie_del(struct trie *t, struct filter_entry *e);

/* The first entry with this filter part, or NULL. */
struct filter_entry *trie_find(const struct trie *t, struct bytes filter);

/* As filters_match and filters_each. */
void trie_match(const struct trie *t, struct bytes topic, filter_fn *fn, void *arg);
void trie_each(const struct trie *t, filter_fn *fn, void *arg);
