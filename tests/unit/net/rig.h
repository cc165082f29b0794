/* SPDX-License-Identifier: BSD-3-Clause */
/* rig.h -- two real cores with a net each, in one thread, and a protocol that records.
 *
 * Clients are socket pairs (or loopback sockets, where TCP matters) that the test
 * holds by the other end. Nothing sleeps: a test turns the cores by hand. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "core/core.h"
#include "net/net.h"

enum { RIG_CORES = 2, RIG_MAIL = 1, RIG_RING = 4, RIG_SEEN_MAX = 4 << 20 };

/* What the recording protocol saw of all connections of a rig, and how it behaves. */
struct probe {
    /* Behaviour. `bytes` NULL: takes everything. */
    long (*bytes)(struct probe *p, struct conn *c, struct bytes in);
    int (*open)(struct probe *p, struct conn *c);
    void (*drain)(struct probe *p, struct conn *c);

    /* Record. */
    struct conn *conn; /* the last that was opened; NULL once closed */
    unsigned opens, moves, calls, drains, closes;
    int why;
    uint64_t note;
    size_t least; /* smallest input that on_bytes was called with */
    size_t seen_n;
    uint8_t *seen; /* all bytes consumed, in order */
};

struct rig {
    struct core core[RIG_CORES];
    struct mesh *mesh;
    struct pool *pools[RIG_CORES];
    struct net *net[RIG_CORES];
    mail_fn *handlers[RIG_MAIL + 1];
    struct probe probe;
    struct listener listener;
};

static inline struct probe *probe_of(const struct conn *c)
{
    return c->listener->proto_ctx;
}

static inline int probe_on_open(struct conn *c, bool moved, uint64_t note)
{
    struct probe *p = probe_of(c);
    p->conn = c;
    p->opens++;
    p->moves += moved;
    p->note = note;
    return p->open ? p->open(p, c) : 0;
}

static inline void probe_take(struct probe *p, struct bytes b)
{
    assert_true(p->seen_n + b.n <= RIG_SEEN_MAX);
    memcpy(p->seen + p->seen_n, b.p, b.n);
    p->seen_n += b.n;
}

static inline long probe_on_bytes(struct conn *c, struct bytes in)
{
    struct probe *p = probe_of(c);
    if (p->calls++ == 0 || in.n < p->least) p->least = in.n;
    if (p->bytes) return p->bytes(p, c, in);
    probe_take(p, in);
    return (long)in.n;
}

static inline void probe_on_drain(struct conn *c)
{
    struct probe *p = probe_of(c);
    p->drains++;
    if (p->drain) p->drain(p, c);
}

static inline void probe_on_close(struct conn *c, int why)
{
    struct probe *p = probe_of(c);
    p->closes++;
    p->why = why;
    if (p->conn == c) p->conn = NULL;
}

static const struct proto probe_proto = {
    .name = "probe",
    .on_open = probe_on_open,
    .on_bytes = probe_on_bytes,
    .on_drain = probe_on_drain,
    .on_close = probe_on_close,
};

static inline void rig_handover(void *ctx, unsigned from, const struct mail *m)
{
    (void)from;
    net_on_handover(ctx, m);
}

static inline void rig_relief(void *ctx, uint32_t account, uint32_t bytes)
{
    net_on_relief(ctx, account, bytes);
}

static inline unsigned rig_flush(void *net)
{
    return net_flush(net);
}

static inline struct rig *rig_new(const struct net_options *o)
{
    struct mesh_options mesh = {.cores = RIG_CORES, .ring_slots = RIG_RING};
    struct rig *r = aligned_alloc(alignof(struct rig), sizeof *r);
    int err = 0;

    assert_non_null(r);
    memset(r, 0, sizeof *r);
    r->mesh = mesh_new(&mesh, &err);
    assert_non_null(r->mesh);
    r->handlers[RIG_MAIL] = rig_handover;
    for (unsigned i = 0; i < RIG_CORES; i++) {
        struct core_options co = {
            .id = i, .cores = RIG_CORES, .idle = IDLE_BUSY, .log = {.fd = -1}};
        co.mesh = r->mesh;
        co.pools = r->pools;
        assert_int_equal(core_init(&r->core[i], &co), 0);
        clock_tick(&r->core[i].clock);
        struct net_options no = *o;
        no.mail_handover = RIG_MAIL;
        r->net[i] = net_new(&r->core[i], &no, r);
        assert_non_null(r->net[i]);
        r->core[i].ops = (struct turn_ops){.flush = rig_flush, .net = r->net[i]};
        mesh_port_bind(r->core[i].mesh, r->handlers, RIG_MAIL + 1, rig_relief, r->net[i]);
    }
    r->probe.seen = malloc(RIG_SEEN_MAX);
    assert_non_null(r->probe.seen);
    r->listener = (struct listener){.proto = &probe_proto, .proto_ctx = &r->probe};
    return r;
}

static inline struct rig *rig_default(void)
{
    struct net_options o = NET_OPTIONS_DEFAULT;
    return rig_new(&o);
}

/* Frees everything and proves that net has given all of it back. */
static inline void rig_free(struct rig *r)
{
    for (unsigned i = 0; i < RIG_CORES; i++) {
        net_free(&r->net[i]);
        assert_int_equal(pool_bytes_used(r->core[i].pool), 0);
        assert_int_equal(counter_read(&r->core[i].counters, C_connections), 0);
        core_fini(&r->core[i]);
    }
    mesh_free(&r->mesh);
    free(r->probe.seen);
    free(r);
}

/* Turns both cores `n` times; returns the work of the last turn of core 0. */
static inline unsigned rig_turn(struct rig *r, unsigned n)
{
    unsigned work = 0;
    while (n-- > 0) {
        work = core_turn(&r->core[0]);
        core_turn(&r->core[1]);
    }
    return work;
}

static inline uint64_t rig_count(const struct rig *r, unsigned core, enum counter which)
{
    return counter_read(&r->core[core].counters, which);
}

/* A client of core 0, connected by a socket pair of `type`; returns the client's end. */
static inline int rig_client(struct rig *r, int type)
{
    int fd[2];
    assert_int_equal(socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
    assert_int_equal(net_adopt_fd(r->net[0], &r->listener, fd[0], NULL), 0);
    return fd[1];
}

static inline int rig_stream(struct rig *r)
{
    return rig_client(r, SOCK_STREAM);
}

/* Listens on a free loopback port on core 0. */
static inline void rig_listen(struct rig *r)
{
    assert_int_equal(sock_addr_parse(&r->listener.addr, "127.0.0.1:0"), 0);
    assert_int_equal(net_listen(r->net[0], &r->listener), 0);
}

/* A TCP client of it, which the kernel accepts whether or not the net does. */
static inline int rig_connect(struct rig *r)
{
    const struct sock_addr *a = &r->listener.addr;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&a->ss, a->len), 0);
    return fd;
}

static inline void rig_say(int fd, const void *p, size_t n)
{
    assert_int_equal(send(fd, p, n, MSG_NOSIGNAL), n);
}

/* Bytes that have arrived at the client: more than 0, 0 at the end, -1 none or an error. */
static inline long rig_hear(int fd, void *p, size_t n)
{
    return recv(fd, p, n, MSG_DONTWAIT);
}

/* The byte at `i` of a stream in which no two neighbourhoods look alike. */
static inline uint8_t rig_byte(size_t i)
{
    return (uint8_t)(i * 7 + i / 251);
}

static inline void rig_fill(uint8_t *p, size_t n, size_t from)
{
    for (size_t i = 0; i < n; i++)
        p[i] = rig_byte(from + i);
}

static inline void assert_stream(const uint8_t *p, size_t n, size_t from)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != rig_byte(from + i)) fail_msg("byte %zu differs", from + i);
}
