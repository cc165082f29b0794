/* SPDX-License-Identifier: BSD-3-Clause */
/* net.c -- the net of a core: made, flushed once per turn, freed. */
#include "net/net.h"

#include <stdlib.h>

#include "base/err.h"
#include "net/net_internal.h"

struct net *net_new(struct core *core, const struct net_options *o, void *ctx)
{
    struct net *n = calloc(1, sizeof *n);

    if (!n) return NULL;
    n->in_buf = malloc(NET_HEADROOM + (size_t)o->read_bytes + TLS_RECORD_MAX);
    if (!n->in_buf) {
        free(n);
        return NULL;
    }
    n->core = core;
    n->ctx = ctx;
    n->options = *o;
    n->reserve_fd = sock_reserve(); /* without it, clients wait where they could be refused */
    return n;
}

static void close_it(struct conn *c, void *arg)
{
    (void)arg;
    conn_close(c, 0);
}

/* Forgets who waits to be flushed or called again, so that all the dead can be buried. */
static void clear_lists(struct net *n)
{
    for (; n->flush; n->flush = n->flush->flush_next)
        n->flush->flags &= (uint16_t)~CONN_FLUSH;
    for (; n->again; n->again = n->again->again_next)
        n->again->flags &= (uint16_t)~CONN_AGAIN;
}

void net_free(struct net **np)
{
    struct net *n = *np;

    if (!n) return;
    *np = NULL;
    net_stop_listening(n);
    hold_end_all(n, 0);
    net_each(n, close_it, NULL);
    while (n->dead) {
        clear_lists(n);
        conn_bury_dead(n);
    }
    linger_end_all(n);
    ASSERT(n->conns.used == 0);
    if (n->reserve_fd >= 0) sock_close(n->reserve_fd);
    free(n->conns.row);
    free(n->room);
    zip_room_free(n);
    free(n->in_buf);
    free(n);
}

unsigned net_flush(struct net *n)
{
    n->steps = 0;
    unsigned work = debt_lift(n);
    if (UNLIKELY(n->holds) && n->core->durable != n->durable_seen) work += hold_lift(n);
    work += conn_flush_run(n);

    /* These call protocols, which may give the phases before this one work again. What is on
     * a list now is for the next turn, and no socket will announce it. */
    unsigned called = conn_again_run(n) + conn_bury_dead(n);
    if (called || n->flush || n->again || n->dead || n->lift_next > 0) core_turn_again(n->core);
    return work + called;
}

struct core *net_core(const struct net *n)
{
    return n->core;
}

void *net_ctx(const struct net *n)
{
    return n->ctx;
}

unsigned net_connections(const struct net *n)
{
    return n->conns.used;
}

const struct net_options *net_options(const struct net *n)
{
    return &n->options;
}

/* A protocol that held something back at half the old limit is owed a call, whatever the new
 * one is. */
static void note_over(struct conn *c, void *arg)
{
    (void)arg;
    if (c->out.bytes >= conn_drain_at(c)) c->flags |= CONN_OVER;
}

void net_set_options(struct net *n, const struct net_options *o)
{
    uint32_t read_bytes = n->options.read_bytes; /* in_buf was made for it */

    net_each(n, note_over, NULL);
    n->options = *o;
    n->options.read_bytes = read_bytes;
}

void net_each(struct net *n, void (*fn)(struct conn *c, void *arg), void *arg)
{
    for (uint32_t i = 1; i < n->conns.rows; i++) {
        struct conn *c = n->conns.row[i].conn;
        if (c && !(c->flags & CONN_CLOSING)) fn(c, arg);
    }
}
