/* SPDX-License-Identifier: BSD-3-Clause */
/* linger.c -- a closed connection's socket, kept a little so that its last words arrive.
 *
 * Closing a socket into which the peer still writes makes the kernel answer with a
 * reset, and a reset may destroy an answer that the peer has not read yet (RFC 2525,
 * section 2.17). So our side is shut, what still comes in is read and thrown away,
 * and the socket is closed when the peer has closed, or after LINGER_S seconds. Few
 * may linger at a time: beyond that the socket is closed at once. */
#include <stdlib.h>

#include "base/err.h"
#include "net/net_internal.h"

enum { LINGER_S = 2, LINGER_MAX = 256 };

struct leaver {
    struct watch watch;
    struct timer limit;
    struct net *net;
    struct leaver *next, **link;
};

static void end(struct leaver *l)
{
    struct core *core = l->net->core;

    wheel_cancel(&core->wheel, &l->limit);
    reactor_del(core->reactor, &l->watch);
    sock_close(l->watch.fd);
    *l->link = l->next;
    if (l->next) l->next->link = l->link;
    l->net->nleavers--;
    doors_reopen(l->net);
    free(l);
}

static void on_ready(struct watch *w, unsigned ready)
{
    struct leaver *l = CONTAINER_OF(w, struct leaver, watch);
    long got = sock_recv(w->fd, l->net->in_buf, l->net->options.read_bytes);

    (void)ready;
    if (got < 0 && got != -ERR_AGAIN) end(l);
}

static void on_limit(struct timer *t)
{
    end(CONTAINER_OF(t, struct leaver, limit));
}

void linger_start(struct net *n, int fd)
{
    struct leaver *l = n->nleavers < LINGER_MAX ? calloc(1, sizeof *l) : NULL;

    if (l) {
        l->watch = (struct watch){.fd = fd, .on_ready = on_ready};
        if (reactor_add(n->core->reactor, &l->watch, READY_READ) < 0) {
            free(l);
            l = NULL;
        }
    }
    if (!l) {
        sock_close(fd);
        return;
    }
    l->net = n;
    l->limit.fire = on_limit;
    l->next = n->leavers;
    l->link = &n->leavers;
    if (l->next) l->next->link = &l->next;
    n->leavers = l;
    n->nleavers++;
    wheel_arm(&n->core->wheel, &l->limit, core_now_s(n->core) + LINGER_S);
}

void linger_end_all(struct net *n)
{
    while (n->leavers)
        end(n->leavers);
}
