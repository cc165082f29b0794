/* SPDX-License-Identifier: BSD-3-Clause */
/* acks.c -- acks: how fast publishes are acknowledged; drain: what waited for sessions comes out.
 * How both are conducted, and what they report. */
#include "app/bench/acks.h"

#include <stdio.h>
#include <stdlib.h>

#include "app/args.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/err.h"

static int prepare(struct bench *b)
{
    const struct bench_options *o = b->options;
    bool drain = b->scenario == &bench_drain;
    struct acks *a = calloc(1, sizeof *a);

    b->state = a;
    if (!a) return -ERR_NOMEM;
    b->nlinks = o->subscribers + (drain ? 0 : o->publishers);
    a->seen = calloc(o->publishers, sizeof *a->seen);
    if (!a->seen) return -ERR_NOMEM;
    if (drain) return 0;
    a->publishers = calloc(o->publishers, sizeof *a->publishers);
    if (!a->publishers) return -ERR_NOMEM;
    for (uint32_t i = 0; i < o->publishers; i++)
        if (acks_publisher_init(&a->publishers[i], b, i) < 0) return -ERR_NOMEM;
    return 0;
}

static void release(struct bench *b)
{
    struct acks *a = b->state;

    if (!a) return;
    for (uint32_t i = 0; a->publishers && i < b->options->publishers; i++)
        acks_publisher_fini(&a->publishers[i]);
    free(a->publishers);
    free(a->seen);
    free(a);
}

/* ---- on workers ---------------------------------------------------------------------------- */

static void on_greet(const struct link *l, struct mqtt_connect *c, char id[BENCH_ID])
{
    bool publishes = acks_publishes(l);
    const struct acks_turn *t = l->worker->state;
    int n = publishes ? snprintf(id, BENCH_ID, "%s-p%u", l->worker->bench->name, l->index)
                      : snprintf(id, BENCH_ID, "%s-s%u", l->worker->bench->name, acks_session(l));

    c->client_id = bytes_of(id, (size_t)n);
    c->clean = publishes || t->forgets;
    if (c->clean || c->version != MQTT_V5) return;
    c->props.have = 1u << MQTT_P_session_expiry;
    c->props.session_expiry = UINT32_MAX;
}

static void on_up(struct link *l)
{
    acks_publishes(l) ? acks_publisher_up(l) : acks_session_up(l);
}

static void on_packet(struct link *l, const struct mqtt_frame *f)
{
    struct mqtt_ack a;

    if (f->type == MQTT_PUBLISH) {
        acks_on_message(l, f);
    } else if (f->type == MQTT_SUBACK) {
        acks_on_suback(l, f);
    } else if (f->type >= MQTT_PUBACK && f->type <= MQTT_PUBCOMP) {
        if (mqtt_decode_ack(f, l->worker->bench->options->version, &a) != 0) {
            worker_failed(l, "an acknowledgement that is not understood");
        } else if (acks_publishes(l)) {
            acks_on_ack(l, &a, f->type);
        } else if (f->type == MQTT_PUBREL) {
            uint8_t packet[4];
            mqtt_encode_short_ack(packet, MQTT_PUBCOMP, a.packet_id);
            link_send(l, bytes_of(packet, sizeof packet));
        }
    }
}

static uint64_t on_turn(struct worker *w)
{
    acks_forget_turn(w);
    return acks_publish_turn(w);
}

/* ---- on the main thread -------------------------------------------------------------------- */

enum { PATIENCE_S = 5, FORGET_S = 2, CLOSING_S = 10, QUIET_MS = 30 };

/* All sessions come once more, so that the broker forgets them. If one fails: bad luck. */
static void forget_sessions(struct bench *b)
{
    struct acks *a = b->state;
    uint64_t ready = bench_tallies(b).n[TALLY_READY];

    atomic_store_explicit(&a->forget, true, memory_order_release);
    bench_wait_tally(b, TALLY_READY, ready + b->options->subscribers, FORGET_S);
}

/* What the measured seconds were like. */
struct measured {
    struct tallies before, after;
    double seconds, cpu_s;
};

static struct measured measure(struct bench *b)
{
    const struct bench_options *o = b->options;
    uint64_t until = UINT64_MAX;

    if (o->warmup_ms == 0) atomic_store(&b->measure_from_ns, bench_now_ns());
    bench_set_phase(b, PHASE_RUN);
    bench_sleep(b, o->warmup_ms);
    struct measured m = {.before = bench_tallies(b)};
    double cpu = broker_cpu_s(b);
    uint64_t began = bench_now_ns();
    if (o->warmup_ms > 0) atomic_store(&b->measure_from_ns, began);
    if (o->count > 0) until = m.before.n[TALLY_ACKED] + o->count;
    bench_sleep_until(b, o->measure_ms, TALLY_ACKED, until);
    m.after = bench_tallies(b);
    m.seconds = (double)(bench_now_ns() - began) / 1e9;
    m.cpu_s = broker_cpu_s(b) - cpu;
    atomic_store(&b->measure_from_ns, UINT64_MAX);
    return m;
}

static struct hist *all_latency(struct bench *b)
{
    struct hist *h = &b->workers[0].latency;

    for (unsigned i = 1; i < b->started; i++)
        hist_merge(h, &b->workers[i].latency);
    return h;
}

static void report_acks(struct bench *b, const struct measured *m)
{
    struct tallies end = bench_tallies(b);
    const struct hist *h = all_latency(b);
    double acked = (double)(m->after.n[TALLY_ACKED] - m->before.n[TALLY_ACKED]);
    double received = (double)(m->after.n[TALLY_RECEIVED] - m->before.n[TALLY_RECEIVED]);
    double sent = (double)end.n[TALLY_SENT];
    const struct figure f[] = {
        {"acked", acked / m->seconds, "/s"},
        {"received", received / m->seconds, "/s"},
        {"p50", (double)hist_quantile(h, 0.5) / 1e6, "ms"},
        {"p99", (double)hist_quantile(h, 0.99) / 1e6, "ms"},
        {"p99.9", (double)hist_quantile(h, 0.999) / 1e6, "ms"},
        {"max", (double)h->max / 1e6, "ms"},
        {"seconds", m->seconds, "s"},
        {"published", sent, NULL},
        {"unacknowledged", sent - (double)end.n[TALLY_ACKED], NULL},
        {"lost", b->options->away ? 0 : sent - (double)end.n[TALLY_RECEIVED], NULL},
        {"duplicate", (double)end.n[TALLY_DUPLICATE], NULL},
        {"out_of_order", (double)end.n[TALLY_DISORDER], NULL},
        {"failed", (double)end.n[TALLY_FAILED], NULL},
        {"broker_cpu", m->cpu_s / m->seconds, "CPUs"},
        {"acked_per_cpu", m->cpu_s > 0 ? acked / m->cpu_s : 0, "/CPU second"},
    };
    report_print(b, f, ARRAY_LEN(f) - (b->options->broker_pid ? 0u : 2u));
}

/* Waits until `t` has come to all that was sent, which may still grow for a moment: workers look at
 * the phase now and then. Gives up on a broker that is too slow. */
static void wait_for_all(struct bench *b, enum tally t)
{
    uint64_t end = bench_now_ns() + CLOSING_S * NS_PER_S;
    uint64_t sent = UINT64_MAX;

    while (bench_now_ns() < end) {
        struct tallies now = bench_tallies(b);
        if (now.n[TALLY_SENT] == sent && now.n[t] >= sent) return;
        sent = now.n[TALLY_SENT];
        bench_sleep(b, QUIET_MS);
    }
}

static int conduct_acks(struct bench *b)
{
    if (!bench_wait_ready(b)) return EXIT_FAILED;
    struct measured m = measure(b);
    bench_set_phase(b, PHASE_DRAIN);
    wait_for_all(b, TALLY_ACKED);
    if (!b->options->away) {
        wait_for_all(b, TALLY_RECEIVED);
        forget_sessions(b);
    }
    bench_stop(b);
    report_acks(b, &m);
    return EXIT_OK;
}

static void report_drain(struct bench *b, uint64_t began_ns, double cpu_s)
{
    struct tallies end = bench_tallies(b);
    double received = (double)end.n[TALLY_RECEIVED];
    uint64_t last = began_ns;

    for (unsigned i = 0; i < b->started; i++) {
        const struct acks_turn *t = b->workers[i].state;
        if (t->received_ns > last) last = t->received_ns;
    }
    double seconds = (double)(last - began_ns) / 1e9;
    const struct figure f[] = {
        {"waited", received, NULL},
        {"seconds", seconds, "s"},
        {"received", seconds > 0 ? received / seconds : 0, "/s"},
        {"lost", b->options->count > 0 ? b->options->count - received : 0, NULL},
        {"duplicate", (double)end.n[TALLY_DUPLICATE], NULL},
        {"out_of_order", (double)end.n[TALLY_DISORDER], NULL},
        {"failed", (double)end.n[TALLY_FAILED], NULL},
        {"broker_cpu_s", cpu_s, "s"},
    };
    report_print(b, f, ARRAY_LEN(f) - (b->options->broker_pid ? 0u : 1u));
}

static int conduct_drain(struct bench *b)
{
    uint64_t began = bench_now_ns(), all = b->options->count;
    double cpu = broker_cpu_s(b);

    if (!bench_wait_ready(b)) return EXIT_FAILED;
    bench_wait_tally(b, TALLY_RECEIVED, all ? all : UINT64_MAX, PATIENCE_S);
    cpu = broker_cpu_s(b) - cpu;
    forget_sessions(b);
    bench_stop(b);
    report_drain(b, began, cpu);
    return EXIT_OK;
}

#define ACKS_SCENARIO(id, name_, what_, conduct_)                                                  \
    const struct scenario id = {                                                                   \
        .name = name_,                                                                             \
        .what = what_,                                                                             \
        .turn_bytes = sizeof(struct acks_turn),                                                    \
        .prepare = prepare,                                                                        \
        .release = release,                                                                        \
        .conduct = conduct_,                                                                       \
        .on_greet = on_greet,                                                                      \
        .on_up = on_up,                                                                            \
        .on_packet = on_packet,                                                                    \
        .on_drain = acks_on_drain,                                                                 \
        .on_left = acks_on_left,                                                                   \
        .on_turn = on_turn,                                                                        \
    }

ACKS_SCENARIO(bench_acks, "acks", "how fast -P publishers are acknowledged, for kept sessions",
              conduct_acks);
ACKS_SCENARIO(bench_drain, "drain", "sessions that acks left behind take what waits for them",
              conduct_drain);
