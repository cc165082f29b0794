/* SPDX-License-Identifier: BSD-3-Clause */
/* sock_linux.c -- sock.h on Linux. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/err.h"
#include "core/sock.h"

enum { ACCEPT_TRIES = 16 }; /* broken connections skipped by one sock_accept */

static bool set_on(int fd, int level, int option, int on)
{
    return setsockopt(fd, level, option, &on, sizeof on) == 0;
}

static int open_stream(int family)
{
    return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static bool is_any_v6(const struct sock_addr *a, struct sockaddr_in6 *in6)
{
    if (a->ss.ss_family != AF_INET6) return false;
    memcpy(in6, &a->ss, sizeof *in6);
    return IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr);
}

/* A host without IPv6 still has "any" in IPv4. */
static int open_listener(struct sock_addr *a)
{
    struct sockaddr_in6 in6;
    int fd = open_stream(a->ss.ss_family);
    if (fd >= 0 || errno != EAFNOSUPPORT || !is_any_v6(a, &in6)) return fd;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = in6.sin6_port};
    memcpy(&a->ss, &in, sizeof in);
    a->len = sizeof in;
    return open_stream(AF_INET);
}

int sock_listen(const struct sock_addr *addr, int backlog)
{
    struct sock_addr a = *addr;
    int fd = open_listener(&a);
    if (fd < 0) return -err_from_errno(errno);

    /* An accepted socket inherits TCP_NODELAY, so accepting is one system call. */
    bool ok = set_on(fd, SOL_SOCKET, SO_REUSEADDR, 1) && set_on(fd, SOL_SOCKET, SO_REUSEPORT, 1) &&
              set_on(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (a.ss.ss_family == AF_INET6) ok = ok && set_on(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    ok = ok && bind(fd, (struct sockaddr *)&a.ss, a.len) == 0 && listen(fd, backlog) == 0;
    if (ok) return fd;
    int err = -err_from_errno(errno);
    close(fd);
    return err;
}

int sock_local(int fd, struct sock_addr *a)
{
    *a = (struct sock_addr){.len = sizeof a->ss};
    return getsockname(fd, (struct sockaddr *)&a->ss, &a->len) < 0 ? -err_from_errno(errno) : 0;
}

/* An IPv4 peer of a socket for both families is known by its IPv4 address. */
static void unmap_v4(struct sock_addr *a)
{
    struct sockaddr_in6 in6;
    if (a->ss.ss_family != AF_INET6) return;
    memcpy(&in6, &a->ss, sizeof in6);
    if (!IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) return;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = in6.sin6_port};
    memcpy(&in.sin_addr, &in6.sin6_addr.s6_addr[12], sizeof in.sin_addr);
    *a = (struct sock_addr){.len = sizeof in};
    memcpy(&a->ss, &in, sizeof in);
}

int sock_accept(int listen_fd, struct sock_addr *peer)
{
    for (int i = 0; i < ACCEPT_TRIES; i++) {
        *peer = (struct sock_addr){.len = sizeof peer->ss};
        int fd = accept4(listen_fd, (struct sockaddr *)&peer->ss, &peer->len,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            unmap_v4(peer);
            return fd;
        }
        switch (errno) {
        case EAGAIN: return -ERR_AGAIN;
        case EMFILE:
        case ENFILE: return -ERR_NOFILE;
        case EBADF:
        case EINVAL:
        case ENOTSOCK:
        case ENOBUFS:
        case ENOMEM: return -ERR_OS;
        default: break; /* an error of the new connection, already gone; or EINTR */
        }
    }
    return -ERR_AGAIN;
}

/* Not now, or never again: to the connection all other errors are the same. */
static long lost(int os_errno)
{
    return os_errno == EAGAIN ? -ERR_AGAIN : -ERR_RESET;
}

long sock_recv(int fd, void *buf, size_t n)
{
    ASSERT(n > 0);
    ssize_t got;
    do {
        got = recv(fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (got < 0 && errno == EINTR);
    if (got == 0) return -ERR_CLOSED;
    return got > 0 ? got : lost(errno);
}

long sock_send(int fd, const struct iovec *iov, int n)
{
    ASSERT(n > 0);
    struct msghdr m = {.msg_iov = (struct iovec *)iov,
                       .msg_iovlen = (size_t)(n > IOV_MAX ? IOV_MAX : n)};
    ssize_t sent;
    do {
        sent = n == 1 ? send(fd, iov->iov_base, iov->iov_len, MSG_DONTWAIT | MSG_NOSIGNAL)
                      : sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent >= 0 ? sent : lost(errno);
}

int sock_shutdown(int fd)
{
    return shutdown(fd, SHUT_WR) < 0 ? -ERR_RESET : 0;
}

int sock_reserve(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -err_from_errno(errno) : fd;
}

void sock_close(int fd)
{
    close(fd);
}
