/* SPDX-License-Identifier: BSD-3-Clause */
/* retain.c -- the tree of retained messages; retain_walk.c walks it. */
#include "broker/retain.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/err.h"
#include "broker/journal/journal.h"
#include "broker/retain_node.h"

int retain_init(struct retain *r, struct core *c, uint64_t seed, struct retain_limits limits)
{
    *r = (struct retain){.core = c, .seed = seed, .limits = limits};
    for (int i = 0; i < RETAIN_ROOTS; i++) {
        r->root[i] = pool_alloc(c->pool, sizeof *r->root[i]);
        if (!r->root[i]) {
            retain_fini(r);
            return -ERR_NOMEM;
        }
        *r->root[i] = (struct retain_node){.path = PATH_ROOT};
    }
    return 0;
}

static void free_node(void *item, void *arg)
{
    struct retain_node *n = item;
    struct retain *r = arg;
    if (n->message) message_unref(r->core, n->message);
    pool_free(r->core->pool, n, sizeof *n);
}

void retain_fini(struct retain *r)
{
    while (r->walk_head)
        retain_walk_cancel(r, r->walk_head);
    table_each(&r->paths, free_node, r);
    table_fini(&r->paths);
    for (int i = 0; i < RETAIN_ROOTS; i++)
        if (r->root[i]) free_node(r->root[i], r);
    count_sub(&r->core->counters, C_retained, r->messages);
    count_sub(&r->core->counters, C_retained_bytes, r->bytes);
    *r = (struct retain){0};
}

/* ---- nodes ------------------------------------------------------------------- */

struct retain_node *retain_child(const struct retain *r, const struct retain_node *n,
                                 uint64_t level)
{
    uint64_t path = path_child(n->path, level);
    struct table_iter it = table_seek(&r->paths, path);
    for (struct retain_node *child; (child = table_next(&r->paths, &it)) != NULL;)
        if (child->parent == n) return child;
    return NULL;
}

static struct retain_node *child_new(struct retain *r, struct retain_node *parent, uint64_t level)
{
    struct retain_node *n = pool_alloc(r->core->pool, sizeof *n);
    if (!n) return NULL;
    *n = (struct retain_node){.parent = parent, .path = path_child(parent->path, level)};
    if (table_add(&r->paths, n->path, n) < 0) {
        pool_free(r->core->pool, n, sizeof *n);
        return NULL;
    }
    n->next = parent->child;
    if (n->next) n->next->link = &n->next;
    n->link = &parent->child;
    parent->child = n;
    return n;
}

/* Frees the node and those above it as far as they serve nothing. */
static void prune(struct retain *r, struct retain_node *n)
{
    while (n->parent && !n->message && !n->child) {
        struct retain_node *parent = n->parent;
        retain_walk_on_prune(r, n);
        *n->link = n->next;
        if (n->next) n->next->link = n->link;
        table_del(&r->paths, n->path, n);
        pool_free(r->core->pool, n, sizeof *n);
        n = parent;
    }
}

/* The node of a topic that has a message, or NULL. Asks the table once. */
static struct retain_node *find(const struct retain *r, struct bytes topic, uint64_t topic_hash)
{
    struct path_iter at = path_iter(topic);
    while (at.rest.more)
        path_next(&at, r->seed);
    struct table_iter it = table_seek(&r->paths, at.path);
    for (struct retain_node *n; (n = table_next(&r->paths, &it)) != NULL;)
        if (n->message && n->message->topic_hash == topic_hash &&
            bytes_eq(message_topic(n->message), topic))
            return n;
    return NULL;
}

/* The node of a topic, made if need be with those above it; NULL when memory ran out. */
static struct retain_node *grow(struct retain *r, struct bytes topic)
{
    struct retain_node *n = r->root[retain_root_of(topic)];
    struct level_iter it = level_iter(topic);
    for (struct bytes text; level_next(&it, &text);) {
        uint64_t level = level_hash(r->seed, text);
        struct retain_node *child = retain_child(r, n, level);
        if (!child) child = child_new(r, n, level);
        if (!child) {
            prune(r, n);
            return NULL;
        }
        n = child;
    }
    return n;
}

/* ---- messages ---------------------------------------------------------------- */

static void account(struct retain *r, uint64_t messages, uint64_t bytes)
{
    r->messages += messages;
    r->bytes += bytes;
    count_add(&r->core->counters, C_retained, messages);
    count_add(&r->core->counters, C_retained_bytes, bytes);
}

void retain_drop(struct retain *r, struct retain_node *n)
{
    account(r, (uint64_t)-1, (uint64_t)0 - message_bytes(n->message));
    message_unref(r->core, n->message);
    n->message = NULL;
    retain_walk_on_clear(r, n);
    prune(r, n);
}

/* Where a change is written first. */
struct change {
    struct message *m;
    struct journal *journal; /* NULL: nowhere */
    bool written;
};

/* Writes that `c->m` takes the place of `old`, which may be NULL. */
static int write_change(struct change *c, const struct message *old)
{
    if (LIKELY(!c->journal)) return 0;
    bool keeps = c->m->payload_len > 0 && c->m->flags & MESSAGE_LOGGED;
    if (!keeps && !(old && old->flags & MESSAGE_LOGGED)) return 0;
    int err = keeps ? journal_retained(c->journal, c->m)
                    : journal_cleared(c->journal, message_topic(c->m));
    c->written = err == 0;
    return err;
}

static int clear(struct retain *r, struct retain_node *n, struct change *c)
{
    if (!n) return 0;
    int err = write_change(c, n->message);
    if (err == 0) retain_drop(r, n);
    return err;
}

static int replace(struct retain *r, struct retain_node *n, struct change *c)
{
    struct message *m = c->m;
    uint32_t old_bytes = message_bytes(n->message);
    if (r->bytes - old_bytes + message_bytes(m) > r->limits.bytes_max) return -ERR_FULL;
    struct message *kept = message_keep(r->core, m);
    if (!kept) return -ERR_NOMEM;
    int err = write_change(c, n->message);
    if (err < 0) {
        message_unref(r->core, kept);
        return err;
    }

    account(r, 0, (uint64_t)message_bytes(kept) - old_bytes);
    message_unref(r->core, n->message);
    n->message = kept;
    retain_walk_on_change(r, n);
    return 0;
}

static int insert(struct retain *r, struct change *c)
{
    struct message *m = c->m;
    if (r->messages >= r->limits.messages_max) return -ERR_FULL;
    if (r->bytes + message_bytes(m) > r->limits.bytes_max) return -ERR_FULL;
    struct message *kept = message_keep(r->core, m);
    if (!kept) return -ERR_NOMEM;

    struct retain_node *n = grow(r, message_topic(kept));
    if (!n || n->message) { /* a message: another topic's, whose hashes are all the same */
        message_unref(r->core, kept);
        return n ? -ERR_FULL : -ERR_NOMEM;
    }
    int err = write_change(c, NULL);
    if (err < 0) {
        message_unref(r->core, kept);
        prune(r, n);
        return err;
    }
    n->message = kept;
    account(r, 1, message_bytes(kept));
    retain_walk_on_new(r, n);
    return 0;
}

static int change(struct retain *r, struct change *c)
{
    struct retain_node *n = find(r, message_topic(c->m), c->m->topic_hash);
    if (c->m->payload_len == 0) return clear(r, n, c); /* [MQTT-3.3.1-6] */
    if (core_memory_full(r->core)) return -ERR_FULL;
    return n ? replace(r, n, c) : insert(r, c);
}

int retain_set(struct retain *r, struct message *m)
{
    return change(r, &(struct change){.m = m});
}

int retain_set_logged(struct retain *r, struct message *m, struct journal *j, bool *written)
{
    struct change c = {.m = m, .journal = j};
    int err = change(r, &c);
    *written = c.written;
    return err;
}

int retain_restore(struct retain *r, struct message *m)
{
    const struct retain_limits limits = r->limits;
    struct retain_node *n = find(r, message_topic(m), m->topic_hash);
    r->limits = (struct retain_limits){.messages_max = UINT64_MAX, .bytes_max = UINT64_MAX};
    struct change c = {.m = m}; /* it is written already */
    int err = n ? replace(r, n, &c) : insert(r, &c);
    r->limits = limits;
    return err;
}

struct message *retain_get(struct retain *r, struct bytes topic, uint64_t topic_hash)
{
    struct retain_node *n = find(r, topic, topic_hash);
    if (!n) return NULL;
    if (!message_expired(n->message, core_now_s(r->core))) return n->message;
    count(&r->core->counters, C_dropped_expired);
    retain_drop(r, n);
    return NULL;
}
