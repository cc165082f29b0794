/* SPDX-License-Identifier: BSD-3-Clause */
/* conn_out.c -- bytes out: gathered during the turn, one send at its end. */
#include "base/err.h"
#include "net/net_internal.h"
#include "net/transport.h"

uint8_t *conn_grow(struct conn *c, size_t n)
{
    if (c->flags & CONN_CLOSING) return NULL;
    uint8_t *at = outq_grow(&c->out, c->net->core->pool, n);
    if (!at) conn_close(c, -ERR_NOMEM);
    return at;
}

void conn_flush_later(struct conn *c)
{
    c->flags |= CONN_FLUSH;
    c->flush_next = c->net->flush;
    c->net->flush = c;
}

static int put(struct conn *c, struct bytes b, bool answer)
{
    while (b.n > 0) {
        size_t n = b.n < OUTQ_COPY_MAX ? b.n : OUTQ_COPY_MAX;
        uint8_t *at = conn_reserve(c, n);

        if (!at) return c->close_why == -ERR_NOMEM ? -ERR_NOMEM : -ERR_CLOSED;
        memcpy(at, b.p, n);
        conn_commit(c, n);
        if (answer) outq_note_answer(&c->out, n);
        b = bytes_skip(b, n);
    }
    return 0;
}

int conn_send(struct conn *c, struct bytes b)
{
    return put(c, b, false);
}

int conn_answer(struct conn *c, struct bytes b)
{
    return put(c, b, true);
}

int conn_send_shared(struct conn *c, struct bytes b, void (*release)(void *ctx, void *owner),
                     void *ctx, void *owner)
{
    struct shared s = {.bytes = b, .release = release, .ctx = ctx, .owner = owner};

    if (c->flags & CONN_CLOSING) {
        release(ctx, owner);
        return -ERR_CLOSED;
    }
    int err = outq_share(&c->out, c->net->core->pool, &s);
    if (err < 0) {
        conn_close(c, err);
        return err;
    }
    if (!(c->flags & (CONN_FLUSH | CONN_WANT_WRITE))) conn_flush_later(c);
    return 0;
}

/* Leaves of `n` pieces no more than `most` bytes. Returns how many pieces those are. */
static int cut(struct iovec *iov, int n, size_t most)
{
    int i = 0;

    for (; i < n && most > 0; i++) {
        if (iov[i].iov_len > most) iov[i].iov_len = most;
        most -= iov[i].iov_len;
    }
    return i;
}

/* One send of up to OUTQ_IOV_MAX pieces of what may leave. Returns bytes taken (0: nothing may
 * leave), -ERR_AGAIN if the socket took less than it was offered and no more can follow now,
 * -ERR_RESET. */
static long send_once(struct conn *c, size_t *offered)
{
    struct iovec iov[OUTQ_IOV_MAX];
    int n = outq_pieces(&c->out, iov);

    *offered = 0;
    if (UNLIKELY(c->hold)) {
        n = cut(iov, n, hold_released(c));
        if (n == 0) return 0;
    }
    for (int i = 0; i < n; i++)
        *offered += iov[i].iov_len;
    long sent = sock_send(c->watch.fd, iov, n);
    if (sent <= 0) return sent < 0 ? sent : -ERR_AGAIN;

    count_add(&c->net->core->counters, C_bytes_sent, (uint64_t)sent);
    conn_sent(c, (size_t)sent);
    return sent;
}

static void write_out(struct conn *c)
{
    size_t offered;
    long sent = send_once(c, &offered);

    if (sent < 0 && sent != -ERR_AGAIN) {
        conn_close(c, (int)sent);
        return;
    }
    bool full = sent < 0 || (size_t)sent < offered;

    if (full)
        c->flags |= CONN_WANT_WRITE;
    else if (c->out.bytes > 0 && conn_released(c) > 0)
        conn_flush_later(c); /* more pieces than one send takes: next turn */
    conn_rearm(c);
}

size_t conn_drain_at(const struct conn *c)
{
    size_t half = c->net->options.out_bytes_max / 2;

    return c->drain_at && c->drain_at < half ? c->drain_at : half;
}

/* Tells the protocol when the queue has fallen from drain_at or more to below. */
static void note_level(struct conn *c, size_t before)
{
    size_t mark = conn_drain_at(c);

    if (before >= mark) c->flags |= CONN_OVER;
    if (!(c->flags & CONN_OVER) || c->out.bytes >= mark || c->flags & CONN_CLOSING) return;
    c->flags &= (uint16_t)~CONN_OVER;
    if (c->proto->on_drain) c->proto->on_drain(c);
    core_turn_again(c->net->core); /* what it has for the client waits in the broker */
}

unsigned conn_flush_run(struct net *n)
{
    unsigned written = 0;
    struct conn *next;
    struct conn *flush = n->flush;

    n->flush = NULL;
    for (struct conn *c = flush; c; c = next) {
        next = c->flush_next;
        c->flags &= (uint16_t)~CONN_FLUSH;
        if (c->flags & CONN_CLOSING) continue;
        size_t before = c->out.bytes;
        if (UNLIKELY(c->transport))
            transport_write(c);
        else if (before > 0)
            write_out(c);
        else
            outq_clear(&c->out, n->core->pool);
        note_level(c, before);
        if (UNLIKELY(c->flags & CONN_ANSWERS)) answers_lift(c);
        written++;
    }
    return written;
}

bool conn_say_last_words(struct conn *c)
{
    size_t offered;

    if (c->transport) return transport_last_words(c) && sock_shutdown(c->watch.fd) >= 0;
    return send_once(c, &offered) >= 0 && sock_shutdown(c->watch.fd) >= 0;
}
