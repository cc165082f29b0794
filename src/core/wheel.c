/* SPDX-License-Identifier: BSD-3-Clause */
/* wheel.c -- see wheel.h. The slot of a second is taken off the wheel as a whole when
 * its second comes (`round`); its timers are then visited one by one, over as many
 * runs as it takes, and those due in a later round go back into their slot. */
#include "core/wheel.h"

#include <stddef.h>

#include "base/assert.h"
#include "base/clock.h"

static void push(struct timer **head, struct timer *t)
{
    t->next = *head;
    if (t->next) t->next->link = &t->next;
    t->link = head;
    *head = t;
}

static void unlink_timer(struct timer *t)
{
    *t->link = t->next;
    if (t->next) t->next->link = t->link;
    t->link = NULL;
}

/* All of list `from` becomes list `to`, which is empty. */
static void move_list(struct timer **to, struct timer **from)
{
    *to = *from;
    if (*to) (*to)->link = to;
    *from = NULL;
}

static struct timer **slot_of(struct wheel *w, uint32_t s)
{
    return &w->slot[s % WHEEL_SLOTS];
}

void wheel_init(struct wheel *w, uint32_t now_s)
{
    *w = (struct wheel){.now_s = now_s};
}

void wheel_arm(struct wheel *w, struct timer *t, uint32_t due_s)
{
    ASSERT(t->fire);
    wheel_cancel(w, t);
    t->due_s = due_s;
    push(due_s <= w->now_s ? &w->late : slot_of(w, due_s), t);
    w->armed++;
}

void wheel_cancel(struct wheel *w, struct timer *t)
{
    if (!t->link) return;
    unlink_timer(t);
    w->armed--;
}

/* Goes on to the next second with something in its slot, up to `now_s`. False: there is none. */
static bool next_second(struct wheel *w, uint32_t now_s)
{
    if (w->now_s >= now_s) return false;
    /* After a long pause once around is enough: a slot's last visit finds all that is due in it. */
    if (now_s - w->now_s > WHEEL_SLOTS) w->now_s = now_s - WHEEL_SLOTS;
    while (w->now_s < now_s && !w->round) {
        w->now_s++;
        move_list(&w->round, slot_of(w, w->now_s));
    }
    return w->round;
}

static void visit(struct wheel *w, struct timer *t)
{
    unlink_timer(t);
    if (t->due_s > w->now_s) {
        push(slot_of(w, t->due_s), t);
        return;
    }
    w->armed--;
    t->fire(t);
}

unsigned wheel_run(struct wheel *w, uint32_t now_s)
{
    unsigned visits = 0;
    if (!w->round) move_list(&w->round, &w->late);
    while (visits < WHEEL_CHUNK && (w->round || next_second(w, now_s))) {
        visit(w, w->round);
        visits++;
    }
    return visits;
}

uint64_t wheel_wait_ns(const struct wheel *w, uint64_t now_ns)
{
    if (!w->armed) return UINT64_MAX;
    if (w->round || w->late) return 0;
    uint32_t s = w->now_s + 1;
    while (!w->slot[s % WHEEL_SLOTS])
        s++;
    uint64_t due_ns = s * NS_PER_S;
    return due_ns > now_ns ? due_ns - now_ns : 0;
}
