/* SPDX-License-Identifier: BSD-3-Clause */
/* peer.h -- who is at the other end of a connection, small, and blocks of such addresses. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/sock.h"

enum { PEER_TEXT = SOCK_ADDR_TEXT };

struct peer {
    uint8_t ip[16]; /* IPv4 as ::ffff:a.b.c.d; zeros for none: a Unix socket */
    uint16_t port;
    uint32_t user; /* at the other end of a Unix socket: its id plus 1; 0: not known */
};

/* Addresses that agree in their first `bits`; those of IPv4 have 96 more. */
struct peer_net {
    uint8_t ip[16];
    uint8_t bits;
};

struct peer peer_of(const struct sock_addr *a);

/* "127.0.0.1:50123", "[::1]:50123", "unix" or "unix(uid=1000)" into out; returns out. */
const char *peer_text(const struct peer *p, char out[PEER_TEXT]);

bool peer_is_in(const struct peer *p, const struct peer_net *net);
