/* SPDX-License-Identifier: BSD-3-Clause */
/* farewell.c -- the end of all connections of a core, in good order.
 *
 * First nobody is read any more, so that what is under way can end; then each client is
 * told that the broker ends once it has been sent what it was to get; and whoever does not
 * take it is closed all the same. How long each step may last is the caller's business. */
#include "net/net_internal.h"

static void pause_it(struct conn *c, void *arg)
{
    (void)arg;
    conn_pause(c);
}

void net_pause_all(struct net *n)
{
    net_each(n, pause_it, NULL);
}

struct parting {
    enum farewell which;
    unsigned most, left;
};

static void part(struct conn *c, void *arg)
{
    struct parting *p = arg;

    if (p->which == FAREWELL_DRAIN && c->listener->stays) return;
    if (p->most == 0 || (p->which == FAREWELL_SENT && conn_unsent(c) > 0)) {
        p->left++;
        return;
    }
    p->most--;
    if (c->proto->on_farewell)
        c->proto->on_farewell(c);
    else
        conn_close(c, 0);
}

unsigned net_farewell(struct net *n, enum farewell which, unsigned most)
{
    struct parting p = {.which = which, .most = most};

    net_each(n, part, &p);
    if (p.most < most) core_turn_again(n->core); /* the dead are buried by the next flush */
    return p.left;
}

bool net_lingers(const struct net *n)
{
    return n->leavers || n->holds;
}
