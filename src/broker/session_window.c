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
    pending_end(s, p);
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
    if (LIKELY(r->tail < 1u << 31)) return true;
    if (!ring_move(r, r->at ? r->mask + 1 : RING_FIRST, r->head % IDS)) return false;
    for (uint32_t i = r->head; i != r->tail; i++)
        if (ring_at(r, i)->seq) journal_flight(s, ring_at(r, i), i);
    return true;
}

/* The log hears of what is about to be sent as number `flight`. At QoS 2 the packet leaves when it
 * is on disk: the client will take the next one with this id for the same message. */
static int flight_log(struct session *s, struct pending *p, const struct delivery *d,
                      uint32_t flight)
{
    struct journal *j = s->broker->journal;
    int err;
    if (p->seq)
        err = journal_flight(s, p, flight);
    else
        err = is_entry(s, d) ? journal_entry(s, p, d->serial, &flight) : 0;
    if (err < 0 && !p->seq && is_good_without_log(d)) err = 0;
    if (err == 0 && p->seq && p->qos == 2) session_hold(s, journal_tail(j));
    return p->seq && p->qos == 1 ? 0 : err; /* it would only be sent once more */
}

/* An entry that has waited goes on as one. */
static void move_entry(struct pending *p, struct pending *from)
{
    p->seq = from->seq;
    p->stored = from->stored;
    from->seq = 0;
    from->stored = NULL;
}

int flight_send(struct session *s, struct delivery *d, uint32_t group, struct pending *from)
{
    struct pending *p = flight_rebase(s) ? ring_push(&s->flight) : NULL;
    if (!p) return -ERR_NOMEM;
    if (pending_set(s->broker, p, d, group) < 0) {
        s->flight.tail--;
        return -ERR_NOMEM;
    }
    if (from && from->seq) move_entry(p, from);
    p->state = FLIGHT_SENT;
    s->in_flight++;
    d->packet_id = id_of(s->flight.tail - 1);
    int err = flight_log(s, p, d, s->flight.tail - 1);
    if (err == 0) err = s->ops->send(s, d);
    if (err < 0) { /* its id is the next one's */
        pending_end(s, p);
        s->in_flight--;
        s->flight.tail--;
    }
    return err;
}

/* ---- sending again ----------------------------------------------------------------------------
 */

/* What the client is sent next says that something has been written. A log that has failed will
 * never say so, and the connection is closed. */
static void hold_for_log(struct session *s)
{
    session_hold(s, journal_tail(s->broker->journal));
}

/* The message will not be sent again; only its id lives on [MQTT-4.3.3-4]. PUBREL leaves when that
 * is on disk: the client forgets the id then, and would take the message for a new one. */
static void release_later(struct session *s, struct pending *p)
{
    struct journal *j = s->broker->journal;
    p->state = FLIGHT_RECEIVED;
    if (p->seq) {
        journal_flight(s, p, seq_of(&s->flight, p));
        hold_for_log(s);
        if (is_on_disk(p)) s->on_disk--;
        journal_forget(j, p);
    }
    pending_drop(s->broker, p);
}

/* What is in flight since an earlier connection may not be read any more. A QoS 2 id is brought to
 * its end all the same: the client may have the message and wait for PUBREL. */
static void take_back(struct session *s, struct pending *p, uint16_t id)
{
    bool passed_on =
        p->qos == 1 && p->group && !p->former && group_give_back(s->broker, p->group, p, s);
    if (!passed_on) count(&s->broker->core->counters, C_denied_deliver);
    if (p->qos == 1) {
        flight_done(s, p);
        return;
    }
    release_later(s, p);
    s->ops->release(s, id);
}

bool pump_resend(struct session *s)
{
    if (UNLIKELY(s->on_disk) && !load_ahead(s, &s->flight, s->resend)) return false;
    struct pending *p = ring_at(&s->flight, s->resend);
    uint16_t id = id_of(s->resend);
    bool open = s->in_flight - s->unsent < s->window && s->ops->ready(s);
    if (p->state == FLIGHT_SENT && !open) return false;
    s->resend++;
    if (p->state == FLIGHT_FREE) return true;
    s->unsent--;
    if (p->seq && p->qos == 2) hold_for_log(s);
    if (p->state == FLIGHT_RECEIVED) {
        s->ops->release(s, id);
        return true;
    }
    if (p->unread) {
        flight_done(s, p);
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
    release_later(s, p);
    return 0;
}

int session_on_pubcomp(struct session *s, uint16_t packet_id)
{
    struct pending *p = flight_find(s, packet_id);
    if (!p || p->qos != 2 || p->state != FLIGHT_RECEIVED) return -ERR_ABSENT;
    flight_done(s, p);
    return 0;
}
