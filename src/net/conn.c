/* SPDX-License-Identifier: BSD-3-Clause */
/* conn.c -- a connection's birth, control and death; its bytes are in conn_in.c
 * and conn_out.c. */
#include "net/conn.h"

#include <assert.h>

#include "base/err.h"
#include "net/net_internal.h"
#include "net/transport.h"

static_assert(sizeof(struct conn) <= 192, "an idle connection costs three cache lines");

static void on_ready(struct watch *w, unsigned ready)
{
    struct conn *c = CONTAINER_OF(w, struct conn, watch);

    if (c->flags & CONN_CLOSING) {
        if (c->hold && ready & READY_HANGUP) hold_on_hangup(c);
        return;
    }
    if (ready & READY_WRITE && c->flags & CONN_WANT_WRITE) {
        c->flags &= (uint16_t)~CONN_WANT_WRITE; /* net_flush sends, and disarms when all is sent */
        conn_flush_later(c);
    }
    if (!(ready & (READY_READ | READY_HANGUP))) return;
    if (c->flags & CONN_AGAIN) return; /* first what is here already; it will be reported again */
    if (!(c->flags & CONN_NOT_READ))
        conn_read(c);
    else if (ready & READY_HANGUP)
        conn_close(c, -ERR_RESET); /* reported without end, and nobody would read it */
}

static int admit(struct net *n, struct conn *c)
{
    const struct net_options *o = &n->options;

    if (o->connections_max && n->conns.used >= o->connections_max) return -ERR_FULL;
    int err = conn_table_add(&n->conns, c);
    if (err) return err;
    err = reactor_add(n->core->reactor, &c->watch, READY_READ);
    if (err < 0) conn_table_del(&n->conns, c);
    return err;
}

static bool may_speak_for_others(const struct proxy_options *o, const struct peer *p)
{
    for (unsigned i = 0; i < o->nfrom; i++)
        if (peer_is_in(p, &o->from[i])) return true;
    return false;
}

/* What the listener asks for, or what has moved with the connection. */
static int find_transport(struct net *n, const struct conn_origin *o, struct transport **t)
{
    struct listener *l = o->listener;
    int err = 0;

    *t = o->transport;
    if (o->moved) return 0;
    if (l->proxy && !may_speak_for_others(l->proxy, &o->peer)) {
        count(&n->core->counters, C_proxy_refused);
        return -ERR_DENIED;
    }
    bool tls = atomic_load_explicit(&l->tls, memory_order_relaxed);
    if (!l->ws && !tls && !l->proxy) return 0;
    *t = transport_new(n, l, &err);
    return *t ? 0 : err;
}

void conn_begin(struct conn *c, bool moved, uint64_t note)
{
    int err = c->proto->on_open(c, moved, note);

    if (err < 0)
        conn_close(c, err);
    else
        c->flags |= CONN_OPEN;
}

struct conn *conn_new(struct net *n, const struct conn_origin *o, int *err)
{
    struct conn *c = pool_alloc(n->core->pool, sizeof *c);
    struct transport *transport = o->transport;

    *err = -ERR_NOMEM;
    if (!c) goto refused;
    *err = find_transport(n, o, &transport);
    if (*err < 0) goto refused;
    *c = (struct conn){
        .watch = {.fd = o->fd, .on_ready = on_ready},
        .net = n,
        .proto = o->listener->proto,
        .listener = o->listener,
        .transport = transport,
        .in_max = n->options.read_bytes,
        .last_rx_s = core_now_s(n->core),
        .peer = o->peer,
    };
    *err = admit(n, c);
    if (*err < 0) goto refused;

    count(&n->core->counters, C_connections);
    stranger_add(c);
    if (transport) transport_start(transport, c);
    if (!transport || !transport->proxy) conn_begin(c, o->moved, o->note);
    *err = 0;
    return c;

refused:
    transport_free(&transport, NULL);
    if (c) pool_free(n->core->pool, c, sizeof *c);
    sock_close(o->fd);
    refuse(n, &o->peer, *err);
    return NULL;
}

void conn_rearm(struct conn *c)
{
    unsigned wants = 0;

    if (!c->watch.registered) return;
    if (!(c->flags & CONN_NOT_READ)) wants |= READY_READ;
    if (c->flags & CONN_WANT_WRITE) wants |= READY_WRITE;
    if (wants == c->watch.wants) return;
    int err = reactor_set(c->net->core->reactor, &c->watch, wants);
    if (err < 0) conn_close(c, err);
}

void conn_pause(struct conn *c)
{
    if (c->flags & (CONN_PAUSED | CONN_CLOSING)) return;
    c->flags |= CONN_PAUSED;
    conn_rearm(c);
}

void conn_resume(struct conn *c)
{
    if (!(c->flags & CONN_PAUSED) || c->flags & CONN_CLOSING) return;
    c->flags &= (uint16_t)~CONN_PAUSED;
    conn_again(c);
    conn_rearm(c);
}

void conn_again(struct conn *c)
{
    if (c->flags & (CONN_AGAIN | CONN_CLOSING)) return;
    c->flags |= CONN_AGAIN;
    c->again_next = c->net->again;
    c->net->again = c;
    core_turn_again(c->net->core); /* relief may come after the flush */
}

static bool last_words_allowed(int why)
{
    return why != -ERR_RESET     /* nobody listens */
           && why != -ERR_NOMEM  /* a frame may be incomplete */
           && why != -ERR_AGAIN; /* the socket has moved */
}

void conn_close(struct conn *c, int why)
{
    if (c->flags & CONN_CLOSING) return;
    c->flags |= CONN_CLOSING;
    conn_known(c); /* nobody has to make room for it any more */
    if ((c->out.bytes > 0 || c->transport) && last_words_allowed(why)) c->flags |= CONN_LAST_WORDS;
    c->close_why = (int16_t)why;
    outq_seal(&c->out);
    c->dead_next = c->net->dead;
    c->net->dead = c;
}

int conn_take_fd(struct conn *c)
{
    int fd = c->watch.fd;

    reactor_del(c->net->core->reactor, &c->watch);
    c->watch.fd = -1;
    return fd;
}

static bool is_peers_fault(int why)
{
    switch (-why) {
    case ERR_RESET:
    case ERR_INVALID:
    case ERR_MALFORMED:
    case ERR_PROTOCOL:
    case ERR_UNSUPPORTED:
    case ERR_TOO_LARGE:
    case ERR_DENIED:
    case ERR_TIMEOUT: return true;
    default: return false;
    }
}

/* It has ended, for the protocol and for those who count. */
static void tell_end(struct conn *c)
{
    struct net *n = c->net;

    c->flags |= CONN_ENDED;
    if (c->flags & CONN_OPEN && c->proto->on_close) c->proto->on_close(c, c->close_why);
    if (is_peers_fault(c->close_why)) count(&n->core->counters, C_connections_dropped);
    count_sub(&n->core->counters, C_connections, 1);
}

static void bury(struct conn *c)
{
    struct net *n = c->net;

    if (c->watch.fd >= 0) {
        reactor_del(n->core->reactor, &c->watch);
        if (c->flags & CONN_LAST_WORDS && conn_say_last_words(c))
            linger_start(n, c->watch.fd);
        else
            sock_close(c->watch.fd);
    }
    outq_clear(&c->out, n->core->pool);
    hold_free(c);
    transport_free(&c->transport, n);
    conn_drop_input(c);
    conn_table_del(&n->conns, c);
    pool_free(n->core->pool, c, sizeof *c);
    doors_reopen(n);
}

/* One that is still on another list waits until that list has been walked. */
unsigned conn_bury_dead(struct net *n)
{
    unsigned buried = 0;
    struct conn *next;
    struct conn *dead = n->dead;

    n->dead = NULL;
    for (struct conn *c = dead; c; c = next) {
        next = c->dead_next;
        if (c->flags & (CONN_FLUSH | CONN_AGAIN)) {
            c->dead_next = n->dead;
            n->dead = c;
            continue;
        }
        if (!(c->flags & CONN_ENDED)) tell_end(c);
        if (!c->hold || !hold_keeps(c)) bury(c);
        buried++;
    }
    return buried;
}

size_t conn_certificate_name(const struct conn *c, char *out, size_t n)
{
    return c->transport && c->transport->tls ? tls_peer_name(c->transport->tls, out, n) : 0;
}

const char *conn_peer_text(const struct conn *c, char *out)
{
    return peer_text(&c->peer, out);
}

const char *conn_transport_text(const struct conn *c)
{
    bool tls = c->transport && c->transport->tls;

    if (c->transport && c->transport->ws) return tls ? "wss" : "ws";
    if (tls) return "tls";
    return c->listener->file ? "unix" : "tcp";
}
