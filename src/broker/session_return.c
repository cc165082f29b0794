/* SPDX-License-Identifier: BSD-3-Clause */
/* session_return.c -- what came by shared subscriptions and goes back to their groups. Home's. */
#include "broker/flow.h"
#include "broker/journal/record.h"

/* Is it of share group `group` (0: of any)? */
static bool is_of(const struct pending *p, uint32_t group)
{
    return p->group && !p->former && (!group || p->group == group);
}

/* To the group, or at least on its way there: what is on disk only must be read first. */
static bool pass_on(struct session *s, struct pending *p, bool *later)
{
    if (is_on_disk(p)) {
        p->leaving = *later = true;
        return false;
    }
    return group_give_back(s->broker, p->group, p, s);
}

/* `*later`: some must be read first. */
static void give_back_queue(struct session *s, uint32_t group, bool *later)
{
    struct broker *b = s->broker;
    uint32_t kept = s->queue.head;
    for (uint32_t i = s->queue.head; i != s->queue.tail; i++) {
        struct pending *p = ring_at(&s->queue, i);
        bool is_counted = p->seq != 0;
        if (!is_of(p, group) || !pass_on(s, p, later)) {
            *ring_at(&s->queue, kept++) = *p;
            continue;
        }
        s->queue_bytes -= p->bytes;
        if (is_counted) b->queue_memory -= p->bytes;
        count_sub(&b->core->counters, C_queued, 1);
        pending_end(s, p);
    }
    s->queue.tail = kept;
}

/* What a restart has found of a session that had ended is over when its messages have gone. */
static void end_of_nobodys(struct session *s)
{
    struct bytes id = session_client_id(s);
    if (LIKELY(id.n == 0 || id.p[0] != RECORD_NOBODY) || s->dead) return;
    if (has_waiting(s) || s->in_flight) return;
    s->expiry_s = 0;
    session_arm(s); /* who asked may be in the middle of its list */
}

void session_give_back(struct session *s, uint32_t group)
{
    bool later = false;
    if (s->broker->closing) return; /* there is nobody to take it; what is logged comes back */
    for (uint32_t i = s->flight.head; i != s->flight.tail; i++) {
        struct pending *p = ring_at(&s->flight, i);
        /* QoS 2 stays with the client that may have it already [MQTT-4.8.2-4]. */
        if (!is_of(p, group) || p->state != FLIGHT_SENT || p->qos != 1) continue;
        if (pass_on(s, p, &later)) flight_drop(s, p);
    }
    flight_trim(s);
    give_back_queue(s, group, &later);
    if (later) load_leaving(s);
    end_of_nobodys(s);
}

void session_leave_group(struct session *s, uint32_t group)
{
    bool later = false;
    if (s->broker->closing) return;
    give_back_queue(s, group, &later);
    if (later) load_leaving(s);
    for (uint32_t i = s->flight.head; i != s->flight.tail; i++) {
        struct pending *p = ring_at(&s->flight, i);
        if (!is_of(p, group) || !p->m) continue;
        p->group = group_number(s->broker, group, p->m);
        p->former = p->group != 0; /* else it has no way back, and stays here */
    }
}

void session_give_back_former(struct session *s)
{
    for (uint32_t i = s->flight.head; i != s->flight.tail; i++) {
        struct pending *p = ring_at(&s->flight, i);
        if (!p->former || !p->m || p->state != FLIGHT_SENT || p->qos != 1) continue;
        if (group_send_back(s->broker, p->group, p, s)) flight_drop(s, p);
    }
    flight_trim(s);
}
