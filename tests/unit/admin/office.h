/* SPDX-License-Identifier: BSD-3-Clause */
/* office.h -- brokers of N cores in one thread, each with an admin interface, and a client of
 * core 0 on a socket pair. Time is the test's: office_pass(). */
#pragma once

#include "unit/broker/cluster.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin/internal.h"

enum { OFFICE_HEARD_MAX = 1 << 20 };

#define TOKEN "0123456789abcdef0123456789abcdef"
#define BEARER "Authorization: Bearer " TOKEN "\r\n"

/* ---- the clock, linked in place of the operating system's ----------------------------------- */

static uint64_t office_now_s = 1000;

void clock_tick(struct clock *c)
{
    c->now_ns = office_now_s * NS_PER_S;
    c->wall_ms = c->now_ns / NS_PER_MS;
}

/* ---- cores ------------------------------------------------------------------------------------
 */

struct office {
    struct cluster *k;
    struct admin_shared shared;
    struct admin *admin[CLUSTER_CORES];
    struct net *net[CLUSTER_CORES];
    struct listener listener;
    bool stuck[CLUSTER_CORES]; /* this core makes no turns */
    int fd;
    size_t heard_n;
    char *heard;
};

static inline unsigned office_flush(void *net)
{
    return net_flush(net);
}

static inline struct admin_tokens *office_tokens(const char *text)
{
    struct admin_tokens *t = calloc(1, sizeof *t);
    char error[200];

    assert_non_null(t);
    assert_int_equal(admin_tokens_parse(t, bytes_str(text), error, sizeof error), 0);
    return t;
}

static inline int office_client(struct office *o)
{
    struct sock_addr from;
    int fd[2];

    assert_int_equal(sock_addr_parse(&from, "192.0.2.7:1234"), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
    assert_int_equal(net_adopt_fd(o->net[0], &o->listener, fd[0], &from), 0);
    return fd[1];
}

static inline struct office *office_new(unsigned cores)
{
    struct net_options no = NET_OPTIONS_DEFAULT;
    struct office *o = calloc(1, sizeof *o);

    assert_non_null(o);
    o->k = cluster_new(cores, NULL);
    o->heard = calloc(1, OFFICE_HEARD_MAX);
    assert_non_null(o->heard);
    o->listener = (struct listener){.proto = &http_proto, .proto_ctx = &o->shared.site};
    assert_int_equal(sock_addr_parse(&o->listener.addr, "127.0.0.1:8081"), 0);
    o->shared.listeners = &o->listener;
    o->shared.nlisteners = 1;
    o->shared.version = "9.8.7";
    admin_set_tokens(&o->shared, office_tokens(TOKEN "\n"));
    for (unsigned i = 0; i < cores; i++) {
        o->net[i] = net_new(&o->k->core[i], &no, NULL);
        assert_non_null(o->net[i]);
        o->k->core[i].ops.flush = office_flush;
        o->k->core[i].ops.net = o->net[i];
        o->k->core[i].idle = IDLE_BUSY;
        o->admin[i] = admin_new(&o->k->core[i], o->k->broker[i], &o->shared);
        assert_non_null(o->admin[i]);
    }
    o->fd = office_client(o);
    return o;
}

static inline void office_turn(struct office *o, unsigned n)
{
    while (n-- > 0)
        for (unsigned i = 0; i < o->k->cores; i++)
            if (!o->stuck[i]) core_turn(&o->k->core[i]);
}

static inline void office_free(struct office *o)
{
    close(o->fd);
    memset(o->stuck, 0, sizeof o->stuck);
    office_turn(o, 10);
    for (unsigned i = 0; i < o->k->cores; i++) {
        net_free(&o->net[i]);
        assert_int_equal(o->admin[i]->ngathers, 0); /* all memory has come home */
        admin_free(&o->admin[i]);
        o->k->core[i].ops.flush = NULL;
    }
    admin_free_tokens(&o->shared);
    cluster_free(o->k);
    free(o->heard);
    free(o);
}

/* So many seconds pass, one by one. */
static inline void office_pass(struct office *o, unsigned seconds)
{
    while (seconds-- > 0) {
        office_now_s++;
        office_turn(o, 2);
    }
}

/* All that has come since the last question. */
static inline const char *office_hear(struct office *o)
{
    for (unsigned i = 0; i < 20; i++) {
        office_turn(o, 2);
        long n = recv(o->fd, o->heard + o->heard_n, OFFICE_HEARD_MAX - 1 - o->heard_n, 0);
        if (n > 0) o->heard_n += (size_t)n;
    }
    o->heard[o->heard_n] = '\0';
    return o->heard;
}

/* Asks "METHOD PATH" with these field lines; returns the answer. */
static inline const char *office_ask(struct office *o, const char *what, const char *fields)
{
    char text[1024];
    int n = snprintf(text, sizeof text, "%s HTTP/1.1\r\nHost: x\r\n%s\r\n", what, fields);

    o->heard_n = 0;
    assert_int_equal(send(o->fd, text, (size_t)n, MSG_NOSIGNAL), n);
    return office_hear(o);
}

static inline void assert_status(const char *answer, unsigned status)
{
    char begin[32];

    snprintf(begin, sizeof begin, "HTTP/1.1 %u ", status);
    if (strncmp(answer, begin, strlen(begin)) != 0) fail_msg("%s instead of %s", answer, begin);
}

static inline void assert_has(const char *answer, const char *part)
{
    if (!strstr(answer, part)) fail_msg("no \"%s\" in:\n%s", part, answer);
}
