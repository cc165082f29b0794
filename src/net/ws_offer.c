/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/ws_offer.h"

#include <stdio.h>

enum { BITS_MIN = 8, BITS_MAX = 15, BITS_OF_ZLIB = 9 }; /* zlib has no raw stream with 8 */

enum { SERVER_NO_TAKEOVER = 1, CLIENT_NO_TAKEOVER = 2, SERVER_BITS = 4, CLIENT_BITS = 8 };

static struct bytes trim(struct bytes b)
{
    while (b.n && (b.p[0] == ' ' || b.p[0] == '\t'))
        b = bytes_skip(b, 1);
    while (b.n && (b.p[b.n - 1] == ' ' || b.p[b.n - 1] == '\t'))
        b.n--;
    return b;
}

/* What stands before the next `separator`; moves `list` behind that. */
static struct bytes next_part(struct bytes *list, char separator)
{
    const uint8_t *at = list->n ? memchr(list->p, separator, list->n) : NULL;
    size_t n = at ? (size_t)(at - list->p) : list->n;
    struct bytes part = trim(bytes_of(list->p, n));

    *list = bytes_skip(*list, at ? n + 1 : n);
    return part;
}

/* 8 to 15 without leading zeros, perhaps in quotes (7.1.2); 0. */
static uint8_t bits_of(struct bytes text)
{
    if (text.n >= 2 && text.p[0] == '"' && text.p[text.n - 1] == '"')
        text = bytes_of(text.p + 1, text.n - 2);
    if (text.n == 1 && (text.p[0] == '8' || text.p[0] == '9')) return (uint8_t)(text.p[0] - '0');
    bool two = text.n == 2 && text.p[0] == '1' && text.p[1] >= '0' && text.p[1] <= '5';
    return two ? (uint8_t)(10 + text.p[1] - '0') : 0;
}

/* Which parameter it is, with its bits; 0: one that makes the offer none (7.1). */
static unsigned judge(struct bytes parameter, uint8_t *bits)
{
    struct bytes value = parameter;
    struct bytes name = next_part(&value, '=');
    bool has_value = name.n < parameter.n;

    *bits = has_value ? bits_of(trim(value)) : BITS_MAX;
    if (bytes_eq(name, BYTES("server_no_context_takeover")))
        return has_value ? 0 : SERVER_NO_TAKEOVER;
    if (bytes_eq(name, BYTES("client_no_context_takeover")))
        return has_value ? 0 : CLIENT_NO_TAKEOVER;
    if (bytes_eq(name, BYTES("client_max_window_bits"))) return *bits ? CLIENT_BITS : 0;
    if (bytes_eq(name, BYTES("server_max_window_bits")))
        return has_value && *bits >= BITS_OF_ZLIB ? SERVER_BITS : 0;
    return 0;
}

static void read_offer(struct ws_deflate *d, struct bytes offer)
{
    struct ws_deflate wanted = {.agreed = true, .window_bits = BITS_MAX};
    unsigned seen = 0;

    if (!bytes_eq(next_part(&offer, ';'), BYTES("permessage-deflate"))) return;
    while (offer.n > 0) {
        uint8_t bits;
        unsigned which = judge(next_part(&offer, ';'), &bits);
        if (which == 0 || seen & which) return; /* unknown, wrong, or twice (7.1) */
        seen |= which;
        if (which == SERVER_BITS) wanted.window_bits = bits;
    }
    wanted.bits_said = seen & SERVER_BITS;
    *d = wanted;
}

void ws_offer_read(struct ws_deflate *d, struct bytes value)
{
    while (value.n > 0 && !d->agreed)
        read_offer(d, next_part(&value, ','));
}

void ws_offer_put(struct writer *w, const struct ws_deflate *d)
{
    char bits[32] = "";

    if (!d->agreed) return;
    if (d->bits_said) snprintf(bits, sizeof bits, "; server_max_window_bits=%u", d->window_bits);
    wr_bytes(w, BYTES("Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
                      "client_no_context_takeover"));
    wr_bytes(w, bytes_str(bits));
    wr_bytes(w, BYTES("\r\n"));
}
