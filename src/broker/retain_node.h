/* SPDX-License-Identifier: BSD-3-Clause */
/* retain_node.h -- what retain.c and retain_walk.c share: the node, and how a running walk
 * hears of changes. */
#pragma once

#include "broker/path.h"
#include "broker/retain.h"

/* A level of the tree. It lives while it has a message or children. */
struct retain_node {
    struct retain_node *parent; /* NULL: a root */
    struct retain_node *child;  /* any; the others are its siblings */
    struct retain_node *next;
    struct retain_node **link; /* what points at us */
    uint64_t path;
    struct message *message; /* NULL: only a way to others */

    /* The walk that found our message last, and where in its vector that is. */
    uint64_t walk_id;
    uint32_t found_at;
};

/* The child at this level, or NULL. */
struct retain_node *retain_child(const struct retain *r, const struct retain_node *n,
                                 uint64_t level);

/* Drops the node's message. The node may be gone afterwards. */
void retain_drop(struct retain *r, struct retain_node *n);

/* For the running walk, if any: the node's message has changed; the message came where there
 * was none; there is none any more; the node, without message and children, is about to go. */
void retain_walk_on_change(struct retain *r, struct retain_node *n);
void retain_walk_on_new(struct retain *r, struct retain_node *n);
void retain_walk_on_clear(struct retain *r, struct retain_node *n);
void retain_walk_on_prune(struct retain *r, const struct retain_node *n);

static inline unsigned retain_root_of(struct bytes name)
{
    return name.n > 0 && name.p[0] == '$';
}
