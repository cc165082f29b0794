/* SPDX-License-Identifier: BSD-3-Clause */
/* journal_session.c -- what is written of sessions: themselves, their subscriptions, what their
 * clients send at QoS 2. On the session's home. */
#include <stdlib.h>

#include "broker/access/door.h"
#include "broker/journal/journal_internal.h"

/* ---- sessions ---------------------------------------------------------------------------- */

/* The wall clock at a moment of the core's own, in whole seconds of it. */
static uint64_t wall_ms_at(const struct core *c, uint32_t then_s)
{
    int32_t ago_s = (int32_t)(core_now_s(c) - then_s); /* after a restart it may be modulo 2^32 */
    int64_t ms = (int64_t)c->clock.wall_ms - ago_s * INT64_C(1000);
    return ms > 0 ? (uint64_t)ms : 1;
}

void journal_session_record(const struct session *s, struct record_session *r)
{
    const struct broker *b = s->broker;
    struct bytes user = identity_user(s->identity);

    *r = (struct record_session){
        .tenant = s->tenant,
        .client_id = session_client_id(s),
        .sid = s->sid,
        .serial = s->serial,
        .flight = s->flight.tail,
        .cohort = s->cohort,
        .expiry_s = s->expiry_s,
        .gone_ms = s->ops ? 0 : wall_ms_at(b->core, s->gone_s),
        .durability = s->durability,
        .named = user.n > 0,
        .user = user,
        .has_will = s->will != NULL,
        .will_delay_s = s->will_delay_s,
    };
    if (!s->will) return;
    r->will = journal_message_record(b, s->will);
    /* It lives from its sending on: what is written is how long (3.1.3.2.4). */
    if (s->will->flags & MESSAGE_EXPIRES)
        r->will.expires_ms = 1000ull * (s->will->expires_s - s->will_made_s);
}

static int put_session(struct session *s, uint8_t flags)
{
    struct record_session r;
    struct record_buf b;
    journal_session_record(s, &r);
    record_put_session(&b, &r);
    b.put.flags |= flags;
    return journal_put(s->broker->journal, &b.put, NULL);
}

static bool is_to_be_durable(const struct session *s)
{
    return s->door && s->door->durability > DURABILITY_MEMORY && s->expiry_s > 0;
}

/* Without haste where a crash between does no harm. A will might be sent twice, and a session whose
 * client is back might be found to have expired. */
static bool is_urgent(const struct session *s)
{
    return s->will || s->will_written || (s->ops && s->expiry_s != SESSION_NEVER_EXPIRES);
}

static int update(struct session *s)
{
    struct journal *j = s->broker->journal;
    int err = put_session(s, is_urgent(s) ? 0 : STORE_LAZY);
    if (err == 0) s->will_written = s->will != NULL;
    if (err == 0 || err == -ERR_STORAGE) return err;
    journal_put_later(j, s);
    return 0;
}

static int put_subscription(const struct sub *sub)
{
    struct record_subscription r;
    struct record_buf b;
    journal_sub_record(sub, &r);
    record_put_subscribed(&b, &r);
    return journal_put(sub->session->broker->journal, &b.put, NULL);
}

static void put_end(const struct session *s)
{
    struct record_buf b;
    record_put_session_end(&b, &(struct record_session){.tenant = s->tenant,
                                                        .client_id = session_client_id(s),
                                                        .sid = s->sid});
    journal_put_surely(s->broker->journal, &b.put);
}

int journal_session(struct session *s)
{
    struct journal *j = s->broker->journal;
    if (s->sid) return update(s);
    if (!is_to_be_durable(s)) return 0;

    s->sid = j->sid + 1;
    int err = put_session(s, 0);
    if (err < 0) {
        s->sid = 0;
        return err;
    }
    j->sid++; /* never twice, whatever comes of it */
    for (const struct sub *x = s->subs; x && err == 0; x = x->session_next)
        err = put_subscription(x);
    if (err < 0) {
        put_end(s);
        s->sid = 0;
        return err;
    }
    s->will_written = s->will != NULL;
    s->made_pos = journal_tail(j);
    return 0;
}

void journal_session_end(struct session *s)
{
    struct journal *j = s->broker->journal;
    if (!s->sid) return;
    if (!journal_left_end(j, s)) put_end(s);
    ended_add(j, s->hash);
}

/* ---- subscriptions ------------------------------------------------------------------------ */

void journal_sub_record(const struct sub *sub, struct record_subscription *r)
{
    *r = (struct record_subscription){
        .sid = sub->session->sid,
        .filter = filter_entry_name(&sub->filter->entry),
        .qos = sub->qos,
        .no_local = sub->no_local,
        .retain_as_published = sub->retain_as_published,
        .sub_id = sub->sub_id,
    };
}

int journal_subscribed(const struct sub *sub)
{
    return sub->session->sid ? put_subscription(sub) : 0;
}

void journal_unsubscribed(const struct sub *sub)
{
    struct record_subscription r;
    struct record_buf b;
    if (!sub->session->sid) return;
    journal_sub_record(sub, &r);
    record_put_unsubscribed(&b, &r);
    journal_put_surely(sub->session->broker->journal, &b.put);
}

/* ---- QoS 2 messages of its client ---------------------------------------------------------- */

int journal_received(const struct session *s, uint16_t packet_id, uint64_t serial, bool accepted)
{
    struct record_buf b;
    record_put_received(
        &b, &(struct record_received){
                .sid = s->sid, .packet_id = packet_id, .serial = serial, .accepted = accepted});
    /* If that it was accepted is lost, it is asked about again, and known. */
    if (accepted) b.put.flags |= STORE_LAZY;
    return journal_put(s->broker->journal, &b.put, NULL);
}

int journal_released(const struct session *s, uint16_t packet_id)
{
    struct record_buf b;
    record_put_released(&b, &(struct record_received){.sid = s->sid, .packet_id = packet_id});
    journal_put_surely(s->broker->journal, &b.put);
    return journal_failed(s->broker->journal) ? -ERR_STORAGE : 0;
}
