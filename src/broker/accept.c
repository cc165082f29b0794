/* SPDX-License-Identifier: BSD-3-Clause */
/* accept.c -- which publishes of a session the topics' owners have yet to accept.
 *
 * Owners answer in any order, but PUBACK and PUBREC leave in the order in which the
 * PUBLISH packets came [MQTT-4.6.0-2] [MQTT-4.6.0-3]: a ring of awaited acceptances,
 * from whose front the settled ones are told. Home's. */
#include <stdlib.h>

#include "broker/internal.h"

enum { AWAIT_FIRST = 8, AWAIT_MAX = 65536 };

static bool grow(struct session *s)
{
    uint32_t cap = s->await ? s->await_mask + 1 : 0;
    uint32_t more = cap ? cap * 2 : AWAIT_FIRST;
    if (more > AWAIT_MAX) return false;
    struct awaited *at = malloc(more * sizeof *at);
    if (!at) return false;
    for (uint32_t i = s->await_head; i != s->await_tail; i++)
        at[i & (more - 1)] = s->await[i & s->await_mask];
    free(s->await);
    s->await = at;
    s->await_mask = more - 1;
    return true;
}

int accept_await(struct session *s, uint16_t packet_id, uint8_t qos)
{
    uint32_t n = s->await_tail - s->await_head;
    if (n >= s->broker->options.receive_max) return -ERR_FULL;
    if ((!s->await || n > s->await_mask) && !grow(s)) return -ERR_NOMEM;
    s->await[s->await_tail & s->await_mask] = (struct awaited){.packet_id = packet_id, .qos = qos};
    return (int)(s->await_tail++ & 0xFFFF);
}

void accept_settle(struct session *s, uint16_t number, int status)
{
    /* `number` is the low half of a place in the ring, which holds far fewer than 65536. */
    uint32_t at = s->await_head + (uint16_t)(number - (uint16_t)s->await_head);
    ASSERT(at - s->await_head < s->await_tail - s->await_head);
    struct awaited *a = &s->await[at & s->await_mask];
    a->done = true;
    a->status = (int16_t)status;

    while (s->await_head != s->await_tail) {
        struct awaited first = s->await[s->await_head & s->await_mask];
        if (!first.done) return;
        s->await_head++;
        uint16_t told = first.muted ? 0 : first.packet_id;
        if (!told || !s->ops)
            if (first.status < 0 && first.qos == 2)
                session_release(s, first.packet_id); /* when it is sent again, it is new */
        if (s->ops) s->ops->accepted(s, told, first.qos, first.status);
    }
}

void accept_mute(struct session *s)
{
    for (uint32_t i = s->await_head; i != s->await_tail; i++)
        s->await[i & s->await_mask].muted = true;
}

bool session_accepted(struct session *s, uint16_t packet_id)
{
    for (uint32_t i = s->await_head; i != s->await_tail; i++) {
        struct awaited *a = &s->await[i & s->await_mask];
        if (a->qos != 2 || a->packet_id != packet_id) continue;
        a->muted = false;
        return false;
    }
    return true;
}

void accept_on_mail(void *ctx, unsigned from, const struct mail *m)
{
    struct broker *b = ctx;
    (void)from;
    struct session *s = slots_find(&b->session_ids, m->b);
    ASSERT(s && s->await_mail > 0); /* the slot was kept for this very mail */
    s->await_mail--;
    if (s->dead)
        session_slot_release(s);
    else
        accept_settle(s, m->a, -(int)m->flags);
}
