/* SPDX-License-Identifier: BSD-3-Clause */
/* sim_sock.c -- sock.h over the machine's files: the broker's side of the network. */
#include "core/sock.h"

#include "base/assert.h"
#include "base/err.h"
#include "machine.h"

enum { PORT = 1883 };

static int file_open(enum file_kind kind, struct end *end)
{
    struct machine *m = machine();
    for (int i = 0; i < FILES_MAX; i++) {
        if (m->file[i].kind != FILE_FREE) continue;
        m->file[i] = (struct file){.kind = kind, .end = end};
        return FD_FIRST + i;
    }
    return -ERR_NOFILE;
}

int sock_listen(const struct sock_addr *a, int backlog)
{
    (void)a;
    (void)backlog;
    return file_open(FILE_DOOR, NULL);
}

static void set_port(struct sock_addr *a, unsigned port)
{
    struct sockaddr_in *in = (struct sockaddr_in *)(void *)&a->ss;
    *a = (struct sock_addr){.len = sizeof *in};
    in->sin_family = AF_INET;
    in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    in->sin_port = htons((uint16_t)port);
}

int sock_local(int fd, struct sock_addr *a)
{
    ASSERT(file_at(fd)->kind == FILE_DOOR);
    set_port(a, PORT);
    return 0;
}

int sock_accept(int listen_fd, struct sock_addr *peer)
{
    struct file *f = file_at(listen_fd);
    ASSERT(f->kind == FILE_DOOR);
    if (f->nwaiting == 0) return -ERR_AGAIN;
    if (mishap(50)) return -ERR_NOFILE;
    int fd = file_open(FILE_CONNECTION, f->waiting[0]);
    if (fd < 0) return fd;
    f->nwaiting--;
    for (unsigned i = 0; i < f->nwaiting; i++)
        f->waiting[i] = f->waiting[i + 1];
    set_port(peer, (unsigned)fd & 0x7FFF);
    return fd;
}

static struct end *end_at(int fd)
{
    struct file *f = file_at(fd);
    ASSERT(f->kind == FILE_CONNECTION);
    return f->end;
}

long sock_recv(int fd, void *buf, size_t n)
{
    struct end *e = end_at(fd);
    ASSERT(n > 0);
    if (mishap(20)) return -ERR_AGAIN;
    if (pipe_arrived(&e->in))
        return pipe_take(&e->in, buf, n < INT32_MAX ? (uint32_t)n : INT32_MAX);
    if (e->broken) return -ERR_RESET;
    return e->in.end && pipe_len(&e->in) == 0 ? -ERR_CLOSED : -ERR_AGAIN;
}

long sock_send(int fd, const struct iovec *iov, int n)
{
    struct end *e = end_at(fd);
    long sent = 0;
    ASSERT(n > 0);
    if (e->broken || !e->peer->open) return -ERR_RESET;
    if (mishap(8)) return -ERR_AGAIN;
    for (int i = 0; i < n; i++) {
        uint32_t put = pipe_put(&e->peer->in, iov[i].iov_base, (uint32_t)iov[i].iov_len);
        sent += put;
        if (put < iov[i].iov_len) break;
    }
    return sent ? sent : -ERR_AGAIN;
}

int64_t sock_uid(int fd)
{
    (void)fd;
    return -ERR_UNSUPPORTED;
}

int sock_shutdown(int fd)
{
    struct end *e = end_at(fd);
    if (e->broken || !e->peer->open) return -ERR_RESET;
    e->peer->in.end = true;
    return 0;
}

int sock_reserve(void)
{
    return file_open(FILE_RESERVE, NULL);
}

void sock_close(int fd)
{
    struct file *f = file_at(fd);
    ASSERT(f->kind != FILE_FREE);
    for (unsigned i = 0; f->kind == FILE_DOOR && i < f->nwaiting; i++)
        end_close(f->waiting[i], true);
    if (f->kind == FILE_CONNECTION) end_close(f->end, false);
    *f = (struct file){.kind = FILE_FREE};
}
