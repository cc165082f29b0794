/* SPDX-License-Identifier: BSD-3-Clause */
/* flow_receive.c -- subscribers: subscribe, take messages, acknowledge, keep count. */
#include <stdio.h>
#include <string.h>

#include "app/bench/flow.h"
#include "base/assert.h"

enum verdict seen_add(struct seen *s, uint32_t seq)
{
    if (seq >= s->next) {
        uint32_t ahead = seq - s->next + 1;
        s->recent = (ahead < RECENT ? s->recent << ahead : 0) | 1;
        s->next = seq + 1;
        return SEEN_IN_ORDER;
    }
    uint32_t back = s->next - 1 - seq;
    if (back >= RECENT) return SEEN_LATE;
    if (s->recent >> back & 1) return SEEN_TWICE;
    s->recent |= 1ull << back;
    return SEEN_LATE;
}

static bool publishes(const struct link *l)
{
    return l->index < l->worker->bench->options->publishers;
}

static void subscribe(struct link *l)
{
    const struct bench *b = l->worker->bench;
    const struct flows *fs = b->state;
    const char *share = b->scenario == &bench_shared ? "$share/bench/" : "";
    char filter[80];
    uint8_t packet[160];
    struct writer w = wr_of(packet, sizeof packet);
    int n;

    if (fs->paired)
        n = snprintf(filter, sizeof filter, "bench/%s/%u", b->name,
                     l->index - b->options->publishers);
    else if (b->options->publishers == 1 && !*share)
        n = snprintf(filter, sizeof filter, "bench/%s/0", b->name);
    else
        n = snprintf(filter, sizeof filter, "%sbench/%s/+", share, b->name);
    struct mqtt_filter f = {.filter = bytes_of(filter, (size_t)n), .qos = (uint8_t)b->options->qos};
    mqtt_encode_subscribe(&w, b->options->version, 1, &f, 1);
    ASSERT(!w.bad);
    link_send(l, bytes_of(packet, wr_len(&w)));
}

void flow_on_up(struct link *l)
{
    struct flows *fs = l->worker->bench->state;

    if (!publishes(l)) {
        subscribe(l);
        return;
    }
    fs->flow[l->index].link = l;
    worker_ready(l);
}

static void on_suback(struct link *l, const struct mqtt_frame *f)
{
    struct mqtt_suback s;
    char why[64];

    if (mqtt_decode_suback(f, l->worker->bench->options->version, &s) != 0 || s.codes.n != 1) {
        worker_failed(l, "SUBACK is not understood");
    } else if (s.codes.p[0] >= 0x80) {
        snprintf(why, sizeof why, "SUBSCRIBE refused with code %u", s.codes.p[0]);
        worker_failed(l, why);
    } else {
        worker_ready(l);
    }
}

static void answer(struct link *l, unsigned type, uint16_t id)
{
    uint8_t packet[4];

    mqtt_encode_short_ack(packet, type, id);
    link_send(l, bytes_of(packet, sizeof packet));
}

static void keep_count(struct link *l, const struct stamp *stamp)
{
    struct worker *w = l->worker;
    const struct bench *b = w->bench;
    struct flows *fs = b->state;
    uint32_t subscriber = l->index - b->options->publishers;
    size_t row =
        fs->paired ? subscriber : (size_t)subscriber * b->options->publishers + stamp->publisher;

    switch (seen_add(&fs->seen[row], stamp->seq)) {
    case SEEN_TWICE: tally_add(w, TALLY_DUPLICATE, 1); return;
    case SEEN_LATE: tally_add(w, TALLY_DISORDER, 1); break;
    case SEEN_IN_ORDER: break;
    }
    tally_add(w, TALLY_RECEIVED, 1);
    if (bench_measures(b, stamp->sent_ns))
        hist_add(&w->latency, w->now_ns > stamp->sent_ns ? w->now_ns - stamp->sent_ns : 0);
    struct flow *f = &fs->flow[stamp->publisher];
    if (b->options->threads > 1)
        atomic_fetch_add_explicit(&f->delivered, 1, memory_order_relaxed);
    else
        atomic_store_explicit(&f->delivered,
                              atomic_load_explicit(&f->delivered, memory_order_relaxed) + 1,
                              memory_order_relaxed);
    if (f->link->worker == w) flow_mark(w, f);
}

/* The payload stands at the end and its length is known, so nothing else need be decoded. */
static void on_publish(struct link *l, const struct mqtt_frame *f)
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
    if (stamp.publisher >= o->publishers) {
        worker_failed(l, "a message that nobody here has sent");
        return;
    }
    if (qos) answer(l, qos == 1 ? MQTT_PUBACK : MQTT_PUBREC, id);
    keep_count(l, &stamp);
}

static void on_ack(struct link *l, const struct mqtt_frame *f)
{
    struct worker *w = l->worker;
    struct flows *fs = w->bench->state;
    struct mqtt_ack a;

    if (mqtt_decode_ack(f, w->bench->options->version, &a) != 0) {
        worker_failed(l, "an acknowledgement that is not understood");
        return;
    }
    if (f->type == MQTT_PUBREL) {
        answer(l, MQTT_PUBCOMP, a.packet_id);
        return;
    }
    if (f->type == MQTT_PUBREC && a.reason < 0x80) {
        answer(l, MQTT_PUBREL, a.packet_id);
        return;
    }
    if (!publishes(l)) return;
    fs->flow[l->index].acked++;
    tally_add(w, TALLY_ACKED, 1);
    flow_mark(w, &fs->flow[l->index]);
}

void flow_on_packet(struct link *l, const struct mqtt_frame *f)
{
    switch (f->type) {
    case MQTT_PUBLISH: on_publish(l, f); break;
    case MQTT_PUBACK:
    case MQTT_PUBREC:
    case MQTT_PUBREL:
    case MQTT_PUBCOMP: on_ack(l, f); break;
    case MQTT_SUBACK: on_suback(l, f); break;
    default: break;
    }
}

void flow_on_drain(struct link *l)
{
    struct flows *fs = l->worker->bench->state;

    if (publishes(l)) flow_mark(l->worker, &fs->flow[l->index]);
}
