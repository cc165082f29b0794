/* SPDX-License-Identifier: BSD-3-Clause */
/* hook_rig.h -- a web service that does as it is told, good or bad, and cores that only count
 * who was rung. Each connection has a thread. */
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "broker/access/hook.h"

enum { CORES = 2, VISITS_MAX = 64, SEEN_MAX = 8192 };

struct mesh_port {
    _Atomic unsigned rung;
};

struct mesh {
    struct mesh_port port[CORES];
};

struct mesh_port *mesh_port_at(struct mesh *m, unsigned core)
{
    return &m->port[core];
}

void mesh_ring(struct mesh_port *p)
{
    atomic_fetch_add(&p->rung, 1);
}

static inline void nap(long ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

/* ---- the service -------------------------------------------------------------------------------
 */

enum manner {
    REPLY,    /* what `reply` says, and the connection stays open */
    CUT,      /* half of it, then it hangs up */
    HANG_UP,  /* hangs up without a word */
    SILENCE,  /* never answers */
    ENDLESS,  /* a body without end */
    HEADERS,  /* headers without end */
    NOT_HTTP, /* another protocol */
};

struct visit {
    struct service *service;
    int fd;
    pthread_t thread;
};

struct service {
    int fd;
    uint16_t port;
    SSL_CTX *tls; /* NULL: plain */
    pthread_t thread;
    _Atomic int manner;
    const char *_Atomic reply;
    _Atomic bool held; /* answers wait till it is false */
    _Atomic unsigned connections, requests;
    _Atomic bool stop;
    pthread_mutex_t lock;
    char seen[SEEN_MAX]; /* the last request, under the lock */
    struct visit visit[VISITS_MAX];
};

#define OK_HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

static inline long visit_read(struct visit *v, SSL *ssl, char *p, size_t n)
{
    return ssl ? SSL_read(ssl, p, (int)n) : recv(v->fd, p, n, 0);
}

static inline bool visit_write(struct visit *v, SSL *ssl, const char *p, size_t n)
{
    long sent = ssl ? SSL_write(ssl, p, (int)n) : send(v->fd, p, n, MSG_NOSIGNAL);
    return sent == (long)n;
}

/* One request, head and body; false at the end of the connection. */
static inline bool visit_request(struct visit *v, SSL *ssl)
{
    char text[SEEN_MAX];
    size_t n = 0, whole = 0;
    while (!whole || n < whole) {
        long got = visit_read(v, ssl, text + n, sizeof text - 1 - n);
        if (got <= 0) return false;
        n += (size_t)got;
        text[n] = '\0';
        const char *end = strstr(text, "\r\n\r\n");
        const char *length = strcasestr(text, "content-length:");
        if (end && length) whole = (size_t)(end + 4 - text) + strtoul(length + 15, NULL, 10);
    }
    pthread_mutex_lock(&v->service->lock);
    memcpy(v->service->seen, text, n + 1);
    pthread_mutex_unlock(&v->service->lock);
    return true;
}

static inline bool visit_endless(struct visit *v, SSL *ssl, const char *first, const char *more)
{
    bool sent = visit_write(v, ssl, first, strlen(first));
    while (sent && !atomic_load(&v->service->stop))
        sent = visit_write(v, ssl, more, strlen(more));
    return false;
}

/* True if the connection stays. */
static inline bool visit_answer(struct visit *v, SSL *ssl)
{
    struct service *s = v->service;
    char text[4096];
    const char *body = atomic_load(&s->reply);
    if (strncmp(body, "HTTP/", 5) == 0)
        snprintf(text, sizeof text, "%s", body);
    else
        snprintf(text, sizeof text, OK_HEAD "Content-Length: %zu\r\n\r\n%s", strlen(body), body);
    while (atomic_load(&s->held) && !atomic_load(&s->stop))
        nap(1);
    switch ((enum manner)atomic_load(&s->manner)) {
    case REPLY: return visit_write(v, ssl, text, strlen(text));
    case CUT: visit_write(v, ssl, text, strlen(text) - strlen(body) / 2); return false;
    case HANG_UP: return false;
    case SILENCE:
        while (!atomic_load(&s->stop))
            nap(1);
        return false;
    case ENDLESS: return visit_endless(v, ssl, OK_HEAD "\r\n", "                              ");
    case HEADERS: return visit_endless(v, ssl, OK_HEAD, "X-More: and more and more\r\n");
    case NOT_HTTP: visit_write(v, ssl, "+OK hello\r\n", 11); return false;
    }
    return false;
}

static inline void *visit_run(void *arg)
{
    struct visit *v = arg;
    SSL *ssl = v->service->tls ? SSL_new(v->service->tls) : NULL;
    bool open = !ssl || (SSL_set_fd(ssl, v->fd) == 1 && SSL_accept(ssl) == 1);
    while (open && visit_request(v, ssl)) {
        atomic_fetch_add(&v->service->requests, 1);
        open = visit_answer(v, ssl);
    }
    SSL_free(ssl);
    shutdown(v->fd, SHUT_RDWR);
    return NULL;
}

static inline void *service_run(void *arg)
{
    struct service *s = arg;
    int fd;
    while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
        unsigned i = atomic_load(&s->connections);
        assert_true(i < VISITS_MAX);
        s->visit[i] = (struct visit){.service = s, .fd = fd};
        assert_int_equal(pthread_create(&s->visit[i].thread, NULL, visit_run, &s->visit[i]), 0);
        atomic_fetch_add(&s->connections, 1);
    }
    return NULL;
}

static inline struct service *service_new(SSL_CTX *tls)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof a;
    struct service *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->tls = tls;
    pthread_mutex_init(&s->lock, NULL);
    atomic_store(&s->reply, "{\"result\":\"allow\"}");
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&a, len), 0);
    assert_int_equal(getsockname(s->fd, (struct sockaddr *)&a, &len), 0);
    assert_int_equal(listen(s->fd, 64), 0);
    s->port = ntohs(a.sin_port);
    assert_int_equal(pthread_create(&s->thread, NULL, service_run, s), 0);
    return s;
}

static inline void service_free(struct service **sp)
{
    struct service *s = *sp;
    atomic_store(&s->stop, true);
    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->thread, NULL);
    for (unsigned i = 0; i < atomic_load(&s->connections); i++) {
        shutdown(s->visit[i].fd, SHUT_RDWR);
        pthread_join(s->visit[i].thread, NULL);
        close(s->visit[i].fd);
    }
    close(s->fd);
    pthread_mutex_destroy(&s->lock);
    free(s);
    *sp = NULL;
}

/* Does the last request hold that text? */
static inline bool service_saw(struct service *s, const char *text)
{
    pthread_mutex_lock(&s->lock);
    bool saw = strstr(s->seen, text) != NULL;
    pthread_mutex_unlock(&s->lock);
    return saw;
}
