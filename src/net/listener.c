/* SPDX-License-Identifier: BSD-3-Clause */
/* listener.c -- new connections, and what happens when there are too many.
 *
 * A client that can't be served is accepted and closed at once, so that it
 * learns of it, even when file descriptors have run out: for that one is held
 * in reserve. Then the door is shut until one is free, or for a second, because
 * a listening socket that nobody empties would be reported in every turn. */
#include "base/err.h"
#include "net/net_internal.h"

enum { SHUT_S = 1 };

/* The setting that would have let the client in. */
static const char *setting(const struct net *n, int why)
{
    switch (-why) {
    case ERR_DENIED: return "proxy_from of the listener";
    case ERR_FULL:
        return n->handshakes >= n->options.handshakes_max ? "limits.handshakes"
                                                          : "limits.connections";
    default: return "none";
    }
}

void refuse(struct net *n, const struct peer *peer, int why)
{
    struct core *core = n->core;
    char text[PEER_TEXT];

    count(&core->counters, C_connections_refused);
    LOG(&core->log, LOG_WARN, "connection_refused", F_STR("peer", peer_text(peer, text)),
        F_STR("reason", err_text(why)), F_STR("setting", setting(n, why)),
        F_U64("connections", n->conns.used));
}

/* Takes the next client with the reserved file descriptor, and shows it out. False: none. */
static bool refuse_with_reserve(struct net *n, int listen_fd)
{
    struct sock_addr from;

    if (n->reserve_fd < 0) return false;
    sock_close(n->reserve_fd);
    int fd = sock_accept(listen_fd, &from);
    if (fd >= 0) {
        struct peer peer = peer_of(&from);
        sock_close(fd);
        refuse(n, &peer, -ERR_NOFILE);
    }
    n->reserve_fd = sock_reserve();
    return fd >= 0;
}

static void door_shut(struct door *d)
{
    struct core *core = d->net->core;

    int err = reactor_set(core->reactor, &d->watch, 0);
    if (err < 0 && d->watch.registered) return; /* tried again in the next turn */
    wheel_arm(&core->wheel, &d->reopen, core_now_s(core) + SHUT_S);
}

static void door_reopen(struct door *d)
{
    struct core *core = d->net->core;

    wheel_cancel(&core->wheel, &d->reopen);
    if (reactor_set(core->reactor, &d->watch, READY_READ) < 0)
        wheel_arm(&core->wheel, &d->reopen, core_now_s(core) + SHUT_S);
}

void doors_reopen(struct net *n)
{
    for (unsigned i = 0; i < n->ndoors; i++)
        if (timer_armed(&n->door[i].reopen)) door_reopen(&n->door[i]);
}

static void on_reopen(struct timer *t)
{
    door_reopen(CONTAINER_OF(t, struct door, reopen));
}

static void welcome(struct door *d, int fd, const struct sock_addr *from)
{
    struct conn_origin o = {.listener = d->listener, .fd = fd, .peer = peer_of(from)};
    int err;

    if (d->listener->file) {
        int64_t uid = sock_uid(fd);
        o.peer.user = uid < 0 ? 0 : (uint32_t)uid + 1;
    }
    if (conn_new(d->net, &o, &err)) count(&d->net->core->counters, C_connections_accepted);
}

static void on_knock(struct watch *w, unsigned ready)
{
    struct door *d = CONTAINER_OF(w, struct door, watch);
    bool starved = false;

    (void)ready;
    for (int i = 0; i < NET_ACCEPT_MAX; i++) {
        struct sock_addr from;
        int fd = sock_accept(d->watch.fd, &from);
        if (fd >= 0) {
            welcome(d, fd, &from);
            continue;
        }
        if (fd == -ERR_AGAIN) break;
        starved = true;
        if (fd != -ERR_NOFILE || !refuse_with_reserve(d->net, d->watch.fd)) break;
    }
    if (starved) door_shut(d);
}

static bool has_port(const struct sock_addr *a)
{
    return peer_of(a).port != 0;
}

/* Each core's own: handed over, or made now. */
static int own_socket(const struct net *n, const struct listener *l)
{
    return l->handed ? l->handed[n->core->id] : sock_listen(&l->addr, NET_BACKLOG);
}

int net_listen(struct net *n, struct listener *l)
{
    if (n->ndoors == NET_LISTENERS_MAX) return -ERR_FULL;

    int fd = l->file ? l->file->fd : own_socket(n, l);
    if (fd < 0) return fd;

    struct door *d = &n->door[n->ndoors];
    *d = (struct door){
        .watch = {.fd = fd, .on_ready = on_knock, .shared = l->file || l->handed},
        .reopen = {.fire = on_reopen},
        .listener = l,
        .net = n,
    };
    int err = l->file || has_port(&l->addr) ? 0 : sock_local(fd, &l->addr);
    if (err >= 0) err = reactor_add(n->core->reactor, &d->watch, READY_READ);
    if (err < 0) {
        if (!l->file) sock_close(fd);
        return err;
    }
    n->ndoors++;
    return 0;
}

static void door_close(struct door *d)
{
    struct core *core = d->net->core;

    wheel_cancel(&core->wheel, &d->reopen);
    reactor_del(core->reactor, &d->watch);
    if (!d->listener->file) sock_close(d->watch.fd);
    d->watch.fd = -1;
}

/* Doors are watched and have timers, so they keep their places. */
static void close_doors(struct net *n, bool all)
{
    for (unsigned i = 0; i < n->ndoors; i++) {
        struct door *d = &n->door[i];
        if (d->watch.fd >= 0 && (all || !d->listener->stays)) door_close(d);
    }
}

void net_stop_listening(struct net *n)
{
    close_doors(n, true);
    n->ndoors = 0;
}

void net_drain(struct net *n)
{
    close_doors(n, false);
}

int net_adopt_fd(struct net *n, struct listener *l, int fd, const struct sock_addr *peer)
{
    struct conn_origin o = {.listener = l, .fd = fd};
    int err;

    if (peer) o.peer = peer_of(peer);
    if (conn_new(n, &o, &err)) count(&n->core->counters, C_connections_accepted);
    return err;
}
