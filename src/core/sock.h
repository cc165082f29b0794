/* SPDX-License-Identifier: BSD-3-Clause */
/* sock.h -- the network, as the broker sees it. Comes from outside: from Linux in
 * the broker (sock_linux.c), from the simulator in tests.
 *
 * Sockets are non-blocking, close-on-exec, and without Nagle's delay. Every
 * function returns 0 or more, or -ERR_X; -ERR_AGAIN means "not now". */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

struct sock_addr {
    struct sockaddr_storage ss;
    socklen_t len;
};

enum { SOCK_ADDR_TEXT = 128 };

/* Reads "127.0.0.1:1883", "[::1]:1883", "*:1883" (any, both families), "unix:/run/a.sock", or
 * "systemd:NAME" for a socket that the service manager has opened. -ERR_INVALID. */
int sock_addr_parse(struct sock_addr *a, const char *text);

/* The NAME of such a socket; NULL if it is an address. */
const char *sock_addr_handed(const struct sock_addr *a);

/* Writes it back the same way into `out` of SOCK_ADDR_TEXT bytes; returns out. */
const char *sock_addr_text(const struct sock_addr *a, char *out);

/* A listening socket with SO_REUSEPORT, so that every core has its own. Returns
 * the file descriptor; -ERR_BUSY if the port is taken, -ERR_DENIED, -ERR_OS. */
int sock_listen(const struct sock_addr *a, int backlog);

/* A file that is a listening socket, of which there can be only one: all cores share it. */
struct sock_file {
    int fd;
    struct sock_addr addr;
    dev_t device; /* which file it is, so that nobody else's is removed */
    ino_t inode;
};

/* Makes it with `mode` and, unless that is -1, group `gid`; at no time can more connect than that
 * allows. What an ended process has left at its place is replaced. Returns 0; -ERR_BUSY if
 * somebody listens there, -ERR_EXISTS if it is no socket, -ERR_X. */
int sock_file_open(struct sock_file *f, const struct sock_addr *a, mode_t mode, gid_t gid);

/* Removes the file, if it is still the one that was made: nobody finds it any more. */
void sock_file_unlink(struct sock_file *f);
void sock_file_close(struct sock_file *f); /* and that too */

/* The user id of the process at the other end of a Unix socket. -ERR_OS. */
int64_t sock_uid(int fd);

/* The address a listening socket got (port 0 asks the kernel for one). */
int sock_local(int fd, struct sock_addr *a);

/* The next connection: its file descriptor, and its peer in *a. -ERR_AGAIN,
 * -ERR_NOFILE, -ERR_OS. Errors of the connection itself are skipped. */
int sock_accept(int listen_fd, struct sock_addr *peer);

/* Bytes read (> 0), -ERR_AGAIN, -ERR_CLOSED at the end of the stream, -ERR_RESET. */
long sock_recv(int fd, void *buf, size_t n);

/* Bytes taken (may be fewer than offered), -ERR_AGAIN, -ERR_RESET. */
long sock_send(int fd, const struct iovec *iov, int n);

/* Sends the end of the stream after what was sent; reading goes on. -ERR_RESET. */
int sock_shutdown(int fd);

/* A file descriptor that only holds a place, to be closed when there is no other
 * left. -ERR_NOFILE. */
int sock_reserve(void);

void sock_close(int fd);
