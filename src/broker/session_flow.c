/* SPDX-License-Identifier: BSD-3-Clause */
/* session_flow.c -- messages on their way to one client: queue, window, retained backlog.
 *
 * What a session is offered is sent at once if nothing is before it; otherwise it
 * waits its turn: first the retained messages of new subscriptions (backlog), then
 * the queue. Above QoS 0 a message enters the window, and stays until the client
 * has confirmed it. Packet ids run in sequence, so the window is a ring: id and place
 * are one, and what is resent goes out in its first order [MQTT-4.6.0-1]. Home's. */
#include <stdlib.h>

#include "broker/internal.h"
#include "broker/share.h"

enum {
    RING_FIRST = 8,
    RING_REST = 256,
    PUMP_MAX = 256, /* deliveries to one session per turn */
    IDS = 65535,    /* packet ids 1 to 65535 */
    RECEIVED_WORDS = 65536 / 64,
};

/* ---- rings of pendings ------------------------------------------------------------------------
 */

static uint32_t ring_len(const struct pendings *r)
{
    return r->tail - r->head;
}

static struct pending *ring_at(const struct pendings *r, uint32_t seq)
{
    return &r->at[seq & r->mask];
}

/* Moves the ring to `slots` slots, its first element to sequence number `head`. */
static bool ring_move(struct pendings *r, uint32_t slots, uint32_t head)
{
    struct pending *at = malloc(slots * sizeof *at);
    if (!at) return false;
    uint32_t n = ring_len(r);
    for (uint32_t i = 0; i < n; i++)
        at[(head + i) & (slots - 1)] = *ring_at(r, r->head + i);
    free(r->at);
    *r = (struct pendings){.at = at, .mask = slots - 1, .head = head, .tail = head + n};
    return true;
}

static bool ring_grow(struct pendings *r)
{
    return ring_move(r, r->at ? (r->mask + 1) * 2 : RING_FIRST, r->head);
}

/* A new place at the tail, or NULL when memory ran out. */
static struct pending *ring_push(struct pendings *r)
{
    if ((!r->at || ring_len(r) > r->mask) && !ring_grow(r)) return NULL;
    return ring_at(r, r->tail++);
}

static void ring_free(struct pendings *r)
{
    free(r->at);
    *r = (struct pendings){0};
}

/* An empty ring gives a large array back. Sequence numbers go on, so that packet ids do. */
static void ring_rest(struct pendings *r)
{
    if (r->head != r->tail || r->mask < RING_REST) return;
    free(r->at);
    r->at = NULL;
    r->mask = 0;
}

static void pending_drop(struct broker *b, struct pending *p)
{
    if (p->m) message_unref(b->core, p->m);
    free(p->more_ids);
    p->m = NULL;
    p->more_ids = NULL;
}

static int pending_set(struct broker *b, struct pending *p, const struct delivery *d,
                       uint32_t group)
{
    *p = (struct pending){
        .qos = d->qos, .retain = d->retain, .dup = d->dup, .group = group, .nsub_ids = d->nsub_ids};
    if (d->nsub_ids == 1) p->sub_id = d->sub_ids[0];
    if (d->nsub_ids > 1) {
        p->more_ids = malloc(d->nsub_ids * sizeof *p->more_ids);
        if (!p->more_ids) return -ERR_NOMEM;
        memcpy(p->more_ids, d->sub_ids, d->nsub_ids * sizeof *p->more_ids);
    }
    p->m = message_keep(b->core, d->m);
    if (p->m) return 0;
    free(p->more_ids);
    p->more_ids = NULL;
    return -ERR_NOMEM;
}

static struct delivery pending_delivery(struct broker *b, const struct pending *p)
{
    return (struct delivery){.m = p->m,
                             .serial = ++b->serial,
                             .qos = p->qos,
                             .retain = p->retain,
                             .dup = p->dup,
                             .nsub_ids = p->nsub_ids,
                             .sub_ids = p->more_ids ? p->more_ids : &p->sub_id};
}

/* ---- the window --------------------------------------------------------------------------------
 */

static uint16_t id_of(uint32_t seq)
{
    return (uint16_t)(seq % IDS + 1);
}

/* May another message enter the window? The span of ids is bounded too, so that a client
 * that never confirms the oldest cannot make the ring grow. */
static bool window_open(const struct session *s)
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

/* Takes a pending out of the window; flight_trim() follows. */
static void flight_drop(struct session *s, struct pending *p)
{
    bool waited = s->unsent && seq_of(&s->flight, p) - s->flight.head >= s->resend - s->flight.head;
    pending_drop(s->broker, p);
    p->state = FLIGHT_FREE;
    s->in_flight--;
    if (waited) s->unsent--;
}

/* Lets the window begin with one that is not confirmed: a gap at its head would count for ever. */
static void flight_trim(struct session *s)
{
    struct pendings *r = &s->flight;
    while (r->head != r->tail && ring_at(r, r->head)->state == FLIGHT_FREE) {
        if (s->resend == r->head) s->resend++;
        r->head++;
    }
    ring_rest(r);
}

static bool has_waiting(const struct session *s)
{
    return s->unsent || s->backlog || ring_len(&s->queue);
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

/* Sends a message above QoS 0; it is in the window from now on. */
static int flight_send(struct session *s, struct delivery *d, uint32_t group)
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

/* ---- what the session is offered
 * ------------------------------------------------------------------ */

/* A client that is too slow loses what is new; the log names whom, and the setting. */
static void lost(struct session *s, enum counter why, const char *setting)
{
    struct core *c = s->broker->core;
    count(&c->counters, why);
    LOG(&c->log, LOG_WARN, "message_dropped", F_TEXT("client", session_client_id(s)),
        F_STR("setting", setting));
}

static void count_drop(struct session *s, int why)
{
    struct counters *c = &s->broker->core->counters;
    if (why == -ERR_FULL)
        lost(s, C_dropped_slow, "limits.output");
    else
        count(c, why == -ERR_TOO_LARGE ? C_dropped_too_large : C_dropped_queue);
}

static void enqueue(struct session *s, const struct delivery *d, uint32_t group)
{
    struct broker *b = s->broker;
    uint32_t bytes = message_bytes(d->m);
    bool many = ring_len(&s->queue) >= b->options.queue_messages_max;
    if (many || s->queue_bytes + bytes > b->options.queue_bytes_max) {
        lost(s, C_dropped_queue, many ? "limits.queue_messages" : "limits.queue_bytes");
        return;
    }
    struct pending *p = ring_push(&s->queue);
    if (!p || pending_set(b, p, d, group) < 0) {
        if (p) s->queue.tail--;
        count(&b->core->counters, C_dropped_queue);
        return;
    }
    s->queue_bytes += bytes;
    count(&b->core->counters, C_queued);
}

void session_offer(struct session *s, const struct delivery *d, uint32_t group)
{
    if (!s->ops) {
        /* Offline: QoS 0 is not kept (4.1 leaves the choice; so do all peers). */
        if (d->qos > 0 && s->expiry_s > 0) enqueue(s, d, group);
        return;
    }
    bool first = !s->holding && !has_waiting(s);
    if (!first || (d->qos > 0 && (!window_open(s) || !s->ops->ready(s)))) {
        enqueue(s, d, group);
        return;
    }
    struct delivery mine = *d;
    int sent = d->qos == 0 ? s->ops->send(s, d) : flight_send(s, &mine, group);
    if (sent < 0) count_drop(s, sent);
}

void session_mark_ready(struct session *s)
{
    struct broker *b = s->broker;
    if (s->ready_link || !s->ops) return;
    s->ready_next = NULL;
    s->ready_link = b->ready_end;
    *b->ready_end = s;
    b->ready_end = &s->ready_next;
}

void session_unmark_ready(struct session *s)
{
    struct broker *b = s->broker;
    if (!s->ready_link) return;
    *s->ready_link = s->ready_next;
    if (s->ready_next) s->ready_next->ready_link = s->ready_link;
    if (b->ready_end == &s->ready_next) b->ready_end = s->ready_link;
    s->ready_link = NULL;
}

/* ---- pumping what waits
 * ------------------------------------------------------------------------------ */

static bool may_send(struct session *s, uint8_t qos)
{
    return s->ops->ready(s) && (qos == 0 || window_open(s));
}

static void send_or_drop(struct session *s, struct delivery *d, uint32_t group)
{
    if (message_expired(d->m, core_now_s(s->broker->core))) { /* [MQTT-3.3.2-5] */
        count(&s->broker->core->counters, C_dropped_expired);
        return;
    }
    int sent = d->qos == 0 ? s->ops->send(s, d) : flight_send(s, d, group);
    if (sent < 0) count_drop(s, sent);
}

void backlog_free(struct broker *b, struct backlog *l)
{
    for (uint32_t i = l->pos; i < l->n; i++)
        if (l->at[i]) message_unref(b->core, l->at[i]);
    l->session->retained_due -= l->n;
    free(l->at);
    free(l);
}

/* Sends from the first backlog; false when it must wait. */
static bool pump_backlog(struct session *s)
{
    struct backlog *l = s->backlog;
    if (l->pos == l->n) {
        s->backlog = l->next;
        if (!s->backlog) s->backlog_tail = NULL;
        backlog_free(s->broker, l);
        return true;
    }
    struct message *m = l->at[l->pos];
    if (m && !session_may_read(s, m)) {
        count(&s->broker->core->counters, C_denied_deliver);
        message_unref(s->broker->core, m);
        m = NULL;
    }
    if (m) {
        struct delivery d = {.m = m,
                             .serial = ++s->broker->serial,
                             .sub_ids = &l->sub_id,
                             .nsub_ids = l->sub_id ? 1 : 0,
                             .retain = true, /* [MQTT-3.3.1-8] */
                             .qos = m->qos < l->qos ? m->qos : l->qos};
        if (!may_send(s, d.qos)) return false;
        send_or_drop(s, &d, 0);
        message_unref(s->broker->core, m);
    }
    l->pos++;
    return true;
}

/* Sends the first of the queue; false when it must wait. */
static bool pump_queue(struct session *s)
{
    struct pending p = *ring_at(&s->queue, s->queue.head);
    bool withheld = UNLIKELY(s->recheck) && session_withholds(s, &p);
    if (!withheld && !may_send(s, p.qos)) return false;
    s->queue.head++;
    s->queue_bytes -= message_bytes(p.m);
    count_sub(&s->broker->core->counters, C_queued, 1);
    if (!withheld) {
        struct delivery d = pending_delivery(s->broker, &p);
        send_or_drop(s, &d, p.group);
    }
    pending_drop(s->broker, &p);
    if (ring_len(&s->queue) == 0) s->recheck = false;
    ring_rest(&s->queue);
    return true;
}

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

/* Sends again what the last connection left in flight, in order and before anything new
 * [MQTT-4.4.0-1], but no more than the window of this one [MQTT-3.3.4-9]. False when it must wait.
 */
static bool pump_resend(struct session *s)
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

static bool pump_one(struct session *s)
{
    if (s->unsent) return pump_resend(s);
    return s->backlog ? pump_backlog(s) : pump_queue(s);
}

void session_pump(struct session *s)
{
    for (unsigned n = 0; s->ops && !s->holding && has_waiting(s); n++) {
        if (n == PUMP_MAX) {
            session_mark_ready(s);
            return;
        }
        if (!pump_one(s)) return;
    }
}

void session_resume(struct session *s)
{
    s->resend = s->flight.head;
    s->unsent = s->in_flight;
    session_pump(s);
}

/* ---- what the client confirms
 * --------------------------------------------------------------------------- */

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

/* ---- what the client sends at QoS 2
 * ------------------------------------------------------------------------ */

int session_receive(struct session *s, uint16_t packet_id)
{
    if (!s->received) s->received = calloc(RECEIVED_WORDS, sizeof *s->received);
    if (!s->received) return -ERR_NOMEM;
    uint64_t *word = &s->received[packet_id / 64], bit = 1ull << (packet_id % 64);
    if (*word & bit) return -ERR_EXISTS;
    *word |= bit;
    s->nreceived++;
    return 0;
}

int session_release(struct session *s, uint16_t packet_id)
{
    if (!s->received) return -ERR_ABSENT;
    uint64_t *word = &s->received[packet_id / 64], bit = 1ull << (packet_id % 64);
    if (!(*word & bit)) return -ERR_ABSENT;
    *word &= ~bit;
    s->nreceived--;
    return 0;
}

/* Is it of share group `group` (0: of any)? */
static bool is_of(const struct pending *p, uint32_t group)
{
    return p->group && !p->former && (!group || p->group == group);
}

static void give_back_queue(struct session *s, uint32_t group)
{
    struct broker *b = s->broker;
    uint32_t kept = s->queue.head;
    for (uint32_t i = s->queue.head; i != s->queue.tail; i++) {
        struct pending *p = ring_at(&s->queue, i);
        if (!is_of(p, group) || !group_give_back(b, p->group, p->m)) {
            *ring_at(&s->queue, kept++) = *p;
            continue;
        }
        s->queue_bytes -= message_bytes(p->m);
        count_sub(&b->core->counters, C_queued, 1);
        pending_drop(b, p);
    }
    s->queue.tail = kept;
}

void session_give_back(struct session *s, uint32_t group)
{
    struct broker *b = s->broker;
    for (uint32_t i = s->flight.head; i != s->flight.tail; i++) {
        struct pending *p = ring_at(&s->flight, i);
        /* QoS 2 stays with the client that may have it already [MQTT-4.8.2-4]. */
        if (!is_of(p, group) || p->state != FLIGHT_SENT || p->qos != 1) continue;
        if (group_give_back(b, p->group, p->m)) flight_drop(s, p);
    }
    flight_trim(s);
    give_back_queue(s, group);
}

void session_leave_group(struct session *s, uint32_t group)
{
    give_back_queue(s, group);
    for (uint32_t i = s->flight.head; i != s->flight.tail; i++) {
        struct pending *p = ring_at(&s->flight, i);
        if (!is_of(p, group) || !p->m) continue;
        p->group = group_number(s->broker, group, p->m);
        p->former = true;
    }
}

/* What came by groups that the session has left. */
static void give_back_former(struct session *s)
{
    for (uint32_t i = s->flight.head; i != s->flight.tail; i++) {
        struct pending *p = ring_at(&s->flight, i);
        if (!p->former || p->state != FLIGHT_SENT || p->qos != 1) continue;
        group_send_back(s->broker, p->group, p->m);
        flight_drop(s, p);
    }
    flight_trim(s);
}

/* ---- the end
 * -------------------------------------------------------------------------------------------------
 */

void session_lost_sink(struct session *s)
{
    accept_mute(s);
    s->unsent = 0;
    give_back_former(s);
    group_member_left(s);
    if (s->flight.head == s->flight.tail) ring_free(&s->flight);
    if (!s->nreceived) {
        free(s->received);
        s->received = NULL;
    }
}

static void drop_ring(struct session *s, struct pendings *r)
{
    for (uint32_t i = r->head; i != r->tail; i++)
        pending_drop(s->broker, ring_at(r, i));
    ring_free(r);
}

void session_drop_flow(struct session *s)
{
    count_sub(&s->broker->core->counters, C_queued, ring_len(&s->queue));
    drop_ring(s, &s->queue);
    drop_ring(s, &s->flight);
    while (s->backlog) {
        struct backlog *l = s->backlog;
        s->backlog = l->next;
        backlog_free(s->broker, l);
    }
    session_unmark_ready(s);
    free(s->await);
    s->await = NULL;
    free(s->received);
    s->received = NULL;
}
