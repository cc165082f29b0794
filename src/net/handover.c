/* SPDX-License-Identifier: BSD-3-Clause */
/* handover.c -- a connection moves to another core: its socket, who is at the
 * other end, and the bytes that were read but not understood here.
 *
 * The letter is malloc'd here and freed there; it is charged to nobody, because a
 * connection moves once in its life. */
#include <stdlib.h>

#include "base/err.h"
#include "net/net_internal.h"
#include "net/transport.h"

struct handover {
    struct listener *listener;
    uint64_t note;
    int fd;
    uint32_t unread;
    uint32_t sealed; /* bytes of the transport that the socket did not take, behind the unread */
    struct transport *transport;
    struct peer peer;
    uint8_t bytes[];
};

int conn_hand_over(struct conn *c, unsigned to, uint64_t note, struct bytes unread)
{
    struct net *n = c->net;

    ASSERT(c->flags & CONN_IN_BYTES && !(c->flags & CONN_CLOSING));
    ASSERT(c->out.bytes == 0 && !c->hold && unread.n <= UINT32_MAX);

    size_t sealed = c->transport ? c->transport->sealed.bytes : 0;
    struct handover *h = malloc(sizeof *h + unread.n + sealed);
    if (!h) return -ERR_NOMEM;
    *h = (struct handover){
        .listener = c->listener,
        .note = note,
        .fd = conn_take_fd(c),
        .unread = (uint32_t)unread.n,
        .sealed = (uint32_t)sealed,
        .transport = c->transport,
        .peer = c->peer,
    };
    if (unread.n) memcpy(h->bytes, unread.p, unread.n);
    if (c->transport) transport_detach(c, h->bytes + unread.n);

    struct mail m = {.kind = n->options.mail_handover, .ptr = h};
    mesh_send(n->core->mesh, to, m, 0, 0);
    count(&n->core->counters, C_connections_moved);
    conn_close(c, -ERR_AGAIN);
    return 0;
}

void net_on_handover(struct net *n, const struct mail *m)
{
    struct handover *h = m->ptr;
    struct conn_origin o = {
        .listener = h->listener,
        .fd = h->fd,
        .peer = h->peer,
        .moved = true,
        .note = h->note,
        .transport = h->transport,
    };
    int err;
    struct conn *c = conn_new(n, &o, &err);

    if (c && h->transport) transport_attach(c, bytes_of(h->bytes + h->unread, h->sealed));
    if (c && !(c->flags & CONN_CLOSING) && h->unread > 0)
        conn_feed(c, bytes_of(h->bytes, h->unread));
    if (c) transport_settle(c);
    explicit_bzero(h->bytes, h->unread); /* there may be a password in it */
    free(h);
}
