/* SPDX-License-Identifier: BSD-3-Clause */
/* flow.c -- publishers: when to send, and sending a batch with one write. */
#include "app/bench/flow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"

enum { STALL_NS = 1000 * 1000 * 1000, STALL_LOOK_NS = 200 * 1000 * 1000 };

uint8_t *flow_packet_new(const struct bench *b, struct bytes topic, size_t *len, size_t *id_at)
{
    const struct bench_options *o = b->options;
    struct mqtt_publish_out p = {
        .topic = topic,
        .payload = bytes_of(NULL, o->payload_bytes),
        .qos = (uint8_t)o->qos,
        .packet_id = o->qos ? 1 : 0,
    };

    *len = mqtt_publish_size(o->version, &p);
    uint8_t *packet = malloc(*len);
    if (!packet) return NULL;
    size_t head = mqtt_encode_publish_head(packet, o->version, &p, id_at);
    memset(packet + head, 'x', *len - head);
    return packet;
}

int flow_frame_new(struct flow *f, const struct bench *b, uint32_t publisher)
{
    char topic[64];
    int n = snprintf(topic, sizeof topic, "bench/%s/%u", b->name, publisher);

    f->frame = flow_packet_new(b, bytes_of(topic, (size_t)n), &f->frame_len, &f->id_at);
    return f->frame ? 0 : -ERR_NOMEM;
}

void flow_mark(struct worker *w, struct flow *f)
{
    struct flow_turn *t = w->state;

    if (f->dirty) return;
    f->dirty = true;
    f->dirty_next = t->dirty;
    t->dirty = f;
}

/* Sends `n` messages that were due at `due_ns`; they fit in the worker's buffer. */
static void send_batch(struct worker *w, struct flow *f, uint32_t n, uint64_t due_ns)
{
    const struct bench *b = w->bench;
    const struct flows *fs = b->state;
    struct stamp stamp = {.sent_ns = due_ns, .publisher = (uint32_t)(f - fs->flow)};
    size_t stamp_at = f->frame_len - b->options->payload_bytes;
    uint8_t *at = w->out;

    for (uint32_t i = 0; i < n; i++, at += f->frame_len) {
        stamp.seq = f->seq++;
        memcpy(at, f->frame, f->frame_len);
        memcpy(at + stamp_at, &stamp, STAMP_BYTES);
        if (b->options->qos == 0) continue;
        uint16_t id = link_next_id(f->link);
        at[f->id_at] = (uint8_t)(id >> 8);
        at[f->id_at + 1] = (uint8_t)id;
    }
    f->sent += n;
    tally_add(w, TALLY_SENT, n);
    link_send(f->link, bytes_of(w->out, (size_t)(at - w->out)));
}

static uint64_t delivered(const struct flow *f)
{
    return atomic_load_explicit(&f->delivered, memory_order_relaxed);
}

/* Messages that a publisher may send now, 0 if that is less than half a window. */
static uint32_t room(const struct worker *w, const struct flow *f)
{
    const struct flows *fs = w->bench->state;
    uint32_t window = w->bench->options->window;
    uint64_t done = delivered(f) / fs->fan + f->forgiven;
    uint64_t under_way = f->sent > done ? f->sent - done : 0;

    if (w->bench->options->qos > 0 && f->sent - f->acked > under_way)
        under_way = f->sent - f->acked;
    uint64_t free_slots = under_way < window ? window - under_way : 0;
    return free_slots >= (window + 1) / 2 ? (uint32_t)free_slots : 0;
}

static void fill(struct worker *w, struct flow *f)
{
    uint32_t most = (uint32_t)(w->out_room / f->frame_len);

    if (f->link->state != LINK_UP || link_unsent(f->link) > 0) return;
    for (uint32_t n = room(w, f); n > 0 && link_unsent(f->link) == 0;) {
        uint32_t batch = n < most ? n : most;
        send_batch(w, f, batch, bench_now_ns());
        n -= batch;
    }
}

/* The n-th publisher of this worker. */
static struct flow *own_flow(const struct worker *w, uint32_t n)
{
    const struct flows *fs = w->bench->state;
    uint64_t i = (uint64_t)n * w->bench->options->threads + w->index;

    return i < w->bench->options->publishers ? &fs->flow[i] : NULL;
}

/* A window whose messages were dropped on the way would stay shut for ever. */
static void give_up_stalled(struct worker *w, struct flow_turn *t)
{
    struct flow *f;

    if (w->now_ns - t->checked_ns < STALL_LOOK_NS) return;
    t->checked_ns = w->now_ns;
    for (uint32_t i = 0; (f = own_flow(w, i)) != NULL; i++) {
        const struct flows *fs = w->bench->state;
        uint64_t seen = delivered(f) + f->acked;
        if (seen != f->progress_seen || f->progress_ns == 0) {
            f->progress_seen = seen;
            f->progress_ns = w->now_ns;
        }
        uint64_t done = delivered(f) / fs->fan;
        if (w->now_ns - f->progress_ns < STALL_NS || room(w, f) > 0 || link_unsent(f->link) > 0)
            continue;
        tally_add(w, TALLY_STALLS, 1);
        f->forgiven = f->sent - (done < f->sent ? done : f->sent);
        f->acked = f->sent;
        f->progress_ns = w->now_ns;
        flow_mark(w, f);
    }
}

/* Subscribers of other workers tell nobody when they have received: look at all. */
static void mark_all(struct worker *w)
{
    struct flow *f;

    for (uint32_t i = 0; (f = own_flow(w, i)) != NULL; i++)
        flow_mark(w, f);
}

static uint64_t closed_loop(struct worker *w, struct flow_turn *t)
{
    const struct flows *fs = w->bench->state;
    bool alone = fs->paired || w->bench->options->threads == 1;

    if (t->began_ns == 0) {
        t->began_ns = w->now_ns;
        mark_all(w);
    }
    give_up_stalled(w, t);
    if (!alone) mark_all(w);
    while (t->dirty) {
        struct flow *f = t->dirty;
        t->dirty = f->dirty_next;
        f->dirty = false;
        fill(w, f);
    }
    return alone || !own_flow(w, 0) ? UINT64_MAX : 0;
}

/* Sends what is due; sleeps only if the next is far off, since the clock of a sleep is coarse. */
static uint64_t open_loop(struct worker *w, struct flow_turn *t)
{
    double gap_ns = 1e9 * w->bench->options->threads / w->bench->options->rate;

    if (!own_flow(w, 0)) return UINT64_MAX;
    if (t->began_ns == 0) t->began_ns = w->now_ns;
    for (;;) {
        uint64_t due = t->began_ns + (uint64_t)((double)(t->left + 1) * gap_ns);
        if (due > w->now_ns) return due - w->now_ns > 2 * NS_PER_MS ? NS_PER_MS : 0;
        struct flow *f = own_flow(w, t->next++);
        if (!f) {
            t->next = 0;
            continue;
        }
        t->left++;
        if (f->link->state == LINK_UP) send_batch(w, f, 1, due);
    }
}

uint64_t flow_on_turn(struct worker *w)
{
    struct flow_turn *t = w->state;

    if (bench_phase(w->bench) != PHASE_RUN) return UINT64_MAX;
    return w->bench->options->rate > 0 ? open_loop(w, t) : closed_loop(w, t);
}
