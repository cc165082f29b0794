/* SPDX-License-Identifier: BSD-3-Clause */
/* conn_in.c -- bytes in.
 *
 * A read lands in the core's one buffer. What is left of the read before is
 * copied in front of it if it is small, so that the protocol sees one run of
 * bytes; a large incomplete packet grows in the connection's own buffer, which
 * doubles as bytes arrive and never on the word of a peer. */
#include <stdlib.h>

#include "base/err.h"
#include "net/net_internal.h"
#include "net/transport.h"

enum { IN_CAP_MIN = 64, IN_MAX_MAX = 1 << 30 };

static void set_cap(struct conn *c, uint32_t cap)
{
    if (c->flags & CONN_STRANGER) c->net->strangers.bytes += (size_t)cap - c->in_cap;
    c->in_cap = cap;
}

void conn_drop_input(struct conn *c)
{
    free(c->in);
    c->in = NULL;
    c->in_from = c->in_len = 0;
    set_cap(c, 0);
}

static struct bytes unread(const struct conn *c)
{
    return c->in ? bytes_of(c->in + c->in_from, c->in_len) : bytes_of(NULL, 0);
}

static uint32_t cap_for(size_t n)
{
    uint32_t cap = IN_CAP_MIN;

    while (cap < n)
        cap *= 2;
    return cap;
}

/* Puts `rest` into a buffer of its own of `cap` bytes. */
static bool move_to_new(struct conn *c, struct bytes rest, uint32_t cap)
{
    uint8_t *in = malloc(cap);

    if (!in) return false;
    memcpy(in, rest.p, rest.n);
    free(c->in);
    c->in = in;
    c->in_from = 0;
    c->in_len = (uint32_t)rest.n;
    set_cap(c, cap);
    return true;
}

/* Keeps `rest`, which lies in the core's buffer or in our own. */
static void keep(struct conn *c, struct bytes rest)
{
    if (rest.n == 0) {
        conn_drop_input(c);
        return;
    }
    bool ours = c->in && rest.p >= c->in && rest.p < c->in + c->in_cap;
    bool too_roomy = rest.n <= NET_HEADROOM && c->in_cap > 2 * NET_HEADROOM;

    if (rest.n <= c->in_cap && !too_roomy) {
        if (ours) {
            c->in_from = (uint32_t)(rest.p - c->in);
        } else {
            memcpy(c->in, rest.p, rest.n);
            c->in_from = 0;
        }
        c->in_len = (uint32_t)rest.n;
        return;
    }
    if (!move_to_new(c, rest, cap_for(rest.n))) conn_close(c, -ERR_NOMEM);
}

/* Does the protocol wait for more bytes than we would keep for it? If it
 * stopped for another reason, what is left has been read already and is bounded. */
static bool is_too_large(const struct conn *c)
{
    uint32_t max = c->in_max < IN_MAX_MAX ? c->in_max : IN_MAX_MAX;

    if (c->in_need > max) return true;
    if (c->flags & (CONN_AGAIN | CONN_NOT_READ)) return false;
    return c->in_len > max;
}

void conn_feed(struct conn *c, struct bytes in)
{
    if (in.n >= c->in_need && !(c->flags & CONN_NOT_READ)) {
        c->in_need = 0;
        c->flags |= CONN_IN_BYTES;
        long used = c->proto->on_bytes(c, in);
        c->flags &= (uint16_t)~CONN_IN_BYTES;
        if (used < 0) conn_close(c, (int)used);
        if (c->flags & CONN_CLOSING) return;
        ASSERT((size_t)used <= in.n);
        in = bytes_skip(in, (size_t)used);
        if (UNLIKELY(c->out.answers > ANSWERS_MIN)) answers_judge(c);
    }
    keep(c, in);
    if (is_too_large(c)) conn_close(c, -ERR_TOO_LARGE);
    if (UNLIKELY(c->flags & CONN_STRANGER)) stranger_judge(c);
}

/* Makes room behind the unread bytes in the connection's own buffer. */
static bool make_room(struct conn *c)
{
    if (c->in_from > 0) {
        memmove(c->in, c->in + c->in_from, c->in_len);
        c->in_from = 0;
    }
    return c->in_len < c->in_cap || move_to_new(c, unread(c), c->in_cap * 2);
}

long conn_recv(struct conn *c, uint8_t *to, size_t room)
{
    struct core *core = c->net->core;
    long got = sock_recv(c->watch.fd, to, room);

    if (got == -ERR_AGAIN) return 0;
    if (got < 0) {
        conn_close(c, (int)got);
        return 0;
    }
    c->last_rx_s = core_now_s(core);
    count_add(&core->counters, C_bytes_received, (uint64_t)got);
    return got;
}

/* Puts `b` behind the unread bytes in the connection's own buffer. */
static bool append(struct conn *c, struct bytes b)
{
    size_t all = c->in_len + b.n;

    if (c->in_from + all > c->in_cap && !move_to_new(c, unread(c), cap_for(all))) return false;
    memcpy(c->in + c->in_from + c->in_len, b.p, b.n);
    c->in_len += (uint32_t)b.n;
    return true;
}

void conn_take(struct conn *c, uint8_t *at, size_t n)
{
    struct bytes before = unread(c);

    if (before.n <= NET_HEADROOM) {
        if (before.n) memcpy(at - before.n, before.p, before.n);
        conn_feed(c, bytes_of(at - before.n, before.n + n));
    } else if (append(c, bytes_of(at, n))) {
        conn_feed(c, unread(c));
    } else {
        conn_close(c, -ERR_NOMEM);
    }
}

static void read_in_shared(struct conn *c)
{
    uint8_t *to = c->net->in_buf + NET_HEADROOM;
    long got = conn_recv(c, to, c->net->options.read_bytes);

    if (got > 0) conn_take(c, to, (size_t)got);
}

static void read_in_own(struct conn *c)
{
    if (!make_room(c)) {
        conn_close(c, -ERR_NOMEM);
        return;
    }
    long got = conn_recv(c, c->in + c->in_len, c->in_cap - c->in_len);
    if (got <= 0) return;
    c->in_len += (uint32_t)got;
    conn_feed(c, unread(c));
}

void conn_read(struct conn *c)
{
    if (UNLIKELY(c->transport))
        transport_read(c);
    else if (c->in_len <= NET_HEADROOM)
        read_in_shared(c);
    else
        read_in_own(c);
}

unsigned conn_again_run(struct net *n)
{
    unsigned called = 0;
    struct conn *next;
    struct conn *again = n->again;

    n->again = NULL;
    for (struct conn *c = again; c; c = next) {
        next = c->again_next;
        c->flags &= (uint16_t)~CONN_AGAIN;
        if (c->flags & CONN_CLOSING) continue;
        if (c->in_len > 0) {
            conn_feed(c, unread(c));
            called++;
        }
        transport_again(c);
        transport_settle(c);
    }
    return called;
}
