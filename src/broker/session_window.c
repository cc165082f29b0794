/* SPDX-License-Identifier: BSD-3-Clause */
/* session_window.c -- what is in flight to one client, until it has confirmed it.
 *
 * Packet ids run in sequence, so the window is a ring: id and place are one, and what is resent
 * goes out in its first order [MQTT-4.6.0-1]. Home's. */
#include "broker/flow.h"

enum {
    IDS = 65535, /* packet ids 1 to 65535 */
    RING_FIRST = 8,
};

static uint16_t id_of(uint32_t seq)
{
    return (uint16_t)(seq % IDS + 1);
}

bool window_open(const struct session *s)
{
    return s->in_flight < s->window && ring_len(&s->flight) < 2 * s->window &&
           ring_len(&s->flight) < IDS;
}

/* The pending with this packet id, or NULL. */
static struct pending *flight_find(const struct session *s, uint16_t packet_id)
{
    if (packet_id == 0) return NULL;
    uint32_t from_head = (packet_id - 1u + IDS - s->flight.head % IDS) % IDS;
    if (from_head >= ring_len(&s->flight)) return NULL;
    struct pending *p = ring_at(&s->flight, s->flight.head + from_head);
    return p->state == FLIGHT_FREE ? NULL : p;
}

/* The place in the ring that `p` has. */
static uint32_t seq_of(const struct pendings *r, const struct pending *p)
{
    return r->head + (((uint32_t)(p - r->at) - r->head) & r->mask);
}

void flight_drop(struct session *s, struct pending *p)
{
    bool waited = s->unsent && seq_of(&s->flight, p) - s->flight.head >= s->resend - s->flight.head;
    pending_drop(s->broker, p);
    p->state = FLIGHT_FREE;
    s->in_flight--;
    if (waited) s->unsent--;
}

void flight_trim(struct session *s)
{
    struct pendings *r = &s->flight;
    while (r->head != r->tail && ring_at(r, r->head)->state == FLIGHT_FREE) {
        if (s->resend == r->head) s->resend++;
        r->head++;
    }
    ring_rest(r);
}

static void flight_done(struct session *s, struct pending *p)
{
    flight_drop(s, p);
    flight_trim(s);
    if (has_waiting(s)) session_mark_ready(s);
}

/* 2^32 is no multiple of the ids: long before sequence numbers wrap they start anew. */
static bool flight_rebase(struct session *s)
{
    struct pendings *r = &s->flight;
    return r->tail < 1u << 31 || ring_move(r, r->at ? r->mask + 1 : RING_FIRST, r->head % IDS);
}

int flight_send(struct session *s, struct delivery *d, uint32_t group)
{
    struct pending *p = flight_rebase(s) ? ring_push(&s->flight) : NULL;
    if (!p) return -ERR_NOMEM;
    if (pending_set(s->broker, p, d, group) < 0) {
        s->flight.tail--;
        return -ERR_NOMEM;
    }
    p->state = FLIGHT_SENT;
    s->in_flight++;
    d->packet_id = id_of(s->flight.tail - 1);
    int sent = s->ops->send(s, d);
    if (sent < 0) { /* its id is the next one's */
        pending_drop(s->broker, p);
        s->in_flight--;
        s->flight.tail--;
    }
    return sent;
}

/* ---- sending again ----------------------------------------------------------------------------
 */

/* What is in flight since an earlier connection may not be read any more. A QoS 2 id is brought to
 * its end all the same: the client may have the message and wait for PUBREL. */
static void take_back(struct session *s, struct pending *p, uint16_t id)
{
    bool passed_on =
        p->qos == 1 && p->group && !p->former && group_give_back(s->broker, p->group, p->m);
    if (!passed_on) count(&s->broker->core->counters, C_denied_deliver);
    if (p->qos == 1) {
        flight_done(s, p);
        return;
    }
    pending_drop(s->broker, p);
    p->state = FLIGHT_RECEIVED;
    s->ops->release(s, id);
}

bool pump_resend(struct session *s)
{
    struct pending *p = ring_at(&s->flight, s->resend);
    uint16_t id = id_of(s->resend);
    bool open = s->in_flight - s->unsent < s->window && s->ops->ready(s);
    if (p->state == FLIGHT_SENT && !open) return false;
    s->resend++;
    if (p->state == FLIGHT_FREE) return true;
    s->unsent--;
    if (p->state == FLIGHT_RECEIVED) {
        s->ops->release(s, id);
        return true;
    }
    if (!session_may_read(s, p->m)) {
        take_back(s, p, id);
        return true;
    }
    p->dup = true; /* [MQTT-3.3.1-1] */
    struct delivery d = pending_delivery(s->broker, p);
    d.packet_id = id;
    int sent = s->ops->send(s, &d);
    if (sent < 0) {
        count_drop(s, sent);
        flight_done(s, p);
    }
    return true;
}

/* ---- what the client confirms ------------------------------------------------------------------
 */

int session_on_puback(struct session *s, uint16_t packet_id)
{
    struct pending *p = flight_find(s, packet_id);
    if (!p || p->qos != 1 || p->state != FLIGHT_SENT) return -ERR_ABSENT;
    flight_done(s, p);
    return 0;
}

int session_on_pubrec(struct session *s, uint16_t packet_id, bool failed)
{
    struct pending *p = flight_find(s, packet_id);
    if (!p || p->qos != 2) return -ERR_ABSENT;
    if (failed) {
        flight_done(s, p);
        return 0;
    }
    /* The message will not be sent again; only its id lives on [MQTT-4.3.3-4]. */
    pending_drop(s->broker, p);
    p->state = FLIGHT_RECEIVED;
    return 0;
}

int session_on_pubcomp(struct session *s, uint16_t packet_id)
{
    struct pending *p = flight_find(s, packet_id);
    if (!p || p->qos != 2 || p->state != FLIGHT_RECEIVED) return -ERR_ABSENT;
    flight_done(s, p);
    return 0;
}
