/* SPDX-License-Identifier: BSD-3-Clause */
/* reactor.h -- which sockets are ready. One per core; comes from outside: epoll
 * in the broker (reactor_epoll.c), the simulator in tests.
 *
 * Level-triggered: what is not read is reported again. Within one poll a
 * watch that was removed is never called back, even if its event had been
 * fetched already. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { READY_READ = 1, READY_WRITE = 2, READY_HANGUP = 4 };

struct watch;
typedef void ready_fn(struct watch *w, unsigned ready);

/* Embedded in what is watched. */
struct watch {
    int fd;
    uint8_t wants; /* READY_READ | READY_WRITE, as the reactor has it now */
    bool registered : 1;
    bool shared : 1; /* others watch the same socket: wakes one of them, not all (reading only) */
    uint16_t batch_pos; /* reactor's own: place in the batch being dispatched, plus 1 */
    ready_fn *on_ready;
};

struct reactor;

/* NULL with *err = -ERR_NOMEM or -ERR_NOFILE. */
struct reactor *reactor_new(int *err);
void reactor_free(struct reactor **r);

/* Starts, changes (no system call if nothing changes) and ends watching. */
int reactor_add(struct reactor *r, struct watch *w, unsigned wants);
int reactor_set(struct reactor *r, struct watch *w, unsigned wants);
void reactor_del(struct reactor *r, struct watch *w);

/* Waits up to `wait_ns` (0: only looks; UINT64_MAX: without end) for events and
 * keeps up to 256 of them. Returns how many, 0 when interrupted. */
unsigned reactor_wait(struct reactor *r, uint64_t wait_ns);

/* Calls back the watches whose events reactor_wait kept. Returns how many. Apart
 * from the wait so that the clock is read in between. */
unsigned reactor_dispatch(struct reactor *r);
