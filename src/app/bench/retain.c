/* SPDX-License-Identifier: BSD-3-Clause */
/* retain.c -- retained messages: one client stores N of them, another subscribes and
 * should get each exactly once, then they are taken away again.
 *
 * Storing is done at QoS 1 or above: what is acknowledged is stored. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/args.h"
#include "app/bench/bench.h"
#include "base/assert.h"
#include "base/err.h"

enum { STORING_LINK, READING_LINK };

/* Main thread to worker: what to do now. */
enum step { STEP_NONE, STEP_STORE, STEP_READ, STEP_CLEAR };

struct retain {
    _Atomic int step;
    enum step seen;       /* by the worker */
    uint32_t sent, acked; /* in this step */
    uint8_t *got;         /* one per message */
};

static int prepare(struct bench *b)
{
    struct retain *r = calloc(1, sizeof *r);

    b->nlinks = 2;
    b->state = r;
    if (r) r->got = calloc(b->options->count, 1);
    return r && r->got ? 0 : -ERR_NOMEM;
}

static void release(struct bench *b)
{
    struct retain *r = b->state;

    if (r) free(r->got);
    free(r);
}

/* Message `i`, or its removal. */
static size_t put_message(struct worker *w, uint8_t *at, uint32_t i, bool remove)
{
    const struct bench_options *o = w->bench->options;
    struct link *l = &w->bench->links[STORING_LINK];
    char topic[64];
    int n = snprintf(topic, sizeof topic, "bench/%s/%u/%u", w->bench->name, i % 1000, i);
    struct mqtt_publish_out p = {
        .topic = bytes_of(topic, (size_t)n),
        .payload = bytes_of(NULL, remove ? 0 : o->payload_bytes),
        .qos = (uint8_t)(o->qos ? o->qos : 1),
        .retain = true,
        .packet_id = link_next_id(l),
    };
    size_t head = mqtt_encode_publish_head(at, o->version, &p, NULL);
    memset(at + head, 'x', p.payload.n);
    if (!remove) memcpy(at + head, &i, sizeof i);
    return head + p.payload.n;
}

static void send_more(struct worker *w, struct retain *r)
{
    const struct bench_options *o = w->bench->options;
    struct link *l = &w->bench->links[STORING_LINK];
    size_t largest = o->payload_bytes + 128, n = 0;

    if (o->window - (r->sent - r->acked) < (o->window + 1) / 2 || link_unsent(l) > 0) return;
    while (r->sent < o->count && r->sent - r->acked < o->window && n + largest <= w->out_room) {
        n += put_message(w, w->out + n, r->sent++, r->seen == STEP_CLEAR);
        tally_add(w, TALLY_SENT, 1);
    }
    if (n > 0) link_send(l, bytes_of(w->out, n));
}

static void subscribe(struct bench *b)
{
    char filter[64];
    uint8_t packet[128];
    struct writer w = wr_of(packet, sizeof packet);
    int n = snprintf(filter, sizeof filter, "bench/%s/#", b->name);
    struct mqtt_filter f = {.filter = bytes_of(filter, (size_t)n)};

    mqtt_encode_subscribe(&w, b->options->version, 1, &f, 1);
    link_send(&b->links[READING_LINK], bytes_of(packet, wr_len(&w)));
}

static uint64_t on_turn(struct worker *w)
{
    struct retain *r = w->bench->state;
    enum step step = (enum step)atomic_load_explicit(&r->step, memory_order_acquire);

    if (step != r->seen) {
        r->seen = step;
        r->sent = r->acked = 0;
        if (step == STEP_READ) subscribe(w->bench);
    }
    if (step == STEP_STORE || step == STEP_CLEAR) send_more(w, r);
    return UINT64_MAX;
}

static void on_message(struct link *l, const struct mqtt_frame *f)
{
    const struct bench_options *o = l->worker->bench->options;
    struct retain *r = l->worker->bench->state;
    uint32_t i;

    if (f->body.n < o->payload_bytes) return;
    memcpy(&i, f->body.p + f->body.n - o->payload_bytes, sizeof i);
    if (i >= o->count || !(f->flags & 1)) {
        worker_failed(l, "a message that is not retained, or that nobody here has stored");
        return;
    }
    tally_add(l->worker, r->got[i] ? TALLY_DUPLICATE : TALLY_RECEIVED, 1);
    r->got[i] = 1;
}

static void on_packet(struct link *l, const struct mqtt_frame *f)
{
    struct retain *r = l->worker->bench->state;
    struct mqtt_ack a;

    if (f->type == MQTT_PUBLISH && r->seen == STEP_READ) on_message(l, f);
    if (f->type < MQTT_PUBACK || f->type > MQTT_PUBCOMP) return;
    if (mqtt_decode_ack(f, l->worker->bench->options->version, &a) != 0 || a.reason >= 0x80) {
        worker_failed(l, "a retained message was refused");
    } else if (f->type == MQTT_PUBREC) {
        uint8_t release_it[4];
        mqtt_encode_short_ack(release_it, MQTT_PUBREL, a.packet_id);
        link_send(l, bytes_of(release_it, sizeof release_it));
        return;
    }
    r->acked++;
    tally_add(l->worker, TALLY_ACKED, 1);
}

/* Takes a step and waits until `t` has grown by all messages; the seconds that took. */
static double take_step(struct bench *b, enum step step, enum tally t)
{
    struct retain *r = b->state;
    uint64_t began = bench_now_ns();
    uint64_t before = bench_tallies(b).n[t];

    atomic_store_explicit(&r->step, step, memory_order_release);
    bench_wait_tally(b, t, before + b->options->count, 2);
    return (double)(bench_now_ns() - began) / 1e9;
}

static int conduct(struct bench *b)
{
    double n = b->options->count;

    if (!bench_wait_ready(b)) return EXIT_FAILED;
    double store_s = take_step(b, STEP_STORE, TALLY_ACKED);
    double rss = broker_rss_bytes(b);
    double read_s = take_step(b, STEP_READ, TALLY_RECEIVED);
    double clear_s = take_step(b, STEP_CLEAR, TALLY_ACKED);
    bench_stop(b);

    struct tallies t = bench_tallies(b);
    const struct figure f[] = {
        {"stored", n / store_s, "/s"},
        {"read", (double)t.n[TALLY_RECEIVED] / read_s, "/s"},
        {"cleared", n / clear_s, "/s"},
        {"lost", n - (double)t.n[TALLY_RECEIVED], NULL},
        {"duplicate", (double)t.n[TALLY_DUPLICATE], NULL},
        {"failed", (double)t.n[TALLY_FAILED], NULL},
        {"rss_per_message", (rss - b->rss_before) / n, "bytes"},
    };
    report_print(b, f, ARRAY_LEN(f) - (b->options->broker_pid ? 0u : 1u));
    return EXIT_OK;
}

const struct scenario bench_retain = {
    .name = "retain",
    .what = "-n retained messages are stored, read by one subscriber, and removed",
    .prepare = prepare,
    .release = release,
    .conduct = conduct,
    .on_up = worker_ready,
    .on_packet = on_packet,
    .on_turn = on_turn,
};
