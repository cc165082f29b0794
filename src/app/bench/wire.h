/* SPDX-License-Identifier: BSD-3-Clause */
/* wire.h -- what lies between a link's socket and its packets: TLS, WebSocket, the one in the
 * other, or nothing.
 *
 * A client's side, no more than a load generator needs: it does not judge certificates, and its
 * mask is the same for all frames of a link. It shares no code with the broker's side.
 *
 * Owner: the link; the rules belong to the run, and workers only read them. */
#pragma once

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum wire_kind { WIRE_TCP, WIRE_TLS, WIRE_WS, WIRE_WSS, WIRE_KINDS };

/* How all links of a run reach the broker. */
struct wire_rules {
    SSL_CTX *ctx; /* NULL: without TLS */
    bool ws;
    bool resume; /* a link that comes again shows its last ticket */
};

/* "tcp", "tls", "ws", "wss"; -ERR_INVALID. */
int wire_kind_find(const char *name);

/* -ERR_NOMEM. */
int wire_rules_init(struct wire_rules *r, enum wire_kind kind, bool resume);
void wire_rules_fini(struct wire_rules *r);

enum { WIRE_HEADER_MAX = 14, WIRE_SERVER_HEADER_MAX = 10 };

struct wire {
    const struct wire_rules *rules;
    SSL *ssl;
    SSL_SESSION *session; /* of the connection before this one */
    int fd;
    uint8_t state;   /* enum wire_state */
    uint8_t matched; /* bytes of the answer's first line; then of its end */
    /* The frame that comes in. */
    uint8_t opcode, nhead;
    uint8_t head[WIRE_SERVER_HEADER_MAX];
    uint64_t left;
};

/* `fd` has connected. -ERR_NOMEM. */
int wire_open(struct wire *w, const struct wire_rules *r, int fd);
void wire_close(struct wire *w);  /* the socket stays; so does the ticket */
void wire_forget(struct wire *w); /* the ticket too */

/* The next step of the handshakes. 0: packets may pass; -ERR_AGAIN: when there is more to read. */
int wire_step(struct wire *w);

/* Puts a frame around `b` at `to`, which has room for it and WIRE_HEADER_MAX; `b` itself without
 * WebSocket. */
struct bytes wire_frame(const struct wire *w, uint8_t *to, struct bytes b);

/* Bytes taken, -ERR_AGAIN, -ERR_RESET. What was not taken is to be offered again as it is. */
long wire_send(struct wire *w, struct bytes b);

/* Bytes of packets, -ERR_AGAIN, -ERR_CLOSED, -ERR_RESET. */
long wire_recv(struct wire *w, uint8_t *to, size_t n);

/* Has TLS kept something back that the socket will not report? */
bool wire_has_more(const struct wire *w);
