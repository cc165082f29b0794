/* SPDX-License-Identifier: BSD-3-Clause */
/* floor.c -- `floor PORT`: listens on loopback and turns until it is killed. */
#include "floor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(1);
}

static int listen_on(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    struct sockaddr_in a = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };

    if (fd < 0) die("floor: socket");
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0) die("floor: SO_REUSEADDR");
    if (bind(fd, (const struct sockaddr *)&a, sizeof a) < 0) die("floor: bind");
    if (listen(fd, 4096) < 0) die("floor: listen");
    return fd;
}

static void watch(const struct floor *f, int fd, void *who)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = who};

    if (epoll_ctl(f->epoll, EPOLL_CTL_ADD, fd, &e) < 0) die("floor: epoll_ctl");
}

/* As many as wait, at most a turn's worth. */
static void accept_some(struct floor *f)
{
    for (int i = 0; i < FLOOR_EVENTS; i++) {
        int on = 1;
        int fd = accept4(f->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR)) return;
        if (fd < 0) die("floor: accept");
        if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0) die("floor: TCP_NODELAY");
        struct conn *c = conn_new(fd);
        if (!c) die("floor: connection");
        watch(f, fd, c);
    }
}

static void turn(struct floor *f)
{
    struct epoll_event e[FLOOR_EVENTS];
    int n = epoll_wait(f->epoll, e, FLOOR_EVENTS, -1);

    if (n < 0 && errno != EINTR) die("floor: epoll_wait");
    for (int i = 0; i < n; i++) {
        if (e[i].data.ptr == f)
            accept_some(f);
        else
            conn_on_event(f, e[i].data.ptr, e[i].events);
    }
    floor_flush(f);
}

/* One connection takes one descriptor: take all there are. */
static void raise_file_limit(void)
{
    struct rlimit r;

    if (getrlimit(RLIMIT_NOFILE, &r) < 0) die("floor: getrlimit");
    r.rlim_cur = r.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &r) < 0) die("floor: setrlimit");
}

static int port_of(const char *text)
{
    char *end;
    long port = strtol(text, &end, 10);

    return *end == '\0' && port > 0 && port < 65536 ? (int)port : 0;
}

int main(int argc, char **argv)
{
    struct floor *f = calloc(1, sizeof *f);
    int port = argc == 2 ? port_of(argv[1]) : 0;

    if (port == 0) {
        fputs("usage: floor PORT\n\n"
              "A relay on 127.0.0.1 that speaks just enough MQTT 3.1.1 for a load generator and\n"
              "does nothing that a broker does: the speed of the kernel alone.\n",
              stderr);
        return 2;
    }
    if (!f) die("floor: memory");
    f->arena = malloc(FLOOR_ARENA);
    if (!f->arena) die("floor: memory");
    raise_file_limit();
    f->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (f->epoll < 0) die("floor: epoll_create1");
    f->listener = listen_on(port);
    watch(f, f->listener, f);
    for (;;)
        turn(f);
}
