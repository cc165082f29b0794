/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/transport.h"

#include <stdlib.h>

#include "base/err.h"
#include "net/net_internal.h"

enum {
    GATHER_MAX = TRANSPORT_GATHER_MAX,
    ZIPPED_READ = 16 << 10,  /* most bytes of one recv that may stand for many more */
    OWN_MAX = 1024,          /* what WebSocket says by itself, and a frame's header */
    SEALED_ROOM = 128 << 10, /* the same in records; or a handshake's certificates */
    SEALED_WAIT = 64 << 10,  /* sealed bytes that wait before no more are sealed */
    STEPS_MAX = 8,           /* steps of TLS handshakes per turn: a signature may take 1 ms */
};

static_assert(GATHER_MAX + OWN_MAX + (GATHER_MAX / TLS_RECORD_MAX + 2) * TLS_OVERHEAD < SEALED_ROOM,
              "what was gathered fits when it is sealed");

/* Buffers that the connections of a core share. */
struct transport_room {
    uint8_t plain[GATHER_MAX + OWN_MAX];
    uint8_t sealed[SEALED_ROOM];
    uint8_t in[]; /* options.read_bytes */
};

/* ---- life ------------------------------------------------------------------------------ */

static bool have_room(struct net *n)
{
    if (!n->room) n->room = malloc(sizeof *n->room + n->options.read_bytes);
    return n->room;
}

struct transport *transport_new(struct net *n, struct listener *l, int *err)
{
    const struct tls_context *x = atomic_load_explicit(&l->tls, memory_order_acquire);

    *err = -ERR_FULL;
    if (n->handshakes >= n->options.handshakes_max) return NULL;
    *err = -ERR_NOMEM;
    struct transport *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    if (l->proxy) t->proxy = calloc(1, sizeof *t->proxy);
    if (x) t->tls = tls_new(x);
    if (l->ws) t->ws = ws_new(l->ws);
    if ((l->proxy && !t->proxy) || (x && !t->tls) || (l->ws && !t->ws)) transport_free(&t, NULL);
    return t;
}

static void stop_clock(struct transport *t, struct net *n)
{
    wheel_cancel(&n->core->wheel, &t->limit);
    if (t->counted) n->handshakes--;
    t->counted = false;
}

void transport_free(struct transport **tp, struct net *n)
{
    struct transport *t = *tp;

    if (!t) return;
    *tp = NULL;
    if (n) {
        stop_clock(t, n);
        outq_clear(&t->sealed, n->core->pool);
    }
    ASSERT(t->sealed.head == NULL);
    tls_free(&t->tls);
    ws_free(&t->ws);
    free(t->proxy);
    free(t->rest.p);
    free(t);
}

static void log_failure(struct conn *c, const char *why)
{
    char peer[PEER_TEXT];

    LOG(&c->net->core->log, LOG_INFO, "handshake_failed", F_STR("peer", peer_text(&c->peer, peer)),
        F_STR("reason", why));
}

static void on_limit(struct timer *timer)
{
    struct transport *t = CONTAINER_OF(timer, struct transport, limit);

    if (t->conn->flags & CONN_CLOSING) return;
    count(&t->conn->net->core->counters, C_handshakes_failed);
    log_failure(t->conn, err_text(-ERR_TIMEOUT));
    conn_close(t->conn, -ERR_TIMEOUT);
}

void transport_start(struct transport *t, struct conn *c)
{
    struct net *n = c->net;

    t->conn = c;
    if (t->open) {
        conn_flush_later(c); /* what waited where it comes from */
        return;
    }
    t->limit.fire = on_limit;
    t->counted = true;
    n->handshakes++;
    wheel_arm(&n->core->wheel, &t->limit, core_now_s(n->core) + n->options.handshake_s + 1);
}

/* ---- out -------------------------------------------------------------------------------- */

/* Copies the first bytes of the out-queue to `w`: they count as sent. */
static void take_queued(struct conn *c, struct writer *w, size_t n)
{
    struct iovec iov[OUTQ_IOV_MAX];
    size_t taken = 0;

    while (taken < n) {
        int pieces = outq_pieces(&c->out, iov);
        size_t now = 0;
        for (int i = 0; i < pieces && taken + now < n; i++) {
            size_t left = n - taken - now;
            size_t len = iov[i].iov_len < left ? iov[i].iov_len : left;
            wr_bytes(w, bytes_of(iov[i].iov_base, len));
            now += len;
        }
        conn_sent(c, now);
        taken += now;
    }
}

/* The first bytes of the out-queue, in a frame and compressed if that is worth it. */
static void take_queued_zipped(struct conn *c, struct writer *w, size_t n)
{
    struct zip_room *room = zip_room_of(c->net);

    if (!room) {
        ws_put_header(w, n);
        take_queued(c, w, n);
        return;
    }
    struct writer plain = wr_of(room->plain, sizeof room->plain);
    take_queued(c, &plain, n);
    ws_put_zipped(c->transport->ws, room->zip, w, bytes_of(plain.start, wr_len(&plain)));
}

/* What WebSocket has to say by itself, the protocol's bytes, and at last the goodbye. */
static struct bytes gather(struct conn *c)
{
    struct transport *t = c->transport;
    struct writer w = wr_of(c->net->room->plain, sizeof c->net->room->plain);
    size_t n = conn_released(c);

    if (n > GATHER_MAX) n = GATHER_MAX;

    if (t->ws) ws_say(t->ws, &w);
    if (t->open && n > 0 && t->ws && ws_is_zipping(t->ws)) {
        take_queued_zipped(c, &w, n);
    } else if (t->open && n > 0) {
        if (t->ws) ws_put_header(&w, n);
        take_queued(c, &w, n);
    }
    if (t->ws && c->flags & CONN_CLOSING) ws_say_close(t->ws, &w);
    ASSERT(!w.bad);
    return bytes_of(w.start, wr_len(&w));
}

/* All of that as it goes to the socket; borrowed from the core's buffers. */
static struct bytes seal(struct conn *c)
{
    struct transport *t = c->transport;
    struct transport_room *room = c->net->room;

    if (t->tls && !tls_is_open(t->tls)) return bytes_of(NULL, 0);
    struct bytes plain = gather(c);
    if (!t->tls) return plain;
    struct writer w = wr_of(room->sealed, sizeof room->sealed);
    int err = tls_write(t->tls, plain, &w);
    if (err < 0) conn_close(c, err);
    return bytes_of(w.start, wr_len(&w));
}

/* Queues sealed bytes; false if there is no memory. */
static bool keep(struct conn *c, struct bytes b)
{
    struct outq *q = &c->transport->sealed;

    while (b.n > 0) {
        size_t n = b.n < OUTQ_COPY_MAX ? b.n : OUTQ_COPY_MAX;
        uint8_t *at = outq_reserve(q, c->net->core->pool, n);
        if (!at) return false;
        memcpy(at, b.p, n);
        outq_commit(q, n);
        b = bytes_skip(b, n);
    }
    return true;
}

/* One send of what waited and then of `fresh`, whose rest is kept. Returns 0, -ERR_AGAIN if
 * the socket is full, or -ERR_X. */
static int send_sealed(struct conn *c, struct bytes fresh)
{
    struct outq *q = &c->transport->sealed;
    struct iovec iov[OUTQ_IOV_MAX + 1];
    int n = outq_pieces(q, iov);
    size_t waited = 0;

    for (int i = 0; i < n; i++)
        waited += iov[i].iov_len;
    bool all_waited = waited == q->bytes;
    if (fresh.n && all_waited)
        iov[n++] = (struct iovec){.iov_base = (void *)(uintptr_t)fresh.p, .iov_len = fresh.n};
    if (n == 0) return 0;
    long sent = sock_send(c->watch.fd, iov, n);
    if (sent < 0 && sent != -ERR_AGAIN) return (int)sent;
    size_t took = sent > 0 ? (size_t)sent : 0;

    count_add(&c->net->core->counters, C_bytes_sent, took);
    outq_sent(q, c->net->core->pool, took < waited ? took : waited);
    if (took > waited) fresh = bytes_skip(fresh, took - waited);
    if (!keep(c, fresh)) return -ERR_NOMEM;
    return q->bytes > 0 ? -ERR_AGAIN : 0;
}

void transport_write(struct conn *c)
{
    struct transport *t = c->transport;
    struct bytes fresh = {.n = 0};

    if (!have_room(c->net)) {
        conn_close(c, -ERR_NOMEM);
        return;
    }
    if (t->sealed.bytes < SEALED_WAIT) fresh = seal(c);
    if (c->out.bytes == 0) outq_clear(&c->out, c->net->core->pool);
    int err = send_sealed(c, fresh);

    if (err < 0 && err != -ERR_AGAIN) {
        conn_close(c, err);
        return;
    }
    if (err == -ERR_AGAIN)
        c->flags |= CONN_WANT_WRITE;
    else if (t->open && conn_released(c) > 0)
        conn_flush_later(c); /* the rest in the next turn */
    conn_rearm(c);
}

bool transport_last_words(struct conn *c)
{
    struct transport *t = c->transport;
    struct transport_room *room = c->net->room;

    if (t->sealed.bytes >= SEALED_WAIT || !room) return false;
    if (t->ws) ws_end(t->ws, c->close_why);
    struct bytes words = seal(c);
    if (t->tls) {
        struct writer w = wr_of(room->sealed, sizeof room->sealed);
        w.p += words.n;
        tls_end(t->tls, &w);
        words = bytes_of(w.start, wr_len(&w));
    }
    if (words.n == 0 && t->sealed.bytes == 0) return false;
    return send_sealed(c, words) == 0;
}

/* ---- moving ----------------------------------------------------------------------------- */

void transport_detach(struct conn *c, uint8_t *sealed)
{
    struct transport *t = c->transport;
    struct iovec iov[OUTQ_IOV_MAX];

    ASSERT(t->open); /* no timer, and nobody counts it */
    while (t->sealed.bytes > 0) {
        int n = outq_pieces(&t->sealed, iov);
        for (int i = 0; i < n; i++) {
            size_t len = iov[i].iov_len;
            memcpy(sealed, iov[i].iov_base, len);
            sealed += len;
            outq_sent(&t->sealed, c->net->core->pool, len);
        }
    }
    outq_clear(&t->sealed, c->net->core->pool);
    t->conn = NULL;
    c->transport = NULL;
}

void transport_attach(struct conn *c, struct bytes sealed)
{
    if (!keep(c, sealed)) conn_close(c, -ERR_NOMEM);
}

/* ---- in --------------------------------------------------------------------------------- */

/* Records opened into in_buf. Returns the bytes of plaintext. */
static size_t open_records(struct conn *c, struct bytes in, uint8_t *out)
{
    struct transport *t = c->transport;
    struct transport_room *room = c->net->room;
    struct writer say = wr_of(room->sealed, sizeof room->sealed);
    bool was_open = tls_is_open(t->tls);
    int end = 0;

    size_t got = tls_read(t->tls, in, out, &say, &end);
    if (wr_len(&say) > 0) {
        if (!keep(c, bytes_of(say.start, wr_len(&say)))) end = -ERR_NOMEM;
        if (!(c->flags & (CONN_FLUSH | CONN_WANT_WRITE))) conn_flush_later(c);
    }
    if (!was_open && tls_is_open(t->tls)) {
        count(&c->net->core->counters, C_tls_handshakes);
        if (tls_was_resumed(t->tls)) count(&c->net->core->counters, C_tls_resumed);
    } else if (end == -ERR_PROTOCOL) {
        char why[TLS_REASON];
        if (!was_open) count(&c->net->core->counters, C_handshakes_failed);
        log_failure(c, tls_reason(t->tls, why));
    }
    t->end = (int16_t)end;
    return got;
}

/* Frames in place. Returns the bytes of payload. */
static size_t open_frames(struct conn *c, uint8_t *at, size_t n)
{
    struct transport *t = c->transport;
    bool was_open = ws_is_open(t->ws);
    int end = 0;

    size_t got = ws_read(t->ws, at, n, &end);
    if (!t->end) t->end = (int16_t)end;
    if (ws_has_words(t->ws) && !(c->flags & (CONN_FLUSH | CONN_WANT_WRITE))) conn_flush_later(c);
    if (was_open || end == 0) return got;
    count(&c->net->core->counters, C_handshakes_failed);
    log_failure(c, ws_reason(t->ws));
    return got;
}

static void note_open(struct conn *c)
{
    struct transport *t = c->transport;

    if (t->open || t->proxy || (t->tls && !tls_is_open(t->tls)) || (t->ws && !ws_is_open(t->ws)))
        return;
    t->open = true;
    stop_clock(t, c->net);
}

void transport_settle(struct conn *c)
{
    const struct transport *t = c->transport;
    bool waits = c->flags & (CONN_CLOSING | CONN_NOT_READ);

    if (t && t->rest.n > 0 && !waits) conn_again(c);
    if (!t || !t->end || c->flags & (CONN_CLOSING | CONN_AGAIN)) return;
    if (c->in_len > 0 && c->flags & CONN_NOT_READ) return;
    conn_close(c, t->end);
}

/* What a proxy says of the peer. Returns the bytes it said it with; when it has said all, the
 * protocol is opened, or the connection closed. */
static size_t hear_proxy(struct conn *c, struct bytes in)
{
    struct transport *t = c->transport;
    char peer[PEER_TEXT];
    size_t used = proxy_read(t->proxy, in);

    if (t->proxy->state == PROXY_BAD) {
        count(&c->net->core->counters, C_proxy_refused);
        LOG(&c->net->core->log, LOG_WARN, "proxy_header_refused",
            F_STR("peer", peer_text(&c->peer, peer)), F_STR("reason", t->proxy->why));
        conn_close(c, -ERR_MALFORMED);
    } else if (t->proxy->state == PROXY_DONE) {
        if (t->proxy->known) c->peer = t->proxy->source;
        free(t->proxy);
        t->proxy = NULL;
        conn_begin(c, false, 0);
    }
    return used;
}

/* Opens the `n` bytes at `in`, which lie in the room or behind the headroom, and hands them to
 * the protocol. */
static void open_bytes(struct conn *c, uint8_t *in, size_t n)
{
    struct transport *t = c->transport;
    uint8_t *at = t->tls ? c->net->in_buf + NET_HEADROOM : in;

    if (t->tls) n = open_records(c, bytes_of(in, n), at);
    if (t->ws) n = open_frames(c, at, n);
    note_open(c);
    if (n > 0 && t->ws && ws_is_zipping(t->ws))
        transport_unzip(c, at, n);
    else if (n > 0 && t->open)
        conn_take(c, at, n);
    transport_settle(c);
}

void transport_read(struct conn *c)
{
    struct transport *t = c->transport;
    struct net *n = c->net;
    size_t used = 0;

    if (t->end || t->rest.n > 0) return; /* only what is here already still counts */
    if (t->tls && !tls_is_open(t->tls) && n->steps++ >= STEPS_MAX) return; /* the next turn */
    if (!have_room(n)) {
        conn_close(c, -ERR_NOMEM);
        return;
    }
    uint8_t *in = t->tls ? n->room->in : n->in_buf + NET_HEADROOM;
    size_t most = n->options.read_bytes;
    if (t->ws && ws_is_zipping(t->ws) && most > ZIPPED_READ) most = ZIPPED_READ;
    long got = conn_recv(c, in, most);
    if (got <= 0) return;
    if (t->proxy) used = hear_proxy(c, bytes_of(in, (size_t)got));
    if (t->proxy || c->flags & CONN_CLOSING) return;
    size_t left = (size_t)got - used;
    if (t->tls || t->ws) {
        if (left > 0) open_bytes(c, in + used, left);
        return;
    }
    transport_free(&c->transport, n); /* from here on it is plain */
    if (left > 0) conn_take(c, in + used, left);
}
