/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/held.h"

#include <stdlib.h>

#include "broker/journal/journal.h"

enum { HELD_FIRST = 8 };

static struct held_publish *at(const struct session *s, uint32_t place)
{
    return &s->held[place & s->held_mask];
}

static bool grow(struct session *s)
{
    uint32_t cap = s->held ? (s->held_mask + 1) * 2 : HELD_FIRST;
    struct held_publish *more = malloc(cap * sizeof *more);
    if (!more) return false;
    for (uint32_t i = s->held_head; i != s->held_tail; i++)
        more[i & (cap - 1)] = *at(s, i);
    free(s->held);
    s->held = more;
    s->held_mask = cap - 1;
    return true;
}

int held_reserve(struct session *s)
{
    uint32_t n = session_held(s);
    if (n >= s->broker->options.receive_max) return -ERR_FULL;
    return (s->held && n <= s->held_mask) || grow(s) ? 0 : -ERR_NOMEM;
}

static struct held_publish take_first(struct session *s)
{
    struct held_publish h = *at(s, s->held_head++);
    if (s->held_head == s->held_tail) {
        free(s->held);
        s->held = NULL;
        s->held_mask = 0;
    }
    return h;
}

static void refuse(struct session *s, const struct held_publish *h, int status)
{
    bool told = h->m->qos > 0;
    message_unref(s->broker->core, h->m);
    if (told) accept_settle(s, h->number, (struct routed){.status = status});
}

void held_add(struct session *s, struct held_publish h)
{
    struct broker *b = s->broker;
    *at(s, s->held_tail++) = h;
    if (!h.waits) return;
    struct mail mail = {.kind = MAIL_ROUTE, .b = s->id};
    s->await_mail++;
    if (journal_tell(b->journal, b->core->id, mail) == 0) return;
    s->await_mail--;
    s->held_tail--;
    refuse(s, &h, -ERR_NOMEM);
}

/* The first one goes, or is refused. */
static void let_go(struct session *s, int status)
{
    struct held_publish h = take_first(s);
    if (status < 0)
        refuse(s, &h, status);
    else
        publish_now(s, h.m, h.number);
}

void held_on_mail(void *ctx, unsigned from, const struct mail *m)
{
    struct broker *b = ctx;
    (void)from;
    struct session *s = slots_find(&b->session_ids, m->b);
    ASSERT(s && s->await_mail > 0); /* the slot was kept for this very mail */
    s->await_mail--;
    if (s->dead) {
        session_slot_release(s);
        return;
    }
    ASSERT(session_held(s) && at(s, s->held_head)->waits);
    let_go(s, -(int)m->flags);
    while (session_held(s) && !at(s, s->held_head)->waits)
        let_go(s, 0);
}

void held_flush(struct session *s)
{
    while (session_held(s)) {
        if (s->broker->closing)
            message_unref(s->broker->core, take_first(s).m);
        else
            let_go(s, 0);
    }
}
