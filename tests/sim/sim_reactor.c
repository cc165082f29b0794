/* SPDX-License-Identifier: BSD-3-Clause */
/* sim_reactor.c -- reactor.h over the machine's files, ready in any order.
 *
 * A wait that would block gives the word back to the scheduler, in the middle of the
 * core's turn; the scheduler gives it back only if a socket is ready, the time is over or
 * the bell was rung. The bell is the mesh's own eventfd: a wake-up that is lost leaves its core
 * asleep for good. */
#include "core/reactor.h"

#include <poll.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/err.h"
#include "fiber.h"
#include "machine.h"

enum { BATCH = 256, WATCHES_MAX = FILES_MAX };

struct event {
    struct watch *watch; /* NULL: removed since */
    unsigned ready;
};

struct reactor {
    unsigned n;
    struct watch *watch[WATCHES_MAX];
    unsigned batched;
    struct event batch[BATCH];
    bool waiting;
    uint64_t wake_ns;
};

struct reactor *reactor_new(int *err)
{
    struct reactor *r = calloc(1, sizeof *r);
    if (!r) *err = -ERR_NOMEM;
    return r;
}

void reactor_free(struct reactor **r)
{
    free(*r);
    *r = NULL;
}

int reactor_add(struct reactor *r, struct watch *w, unsigned wants)
{
    ASSERT(!w->registered && w->on_ready);
    ASSERT(r->n < WATCHES_MAX);
    r->watch[r->n++] = w;
    w->registered = true;
    w->wants = (uint8_t)wants;
    w->batch_pos = 0;
    return 0;
}

int reactor_set(struct reactor *r, struct watch *w, unsigned wants)
{
    (void)r;
    ASSERT(w->registered);
    w->wants = (uint8_t)wants;
    return 0;
}

void reactor_del(struct reactor *r, struct watch *w)
{
    if (!w->registered) return;
    ASSERT(w->fd < FD_FIRST || file_at(w->fd)->kind != FILE_FREE); /* closed while watched */
    unsigned i = 0;
    while (r->watch[i] != w)
        i++;
    r->watch[i] = r->watch[--r->n];
    w->registered = false;
    if (w->batch_pos) r->batch[w->batch_pos - 1].watch = NULL;
    w->batch_pos = 0;
}

static unsigned ready_of(const struct watch *w)
{
    if (w->fd >= FD_FIRST) return file_ready(w->fd) & (w->wants | READY_HANGUP);
    struct pollfd p = {.fd = w->fd, .events = POLLIN};
    return poll(&p, 1, 0) > 0 ? READY_READ & w->wants : 0;
}

static bool any_ready(const struct reactor *r)
{
    for (unsigned i = 0; i < r->n; i++)
        if (ready_of(r->watch[i])) return true;
    return false;
}

bool reactor_asleep(struct reactor *r)
{
    return r->waiting && machine()->now_ns < r->wake_ns && !any_ready(r);
}

uint64_t reactor_wake_ns(const struct reactor *r)
{
    return r->waiting ? r->wake_ns : machine()->now_ns;
}

/* Whole milliseconds, rounded up, as epoll has it. */
static uint64_t after(uint64_t wait_ns)
{
    uint64_t ns = (wait_ns + NS_PER_MS - 1) / NS_PER_MS * NS_PER_MS;
    return wait_ns == UINT64_MAX ? UINT64_MAX : machine()->now_ns + ns;
}

static void collect(struct reactor *r, struct watch *w)
{
    unsigned ready = ready_of(w);
    if (!ready && w->wants & READY_READ && mishap(200)) ready = READY_READ; /* false alarm */
    if (!ready || r->batched == BATCH) return;
    r->batch[r->batched++] = (struct event){.watch = w, .ready = ready};
    w->batch_pos = (uint16_t)r->batched;
}

unsigned reactor_wait(struct reactor *r, uint64_t wait_ns)
{
    struct machine *m = machine();
    ASSERT(r->batched == 0);
    if (wait_ns && !any_ready(r)) {
        r->waiting = true;
        r->wake_ns = after(wait_ns);
        fiber_yield(m->running);
        r->waiting = false;
    }
    unsigned first = r->n ? (unsigned)rng_below(&m->rng, r->n) : 0;
    for (unsigned i = 0; i < r->n; i++)
        collect(r, r->watch[(first + i) % r->n]);
    return r->batched;
}

unsigned reactor_dispatch(struct reactor *r)
{
    unsigned called = 0;
    for (unsigned i = 0; i < r->batched; i++) {
        struct watch *w = r->batch[i].watch;
        if (!w) continue;
        w->batch_pos = 0;
        unsigned ready = r->batch[i].ready & (w->wants | READY_HANGUP);
        if (!ready) continue;
        w->on_ready(w, ready);
        called++;
    }
    r->batched = 0;
    return called;
}
