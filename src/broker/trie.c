/* SPDX-License-Identifier: BSD-3-Clause */
/* trie.c -- see trie.h. First the table of edges, then adding and taking out, then the match. */
#include "broker/trie.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/err.h"
#include "broker/name.h"
#include "broker/path.h"

enum { EDGES_MIN = 16 };
static const uint64_t EDGES_MAX = 1u << 31;
#define PATH_MASK (UINT64_MAX >> 1)

void trie_init(struct trie *t, uint64_t seed)
{
    *t = (struct trie){.seed = seed};
}

void trie_fini(struct trie *t)
{
    free(t->edge);
    *t = (struct trie){.seed = t->seed};
}

/* ---- the table of edges ------------------------------------------------------ */

static struct trie_edge *edge_find(const struct trie *t, uint64_t path)
{
    if (!t->edge) return NULL;
    for (uint32_t at = (uint32_t)path & t->mask; t->edge[at].path; at = (at + 1) & t->mask)
        if (t->edge[at].path == path) return &t->edge[at];
    return NULL;
}

static struct trie_edge *free_slot(struct trie_edge *edge, uint32_t mask, uint64_t path)
{
    uint32_t at = (uint32_t)path & mask;
    while (edge[at].path)
        at = (at + 1) & mask;
    return &edge[at];
}

static int resize(struct trie *t, uint64_t slots)
{
    struct trie_edge *fresh = slots <= EDGES_MAX ? calloc(slots, sizeof *fresh) : NULL;
    if (!fresh) return -ERR_NOMEM;
    uint32_t mask = (uint32_t)(slots - 1);
    for (uint32_t i = 0; t->edge && i <= t->mask; i++)
        if (t->edge[i].path) *free_slot(fresh, mask, t->edge[i].path) = t->edge[i];
    free(t->edge);
    t->edge = fresh;
    t->mask = mask;
    return 0;
}

/* Makes room for `n` more edges at a load of 3/4. */
static int reserve(struct trie *t, uint32_t n)
{
    uint64_t slots = t->edge ? (uint64_t)t->mask + 1 : EDGES_MIN;
    while ((uint64_t)t->used + n > slots - slots / 4)
        slots *= 2;
    if (t->edge && slots == (uint64_t)t->mask + 1) return 0;
    return resize(t, slots);
}

/* Room was reserved. Edges that are there already stay where they are. */
static void leaf_put(struct trie *t, uint64_t path, struct filter_entry *e)
{
    struct trie_edge *edge = free_slot(t->edge, t->mask, path);
    *edge = (struct trie_edge){.path = path & PATH_MASK, .is_fork = 0, .leaf = e};
    t->used++;
}

/* Frees the slot and shifts back what would no longer be found across the gap. */
static void edge_erase(struct trie *t, struct trie_edge *edge)
{
    uint32_t gap = (uint32_t)(edge - t->edge);
    for (uint32_t at = (gap + 1) & t->mask; t->edge[at].path; at = (at + 1) & t->mask) {
        uint32_t wanted = (uint32_t)t->edge[at].path & t->mask;
        if (((at - wanted) & t->mask) < ((at - gap) & t->mask)) continue;
        t->edge[gap] = t->edge[at];
        gap = at;
    }
    t->edge[gap] = (struct trie_edge){0};
    t->used--;
}

/* ---- adding and taking out --------------------------------------------------- */

/* `n` entries go on from the fork by `level`. */
static void fork_enter(struct trie_fork *fork, uint64_t level, uint32_t n)
{
    fork->entries += n;
    switch (level) {
    case LEVEL_PLUS: fork->plus = 1; break;
    case LEVEL_HASH: fork->hash = 1; break;
    case LEVEL_END: fork->end = 1; break;
    default: fork->literals = (fork->literals + n) & TRIE_ENTRIES_MAX;
    }
}

/* One less does; `last`: no edge for this level is left. */
static void fork_leave(struct trie_fork *fork, uint64_t level, bool last)
{
    fork->entries--;
    switch (level) {
    case LEVEL_PLUS: fork->plus = !last; break;
    case LEVEL_HASH: fork->hash = !last; break;
    case LEVEL_END: fork->end = !last; break;
    default: fork->literals = (fork->literals - 1u) & TRIE_ENTRIES_MAX;
    }
}

/* Makes a fork of a leaf whose filter goes on, and moves the leaf one level down. */
static void leaf_split(struct trie *t, struct trie_edge *edge)
{
    struct filter_entry *first = edge->leaf;
    uint32_t n = 0;
    for (const struct filter_entry *e = first; e; e = e->same)
        n++;

    struct path_iter at = path_iter(filter_entry_filter(first));
    do {
        path_next(&at, t->seed);
    } while (at.path != edge->path);
    path_next(&at, t->seed);

    edge->is_fork = 1;
    edge->fork = (struct trie_fork){0};
    fork_enter(&edge->fork, at.level, n);
    leaf_put(t, at.path, first);
}

static uint32_t level_count(struct bytes name)
{
    uint32_t n = 1;
    for (size_t i = 0; i < name.n; i++)
        n += name.p[i] == '/';
    return n;
}

int trie_add(struct trie *t, struct filter_entry *e)
{
    struct bytes filter = filter_entry_filter(e);
    /* Each level may become a fork, behind the last come two leaves. */
    if (t->root.entries == TRIE_ENTRIES_MAX || reserve(t, level_count(filter) + 2) < 0)
        return -ERR_NOMEM;

    struct path_iter at = path_iter(filter);
    struct trie_fork *fork = &t->root;
    for (;;) {
        path_next(&at, t->seed);
        fork_enter(fork, at.level, 1);
        struct trie_edge *edge = edge_find(t, at.path);
        if (!edge) {
            leaf_put(t, at.path, e);
            return 0;
        }
        if (!edge->is_fork) {
            /* A filter that ends here is the same, or its whole path collides. */
            bool ends = at.level == LEVEL_HASH || at.level == LEVEL_END;
            if (ends || bytes_eq(filter_entry_filter(edge->leaf), filter)) {
                filter_entry_link(&edge->leaf, e);
                return 0;
            }
            leaf_split(t, edge);
        }
        fork = &edge->fork;
    }
}

static void maybe_shrink(struct trie *t)
{
    uint64_t slots = (uint64_t)t->mask + 1;
    /* Without memory for a smaller table the large one stays. */
    if (slots > EDGES_MIN && t->used < slots / 8) (void)resize(t, slots / 2);
}

void trie_del(struct trie *t, struct filter_entry *e)
{
    struct path_iter at = path_iter(filter_entry_filter(e));
    struct trie_fork *fork = &t->root; /* NULL below an edge that has gone */
    for (bool leaf = false; !leaf;) {
        path_next(&at, t->seed);
        struct trie_edge *edge = edge_find(t, at.path);
        ASSERT(edge);
        leaf = !edge->is_fork;
        if (leaf) filter_entry_unlink(&edge->leaf, e);
        bool last = leaf ? edge->leaf == NULL : edge->fork.entries == 1;
        if (fork) fork_leave(fork, at.level, last);
        fork = last ? NULL : &edge->fork;
        if (last) edge_erase(t, edge);
    }
    maybe_shrink(t);
}

struct filter_entry *trie_find(const struct trie *t, struct bytes filter)
{
    struct path_iter at = path_iter(filter);
    const struct trie_edge *edge;
    do {
        path_next(&at, t->seed);
        edge = edge_find(t, at.path);
    } while (edge && edge->is_fork);
    if (!edge) return NULL;
    for (struct filter_entry *e = edge->leaf; e; e = e->same)
        if (bytes_eq(filter_entry_filter(e), filter)) return e;
    return NULL;
}

void trie_each(const struct trie *t, filter_fn *fn, void *arg)
{
    for (uint32_t i = 0; t->edge && i <= t->mask; i++) {
        if (!t->edge[i].path || t->edge[i].is_fork) continue;
        for (struct filter_entry *e = t->edge[i].leaf, *next; e; e = next) {
            next = e->same;
            fn(e, arg);
        }
    }
}

/* ---- the match --------------------------------------------------------------- */

/* A fork that the topic has reached, to be left by the level at `depth`. */
struct stop {
    const struct trie_fork *fork;
    uint64_t path;
    unsigned depth;
};

struct match {
    const struct trie *trie;
    struct bytes topic;
    filter_fn *fn;
    void *arg;

    /* Level hashes of the topic, made when first needed. */
    struct level_iter rest;
    unsigned levels;
    uint64_t level[NAME_LEVELS_MAX];

    /* Depth first: the stops of one depth lie above those of smaller depths. Two
     * follow from a stop at most, and its own place is free by then. */
    unsigned stops;
    struct stop stop[NAME_LEVELS_MAX + 2];
};

/* Has the topic a level at this depth? Its hash is then known. */
static bool has_level(struct match *m, unsigned depth)
{
    struct bytes text;
    while (m->levels <= depth) {
        if (m->levels == NAME_LEVELS_MAX || !level_next(&m->rest, &text)) return false;
        m->level[m->levels++] = level_hash(m->trie->seed, text);
    }
    return true;
}

static void report(struct match *m, struct filter_entry *first)
{
    for (struct filter_entry *e = first; e; e = e->same)
        if (name_matches(filter_entry_filter(e), m->topic)) m->fn(e, m->arg);
}

/* Goes one level down: to a fork, which is put on the stack, or to entries that may match. */
static void descend(struct match *m, struct stop from, uint64_t level)
{
    uint64_t path = path_child(from.path, level);
    const struct trie_edge *edge = edge_find(m->trie, path);
    if (!edge) return;
    if (edge->is_fork) {
        m->stop[m->stops++] =
            (struct stop){.fork = &edge->fork, .path = path, .depth = from.depth + 1};
    } else {
        report(m, edge->leaf);
    }
}

/* What ends at the stop, with '#' or with its last level. */
static void arrive(struct match *m, struct stop at, uint64_t level)
{
    const struct trie_edge *edge = edge_find(m->trie, path_child(at.path, level));
    if (edge && !edge->is_fork) report(m, edge->leaf);
}

static void visit(struct match *m, struct stop at)
{
    /* [MQTT-4.7.2-1] */
    bool wild = at.depth > 0 || m->topic.n == 0 || m->topic.p[0] != '$';
    if (at.fork->hash && wild) arrive(m, at, LEVEL_HASH);
    if (!has_level(m, at.depth)) {
        if (at.fork->end) arrive(m, at, LEVEL_END);
        return;
    }
    if (at.fork->plus && wild) descend(m, at, LEVEL_PLUS);
    if (at.fork->literals) descend(m, at, m->level[at.depth]);
}

void trie_match(const struct trie *t, struct bytes topic, filter_fn *fn, void *arg)
{
    if (t->root.entries == 0) return;
    struct match m; /* its arrays are large and filled as needed */
    m.trie = t;
    m.topic = topic;
    m.fn = fn;
    m.arg = arg;
    m.rest = level_iter(topic);
    m.levels = 0;
    m.stops = 1;
    m.stop[0] = (struct stop){.fork = &t->root, .path = PATH_ROOT, .depth = 0};
    while (m.stops > 0) {
        struct stop at = m.stop[--m.stops];
        visit(&m, at);
    }
}
