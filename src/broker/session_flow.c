/* SPDX-License-Identifier: BSD-3-Clause */
/* session_flow.c -- messages on their way to one client: queue, retained backlog, and their order.
 *
 * What a session is offered is sent at once if nothing is before it; otherwise it
 * waits its turn: first the retained messages of new subscriptions (backlog), then
 * the queue. Above QoS 0 a message enters the window (session_window.c), and stays until the
 * client has confirmed it. Home's. */
#include <stdlib.h>

#include "broker/flow.h"
#include "broker/received.h"

enum { PUMP_MAX = 256 /* deliveries to one session per turn */ };

bool has_waiting(const struct session *s)
{
    return s->unsent || s->backlog || ring_len(&s->queue);
}

/* ---- what the session is offered ---------------------------------------------------------------
 */

/* A client that is too slow loses what is new; the log names whom, and the setting. */
static void lost(struct session *s, enum counter why, const char *setting)
{
    struct core *c = s->broker->core;
    count(&c->counters, why);
    LOG(&c->log, LOG_WARN, "message_dropped", F_TEXT("client", session_client_id(s)),
        F_STR("setting", setting));
}

void count_drop(struct session *s, int why)
{
    struct counters *c = &s->broker->core->counters;
    if (why == -ERR_FULL)
        lost(s, C_dropped_slow, "limits.output");
    else
        count(c, why == -ERR_TOO_LARGE ? C_dropped_too_large : C_dropped_queue);
}

/* Beyond data.queue_memory, messages that wait are on disk only. */
static bool is_too_much(const struct broker *b)
{
    return b->queue_memory > journal_queue_memory_max(b->journal);
}

/* Lets go of the message of the last one that waits; it is read again before it is sent. */
static void queue_to_disk(struct session *s, struct pending *p)
{
    s->broker->queue_memory -= p->bytes;
    pending_to_disk(s, p);
}

/* It waits from now on. 0, -ERR_NOMEM, or what the log answers. */
static int wait(struct session *s, const struct delivery *d, uint32_t group)
{
    struct broker *b = s->broker;
    struct pending *p = ring_push(&s->queue);
    if (!p) return -ERR_NOMEM;
    int err = pending_set(b, p, d, group);
    if (err == 0 && is_entry(s, d)) {
        err = journal_entry(s, p, d->serial, NULL);
        if (err < 0 && is_good_without_log(d)) err = 0;
        if (err < 0) pending_drop(b, p);
    }
    if (err < 0) {
        s->queue.tail--;
        return err;
    }
    s->queue_bytes += p->bytes;
    count(&b->core->counters, C_queued);
    if (!p->seq) return 0;
    b->queue_memory += p->bytes;
    if (is_too_much(b)) queue_to_disk(s, p);
    return 0;
}

static int enqueue(struct session *s, const struct delivery *d, uint32_t group)
{
    struct broker *b = s->broker;
    uint32_t bytes = message_bytes(d->m);
    bool many = ring_len(&s->queue) >= b->options.queue_messages_max;
    if (many || s->queue_bytes + bytes > b->options.queue_bytes_max) {
        lost(s, C_dropped_queue, many ? "limits.queue_messages" : "limits.queue_bytes");
        return 0;
    }
    int err = wait(s, d, group);
    if (err < 0) count(&b->core->counters, C_dropped_queue);
    return is_entry(s, d) ? err : 0;
}

int session_offer(struct session *s, const struct delivery *d, uint32_t group)
{
    if (!s->ops) {
        /* Offline: QoS 0 is not kept (4.1 leaves the choice; so do all peers). */
        return d->qos > 0 && s->expiry_s > 0 ? enqueue(s, d, group) : 0;
    }
    bool first = !s->holding && !has_waiting(s);
    if (!first || (d->qos > 0 && (!window_open(s) || !s->ops->ready(s))))
        return enqueue(s, d, group);
    struct delivery mine = *d;
    int sent = d->qos == 0 ? s->ops->send(s, d) : flight_send(s, &mine, group, NULL);
    if (sent < 0) count_drop(s, sent);
    return is_entry(s, d) && sent != -ERR_TOO_LARGE ? sent : 0;
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

/* ---- pumping what waits ------------------------------------------------------------------------
 */

static bool may_send(struct session *s, uint8_t qos)
{
    return s->ops->ready(s) && (qos == 0 || window_open(s));
}

static void send_or_drop(struct session *s, struct delivery *d, uint32_t group,
                         struct pending *from)
{
    if (message_expired(d->m, core_now_s(s->broker->core))) { /* [MQTT-3.3.2-5] */
        count(&s->broker->core->counters, C_dropped_expired);
        return;
    }
    int sent = d->qos == 0 ? s->ops->send(s, d) : flight_send(s, d, group, from);
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
        send_or_drop(s, &d, 0, NULL);
        message_unref(s->broker->core, m);
    }
    l->pos++;
    return true;
}

/* Takes the first of the queue; what it holds is the caller's. */
static struct pending queue_take(struct session *s)
{
    struct pending p = *ring_at(&s->queue, s->queue.head++);

    s->queue_bytes -= p.bytes;
    if (p.seq && p.m) s->broker->queue_memory -= p.bytes;
    count_sub(&s->broker->core->counters, C_queued, 1);
    return p;
}

/* May the first of the queue be sent? Exactly once is a promise that a log which has failed can't
 * keep: what would be sent at QoS 2 waits for the restart. */
static bool may_send_first(struct session *s, const struct pending *p)
{
    bool stuck = p->seq && p->qos == 2 && journal_failed(s->broker->journal);
    return !stuck && may_send(s, p->qos);
}

/* Sends the first of the queue; false when it must wait. */
static bool pump_queue(struct session *s)
{
    if (UNLIKELY(s->on_disk) && !load_ahead(s, &s->queue, s->queue.head)) return false;
    const struct pending *first = ring_at(&s->queue, s->queue.head);
    bool withheld = !first->unread && UNLIKELY(s->recheck) && !session_may_read(s, first->m);
    bool drop = first->unread || withheld;
    if (!drop && !may_send_first(s, first)) return false;
    struct pending p = queue_take(s);
    if (!drop) {
        struct delivery d = pending_delivery(s->broker, &p);
        send_or_drop(s, &d, p.group, &p);
    } else if (withheld) {
        session_withhold(s, &p);
    }
    pending_end(s, &p);
    if (ring_len(&s->queue) == 0) s->recheck = false;
    ring_rest(&s->queue);
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

/* ---- the end -----------------------------------------------------------------------------------
 */

void session_lost_sink(struct session *s)
{
    accept_mute(s);
    s->unsent = 0;
    session_give_back_former(s);
    group_member_left(s);
    if (s->flight.head == s->flight.tail) ring_free(&s->flight);
    received_rest(s);
}

/* The end of the session is in the log, and stands for that of its entries. */
static void drop_ring(struct session *s, struct pendings *r)
{
    struct broker *b = s->broker;
    for (uint32_t i = r->head; i != r->tail; i++) {
        struct pending *p = ring_at(r, i);
        if (r == &s->queue && p->seq && p->m) b->queue_memory -= p->bytes;
        if (p->stored) journal_forget(b->journal, p);
        pending_drop(b, p);
    }
    ring_free(r);
}

void session_drop_flow(struct session *s)
{
    load_forget(s);
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
    received_free(s);
}
