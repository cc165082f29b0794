/* SPDX-License-Identifier: BSD-3-Clause */
/* transport.h -- what lies between a connection's socket and its protocol: a proxy's header,
 * TLS, WebSocket, or one in another.
 *
 *     socket > [PROXY] > [TLS] > [WebSocket] > protocol > out-queue > [WebSocket] > [TLS] > socket
 *
 * Input is opened in the core's buffers and reaches the protocol as one run of bytes, as if
 * it had been read so. Output is sealed once per turn: all frames that were queued become one
 * WebSocket frame and, up to 64 KiB, as few TLS records as hold it. What the socket does not
 * take then waits as it is; nothing more is sealed while much of it waits.
 *
 * While a proxy's header is to come, nobody knows who the peer is, and the protocol is not opened.
 * A connection that has only such a header is plain behind it.
 *
 * malloc'd, so that it moves to another core as it is. A plain connection has none. */
#pragma once

#include "core/wheel.h"
#include "net/outq.h"
#include "net/proxy.h"
#include "net/tls.h"
#include "net/ws.h"

struct conn;
struct net;
struct listener;

/* Input that waits to be opened; malloc'd. */
struct transport_rest {
    uint8_t *p; /* NULL: none */
    uint32_t from, n;
};

struct transport {
    struct proxy *proxy; /* NULL: none, or all of its header has come */
    struct tls *tls;     /* NULL: none */
    struct ws *ws;       /* NULL: none */
    struct outq sealed;  /* what the socket did not take; memory of the core */
    struct transport_rest rest;
    struct timer limit; /* armed until `open` */
    struct conn *conn;
    int16_t end;  /* not 0: close for that reason when the protocol has taken all its bytes */
    bool open;    /* handshakes are done: the protocol's bytes may pass */
    bool counted; /* among net->handshakes */
};

/* For a new connection of `l`. NULL with *err: -ERR_FULL, -ERR_NOMEM. */
struct transport *transport_new(struct net *n, struct listener *l, int *err);

/* It belongs to `c` from now on: starts the clock for its handshakes. */
void transport_start(struct transport *t, struct conn *c);

/* Takes it from a connection that moves, with the sealed bytes that still wait, into `sealed`;
 * gives those to the connection that it has become. */
void transport_detach(struct conn *c, uint8_t *sealed);
void transport_attach(struct conn *c, struct bytes sealed);

/* Frees it. `n` is the core it is on; nothing may wait in its queue if that is NULL. */
void transport_free(struct transport **t, struct net *n);

/* One recv, opened and handed to the protocol. */
void transport_read(struct conn *c);

/* To be called when the protocol has been given bytes: ends what has come to its end. */
void transport_settle(struct conn *c);

/* One send of what waits and what is queued. */
void transport_write(struct conn *c);

/* Is there anything to send, the goodbye included? Says it, once. False: the peer did not take
 * all. */
bool transport_last_words(struct conn *c);
