/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/bench/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/bench/bench.h"
#include "base/assert.h"
#include "base/err.h"

enum { PORTS_PER_SOURCE = 20000 }; /* well inside the usual range of local ports */

static void fail(struct link *l, const char *why)
{
    link_close(l);
    worker_failed(l, why);
}

void link_close(struct link *l)
{
    if (l->watch.registered) reactor_del(l->worker->reactor, &l->watch);
    wire_close(&l->wire);
    if (l->watch.fd >= 0) close(l->watch.fd);
    free(l->in);
    free(l->out);
    l->watch.fd = -1;
    l->state = LINK_CLOSED;
    l->in = l->out = NULL;
    l->in_len = l->in_cap = l->out_from = l->out_len = l->out_cap = 0;
}

/* ---- output ------------------------------------------------------------------------------ */

/* Appends to `*buf`, which holds `*len` bytes. */
static int keep(uint8_t **buf, size_t *len, size_t *cap, struct bytes b)
{
    if (*len + b.n > *cap) {
        size_t room = (*len + b.n) * 2;
        uint8_t *more = realloc(*buf, room);
        if (!more) return -ERR_NOMEM;
        *buf = more;
        *cap = room;
    }
    if (b.n) memcpy(*buf + *len, b.p, b.n);
    *len += b.n;
    return 0;
}

void link_send(struct link *l, struct bytes b)
{
    if (l->state == LINK_CLOSED) return;
    b = wire_frame(&l->wire, l->worker->frame, b);
    if (l->corked) {
        if (keep(&l->out, &l->out_len, &l->out_cap, b) < 0) fail(l, err_text(-ERR_NOMEM));
        return;
    }
    if (link_unsent(l) == 0) {
        long n = wire_send(&l->wire, b);
        if (n < 0 && n != -ERR_AGAIN) {
            fail(l, err_text((int)n));
            return;
        }
        b = bytes_skip(b, n > 0 ? (size_t)n : 0);
        if (b.n == 0) return;
        l->out_from = l->out_len = 0;
    }
    if (keep(&l->out, &l->out_len, &l->out_cap, b) < 0 ||
        reactor_set(l->worker->reactor, &l->watch, READY_READ | READY_WRITE) < 0)
        fail(l, err_text(-ERR_NOMEM));
}

static void send_more(struct link *l)
{
    struct bytes b = bytes_of(l->out + l->out_from, link_unsent(l));
    long n = b.n ? wire_send(&l->wire, b) : 0;

    if (n < 0 && n != -ERR_AGAIN) {
        fail(l, err_text((int)n));
        return;
    }
    l->out_from += n > 0 ? (size_t)n : 0;
    bool more = link_unsent(l) > 0;
    if (!more) l->out_from = l->out_len = 0;
    if (reactor_set(l->worker->reactor, &l->watch, READY_READ | (more ? READY_WRITE : 0)) < 0) {
        fail(l, err_text(-ERR_NOMEM));
        return;
    }
    if (more) return;
    const struct scenario *s = l->worker->bench->scenario;
    if (s->on_drain && l->state == LINK_UP) s->on_drain(l);
}

static void greet(struct link *l)
{
    const struct bench *b = l->worker->bench;
    char id[BENCH_ID];
    int n = snprintf(id, sizeof id, "%s-%u-%u", b->name, l->index, l->tries++);
    struct mqtt_connect c = {
        .version = b->options->version,
        .clean = true,
        .client_id = bytes_of(id, (size_t)n),
    };
    uint8_t packet[128];
    struct writer w = wr_of(packet, sizeof packet);

    if (b->scenario->on_greet) b->scenario->on_greet(l, &c, id);
    mqtt_encode_connect(&w, &c);
    ASSERT(!w.bad);
    l->state = LINK_GREETING;
    link_send(l, bytes_of(packet, wr_len(&w)));
}

void link_leave(struct link *l)
{
    static const uint8_t goodbye[] = {MQTT_DISCONNECT << 4, 0};

    l->state = LINK_LEAVING;
    link_send(l, bytes_of(goodbye, sizeof goodbye));
}

/* ---- input --------------------------------------------------------------------------------- */

static void on_connack(struct link *l, const struct mqtt_frame *f)
{
    const struct bench *b = l->worker->bench;
    struct mqtt_connack c;

    if (f->type != MQTT_CONNACK || mqtt_decode_connack(f, b->options->version, &c) != 0) {
        fail(l, "the answer to CONNECT is not a CONNACK");
    } else if (c.reason != 0) {
        char why[64];
        snprintf(why, sizeof why, "CONNECT refused with code %u", c.reason);
        fail(l, why);
    } else {
        l->state = LINK_UP;
        b->scenario->on_up(l);
    }
}

/* Handles whole packets; returns the bytes used. */
static size_t take_packets(struct link *l, struct bytes in)
{
    size_t used = 0;

    while (l->state == LINK_GREETING || l->state == LINK_UP) {
        struct mqtt_frame f;
        uint32_t need;
        long n = mqtt_frame_next(bytes_skip(in, used), MQTT_VARINT_MAX, &f, &need);
        if (n == 0) break;
        if (n < 0) {
            fail(l, "what the broker sent is not MQTT");
            break;
        }
        used += (size_t)n;
        if (l->state == LINK_GREETING)
            on_connack(l, &f);
        else if (f.type == MQTT_DISCONNECT)
            fail(l, "the broker sent DISCONNECT");
        else
            l->worker->bench->scenario->on_packet(l, &f);
    }
    return l->state == LINK_LEAVING ? in.n : used;
}

/* The broker has closed. */
static void ended(struct link *l, int why)
{
    if (l->state != LINK_LEAVING) {
        fail(l, err_text(why));
        return;
    }
    /* No TIME_WAIT: a run of many short connections would use up all ports. */
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(l->watch.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    link_close(l);
    l->worker->bench->scenario->on_left(l);
}

/* Reads once. True: it may be worth another time. */
static bool receive(struct link *l)
{
    struct worker *w = l->worker;

    ASSERT(l->in_len < w->in_room);
    if (l->in_len) memcpy(w->in, l->in, l->in_len);
    long n = wire_recv(&l->wire, w->in + l->in_len, w->in_room - l->in_len);
    if (n == -ERR_AGAIN) return false;
    if (n < 0) {
        ended(l, (int)n);
        return false;
    }
    w->now_ns = bench_now_ns();
    struct bytes in = bytes_of(w->in, l->in_len + (size_t)n);
    l->corked = true;
    in = bytes_skip(in, take_packets(l, in));
    l->corked = false;
    if (link_unsent(l) > 0) send_more(l);
    if (l->state == LINK_CLOSED) return false;
    l->in_len = 0;
    if (in.n == w->in_room || keep(&l->in, &l->in_len, &l->in_cap, in) < 0)
        fail(l, "a packet larger than expected");
    return l->state != LINK_CLOSED && wire_has_more(&l->wire);
}

static void shake(struct link *l)
{
    int err = wire_step(&l->wire);

    if (err == -ERR_AGAIN) return;
    if (err < 0)
        fail(l, "the handshake of TLS or WebSocket failed");
    else
        greet(l);
}

static void on_connected(struct link *l)
{
    int err = 0;
    socklen_t n = sizeof err;

    getsockopt(l->watch.fd, SOL_SOCKET, SO_ERROR, &err, &n);
    if (err) {
        fail(l, strerror(err));
    } else if (wire_open(&l->wire, &l->worker->bench->wires, l->watch.fd) < 0 ||
               reactor_set(l->worker->reactor, &l->watch, READY_READ) < 0) {
        fail(l, err_text(-ERR_NOMEM));
    } else {
        l->state = LINK_SHAKING;
        shake(l);
    }
}

static void on_ready(struct watch *watch, unsigned ready)
{
    struct link *l = CONTAINER_OF(watch, struct link, watch);

    if (l->state == LINK_CONNECTING) {
        on_connected(l);
        return;
    }
    if (l->state == LINK_SHAKING) {
        shake(l);
        return;
    }
    if (ready & READY_WRITE) send_more(l);
    if (l->state != LINK_CLOSED && (ready & (READY_READ | READY_HANGUP)))
        while (receive(l))
            ;
}

/* ---- opening ------------------------------------------------------------------------------------
 */

/* One source address has too few ports for many links; 127.0.0.0/8 has many addresses. */
static void choose_source(int fd, const struct sock_addr *server, uint32_t n)
{
    struct sockaddr_in from, to;
    int on = 1;

    memcpy(&to, &server->ss, sizeof to);
    if (to.sin_family != AF_INET || ntohl(to.sin_addr.s_addr) >> 24 != 127) return;
    from = (struct sockaddr_in){.sin_family = AF_INET};
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + n / PORTS_PER_SOURCE);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&from, sizeof from) < 0) return; /* then without */
}

void link_open(struct link *l)
{
    const struct sock_addr *server = &l->worker->bench->options->server;
    int on = 1;
    int fd = socket(server->ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    l->began_ns = bench_now_ns();
    l->watch = (struct watch){.fd = fd, .on_ready = on_ready};
    if (fd < 0) {
        fail(l, strerror(errno));
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (l->index >= PORTS_PER_SOURCE) choose_source(fd, server, l->index);
    l->state = LINK_CONNECTING;
    if ((connect(fd, (const struct sockaddr *)&server->ss, server->len) < 0 &&
         errno != EINPROGRESS) ||
        reactor_add(l->worker->reactor, &l->watch, READY_WRITE) < 0)
        fail(l, strerror(errno));
}
