/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/peer.h"

#include <stdio.h>
#include <string.h>

/* ::ffff:0:0/96, where IPv4 lives in IPv6 (RFC 4291, section 2.5.5.2). */
static const uint8_t v4_prefix[12] = {[10] = 0xFF, [11] = 0xFF};

struct peer peer_of(const struct sock_addr *a)
{
    struct peer p = {.port = 0};

    if (a->ss.ss_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, &a->ss, sizeof in);
        memcpy(p.ip, v4_prefix, sizeof v4_prefix);
        memcpy(p.ip + sizeof v4_prefix, &in.sin_addr, 4);
        p.port = ntohs(in.sin_port);
    } else if (a->ss.ss_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, &a->ss, sizeof in6);
        memcpy(p.ip, &in6.sin6_addr, sizeof p.ip);
        p.port = ntohs(in6.sin6_port);
    }
    return p;
}

static struct sock_addr v4_addr(const struct peer *p)
{
    struct sock_addr a = {.len = sizeof(struct sockaddr_in)};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(p->port)};

    memcpy(&in.sin_addr, p->ip + sizeof v4_prefix, 4);
    memcpy(&a.ss, &in, sizeof in);
    return a;
}

static struct sock_addr v6_addr(const struct peer *p)
{
    struct sock_addr a = {.len = sizeof(struct sockaddr_in6)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(p->port)};

    memcpy(&in6.sin6_addr, p->ip, sizeof p->ip);
    memcpy(&a.ss, &in6, sizeof in6);
    return a;
}

const char *peer_text(const struct peer *p, char out[PEER_TEXT])
{
    static const uint8_t none[16];

    if (p->port == 0 && memcmp(p->ip, none, sizeof none) == 0) {
        if (p->user)
            snprintf(out, PEER_TEXT, "unix(uid=%u)", p->user - 1);
        else
            snprintf(out, PEER_TEXT, "unix");
        return out;
    }
    bool v4 = memcmp(p->ip, v4_prefix, sizeof v4_prefix) == 0;
    struct sock_addr a = v4 ? v4_addr(p) : v6_addr(p);
    return sock_addr_text(&a, out);
}

bool peer_is_in(const struct peer *p, const struct peer_net *net)
{
    unsigned whole = net->bits / 8, rest = net->bits % 8;

    if (memcmp(p->ip, net->ip, whole) != 0) return false;
    return rest == 0 || ((p->ip[whole] ^ net->ip[whole]) & 0xFF00u >> rest & 0xFF) == 0;
}
