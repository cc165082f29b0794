/* SPDX-License-Identifier: BSD-3-Clause */
/* message_record.c -- a message as the log has it, and as the broker has it. Times cross from the
 * wall clock, which a restart keeps, to the clock of the core, which it does not. */
#include "broker/internal.h"
#include "broker/journal/journal.h"
#include "broker/journal/record.h"

enum { MS_PER_S = 1000 };

/* Seconds from now on, rounded up: nothing ends before its time. */
static uint32_t seconds_until(const struct core *c, uint64_t wall_ms)
{
    if (wall_ms <= c->clock.wall_ms) return 0;
    uint64_t left_s = (wall_ms - c->clock.wall_ms + MS_PER_S - 1) / MS_PER_S;
    return left_s < UINT32_MAX ? (uint32_t)left_s : UINT32_MAX;
}

struct message *journal_message(struct broker *b, const struct record_message *r)
{
    struct publication p = {
        .topic = r->topic,
        .props = r->props,
        .payload = r->payload,
        .topic_hash = broker_topic_hash(b, r->topic),
        .qos = r->qos,
        .retain = r->retain,
        .has_expiry = r->expires_ms != 0,
        .expiry_s = seconds_until(b->core, r->expires_ms),
        .durability = DURABILITY_INTERVAL, /* nobody waits for it any more */
        .logged = {.origin = r->origin, .serial = r->serial, .low_water = r->low_water},
    };
    return message_new(b->core, &p, 0);
}

struct record_message journal_message_record(const struct broker *b, struct message *m)
{
    struct record_message r = {.qos = m->qos,
                               .retain = m->flags & MESSAGE_RETAIN,
                               .topic = message_topic(m),
                               .props = message_props(m),
                               .payload = message_payload(m)};
    if (m->flags & MESSAGE_EXPIRES) {
        uint32_t now_s = core_now_s(b->core);
        uint64_t left_s = m->expires_s > now_s ? m->expires_s - now_s : 0;
        r.expires_ms = b->core->clock.wall_ms + left_s * MS_PER_S;
        if (r.expires_ms == 0) r.expires_ms = 1;
    }
    if (m->flags & MESSAGE_LOGGED) {
        r.origin = message_logged(m)->origin;
        r.serial = message_logged(m)->serial;
        r.low_water = message_logged(m)->low_water;
    }
    return r;
}
