/* SPDX-License-Identifier: BSD-3-Clause */
/* test_mqtt_session_rig.h -- real cores with net, broker and MQTT in one thread.
 *
 * Clients are socket pairs whose other end the test holds. Packets are written by hand in a
 * small notation, never by our codec:
 *
 *     10[ <MQTT> 05 02 003c ( 21 0005 ) <me> ]
 *
 * Hex digits are bytes; <text> has two bytes of length before it, 'text' none; [ ] and
 * ( ) have their length before them as a variable byte integer. Nothing sleeps: a test turns the
 * cores, and its clock is its own. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "proto/mqtt/mqtt_session.h"

enum { RIG_CORES = 2, RIG_BYTES = 4 << 20, RIG_TURNS = 20000 };

/* ---- the clock, linked in place of the operating system's --------------------------------- */

static uint64_t rig_now_s = 1000;

void clock_tick(struct clock *c)
{
    c->now_ns = rig_now_s * NS_PER_S;
    c->wall_ms = c->now_ns / NS_PER_MS;
}

/* ---- cores -------------------------------------------------------------------------------- */

struct rig_options {
    unsigned cores;
    struct broker_options broker;
    struct net_options net;
    struct mqtt_options mqtt;
};

struct rig {
    unsigned cores;
    struct mesh *mesh;
    struct pool *pools[RIG_CORES];
    struct core core[RIG_CORES];
    struct broker *broker[RIG_CORES];
    struct mqtt_core *mqtt[RIG_CORES];
    struct net *net[RIG_CORES];
    mail_fn *handlers[BROKER_MAIL_KINDS];
    struct listener listener;
    uint8_t *heard, *wanted;
};

static inline struct rig_options rig_usual(unsigned cores)
{
    return (struct rig_options){.cores = cores,
                                .broker = BROKER_OPTIONS_DEFAULT,
                                .net = NET_OPTIONS_DEFAULT,
                                .mqtt = MQTT_OPTIONS_DEFAULT};
}

static inline void rig_handover(void *broker, unsigned from, const struct mail *m)
{
    (void)from;
    net_on_handover(broker_core(broker)->ops.net, m);
}

static inline void rig_relief(void *broker, uint32_t account, uint32_t bytes)
{
    net_on_relief(broker_core(broker)->ops.net, account, bytes);
}

static inline unsigned rig_flush(void *net)
{
    return net_flush(net);
}

static inline void rig_core(struct rig *r, unsigned i, const struct rig_options *o)
{
    struct core *c = &r->core[i];
    struct core_options co = {.id = i,
                              .cores = o->cores,
                              .idle = IDLE_BUSY,
                              .mesh = r->mesh,
                              .pools = r->pools,
                              .seed = 7,
                              .log = {.fd = -1}};
    struct net_options no = o->net;

    assert_int_equal(core_init(c, &co), 0);
    r->broker[i] = broker_new(c, &o->broker, 0x5eed);
    assert_non_null(r->broker[i]);
    r->mqtt[i] = mqtt_core_new(c, r->broker[i], &o->mqtt);
    assert_non_null(r->mqtt[i]);
    no.mail_handover = MAIL_HANDOVER;
    r->net[i] = net_new(c, &no, r->mqtt[i]);
    assert_non_null(r->net[i]);
    c->ops = (struct turn_ops){.deliver = broker_deliver,
                               .flush = rig_flush,
                               .broker = r->broker[i],
                               .net = r->net[i],
                               .block_home = message_on_home};
    mesh_port_bind(c->mesh, r->handlers, BROKER_MAIL_KINDS, rig_relief, r->broker[i]);
}

static inline struct rig *rig_new(const struct rig_options *o)
{
    struct mesh_options mo = {.cores = o->cores};
    struct rig *r = aligned_alloc(alignof(struct rig), sizeof *r);
    int err = 0;

    assert_non_null(r);
    memset(r, 0, sizeof *r);
    r->cores = o->cores;
    r->mesh = mesh_new(&mo, &err);
    assert_non_null(r->mesh);
    broker_mail_handlers(r->handlers);
    r->handlers[MAIL_HANDOVER] = rig_handover;
    for (unsigned i = 0; i < o->cores; i++)
        rig_core(r, i, o);
    r->listener = (struct listener){.proto = &mqtt_proto};
    r->heard = malloc(RIG_BYTES);
    r->wanted = malloc(RIG_BYTES);
    assert_non_null(r->heard);
    assert_non_null(r->wanted);
    return r;
}

static inline struct rig *rig_one(void)
{
    struct rig_options o = rig_usual(1);
    return rig_new(&o);
}

/* Frees all and proves that nothing is left of any connection. */
static inline void rig_free(struct rig *r)
{
    for (unsigned i = 0; i < r->cores; i++)
        net_free(&r->net[i]);
    for (unsigned i = 0; i < r->cores; i++)
        assert_int_equal(counter_read(&r->core[i].counters, C_connections), 0);
    for (unsigned i = 0; i < r->cores; i++) {
        mqtt_core_free(&r->mqtt[i]);
        broker_free(&r->broker[i]);
    }
    for (unsigned i = 0; i < r->cores; i++)
        core_fini(&r->core[i]);
    mesh_free(&r->mesh);
    free(r->heard);
    free(r->wanted);
    free(r);
}

/* One turn of core `i`, without its clock running on. */
static inline unsigned rig_turn(struct rig *r, unsigned i)
{
    return core_turn(&r->core[i]);
}

/* Until no core has had anything to do for three rounds. */
static inline void rig_settle(struct rig *r)
{
    unsigned turns = 0;

    for (unsigned quiet = 0; quiet < 3; turns++) {
        unsigned work = 0;
        for (unsigned i = 0; i < r->cores; i++)
            work += rig_turn(r, i);
        quiet = work ? 0 : quiet + 1;
        assert_true(turns < RIG_TURNS);
    }
}

/* Time goes by, second by second. */
static inline void rig_wait(struct rig *r, unsigned seconds)
{
    while (seconds-- > 0) {
        rig_now_s++;
        rig_settle(r);
    }
}

static inline uint64_t rig_count(const struct rig *r, enum counter which)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < r->cores; i++)
        n += counter_read(&r->core[i].counters, which);
    return n;
}

/* ---- packets ------------------------------------------------------------------------------ */

struct text {
    const char *at;
    uint8_t *out;
};

static inline unsigned text_digit(char c)
{
    assert_true(isxdigit((unsigned char)c));
    return isdigit((unsigned char)c) ? (unsigned)(c - '0') : (unsigned)(tolower(c) - 'a') + 10;
}

static inline void text_length(struct text *t, size_t n)
{
    do {
        *t->out++ = (uint8_t)((n & 127) | (n > 127 ? 128 : 0));
        n >>= 7;
    } while (n);
}

static inline void text_literal(struct text *t, char end, bool length)
{
    const char *from = t->at + 1;
    size_t n = (size_t)(strchr(from, end) - from);

    if (length) {
        *t->out++ = (uint8_t)(n >> 8);
        *t->out++ = (uint8_t)n;
    }
    memcpy(t->out, from, n);
    t->out += n;
    t->at = from + n + 1;
}

static inline void text_parse(struct text *t, char end);

static inline void text_block(struct text *t, char end)
{
    uint8_t *inner = malloc(RIG_BYTES), *out = t->out;

    assert_non_null(inner);
    t->at++;
    t->out = inner;
    text_parse(t, end);
    size_t n = (size_t)(t->out - inner);
    t->out = out;
    text_length(t, n);
    memcpy(t->out, inner, n);
    t->out += n;
    free(inner);
}

static inline void text_parse(struct text *t, char end)
{
    while (*t->at != end) {
        switch (*t->at) {
        case ' ': t->at++; break;
        case '[': text_block(t, ']'); break;
        case '(': text_block(t, ')'); break;
        case '<': text_literal(t, '>', true); break;
        case '\'': text_literal(t, '\'', false); break;
        default:
            *t->out++ = (uint8_t)(text_digit(t->at[0]) << 4 | text_digit(t->at[1]));
            t->at += 2;
        }
    }
    if (end) t->at++;
}

static inline size_t packet(const char *text, uint8_t *out)
{
    struct text t = {.at = text, .out = out};

    text_parse(&t, 0);
    return (size_t)(t.out - out);
}

/* ---- clients ------------------------------------------------------------------------------ */

/* A client's end of a connection that core `i` accepted. */
static inline int client_at(struct rig *r, unsigned i)
{
    int fd[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
    assert_int_equal(net_adopt_fd(r->net[i], &r->listener, fd[0], NULL), 0);
    return fd[1];
}

static inline void say_bytes(struct rig *r, int fd, const uint8_t *p, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
        if (sent > 0) {
            p += sent;
            n -= (size_t)sent;
        }
        rig_settle(r);
    }
}

static inline void say(struct rig *r, int fd, const char *text)
{
    say_bytes(r, fd, r->wanted, packet(text, r->wanted));
}

/* What has come, up to RIG_BYTES; *closed says whether that was the end. */
static inline size_t hear_all(struct rig *r, int fd, bool *closed)
{
    size_t n = 0;
    ssize_t got;

    do {
        rig_settle(r);
        got = recv(fd, r->heard + n, RIG_BYTES - n, 0);
        if (got > 0) n += (size_t)got;
    } while (got > 0);
    *closed = got == 0;
    return n;
}

static inline void show(const char *what, const uint8_t *p, size_t n)
{
    print_error("%s %zu bytes:", what, n);
    for (size_t i = 0; i < n && i < 200; i++)
        print_error(" %02x", p[i]);
    print_error("\n");
}

static inline void hear_exactly(struct rig *r, int fd, const char *text, bool end)
{
    bool closed;
    size_t n = hear_all(r, fd, &closed), want = packet(text, r->wanted);

    if (n != want || memcmp(r->heard, r->wanted, n) != 0 || closed != end) {
        show("heard ", r->heard, n);
        show("wanted", r->wanted, want);
        fail_msg("connection is %s, should be %s", closed ? "closed" : "open",
                 end ? "closed" : "open");
    }
}

/* The client has got exactly this, and the connection goes on. */
#define hear(r, fd, text) hear_exactly((r), (fd), (text), false)

/* The client has got exactly this, and then the end. Closes the client's side too. */
#define hear_end(r, fd, text)                                                                      \
    do {                                                                                           \
        hear_exactly((r), (fd), (text), true);                                                     \
        close(fd);                                                                                 \
    } while (0)

/* CONNACK of a new session, with what these options always tell a client of 5.0. */
#define CONNACK_5 "20[ 00 00 ( 21 03e8 22 0040 27 00100000 ) ]"
#define CONNACK_3 "20[ 00 00 ]"

/* A client of version 3, 4 or 5 with a clean session and this id, online. */
static inline int client_online(struct rig *r, unsigned version, const char *id)
{
    char text[128];
    int fd = client_at(r, 0);

    snprintf(text, sizeof text, "10[ <%s> %02x 02 0000 %s <%s> ]", version == 3 ? "MQIsdp" : "MQTT",
             version, version == 5 ? "00" : "", id);
    say(r, fd, text);
    hear(r, fd, version == 5 ? CONNACK_5 : CONNACK_3);
    return fd;
}

static inline void client_gone(struct rig *r, int fd)
{
    close(fd);
    rig_settle(r);
}

/* A name "<prefix>N" that lives on this core, as client id or as topic. */
static inline const char *rig_name(struct rig *r, const char *prefix, unsigned core, char out[32])
{
    for (unsigned n = 0;; n++) {
        snprintf(out, 32, "%s%u", prefix, n);
        struct bytes name = bytes_str(out);
        bool topic = strchr(prefix, '/') != NULL;
        unsigned at = topic ? broker_owner(r->broker[0], broker_topic_hash(r->broker[0], name))
                            : broker_home(r->broker[0], 0, name);
        if (at == core) return out;
    }
}
