/* SPDX-License-Identifier: BSD-3-Clause */
/* retain_walk.c -- collects the retained messages that match a filter, a few nodes at a time.
 *
 * The cursor is the next node to visit, in depth-first order, parents first. With its depth
 * and the filter's level hashes that says all: a literal level leads to one child, '+' to
 * all children, '#' to all nodes below. A node that is removed has no children, so if it is
 * the cursor's, the cursor moves on to what would have followed, which is never a node above.
 *
 * Changes while the walk runs (model: tests/models/retained.pml): a node whose message
 * was found has the walk's id and its place in the vector. A change there replaces the entry. A
 * message where none was is appended at once, and marked, so the cursor passes it by. Every other
 * message that matches was there before and lies ahead of the cursor. */
#include <stdlib.h>

#include "base/assert.h"
#include "broker/name.h"
#include "broker/retain_node.h"

enum { VECTOR_MIN = 16 };

/* ---- the vector -------------------------------------------------------------- */

void retain_vector_fini(struct retain_vector *v, struct core *c)
{
    for (uint32_t i = 0; i < v->n; i++)
        if (v->at[i]) message_unref(c, v->at[i]);
    free(v->at);
    *v = (struct retain_vector){0};
}

static bool vector_room(struct retain_vector *v)
{
    if (v->n < v->cap) return true;
    if (v->cap > UINT32_MAX / 2) return false;
    uint32_t cap = v->cap ? v->cap * 2 : VECTOR_MIN;
    struct message **at = realloc(v->at, cap * sizeof *at);
    if (!at) return false;
    v->at = at;
    v->cap = cap;
    return true;
}

/* Appends the node's message to the running walk's vector, if it matches. */
static void collect(struct retain *r, struct retain_node *n)
{
    struct retain_walk *w = r->walk_head;
    if (!name_matches(w->filter, message_topic(n->message))) return;
    if (!vector_room(&w->found)) {
        w->failed = true;
        return;
    }
    message_ref(n->message);
    n->walk_id = r->walk_id;
    n->found_at = w->found.n;
    w->found.at[w->found.n++] = n->message;
}

/* ---- changes while a walk runs ----------------------------------------------- */

static bool found(const struct retain *r, const struct retain_node *n)
{
    return r->walk_id != 0 && n->walk_id == r->walk_id;
}

void retain_walk_on_change(struct retain *r, struct retain_node *n)
{
    if (!found(r, n)) return;
    struct message **entry = &r->walk_head->found.at[n->found_at];
    message_unref(r->core, *entry);
    message_ref(n->message);
    *entry = n->message;
}

void retain_walk_on_new(struct retain *r, struct retain_node *n)
{
    if (r->walk_id != 0) collect(r, n);
}

void retain_walk_on_clear(struct retain *r, struct retain_node *n)
{
    if (!found(r, n)) return;
    struct message **entry = &r->walk_head->found.at[n->found_at];
    message_unref(r->core, *entry);
    *entry = NULL;
    n->walk_id = 0;
}

/* ---- the way through the tree ------------------------------------------------ */

/* Does the filter take every child of a node at this depth? */
static bool takes_all(const struct retain *r, unsigned depth)
{
    return depth < r->levels ? r->level[depth] == LEVEL_PLUS : r->deep;
}

/* What follows the cursor's node and all below it; NULL at the end. */
static void pass(struct retain *r)
{
    struct retain_node *n = r->cursor;
    while (n->parent && !(takes_all(r, r->depth - 1) && n->next)) {
        n = n->parent;
        r->depth--;
    }
    r->cursor = n->parent ? n->next : NULL;
}

static void advance(struct retain *r)
{
    struct retain_node *child = NULL;
    if (takes_all(r, r->depth)) {
        child = r->cursor->child;
    } else if (r->depth < r->levels) {
        child = retain_child(r, r->cursor, r->level[r->depth]);
    }
    if (!child) {
        pass(r);
        return;
    }
    r->cursor = child;
    r->depth++;
}

void retain_walk_on_prune(struct retain *r, const struct retain_node *n)
{
    if (r->cursor == n) pass(r);
}

/* Looks at the cursor's node and moves on. */
static void visit(struct retain *r)
{
    struct retain_node *n = r->cursor;
    advance(r);
    if (!n->message || found(r, n)) return; /* on the way to others, or appended already */
    if (message_expired(n->message, core_now_s(r->core))) {
        count(&r->core->counters, C_dropped_expired);
        retain_drop(r, n);
        return;
    }
    collect(r, n);
}

/* ---- walks ------------------------------------------------------------------- */

void retain_walk_start(struct retain *r, struct retain_walk *w,
                       void (*done)(struct retain_walk *w, void *ctx))
{
    w->next = NULL;
    w->found = (struct retain_vector){0};
    w->failed = false;
    w->done = done;
    if (r->walk_tail) {
        r->walk_tail->next = w;
    } else {
        r->walk_head = w;
    }
    r->walk_tail = w;
}

/* The first in line runs from now on. */
static void begin(struct retain *r)
{
    struct bytes filter = r->walk_head->filter;
    struct level_iter it = level_iter(filter);
    r->levels = 0;
    r->deep = false;
    for (struct bytes text; !r->deep && r->levels < NAME_LEVELS_MAX && level_next(&it, &text);) {
        r->level[r->levels] = level_hash(r->seed, text);
        r->deep = r->level[r->levels] == LEVEL_HASH;
        if (!r->deep) r->levels++;
    }
    r->walk_id = ++r->walks;
    r->cursor = r->root[retain_root_of(filter)];
    r->depth = 0;
}

static void unlink_walk(struct retain *r, struct retain_walk *w)
{
    struct retain_walk *before = NULL;
    for (struct retain_walk *x = r->walk_head; x != w; x = x->next) {
        ASSERT(x);
        before = x;
    }
    if (before) {
        before->next = w->next;
    } else {
        r->walk_head = w->next;
        r->walk_id = 0;
        r->cursor = NULL;
    }
    if (r->walk_tail == w) r->walk_tail = before;
    w->next = NULL;
}

void retain_walk_cancel(struct retain *r, struct retain_walk *w)
{
    unlink_walk(r, w);
    retain_vector_fini(&w->found, r->core);
}

unsigned retain_step(struct retain *r, unsigned budget, void *ctx)
{
    unsigned visited = 0;
    while (visited < budget && r->walk_head) {
        if (r->walk_id == 0) begin(r);
        for (; r->cursor && visited < budget; visited++)
            visit(r);
        if (r->cursor) break;
        struct retain_walk *w = r->walk_head;
        unlink_walk(r, w);
        w->done(w, ctx);
    }
    return visited;
}
