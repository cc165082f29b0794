/* SPDX-License-Identifier: BSD-3-Clause */
/* handed.c -- sockets that the service manager has opened and hands over: sd_listen_fds(3).
 *
 * They may be bound to ports that we could not bind, and they wait for us while we restart.
 * Each core wants one of its own. The manager opens as many as its unit asks for, by the
 * same line repeated with ReusePort=yes; if there are fewer than cores, cores share, and all
 * of those are woken for each client. We open none beside them: the kernel lets only
 * sockets of one user share a port, and theirs are root's. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/serve/serve.h"
#include "base/err.h"

enum { FIRST_FD = 3 };

/* How many there are, whatever their names; 0 if they are another process's. */
static unsigned handed_count(void)
{
    const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");

    if (!pid || !n || strtol(pid, NULL, 10) != (long)getpid()) return 0;
    unsigned long fds = strtoul(n, NULL, 10);
    return fds < INT16_MAX ? (unsigned)fds : 0;
}

/* Is the i-th of the names, which have colons between them, this one? */
static bool is_named(unsigned i, const char *name)
{
    const char *names = getenv("LISTEN_FDNAMES");

    for (; names && i > 0; i--) {
        names = strchr(names, ':');
        if (names) names++;
    }
    size_t n = names ? strcspn(names, ":") : 0;
    return n == strlen(name) && strncmp(names, name, n) == 0;
}

static bool asked(int fd, int option, int wanted)
{
    int value = 0;
    socklen_t n = sizeof value;

    return getsockopt(fd, SOL_SOCKET, option, &value, &n) == 0 && value == wanted;
}

static bool make_ours(int fd)
{
    int flags = fcntl(fd, F_GETFL), on = 1;

    if (!asked(fd, SO_TYPE, SOCK_STREAM) || !asked(fd, SO_ACCEPTCONN, 1)) return false;
    /* Accepted sockets inherit it; only TCP's know what it means. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 &&
           fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

static int refuse(char *error, const char *name, const char *why)
{
    snprintf(error, OPTIONS_ERROR, "listeners: systemd:%s: %s", name, why);
    return -ERR_INVALID;
}

/* A file descriptor for each core: the manager's, and copies of them if they are too few. */
static int spread(int *fds, unsigned found, unsigned cores)
{
    for (unsigned i = found; i < cores; i++) {
        fds[i] = fcntl(fds[i % found], F_DUPFD_CLOEXEC, FIRST_FD);
        if (fds[i] < 0) return -ERR_NOFILE;
    }
    return 0;
}

int handed_take(const char *name, int *fds, unsigned cores, char *error)
{
    unsigned count = handed_count(), found = 0;

    for (unsigned i = 0; i < count; i++) {
        if (!is_named(i, name)) continue;
        int fd = FIRST_FD + (int)i;
        if (found == cores) return refuse(error, name, "more sockets than cores");
        if (!make_ours(fd)) return refuse(error, name, "not a stream socket that listens");
        fds[found++] = fd;
    }
    if (found == 0)
        return refuse(error, name, "the service manager has handed over no such socket");
    return spread(fds, found, cores) < 0 ? refuse(error, name, err_text(ERR_NOFILE)) : 0;
}
