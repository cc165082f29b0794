/* SPDX-License-Identifier: BSD-3-Clause */
/* floor_conn.c -- connections: one receive, one send. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "floor.h"

struct conn *conn_new(int fd)
{
    struct conn *c = calloc(1, sizeof *c);

    if (!c) return NULL;
    c->fd = fd;
    c->publishes_to = c->subscribes = -1;
    return c;
}

void conn_close(struct floor *f, struct conn *c)
{
    if (c->closing) return;
    close(c->fd);
    c->closing = true;
    c->next = f->closing;
    f->closing = c;
}

/* Only now does it leave its group, which may have been walked when it closed. */
static void conn_free(struct floor *f, struct conn *c)
{
    if (c->subscribes >= 0) group_remove(&f->group[c->subscribes], c);
    free(c->piece);
    free(c->rest);
    free(c->unsent);
    free(c);
}

/* ---- output -------------------------------------------------------------------------------- */

static void watch_output(struct floor *f, struct conn *c, bool on)
{
    struct epoll_event e = {.events = EPOLLIN | (on ? EPOLLOUT : 0), .data.ptr = c};

    c->waits = on;
    if (epoll_ctl(f->epoll, EPOLL_CTL_MOD, c->fd, &e) < 0) conn_close(f, c);
}

/* Copies the pieces behind what the socket has not taken, without the first `skip` bytes. */
static bool keep_unsent(struct conn *c, size_t skip)
{
    size_t more = 0;

    for (unsigned i = 0; i < c->pieces; i++)
        more += c->piece[i].iov_len;
    more -= skip;
    if (c->unsent_len + more > FLOOR_UNSENT_MAX) return false;
    uint8_t *to = malloc(c->unsent_len + more);
    if (!to) return false;
    if (c->unsent_len) memcpy(to, c->unsent + c->unsent_from, c->unsent_len);
    free(c->unsent);
    c->unsent = to;
    c->unsent_from = 0;
    for (unsigned i = 0; i < c->pieces; i++) {
        size_t drop = skip < c->piece[i].iov_len ? skip : c->piece[i].iov_len;
        size_t n = c->piece[i].iov_len - drop;
        skip -= drop;
        memcpy(to + c->unsent_len, (const uint8_t *)c->piece[i].iov_base + drop, n);
        c->unsent_len += n;
    }
    return true;
}

static size_t pieces_bytes(const struct conn *c)
{
    size_t n = 0;

    for (unsigned i = 0; i < c->pieces; i++)
        n += c->piece[i].iov_len;
    return n;
}

static void send_pieces(struct floor *f, struct conn *c)
{
    struct msghdr m = {.msg_iov = c->piece, .msg_iovlen = c->pieces};
    size_t all = pieces_bytes(c);
    ssize_t n = 0;

    if (c->closing || c->pieces == 0) return;
    if (!c->waits) {
        n = c->pieces == 1 ? send(c->fd, c->piece->iov_base, all, MSG_NOSIGNAL)
                           : sendmsg(c->fd, &m, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            conn_close(f, c);
            return;
        }
        if (n < 0) n = 0;
    }
    if ((size_t)n < all) {
        if (!keep_unsent(c, (size_t)n)) {
            conn_close(f, c);
            return;
        }
        if (!c->waits) watch_output(f, c, true);
    }
    c->pieces = 0;
}

static void send_unsent(struct floor *f, struct conn *c)
{
    ssize_t n = send(c->fd, c->unsent + c->unsent_from, c->unsent_len, MSG_NOSIGNAL);

    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        conn_close(f, c);
        return;
    }
    if (n < 0) return;
    c->unsent_from += (size_t)n;
    c->unsent_len -= (size_t)n;
    if (c->unsent_len > 0) return;
    free(c->unsent);
    c->unsent = NULL;
    watch_output(f, c, false);
}

static bool mark_dirty(struct floor *f, struct conn *c)
{
    if (c->dirty) return true;
    if (f->ndirty == f->dirty_room) {
        unsigned room = f->dirty_room ? f->dirty_room * 2 : FLOOR_EVENTS;
        struct conn **more = realloc(f->dirty, room * sizeof(struct conn *));
        if (!more) return false;
        f->dirty = more;
        f->dirty_room = room;
    }
    f->dirty[f->ndirty++] = c;
    c->dirty = true;
    return true;
}

void conn_put(struct floor *f, struct conn *c, const uint8_t *p, size_t n)
{
    if (c->closing || n == 0) return;
    if (!c->piece) c->piece = malloc(FLOOR_PIECES * sizeof *c->piece);
    if (!c->piece || !mark_dirty(f, c)) {
        conn_close(f, c);
        return;
    }
    struct iovec *last = c->pieces ? &c->piece[c->pieces - 1] : NULL;
    if (last && (const uint8_t *)last->iov_base + last->iov_len == p) {
        last->iov_len += n;
        return;
    }
    if (c->pieces == FLOOR_PIECES) send_pieces(f, c);
    if (c->closing) return;
    c->piece[c->pieces++] = (struct iovec){.iov_base = (void *)(uintptr_t)p, .iov_len = n};
}

void floor_flush(struct floor *f)
{
    for (unsigned i = 0; i < f->ndirty; i++) {
        send_pieces(f, f->dirty[i]);
        f->dirty[i]->dirty = false;
    }
    f->ndirty = 0;
    f->used = 0;
    while (f->closing) {
        struct conn *c = f->closing;
        f->closing = c->next;
        conn_free(f, c);
    }
}

/* ---- input --------------------------------------------------------------------------------- */

static bool keep_rest(struct conn *c, const uint8_t *p, size_t n)
{
    free(c->rest);
    c->rest = NULL;
    c->rest_len = 0;
    if (n == 0) return true;
    if (n > FLOOR_PACKET_MAX) return false;
    c->rest = malloc(n);
    if (!c->rest) return false;
    memcpy(c->rest, p, n);
    c->rest_len = n;
    return true;
}

/* The packet's beginning, then what a receive brings, then its answers. */
static void receive(struct floor *f, struct conn *c)
{
    uint8_t *at = f->arena + f->used;

    ssize_t got = recv(c->fd, at + c->rest_len, FLOOR_READ, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
        conn_close(f, c);
        return;
    }
    if (c->rest_len) memcpy(at, c->rest, c->rest_len);
    size_t n = c->rest_len + (size_t)got;
    long taken = wire_take(f, c, at, n, at + n);
    if (taken < 0 || !keep_rest(c, at + taken, n - (size_t)taken)) conn_close(f, c);
}

void conn_on_event(struct floor *f, struct conn *c, uint32_t events)
{
    if (!c->closing && (events & EPOLLOUT)) send_unsent(f, c);
    if (c->closing || !(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
    if (f->used + 2 * (FLOOR_PACKET_MAX + FLOOR_READ) > FLOOR_ARENA) {
        for (unsigned i = 0; i < f->ndirty; i++)
            send_pieces(f, f->dirty[i]);
        f->used = 0;
    }
    receive(f, c);
}
