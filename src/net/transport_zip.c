/* SPDX-License-Identifier: BSD-3-Clause */
/* transport_zip.c -- WebSocket frames of which some are compressed.
 *
 * A few bytes may stand for a thousand times as many, so a turn opens only messages of about
 * TURN_BYTES of a connection; what else has come waits as it is, and nothing more is read until it
 * has been opened in the turns to come. Messages are handed over one by one, since how large the
 * next may be depends on the one before: CONNECT makes a client known. */
#include <stdlib.h>

#include "base/err.h"
#include "net/net_internal.h"
#include "net/transport.h"

enum {
    TURN_BYTES = 256 << 10,
    OUT_KEEP = 1 << 20, /* a larger buffer is given back when it was used */
};

struct zip_room *zip_room_of(struct net *n)
{
    static const uint8_t headroom[NET_HEADROOM];

    if (n->zip_room) return n->zip_room;
    struct zip_room *r = malloc(sizeof *r);
    if (!r) return NULL;
    r->zip = zip_new();
    r->out = (struct zip_out){.p = NULL};
    n->zip_room = r;
    if (!r->zip || zip_out_add(&r->out, bytes_of(headroom, sizeof headroom)) < 0) zip_room_free(n);
    return n->zip_room;
}

void zip_room_free(struct net *n)
{
    struct zip_room *r = n->zip_room;

    if (!r) return;
    n->zip_room = NULL;
    zip_free(&r->zip);
    free(r->out.p);
    free(r);
}

/* Keeps what was not opened, which may lie in `rest` already. False: no memory. */
static bool keep_rest(struct transport_rest *rest, uint8_t *p, size_t n)
{
    if (n > 0 && rest->p) {
        rest->from = (uint32_t)(p - rest->p);
    } else if (n > 0) {
        rest->p = malloc(n);
        if (!rest->p) return false;
        memcpy(rest->p, p, n);
        rest->from = 0;
    } else {
        free(rest->p);
        rest->p = NULL;
    }
    rest->n = (uint32_t)n;
    return true;
}

/* Opens one message, or part of it, and hands it over. Returns the bytes it had. What it leaves is
 * in t->rest before the protocol sees anything, which may move the connection. */
static size_t open_message(struct conn *c, struct zip_room *room, uint8_t *p, size_t n)
{
    struct transport *t = c->transport;
    struct ws_unzip to = {.zip = room->zip, .out = &room->out, .max = c->in_max};
    int end = 0;

    room->out.n = NET_HEADROOM;
    size_t used = ws_unzip(t->ws, &to, p, n, &end);
    if (!t->end) t->end = (int16_t)end;
    if (ws_has_words(t->ws) && !(c->flags & (CONN_FLUSH | CONN_WANT_WRITE))) conn_flush_later(c);
    if (!keep_rest(&t->rest, p + used, end ? 0 : n - used)) {
        conn_close(c, -ERR_NOMEM);
        return 0;
    }
    size_t got = room->out.n - NET_HEADROOM;
    if (got > 0) conn_take(c, room->out.p + NET_HEADROOM, got);
    return got;
}

/* May the next message be opened? */
static bool has_more(const struct conn *c)
{
    const unsigned waits = CONN_CLOSING | CONN_AGAIN | CONN_NOT_READ;

    return c->transport && c->transport->rest.n > 0 && !(c->flags & waits);
}

void transport_unzip(struct conn *c, uint8_t *p, size_t n)
{
    struct zip_room *room = zip_room_of(c->net);

    if (!room) {
        conn_close(c, -ERR_NOMEM);
        return;
    }
    size_t got = open_message(c, room, p, n);
    while (got < TURN_BYTES && has_more(c)) {
        const struct transport_rest *rest = &c->transport->rest;
        got += open_message(c, room, rest->p + rest->from, rest->n);
    }
    if (room->out.cap > OUT_KEEP) zip_room_free(c->net);
}

void transport_again(struct conn *c)
{
    if (!has_more(c)) return;
    const struct transport_rest *rest = &c->transport->rest;
    transport_unzip(c, rest->p + rest->from, rest->n);
}
