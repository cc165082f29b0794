/* SPDX-License-Identifier: BSD-3-Clause */
/* net.h -- a core's sockets: its listeners, its connections, their reads and writes.
 *
 * Every core listens on every configured address with a socket of its own
 * (SO_REUSEPORT): the kernel spreads new connections. Bounded: connections
 * accepted per turn, bytes read per connection and turn, output per connection.
 * When file descriptors run out, accepting stops until one is free; a few are
 * held in reserve for ourselves.
 *
 * Owner: the core. */
#pragma once

#include "core/core.h"
#include "net/conn.h"
#include "net/proxy.h"
#include "net/tls.h"
#include "net/ws.h"

enum { HANDSHAKE_S = 5 };

struct net_options {
    unsigned connections_max; /* per core; 0: as many as file descriptors allow */
    uint32_t out_bytes_max;   /* unsent output per connection before QoS 0 is dropped (8 MiB) */
    uint32_t debt_bytes_max;  /* mail in outboxes per connection before it is not read (256 KiB) */
    size_t debt_core_bytes_max;  /* and of all connections of a core (64 MiB) */
    uint32_t read_bytes;         /* most bytes of one recv (256 KiB) */
    uint32_t strangers_max;      /* connections that have not said who they are, per core (10000) */
    uint64_t stranger_bytes_max; /* that those of all cores may leave unread (64 MiB) */
    uint32_t handshake_s;        /* longest time for PROXY, TLS and WebSocket (5) */
    unsigned handshakes_max;     /* of PROXY, TLS and WebSocket, under way per core (4096) */
    uint8_t mail_handover;       /* the mail kind that carries connections */
};

#define NET_OPTIONS_DEFAULT                                                                        \
    {                                                                                              \
        .connections_max = 0, .out_bytes_max = 8u << 20, .debt_bytes_max = 256u << 10,             \
        .debt_core_bytes_max = 64u << 20, .read_bytes = 256u << 10, .handshakes_max = 4096,        \
        .strangers_max = 10000, .stranger_bytes_max = 64u << 20, .handshake_s = HANDSHAKE_S,       \
    }

/* Who may say, in a PROXY header, for whom it connects. */
enum { PROXY_FROM_MAX = 16 };
struct proxy_options {
    struct peer_net from[PROXY_FROM_MAX];
    unsigned nfrom;
};

/* One configured address; shared by all cores, read-only while they run. */
struct listener {
    struct sock_addr addr;
    const struct proto *proto;
    void *proto_ctx; /* the protocol's own, for this listener; on_open finds it here */
    unsigned index;
    const struct sock_file *file; /* a Unix socket, made already; NULL: each core makes its own */
    _Atomic(const struct tls_context *) tls; /* NULL: none; may be replaced while it is in use */
    const struct ws_options *ws;             /* NULL: the protocol is not inside a WebSocket */
    const struct proxy_options *proxy;       /* a PROXY header comes first; NULL: never */
    const int *handed; /* sockets that listen already, one for each core, taken; NULL: none */
    bool stays;        /* goes on while other listeners drain: the administrator's */
};

enum { NET_LISTENERS_MAX = 16 };

struct net;

/* `ctx` is for the protocols (net_ctx), usually the core's table of modules. NULL: no memory. */
struct net *net_new(struct core *core, const struct net_options *o, void *ctx);
void net_free(struct net **n); /* closes everything, callbacks included */

/* Starts listening here. `l` is borrowed while net lives. With port 0 the first core asks the
 * kernel and writes the port into l->addr for the others. */
int net_listen(struct net *n, struct listener *l);

/* Takes a connection that exists already (a test's socketpair, the simulator); `peer` may be
 * NULL. -ERR_FULL, -ERR_NOMEM: `fd` is then closed. */
int net_adopt_fd(struct net *n, struct listener *l, int fd, const struct sock_addr *peer);

/* No new connections from now on. */
void net_stop_listening(struct net *n);

/* The same, but for listeners that stay. */
void net_drain(struct net *n);

/* Puts other limits in force, also for connections that there are. read_bytes stays as it is. */
void net_set_options(struct net *n, const struct net_options *o);

/* ---- farewell.c: the broker ends ------------------------------------------------------- */

enum farewell {
    FAREWELL_DRAIN, /* connections of listeners that stay are left alone */
    FAREWELL_SENT,  /* only those that have been sent all they were to get */
    FAREWELL_ALL,
};

/* Reads nothing more from anybody. */
void net_pause_all(struct net *n);

/* Says goodbye to up to `most` connections, as their protocols do it, and closes them. Returns how
 * many connections of that kind are left. */
unsigned net_farewell(struct net *n, enum farewell which, unsigned most);

/* Is there still a socket whose peer has not read our last words, or one that holds output? */
bool net_lingers(const struct net *n);

/* The log of this core has failed: core->durable will not rise again. Who holds output is closed
 * (-ERR_STORAGE) without it, and so is whoever is to hold some from now on. */
void net_drop_held(struct net *n);

/* The log of this core has no room, and may have none for long. Who holds output is closed
 * (-ERR_DISK_FULL) without it. */
void net_drop_late(struct net *n);

/* Turn phase: writes the output of every connection that has some, calls
 * again those that asked for it, buries the dead. Returns the work done. */
unsigned net_flush(struct net *n);

/* Handler of mail kind `mail_handover` (ctx is the net). */
void net_on_handover(struct net *n, const struct mail *m);

/* For mesh_port_bind's relief: mail of connection `account` has left the outbox. */
void net_on_relief(struct net *n, uint32_t account, uint32_t bytes);

struct core *net_core(const struct net *n);
void *net_ctx(const struct net *n);
unsigned net_connections(const struct net *n);
const struct net_options *net_options(const struct net *n);

/* Calls `fn` for every connection; fn may close it. One without CONN_OPEN has no state yet. */
void net_each(struct net *n, void (*fn)(struct conn *c, void *arg), void *arg);
