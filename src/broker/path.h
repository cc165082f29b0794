/* SPDX-License-Identifier: BSD-3-Clause */
/* path.h -- a name as a chain of hashes: one per prefix that ends at a level.
 *
 * "a/+/b" has the paths "a", "a/+" and "a/+/b". The hash of a path is made of its
 * parent's and of its last level's, so a walk down a tree hashes each level once and
 * needs no text. Wildcards and the end of a name are levels with reserved hashes. */
#pragma once

#include "base/hash.h"
#include "broker/name.h"

enum { LEVEL_PLUS = 1, LEVEL_HASH = 2, LEVEL_END = 3 };

#define PATH_ROOT 1ull

/* The hash of one level of a filter or topic; above LEVEL_END unless it is a wildcard. */
static inline uint64_t level_hash(uint64_t seed, struct bytes level)
{
    if (level.n == 1 && level.p[0] == '+') return LEVEL_PLUS;
    if (level.n == 1 && level.p[0] == '#') return LEVEL_HASH;
    uint64_t h = hash_bytes(seed, level);
    return h > LEVEL_END ? h : h + LEVEL_END;
}

/* 63 bits, never 0: an edge of the trie keeps its kind in the last bit (trie.h). */
static inline uint64_t path_child(uint64_t parent, uint64_t level)
{
    uint64_t h = hash_pair(parent, level) >> 1;
    return h ? h : 1;
}

/* A walk along the paths of one name. */
struct path_iter {
    struct level_iter rest;
    uint64_t path;  /* so far */
    uint64_t level; /* hash of the last one */
};

static inline struct path_iter path_iter(struct bytes name)
{
    return (struct path_iter){.rest = level_iter(name), .path = PATH_ROOT};
}

/* One level on; behind the last level comes LEVEL_END. */
static inline void path_next(struct path_iter *it, uint64_t seed)
{
    struct bytes text;
    it->level = level_next(&it->rest, &text) ? level_hash(seed, text) : LEVEL_END;
    it->path = path_child(it->path, it->level);
}
