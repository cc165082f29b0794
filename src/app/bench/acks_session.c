/* SPDX-License-Identifier: BSD-3-Clause */
/* acks_session.c -- sessions that the broker keeps: subscribe, leave, come back, take what waits.
 */
#include <stdio.h>
#include <string.h>

#include "app/bench/acks.h"
#include "base/assert.h"

static bool forgets(const struct link *l)
{
    const struct acks_turn *t = l->worker->state;

    return t->forgets;
}

static void subscribe(struct link *l)
{
    const struct bench *b = l->worker->bench;
    char filter[64];
    uint8_t packet[128];
    struct writer w = wr_of(packet, sizeof packet);
    int n = snprintf(filter, sizeof filter, "bench/%s/%u/+", b->name, acks_session(l));
    struct mqtt_filter f = {.filter = bytes_of(filter, (size_t)n), .qos = (uint8_t)b->options->qos};

    mqtt_encode_subscribe(&w, b->options->version, 1, &f, 1);
    ASSERT(!w.bad);
    link_send(l, bytes_of(packet, wr_len(&w)));
}

void acks_session_up(struct link *l)
{
    const struct acks *a = l->worker->bench->state;

    if (forgets(l))
        link_leave(l); /* it came with a clean session: nothing is left */
    else if (a->publishers)
        subscribe(l);
    else
        worker_ready(l);
}

void acks_on_suback(struct link *l, const struct mqtt_frame *f)
{
    const struct bench_options *o = l->worker->bench->options;
    struct mqtt_suback s;

    if (mqtt_decode_suback(f, o->version, &s) != 0 || s.codes.n != 1)
        worker_failed(l, "SUBACK is not understood");
    else if (s.codes.p[0] != o->qos)
        worker_failed(l, "the subscription was not granted as asked");
    else if (o->away)
        link_leave(l);
    else
        worker_ready(l);
}

static void answer(struct link *l, unsigned type, uint16_t id)
{
    uint8_t packet[4];

    mqtt_encode_short_ack(packet, type, id);
    link_send(l, bytes_of(packet, sizeof packet));
}

static void keep_count(struct link *l, const struct stamp *stamp)
{
    struct acks *a = l->worker->bench->state;
    struct acks_turn *t = l->worker->state;

    switch (seen_add(&a->seen[stamp->publisher], stamp->seq)) {
    case SEEN_TWICE: tally_add(l->worker, TALLY_DUPLICATE, 1); return;
    case SEEN_LATE: tally_add(l->worker, TALLY_DISORDER, 1); break;
    case SEEN_IN_ORDER: break;
    }
    tally_add(l->worker, TALLY_RECEIVED, 1);
    t->received_ns = l->worker->now_ns;
}

/* The payload stands at the end and its length is known, so nothing else need be decoded. */
void acks_on_message(struct link *l, const struct mqtt_frame *f)
{
    const struct bench_options *o = l->worker->bench->options;
    unsigned qos = f->flags >> 1 & 3;
    struct reader r = rd_of(f->body);
    struct stamp stamp;

    rd_take(&r, rd_u16be(&r));
    uint16_t id = qos ? rd_u16be(&r) : 0;
    if (r.bad || rd_left(&r) < o->payload_bytes) {
        worker_failed(l, "a message that nobody here has sent");
        return;
    }
    memcpy(&stamp, f->body.p + f->body.n - o->payload_bytes, STAMP_BYTES);
    if (stamp.publisher >= o->publishers || stamp.publisher % o->subscribers != acks_session(l)) {
        worker_failed(l, "a message for somebody else");
        return;
    }
    if (qos) answer(l, qos == 1 ? MQTT_PUBACK : MQTT_PUBREC, id);
    keep_count(l, &stamp);
}

/* Either it was to be away, or it was there for the last time. */
void acks_on_left(struct link *l)
{
    if (!forgets(l))
        worker_ready(l);
    else if (l->tries == 1)
        link_open(l); /* once more, without a session */
    else
        tally_add(l->worker, TALLY_READY, 1);
}

void acks_forget_turn(struct worker *w)
{
    const struct bench *b = w->bench;
    const struct acks *a = b->state;
    struct acks_turn *t = w->state;

    if (t->forgets || !atomic_load_explicit(&a->forget, memory_order_acquire)) return;
    t->forgets = true;
    for (uint32_t i = w->index; i < b->nlinks; i += b->options->threads)
        if (!acks_publishes(&b->links[i]) && b->links[i].state == LINK_UP) link_leave(&b->links[i]);
}
