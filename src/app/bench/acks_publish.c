/* SPDX-License-Identifier: BSD-3-Clause */
/* acks_publish.c -- publishers: when to send, and how long an acknowledgement took. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/bench/acks.h"
#include "base/clock.h"
#include "base/err.h"

int acks_publisher_init(struct publisher *p, const struct bench *b, uint32_t n)
{
    const struct bench_options *o = b->options;
    char topic[64];
    int len = snprintf(topic, sizeof topic, "bench/%s/%u/%u", b->name, n % o->subscribers, n);

    p->frame = flow_packet_new(b, bytes_of(topic, (size_t)len), &p->frame_len, &p->id_at);
    p->free_ids = calloc(o->window, sizeof *p->free_ids);
    p->sent_ns = calloc(o->window, sizeof *p->sent_ns);
    if (!p->frame || !p->free_ids || !p->sent_ns) return -ERR_NOMEM;
    p->nfree = o->window;
    for (uint32_t i = 0; i < o->window; i++)
        p->free_ids[i] = (uint16_t)(i + 1);
    return 0;
}

void acks_publisher_fini(struct publisher *p)
{
    free(p->frame);
    free(p->free_ids);
    free(p->sent_ns);
}

static uint16_t take_id(struct publisher *p, uint32_t window)
{
    uint16_t id = p->free_ids[p->first_free];

    p->first_free = (p->first_free + 1) % window;
    p->nfree--;
    return id;
}

static void give_id(struct publisher *p, uint16_t id, uint32_t window)
{
    p->sent_ns[id - 1] = 0;
    p->free_ids[(p->first_free + p->nfree++) % window] = id;
}

static void mark(struct worker *w, struct publisher *p)
{
    struct acks_turn *t = w->state;

    if (p->dirty) return;
    p->dirty = true;
    p->dirty_next = t->dirty;
    t->dirty = p;
}

/* How many messages this worker may still send. */
static uint64_t allowance(struct worker *w)
{
    const struct bench_options *o = w->bench->options;
    struct acks_turn *t = w->state;

    if (!t->counts && o->count > 0 && bench_measures(w->bench, w->now_ns)) {
        t->counts = true;
        t->sent = 0;
        t->sent_max = o->count / o->threads + (w->index < o->count % o->threads);
    }
    return t->counts ? t->sent_max - t->sent : UINT64_MAX;
}

/* Sends `n` messages that were due at `due_ns`, if all their ids are free; all fit in the worker's
 * buffer. */
static void send_batch(struct worker *w, struct publisher *p, uint32_t n, uint64_t due_ns)
{
    const struct bench_options *o = w->bench->options;
    const struct acks *a = w->bench->state;
    struct acks_turn *t = w->state;
    struct stamp stamp = {.sent_ns = due_ns, .publisher = (uint32_t)(p - a->publishers)};
    uint8_t *at = w->out;

    for (uint32_t i = 0; i < n; i++, at += p->frame_len) {
        uint16_t id = take_id(p, o->window);
        stamp.seq = p->seq++;
        memcpy(at, p->frame, p->frame_len);
        memcpy(at + p->frame_len - o->payload_bytes, &stamp, STAMP_BYTES);
        at[p->id_at] = (uint8_t)(id >> 8);
        at[p->id_at + 1] = (uint8_t)id;
        p->sent_ns[id - 1] = due_ns;
    }
    t->sent += n;
    tally_add(w, TALLY_SENT, n);
    link_send(p->link, bytes_of(w->out, (size_t)(at - w->out)));
}

/* Sends as much as may be under way. */
static void fill(struct worker *w, struct publisher *p)
{
    uint32_t most = (uint32_t)(w->out_room / p->frame_len);
    uint64_t left = allowance(w);

    while (p->link->state == LINK_UP && link_unsent(p->link) == 0 && p->nfree > 0 && left > 0) {
        uint32_t n = p->nfree < most ? p->nfree : most;
        if (n > left) n = (uint32_t)left;
        send_batch(w, p, n, bench_now_ns());
        left -= n;
    }
}

/* The n-th publisher of this worker. */
static struct publisher *own(const struct worker *w, uint32_t n)
{
    const struct acks *a = w->bench->state;
    uint64_t i = (uint64_t)n * w->bench->options->threads + w->index;

    return a->publishers && i < w->bench->options->publishers ? &a->publishers[i] : NULL;
}

static uint64_t closed_loop(struct worker *w, struct acks_turn *t)
{
    struct publisher *p;

    if (t->began_ns == 0) {
        t->began_ns = w->now_ns;
        for (uint32_t i = 0; (p = own(w, i)) != NULL; i++)
            mark(w, p);
    }
    while ((p = t->dirty) != NULL) {
        t->dirty = p->dirty_next;
        p->dirty = false;
        fill(w, p);
    }
    return UINT64_MAX;
}

static bool may_send(const struct publisher *p)
{
    return p->link->state == LINK_UP && p->nfree > 0 && link_unsent(p->link) == 0;
}

/* The next in turn that may send; NULL if none may. */
static struct publisher *next_in_turn(struct worker *w, struct acks_turn *t)
{
    uint32_t passed = 0;

    while (passed <= w->bench->options->publishers) {
        struct publisher *p = own(w, t->next++);
        if (!p)
            t->next = 0;
        else if (may_send(p))
            return p;
        passed++;
    }
    return NULL;
}

/* Sends what is due. What finds all windows full leaves later, and its time counts from when it
 * was due all the same. Sleeps only if the next is far off: the clock of a sleep is coarse. */
static uint64_t open_loop(struct worker *w, struct acks_turn *t)
{
    double gap_ns = 1e9 * w->bench->options->threads / w->bench->options->rate;

    if (!own(w, 0)) return UINT64_MAX;
    if (t->began_ns == 0) t->began_ns = w->now_ns;
    while (allowance(w) > 0) {
        uint64_t due = t->began_ns + (uint64_t)((double)(t->left + 1) * gap_ns);
        if (due > w->now_ns) return due - w->now_ns > 2 * NS_PER_MS ? NS_PER_MS : 0;
        struct publisher *p = next_in_turn(w, t);
        if (!p) return NS_PER_MS;
        t->left++;
        send_batch(w, p, 1, due);
    }
    return UINT64_MAX;
}

uint64_t acks_publish_turn(struct worker *w)
{
    struct acks_turn *t = w->state;

    if (bench_phase(w->bench) != PHASE_RUN) return UINT64_MAX;
    return w->bench->options->rate > 0 ? open_loop(w, t) : closed_loop(w, t);
}

void acks_publisher_up(struct link *l)
{
    struct acks *a = l->worker->bench->state;

    a->publishers[l->index].link = l;
    worker_ready(l);
}

void acks_on_drain(struct link *l)
{
    struct acks *a = l->worker->bench->state;

    if (acks_publishes(l)) mark(l->worker, &a->publishers[l->index]);
}

void acks_on_ack(struct link *l, const struct mqtt_ack *ack, unsigned type)
{
    struct worker *w = l->worker;
    const struct bench *b = w->bench;
    struct acks *a = b->state;
    struct publisher *p = &a->publishers[l->index];
    uint16_t id = ack->packet_id;
    uint8_t release_it[4];
    char why[64];

    if (id == 0 || id > b->options->window || p->sent_ns[id - 1] == 0) {
        worker_failed(l, "an acknowledgement of what is not under way");
    } else if (ack->reason >= 0x80) {
        snprintf(why, sizeof why, "a message was refused with code %u", ack->reason);
        worker_failed(l, why);
    } else if (type == MQTT_PUBREC) {
        mqtt_encode_short_ack(release_it, MQTT_PUBREL, id);
        link_send(l, bytes_of(release_it, sizeof release_it));
    } else {
        if (bench_measures(b, p->sent_ns[id - 1]))
            hist_add(&w->latency,
                     w->now_ns > p->sent_ns[id - 1] ? w->now_ns - p->sent_ns[id - 1] : 0);
        give_id(p, id, b->options->window);
        tally_add(w, TALLY_ACKED, 1);
        mark(w, p);
    }
}
