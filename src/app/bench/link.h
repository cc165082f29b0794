/* SPDX-License-Identifier: BSD-3-Clause */
/* link.h -- one MQTT client of the load generator.
 *
 * It opens, greets, and hands packets to the scenario. Writes go straight to the
 * socket; what that does not take waits in the link's own memory, which
 * only then exists.
 *
 * Owner: its worker. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "app/bench/wire.h"
#include "base/bytes.h"
#include "core/reactor.h"

struct worker;

enum link_state {
    LINK_CLOSED,
    LINK_CONNECTING, /* the socket connects */
    LINK_SHAKING,    /* TLS and WebSocket introduce themselves */
    LINK_GREETING,   /* CONNECT was sent */
    LINK_UP,
    LINK_LEAVING, /* DISCONNECT was sent; the broker closes */
};

struct link {
    struct watch watch;
    struct wire wire;
    struct worker *worker;
    uint32_t index; /* among all links of the run */
    uint32_t tries; /* connections so far, in the client id */
    uint8_t state;
    bool corked;        /* packets are being read: answers are gathered and go out together */
    uint16_t packet_id; /* the last one used */
    uint64_t began_ns;  /* of the connection */
    uint8_t *in;        /* an incomplete packet */
    size_t in_len, in_cap;
    uint8_t *out; /* what the socket has not taken */
    size_t out_from, out_len, out_cap;
};

/* Begins to connect. What fails is told to the worker. */
void link_open(struct link *l);
void link_send(struct link *l, struct bytes b);
void link_leave(struct link *l);
void link_close(struct link *l); /* at once */

static inline size_t link_unsent(const struct link *l)
{
    return l->out_len - l->out_from;
}

static inline uint16_t link_next_id(struct link *l)
{
    if (++l->packet_id == 0) l->packet_id = 1;
    return l->packet_id;
}
