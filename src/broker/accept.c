/* SPDX-License-Identifier: BSD-3-Clause */
/* accept.c -- which publishes of a session are not yet taken care of.
 *
 * A publish is done when the topic's owner has accepted it and, if it must be on disk, when as
 * many cores as the owner says have said KEPT (model: tests/models/kept.pml). KEPT may
 * overtake ACCEPTED: they come from different cores. The worst of what they say is told.
 *
 * Owners answer in any order, but PUBACK and PUBREC leave in the order in which the
 * PUBLISH packets came [MQTT-4.6.0-2] [MQTT-4.6.0-3]: a ring of awaited acceptances,
 * from whose front the settled ones are told. Home's. */
#include <stdlib.h>

#include "broker/internal.h"
#include "broker/journal/journal.h"
#include "broker/received.h"

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

/* `number` is the low half of a place in the ring, which holds far fewer than 65536. */
static struct awaited *awaited_at(const struct session *s, uint16_t number)
{
    uint32_t at = s->await_head + (uint16_t)(number - (uint16_t)s->await_head);
    ASSERT(at - s->await_head < s->await_tail - s->await_head);
    return &s->await[at & s->await_mask];
}

static bool is_done(const struct awaited *a)
{
    return a->accepted && a->kept_due == 0;
}

static void tell_settled(struct session *s)
{
    while (s->await_head != s->await_tail) {
        struct awaited first = s->await[s->await_head & s->await_mask];
        if (!is_done(&first)) return;
        s->await_head++;
        uint16_t told = first.muted ? 0 : first.packet_id;
        if (!told || !s->ops)
            if (first.status < 0 && first.qos == 2)
                session_unreceive(s, first.packet_id, first.status);
        if (UNLIKELY(s->received) && first.qos == 2 && first.status == 0)
            received_accepted(s, first.packet_id);
        if (s->ops) s->ops->accepted(s, told, first.qos, first.status);
    }
}

/* Errors grow worse along err.def: a failed disk weighs more than a full one. */
static void worsen(struct awaited *a, int status)
{
    if (status < a->status) a->status = (int16_t)status;
}

void accept_settle(struct session *s, uint16_t number, struct routed r)
{
    struct awaited *a = awaited_at(s, number);
    ASSERT(!a->accepted);
    a->accepted = true;
    a->kept_due += (int32_t)r.keepers;
    worsen(a, r.status);
    tell_settled(s);
}

static void kept(struct session *s, uint16_t number, int status)
{
    struct awaited *a = awaited_at(s, number);
    a->kept_due--;
    worsen(a, status);
    tell_settled(s);
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
    return !received_is_open(s, packet_id);
}

void accept_expect(struct session *s, const struct routed *r)
{
    s->await_kept += r->keepers;
}

void accept_on_mail(void *ctx, unsigned from, const struct mail *m)
{
    struct broker *b = ctx;
    (void)from;
    struct session *s = slots_find(&b->session_ids, m->b);
    struct routed r = {.status = -(int)m->flags, .keepers = (uint32_t)m->c};
    ASSERT(s && s->await_mail > 0); /* the slot was kept for this very mail */
    s->await_mail--;
    accept_expect(s, &r);
    if (s->dead)
        session_slot_release(s);
    else
        accept_settle(s, m->a, r);
}

void accept_on_kept(void *ctx, unsigned from, const struct mail *m)
{
    struct broker *b = ctx;
    (void)from;
    if (m->b == MESSAGE_ORIGIN_JOURNAL) {
        journal_orphan_kept(b->journal, (uint32_t)m->c, -(int)m->flags);
        return;
    }
    struct session *s = slots_find(&b->session_ids, m->b);
    ASSERT(s && (s->await_kept > 0 || s->await_mail > 0)); /* for this one, too */
    s->await_kept--;
    if (s->dead)
        session_slot_release(s);
    else
        kept(s, m->a, -(int)m->flags);
}

/* ---- on the cores that answer -------------------------------------------------------------- */

void accept_send(struct broker *b, unsigned home, struct mail answer, bool behind)
{
    if (behind) {
        if (journal_tell(b->journal, home, answer) == 0) return;
        answer.flags = ERR_NOMEM; /* it may be on disk, but who would know */
    }
    if (home != b->core->id)
        mesh_send(b->core->mesh, home, answer, 0, 0);
    else if (answer.kind == MAIL_KEPT)
        accept_on_kept(b, home, &answer);
    else
        accept_on_mail(b, home, &answer);
}

uint64_t accept_log_tail(const struct broker *b)
{
    return journal_tail(b->journal);
}

void accept_say_kept(struct broker *b, struct message *m, int status, bool behind)
{
    uint32_t number = message_logged(m)->number;
    struct mail answer = {.kind = MAIL_KEPT,
                          .flags = (uint8_t)-status,
                          .a = (uint16_t)number,
                          .b = m->origin_session,
                          .c = number};
    accept_send(b, m->origin_core, answer, behind);
}
