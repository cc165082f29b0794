/* SPDX-License-Identifier: BSD-3-Clause */
/* stranger.c -- connections of which the protocol does not know yet who they are.
 *
 * They cost little, but anybody can open them: so there is a limit to their number and to what
 * they may leave unread. Above it the oldest goes, and not the newest: who opens many and says
 * nothing loses his own, and a client that says at once who it is comes through. They are on
 * a list in the order of their coming, linked by rows of the table of connections. */
#include "base/err.h"
#include "net/net_internal.h"

/* How many are looked at for one with unread bytes, and the least that there is room for. */
enum { LOOK_MAX = 64, BYTES_MIN = 128 << 10 };

static struct conn *at(const struct net *n, uint32_t row)
{
    return row ? n->conns.row[row].conn : NULL;
}

static uint32_t row_of(const struct conn *c)
{
    return c->id & (CONN_ROWS_MAX - 1);
}

static void send_away(struct conn *c, const char *setting)
{
    struct core *core = c->net->core;
    char peer[PEER_TEXT];

    count(&core->counters, C_limited_strangers);
    LOG(&core->log, LOG_WARN, "stranger_closed", F_STR("peer", peer_text(&c->peer, peer)),
        F_STR("setting", setting));
    conn_close(c, -ERR_FULL);
}

void stranger_add(struct conn *c)
{
    struct strangers *s = &c->net->strangers;
    struct conn *before = at(c->net, s->newest);

    c->flags |= CONN_STRANGER;
    c->older = s->newest;
    c->newer = 0;
    *(before ? &before->newer : &s->oldest) = row_of(c);
    s->newest = row_of(c);
    if (++s->n > c->net->options.strangers_max)
        send_away(at(c->net, s->oldest), "limits.strangers");
}

void conn_known(struct conn *c)
{
    struct strangers *s = &c->net->strangers;

    if (!(c->flags & CONN_STRANGER)) return;
    struct conn *older = at(c->net, c->older), *newer = at(c->net, c->newer);
    c->flags &= (uint16_t)~CONN_STRANGER;
    *(older ? &older->newer : &s->oldest) = c->newer;
    *(newer ? &newer->older : &s->newest) = c->older;
    s->n--;
    s->bytes -= c->in_cap;
}

static size_t bytes_max(const struct net *n)
{
    uint64_t share = n->options.stranger_bytes_max / n->core->cores;

    return share > BYTES_MIN ? (size_t)share : BYTES_MIN;
}

void stranger_judge(struct conn *c)
{
    struct net *n = c->net;

    if (LIKELY(n->strangers.bytes <= bytes_max(n))) return;
    struct conn *old = at(n, n->strangers.oldest);
    for (unsigned i = 0; i < LOOK_MAX && old && old->in_cap == 0; i++)
        old = at(n, old->newer);
    send_away(old && old->in_cap > 0 ? old : c, "limits.stranger_bytes");
}
