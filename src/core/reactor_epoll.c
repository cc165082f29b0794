/* SPDX-License-Identifier: BSD-3-Clause */
/* reactor_epoll.c -- reactor.h on Linux.
 *
 * A watch knows its place in the batch of fetched events, so removing it also
 * blanks the event that is still to be dispatched. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/err.h"
#include "core/reactor.h"

enum { BATCH = 256 };

struct reactor {
    int fd;
    unsigned batched; /* events in the batch; 0 once they are dispatched */
    struct epoll_event batch[BATCH];
};

struct reactor *reactor_new(int *err)
{
    struct reactor *r = calloc(1, sizeof *r);
    if (!r) {
        *err = -ERR_NOMEM;
        return NULL;
    }
    r->fd = epoll_create1(EPOLL_CLOEXEC);
    if (r->fd < 0) {
        *err = -err_from_errno(errno);
        free(r);
        return NULL;
    }
    return r;
}

void reactor_free(struct reactor **r)
{
    if (!*r) return;
    close((*r)->fd);
    free(*r);
    *r = NULL;
}

static int control(struct reactor *r, int op, struct watch *w, unsigned wants)
{
    struct epoll_event e = {.data.ptr = w};
    if (wants & READY_READ) e.events |= EPOLLIN;
    if (wants & READY_WRITE) e.events |= EPOLLOUT;
    if (w->shared && op == EPOLL_CTL_ADD) e.events |= EPOLLEXCLUSIVE;
    if (epoll_ctl(r->fd, op, w->fd, &e) < 0) return -err_from_errno(errno);
    w->wants = (uint8_t)wants;
    return 0;
}

int reactor_add(struct reactor *r, struct watch *w, unsigned wants)
{
    ASSERT(!w->registered && w->on_ready);
    int err = control(r, EPOLL_CTL_ADD, w, wants);
    if (err < 0) return err;
    w->registered = true;
    w->batch_pos = 0;
    return 0;
}

void reactor_del(struct reactor *r, struct watch *w)
{
    if (!w->registered) return;
    int err = control(r, EPOLL_CTL_DEL, w, 0);
    ASSERT(err ==
           0); /* fails only if the socket was closed first; its number may be another's now */
    w->registered = false;
    if (w->batch_pos) r->batch[w->batch_pos - 1].data.ptr = NULL;
    w->batch_pos = 0;
}

int reactor_set(struct reactor *r, struct watch *w, unsigned wants)
{
    ASSERT(w->registered || w->shared);
    if (w->registered && wants == w->wants) return 0;
    if (!w->shared) return control(r, EPOLL_CTL_MOD, w, wants);
    reactor_del(r, w); /* the kernel changes nothing on an exclusive watch */
    return reactor_add(r, w, wants);
}

/* Rounded up, so that a timer is due when we wake for it. */
static int milliseconds(uint64_t ns)
{
    uint64_t ms = ns / NS_PER_MS + (ns % NS_PER_MS != 0);
    if (ns == UINT64_MAX) return -1;
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

unsigned reactor_wait(struct reactor *r, uint64_t wait_ns)
{
    ASSERT(r->batched == 0);
    int n = epoll_wait(r->fd, r->batch, BATCH, milliseconds(wait_ns));
    if (n < 0) {
        ASSERT(errno == EINTR);
        return 0;
    }
    for (int i = 0; i < n; i++)
        ((struct watch *)r->batch[i].data.ptr)->batch_pos = (uint16_t)(i + 1);
    r->batched = (unsigned)n;
    return r->batched;
}

static unsigned ready_of(uint32_t events)
{
    unsigned ready = 0;
    if (events & EPOLLIN) ready |= READY_READ;
    if (events & EPOLLOUT) ready |= READY_WRITE;
    if (events & (EPOLLHUP | EPOLLERR)) ready |= READY_HANGUP;
    return ready;
}

unsigned reactor_dispatch(struct reactor *r)
{
    unsigned called = 0;
    for (unsigned i = 0; i < r->batched; i++) {
        struct watch *w = r->batch[i].data.ptr;
        if (!w) continue; /* removed since */
        w->batch_pos = 0;
        /* What it wants may have changed since as well. */
        unsigned ready = ready_of(r->batch[i].events) & (w->wants | READY_HANGUP);
        if (!ready) continue;
        w->on_ready(w, ready);
        called++;
    }
    r->batched = 0;
    return called;
}
