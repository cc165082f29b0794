/* SPDX-License-Identifier: BSD-3-Clause */
/* wheel.h -- timers in whole seconds, one level, visited in bounded chunks.
 *
 * A timer sits in the slot of its due second; one due later than the wheel is
 * long waits in its slot for another round. Arming, moving and cancelling are
 * O(1), and no turn visits more than WHEEL_CHUNK timers, however many fall due:
 * cascading wheels stall a core (288 ms were measured with a million timers). The chunk is small
 * since a timer may end a connection, which costs 20 us: thousands that were opened together and
 * fell silent must not hold up the others when their time is over.
 * Keep-alives are lazy: the owner keeps a stamp and looks at it when the timer fires.
 *
 * Owner: the core. A timer is embedded in what it watches and must be cancelled
 * before that is freed. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { WHEEL_SLOTS = 1024, WHEEL_CHUNK = 16 };

struct timer;
typedef void timer_fn(struct timer *t);

struct timer {
    struct timer *next;
    struct timer **link; /* what points at us; NULL when not armed */
    uint32_t due_s;
    timer_fn *fire;
};

struct wheel {
    struct timer *slot[WHEEL_SLOTS];
    struct timer *round; /* rest of the slot being visited */
    struct timer *late;  /* armed when due already: for the next run, never for this one */
    uint32_t now_s;      /* the second that has been visited */
    uint32_t armed;      /* timers on the wheel */
};

void wheel_init(struct wheel *w, uint32_t now_s);

/* Arms `t` to fire at `due_s` (at the next run, if that is past); moves it if it
 * is armed already. `t->fire` is set by the caller. */
void wheel_arm(struct wheel *w, struct timer *t, uint32_t due_s);
void wheel_cancel(struct wheel *w, struct timer *t);

static inline bool timer_armed(const struct timer *t)
{
    return t->link != 0;
}

/* Fires what is due up to `now_s`, at most WHEEL_CHUNK visits. Returns the visits. */
unsigned wheel_run(struct wheel *w, uint32_t now_s);

/* Nanoseconds from `now_ns` until wheel_run may have work: 0 if it has some now,
 * UINT64_MAX if no timer is armed; else the next whole second in which a slot is occupied
 * (at most WHEEL_SLOTS seconds away). */
uint64_t wheel_wait_ns(const struct wheel *w, uint64_t now_ns);
