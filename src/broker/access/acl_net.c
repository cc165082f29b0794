/* SPDX-License-Identifier: BSD-3-Clause */
/* acl_net.c -- addresses as rules write them. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "broker/access/acl.h"

enum { V4_PREFIX = 96, TEXT_MAX = 64 };

static bool any_bit_from(const struct acl_net *net, unsigned first)
{
    for (unsigned i = first; i < 128; i++)
        if (net->ip[i / 8] & 0x80u >> i % 8) return true;
    return false;
}

/* Decimal digits up to `max`. -ERR_INVALID. */
static int parse_bits(const char *text, unsigned max)
{
    unsigned bits = 0;
    size_t n = strlen(text);

    if (n == 0 || n > 3 || strspn(text, "0123456789") != n) return -ERR_INVALID;
    for (; *text; text++)
        bits = bits * 10 + (unsigned)(*text - '0');
    return bits <= max ? (int)bits : -ERR_INVALID;
}

int acl_net_parse(struct acl_net *net, struct bytes text)
{
    char s[TEXT_MAX];

    if (bytes_eq(text, BYTES("unix"))) {
        *net = (struct acl_net){.bits = 128};
        return 0;
    }
    if (text.n == 0 || text.n >= sizeof s || memchr(text.p, 0, text.n)) return -ERR_INVALID;
    memcpy(s, text.p, text.n);
    s[text.n] = '\0';
    char *slash = strchr(s, '/');
    if (slash) *slash++ = '\0';

    *net = (struct acl_net){.ip = {[10] = 0xFF, [11] = 0xFF}};
    bool v4 = inet_pton(AF_INET, s, net->ip + 12) == 1;
    if (!v4 && inet_pton(AF_INET6, s, net->ip) != 1) return -ERR_INVALID;
    unsigned before = v4 ? V4_PREFIX : 0;
    int bits = slash ? parse_bits(slash, 128 - before) : (int)(128 - before);
    if (bits < 0) return bits;
    net->bits = (uint8_t)(before + (unsigned)bits);
    /* "10.1.2.3/8" is a slip of the pen: is all of 10/8 meant, or one machine? */
    return any_bit_from(net, net->bits) ? -ERR_INVALID : 0;
}

const char *acl_net_text(const struct acl_net *net, char *out)
{
    static const uint8_t v4[12] = {[10] = 0xFF, [11] = 0xFF};
    char ip[INET6_ADDRSTRLEN];
    bool is_v4 = net->bits >= V4_PREFIX && memcmp(net->ip, v4, sizeof v4) == 0;
    unsigned before = is_v4 ? V4_PREFIX : 0;

    if (net->bits == 128 && !any_bit_from(net, 0)) {
        snprintf(out, ACL_NET_TEXT, "unix");
        return out;
    }
    inet_ntop(is_v4 ? AF_INET : AF_INET6, net->ip + (is_v4 ? 12 : 0), ip, sizeof ip);
    if (net->bits == 128)
        snprintf(out, ACL_NET_TEXT, "%s", ip);
    else
        snprintf(out, ACL_NET_TEXT, "%s/%u", ip, net->bits - before);
    return out;
}
