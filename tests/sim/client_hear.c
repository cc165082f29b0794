/* SPDX-License-Identifier: BSD-3-Clause */
/* client_hear.c -- what a client makes of the broker's packets: the rules that the protocol sets
 * for them on one connection are checked here. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "client.h"

/* Something was refused, or ended: may it be? */
static bool is_excused(const struct client *c)
{
    return c->o->trouble || c->crashed;
}

/* ---- CONNACK -----------------------------------------------------------------------------------
 */

static void new_seat(struct client *c)
{
    if (c->seat) c->seat->ended = true;
    c->seat = oracle_seat(c->o, c->index);
    c->seat->member = c->role == ROLE_MEMBER;
    memset(c->got2, 0, sizeof c->got2);
    c->nflight = 0; /* what was in flight belonged to the old session */
}

static void on_connack(struct client *c, const struct heard *h)
{
    trace(c->t, "%s gets CONNACK reason=%u present=%d", c->name, h->reason, h->session_present);
    if (c->phase == CONNECTING && h->reason && is_excused(c)) {
        client_lost(c, false);
        return;
    }
    if (c->phase != CONNECTING || h->reason) {
        broken(c->t, "%s got CONNACK with reason %u", c->name, h->reason);
        return;
    }
    bool none = c->have == HAVE_NONE && !c->o->troubled; /* else its end may be undone */
    if (h->session_present && (c->clean || none))
        broken(c->t, "%s was told of a session that it does not have", c->name);
    if (!h->session_present && !c->clean && c->have == HAVE_SESSION)
        broken(c->t, "the session of %s is lost", c->name);
    c->broker_receive_max = h->receive_max;
    c->resumed = h->session_present;
    c->phase = ONLINE;
    bool fresh = !h->session_present || !c->seat || c->seat->ended;
    if (fresh) new_seat(c);
    c->seat->strange |= fresh && h->session_present && c->o->troubled;
    c->seat->online_since = c->t->n;
    c->seat->life = (uint16_t)(c->o->crashes - c->crashed);
    c->have = HAVE_SESSION;
    c->renew = false;
    if (h->session_present) client_resend(c);
}

/* ---- PUBLISH from the broker
 * --------------------------------------------------------------------- */

static uint32_t *last_with(struct seat *s, uint16_t id)
{
    while (s->nlast <= id) {
        uint32_t n = s->nlast ? s->nlast * 2 : 64;
        s->last = realloc(s->last, n * sizeof *s->last);
        ASSERT(s->last);
        memset(s->last + s->nlast, 0xFF, (n - s->nlast) * sizeof *s->last);
        s->nlast = n;
    }
    return &s->last[id];
}

/* The rules of packet ids. True if the same message came with the same id before. */
static bool take_id(struct client *c, const struct heard *h, uint32_t number)
{
    uint32_t *last = last_with(c->seat, h->id);
    bool again = h->dup && (*last == number || (h->qos == 2 && bit_at(c->got2, h->id)));
    if (h->dup && !c->resumed) broken(c->t, "%s got a duplicate in a new session", c->name);
    if (bit_at(c->held, h->id))
        broken(c->t, "%s got packet id %u, which is still in use", c->name, h->id);
    if (h->qos == 2 && bit_at(c->got2, h->id) && (!h->dup || *last != number))
        broken(c->t, "%s got another message with packet id %u before it was released", c->name,
               h->id);
    *last = number;
    bit_set(c->held, h->id, true);
    if (++c->unanswered > c->receive_max)
        broken(c->t, "%s got more messages than its receive maximum of %u", c->name,
               c->receive_max);
    return again;
}

static bool is_filler(const struct heard *h)
{
    return h->topic_n > strlen(FILL_PREFIX) &&
           memcmp(h->topic, FILL_PREFIX, strlen(FILL_PREFIX)) == 0;
}

static void on_publish(struct client *c, const struct heard *h)
{
    if (is_filler(h)) return;
    int topic = topic_find(h->topic, h->topic_n);
    int64_t number = payload_number(h->payload, h->payload_n);
    trace(c->t, "%s gets %d on %.*s qos=%u retain=%d id=%u dup=%d", c->name, (int)number,
          (int)h->topic_n, (const char *)h->topic, h->qos, h->retain, h->id, h->dup);
    if (topic < 0 || number < 0) {
        broken(c->t, "%s got a damaged message", c->name);
        return;
    }
    struct arrived a = {.topic = (unsigned)topic,
                        .number = (uint32_t)number,
                        .qos = h->qos,
                        .retain = h->retain,
                        .ids = h->ids,
                        .nids = h->nids};
    if (h->qos) a.again = take_id(c, h, a.number);
    if (h->qos == 1) ids_push(&c->puback, h->id);
    if (h->qos == 2) {
        ids_push(&c->pubrec, h->id);
        bit_set(c->got2, h->id, true);
    }
    oracle_arrived(c->o, c->seat, &a);
}

static void on_pubrel(struct client *c, const struct heard *h)
{
    if (!bit_at(c->got2, h->id) && !c->resumed)
        broken(c->t, "%s got PUBREL for %u, which it does not know", c->name, h->id);
    bit_set(c->got2, h->id, false);
    ids_push(&c->pubcomp, h->id);
}

/* ---- answers to our own
 * -------------------------------------------------------------------------------- */

static struct flight *flight_find(struct client *c, uint16_t id)
{
    for (unsigned i = 0; i < c->nflight; i++)
        if (c->flight[i].id == id) return &c->flight[i];
    return NULL;
}

static void flight_done(struct client *c, struct flight *f)
{
    unsigned at = (unsigned)(f - c->flight);
    memmove(f, f + 1, (--c->nflight - at) * sizeof *f);
}

/* Answers come in the order of the messages [MQTT-4.6.0-2] [MQTT-4.6.0-3]. But a PUBREC may still
 * answer a PUBLISH of the connection before, and come ahead of those to what is sent again. */
static void check_first(struct client *c, const struct flight *f)
{
    for (const struct flight *x = c->flight; x < f; x++)
        if (x->qos == f->qos && x->here && !x->released && (f->qos == 1 || !x->resent))
            broken(c->t, "%s got the answer to message %u before that to %u", c->name, f->number,
                   x->number);
}

static void on_puback(struct client *c, const struct heard *h)
{
    struct flight *f = flight_find(c, h->id);
    if (!f || f->qos != 1 || !f->here) {
        broken(c->t, "%s got PUBACK for %u, which it did not send on this connection", c->name,
               h->id);
        return;
    }
    check_first(c, f);
    note_at(c->o, f->number)->acked_at = c->t->n;
    flight_done(c, f);
}

static void on_pubrec(struct client *c, const struct heard *h)
{
    struct flight *f = flight_find(c, h->id);
    if (f && f->qos == 2 && !f->released) {
        check_first(c, f);
        f->released = true;
        note_at(c->o, f->number)->acked_at = c->t->n;
    }
    if (f && f->qos == 1) broken(c->t, "%s got PUBREC for %u, which is QoS 1", c->name, h->id);
    /* A second PUBREC gets a PUBREL as well, but not when the id may be another message's. */
    if (f && f->qos == 2 && !ids_has(&c->pubrel, h->id)) ids_push(&c->pubrel, h->id);
}

static void on_pubcomp(struct client *c, const struct heard *h)
{
    struct flight *f = flight_find(c, h->id);
    if (!f || f->qos != 2 || !f->released) return;
    flight_done(c, f);
    ids_drop(&c->pubrel, h->id);
}

/* The broker did not take it: some who should have it may have got it. */
static void on_refused(struct client *c, const struct heard *h)
{
    struct flight *f = flight_find(c, h->id);
    if (!f || (h->type != P_PUBACK && h->type != P_PUBREC)) {
        broken(c->t, "%s was refused %u, which it did not ask for", c->name, h->id);
        return;
    }
    note_at(c->o, f->number)->doubt_at = c->t->n;
    flight_done(c, f);
}

static void on_ack(struct client *c, const struct heard *h)
{
    static const char *const names[] = {"PUBACK", "PUBREC", "PUBREL", "PUBCOMP"};
    bool unknown = h->reason == 0x92 && (h->type == P_PUBREL || h->type == P_PUBCOMP);
    trace(c->t, "%s gets %s %u reason=%u", c->name, names[h->type - P_PUBACK], h->id, h->reason);
    if (h->reason && !unknown && is_excused(c)) {
        on_refused(c, h);
        return;
    }
    if (h->reason && !unknown) broken(c->t, "%s was refused with reason %u", c->name, h->reason);
    switch (h->type) {
    case P_PUBACK: on_puback(c, h); break;
    case P_PUBREC: on_pubrec(c, h); break;
    case P_PUBREL: on_pubrel(c, h); break;
    default: on_pubcomp(c, h);
    }
}

static void on_suback(struct client *c, const struct heard *h)
{
    unsigned i = 0;
    while (i < c->nasked && (c->asked[i].id != h->id || c->asked[i].un != (h->type == P_UNSUBACK)))
        i++;
    trace(c->t, "%s gets %s %u reason=%u", c->name, h->type == P_SUBACK ? "SUBACK" : "UNSUBACK",
          h->id, h->reason);
    if (i == c->nasked) {
        broken(c->t, "%s got an answer to a SUBSCRIBE that it did not send", c->name);
        return;
    }
    struct subscribed *x = c->asked[i].sub;
    bool refused = h->reason >= 0x80 && is_excused(c);
    if (refused) {
        x->dropped_at = x->dropped_at == NEVER ? c->t->n : x->dropped_at; /* or it is the old one */
    } else if (h->type == P_SUBACK) {
        if (h->reason != x->qos) broken(c->t, "%s was refused a subscription", c->name);
        x->granted_at = c->t->n;
    } else {
        for (unsigned k = 0; k < c->seat->nsubs; k++) {
            struct subscribed *y = &c->seat->sub[k];
            if (y->shared == x->shared && y->filter == x->filter && y->dropped_at <= x->dropped_at)
                y->gone_at = c->t->n;
        }
    }
    c->asked[i] = c->asked[--c->nasked];
}

/* ---- all of them
 * ------------------------------------------------------------------------------------------ */

static void on_packet(struct client *c, const struct heard *h)
{
    if (c->phase == CONNECTING && h->type != P_CONNACK) {
        broken(c->t, "%s got packet %u before CONNACK", c->name, h->type);
        return;
    }
    switch (h->type) {
    case P_CONNACK: on_connack(c, h); break;
    case P_PUBLISH: on_publish(c, h); break;
    case P_PUBACK:
    case P_PUBREC:
    case P_PUBREL:
    case P_PUBCOMP: on_ack(c, h); break;
    case P_SUBACK:
    case P_UNSUBACK: on_suback(c, h); break;
    case P_PINGRESP: c->pinged = false; break;
    case P_DISCONNECT:
        trace(c->t, "%s gets DISCONNECT reason=%u", c->name, h->reason);
        if (!is_excused(c)) broken(c->t, "%s was thrown out with reason %u", c->name, h->reason);
        break;
    default: broken(c->t, "%s got packet %u, which only clients send", c->name, h->type);
    }
}

void client_hear(struct client *c)
{
    uint32_t at = 0;
    while (!c->t->broken[0]) {
        struct heard h;
        long n = hear(c->in.at + at, c->in.n - at, c->v5, &h);
        if (n < 0) broken(c->t, "%s got bytes that are no packet", c->name);
        if (n <= 0) break;
        at += (uint32_t)n;
        if (c->phase != LEAVING) on_packet(c, &h); /* who has left hears nothing */
        if (c->phase == AWAY) return;              /* it was not let in */
    }
    buf_skip(&c->in, at);
}
