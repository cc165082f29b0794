/* SPDX-License-Identifier: BSD-3-Clause */
/* debt.c -- a client whose mail waits in outboxes is not read until half of it has gone.
 *
 * There are two limits, one per connection and one for the outboxes of the whole
 * core. While the core is over its own, no debt is lifted; when it has recovered,
 * the table of connections is walked, a chunk per turn, to lift those that
 * were paid meanwhile and will hear of no further relief. */
#include "net/net_internal.h"

static void lift(struct conn *c)
{
    if (c->flags & CONN_CLOSING) return;
    c->flags &= (uint16_t)~CONN_INDEBTED;
    conn_again(c); /* there may be unread bytes */
    conn_rearm(c);
}

static bool is_paid(const struct conn *c)
{
    return c->debt <= c->net->options.debt_bytes_max / 2;
}

void conn_charge(struct conn *c, uint32_t bytes)
{
    struct net *n = c->net;

    if (bytes == 0) return;
    c->debt = bytes < UINT32_MAX - c->debt ? c->debt + bytes : UINT32_MAX;
    if (mesh_outbox_bytes(n->core->mesh) > n->options.debt_core_bytes_max) n->core_over = true;
    if (!n->core_over && c->debt <= n->options.debt_bytes_max) return;
    if (c->flags & (CONN_INDEBTED | CONN_CLOSING)) return;

    c->flags |= CONN_INDEBTED;
    count(&n->core->counters, C_reads_paused);
    conn_rearm(c);
}

void net_on_relief(struct net *n, uint32_t account, uint32_t bytes)
{
    struct conn *c = conn_table_find(&n->conns, account);

    if (!c) return; /* it has gone, or moved to another core */
    c->debt = bytes < c->debt ? c->debt - bytes : 0;
    if (c->flags & CONN_INDEBTED && !n->core_over && is_paid(c)) lift(c);
}

unsigned debt_lift(struct net *n)
{
    unsigned seen = 0;

    if (n->core_over && mesh_outbox_bytes(n->core->mesh) <= n->options.debt_core_bytes_max / 2) {
        n->core_over = false;
        n->lift_next = 1;
    }
    for (; n->lift_next > 0 && seen < NET_LIFT_CHUNK; seen++) {
        if (n->lift_next >= n->conns.rows) {
            n->lift_next = 0;
            break;
        }
        struct conn *c = n->conns.row[n->lift_next++].conn;
        if (c && c->flags & CONN_INDEBTED && is_paid(c)) lift(c);
    }
    return seen;
}
