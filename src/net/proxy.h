/* SPDX-License-Identifier: BSD-3-Clause */
/* proxy.h -- the PROXY protocol: in front of a connection's first byte, the proxy that opened it
 * says for whom (https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt, versions 1 and 2).
 *
 * Pure, and fed as bytes arrive: each byte is looked at once, nothing is kept but the piece
 * under way, and the first byte that can't be right ends it. What version 2 adds behind the
 * addresses is checked and skipped. */
#pragma once

#include "base/bytes.h"
#include "net/peer.h"

enum {
    PROXY_LINE_MAX = 107,     /* version 1, with CRLF [PROXY-2.1] */
    PROXY_PART_MAX = 2 * 108, /* version 2: the addresses of two Unix sockets */
};

enum proxy_state { PROXY_MORE, PROXY_DONE, PROXY_BAD };

struct proxy {
    uint8_t state;      /* enum proxy_state */
    uint8_t step;       /* what is being read; proxy.c's own */
    bool known;         /* DONE: `source` is the client; else the connection's own address holds */
    bool has_sum;       /* a checksum came with it */
    struct peer source; /* zeros for a client on a Unix socket */
    const char *why;    /* BAD: a few words */

    uint32_t sum, sum_wanted; /* CRC32C so far, and as it should be */
    uint16_t left;            /* version 2: bytes still to come */
    uint16_t want, got;       /* bytes of the piece under way, and how many have come */
    uint8_t part[PROXY_PART_MAX];
};

/* Takes bytes until the header ends. Returns how many belong to it; a zeroed struct begins. */
size_t proxy_read(struct proxy *p, struct bytes in);
