/* SPDX-License-Identifier: BSD-3-Clause */
/* ws_handshake.h -- the HTTP/1.1 request that opens a WebSocket, and our answer (RFC 6455,
 * section 4; RFC 9112). Strict and pure: one request, no body, a bounded header. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "net/ws_offer.h"

enum {
    WS_REQUEST_MAX = 8192,
    WS_HEADERS_MAX = 64,
    WS_ORIGINS_MAX = 16,
    WS_ANSWER_MAX = 256 + WS_OFFER_ANSWER_MAX,
};

/* How a listener takes WebSockets; read-only while it listens. */
struct ws_options {
    const char *path;                    /* "/mqtt" */
    const char *origins[WS_ORIGINS_MAX]; /* pages that may connect; none listed: all may */
    unsigned norigins;
    bool deflate; /* messages may be compressed */
};

struct ws_request {
    size_t seen;          /* bytes in which the end was looked for already */
    uint8_t key[16];      /* sets the answer apart */
    const char *protocol; /* "mqtt" or "mqttv3.1" */
    struct ws_deflate deflate;
};

/* Reads a request from the start of `in`, which is what has come of it so far. Returns the
 * bytes it had, 0 if more must come, or the status to refuse it with, negated. */
long ws_request_read(struct ws_request *r, const struct ws_options *o, struct bytes in);

/* "HTTP/1.1 101 ..." with what the key asks for. */
void ws_put_accept(struct writer *w, const struct ws_request *r);

/* The answer to a request that is refused with `status`. */
void ws_put_refusal(struct writer *w, unsigned status);
const char *ws_status_text(unsigned status);
