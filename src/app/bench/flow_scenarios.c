/* SPDX-License-Identifier: BSD-3-Clause */
/* flow_scenarios.c -- pairs, fan-out, fan-in, shared: the same run with other numbers. */
#include <stdio.h>
#include <stdlib.h>

#include "app/args.h"
#include "app/bench/flow.h"
#include "base/assert.h"
#include "base/err.h"

static int prepare(struct bench *b)
{
    const struct bench_options *o = b->options;
    struct flows *fs = calloc(1, sizeof *fs);
    size_t pairs = (size_t)o->publishers * o->subscribers;

    b->state = fs;
    if (!fs) return -ERR_NOMEM;
    fs->paired = b->scenario == &bench_pairs;
    fs->fan = b->scenario == &bench_fan_out || b->scenario == &bench_fan_in ? o->subscribers : 1;
    b->nlinks = o->publishers + o->subscribers;
    fs->flow = calloc(o->publishers, sizeof *fs->flow);
    fs->seen = calloc(fs->paired ? o->subscribers : pairs, sizeof *fs->seen);
    if (!fs->flow || !fs->seen) return -ERR_NOMEM;
    for (uint32_t i = 0; i < o->publishers; i++)
        if (flow_frame_new(&fs->flow[i], b, i) < 0) return -ERR_NOMEM;
    return 0;
}

static void release(struct bench *b)
{
    struct flows *fs = b->state;

    if (!fs) return;
    for (uint32_t i = 0; fs->flow && i < b->options->publishers; i++)
        free(fs->flow[i].frame);
    free(fs->flow);
    free(fs->seen);
    free(fs);
}

/* What the measured seconds were like. */
struct measured {
    struct tallies before, after;
    double seconds, cpu_s;
};

static struct measured measure(struct bench *b)
{
    struct measured m = {.before = bench_tallies(b)};
    double cpu = broker_cpu_s(b);
    uint64_t began = bench_now_ns();

    atomic_store_explicit(&b->measure_from_ns, began, memory_order_relaxed);
    bench_sleep(b, b->options->measure_ms);
    m.after = bench_tallies(b);
    m.seconds = (double)(bench_now_ns() - began) / 1e9;
    m.cpu_s = broker_cpu_s(b) - cpu;
    atomic_store_explicit(&b->measure_from_ns, UINT64_MAX, memory_order_relaxed);
    return m;
}

static double ms(const struct hist *h, double q)
{
    return (double)hist_quantile(h, q) / 1e6;
}

static void report(const struct bench *b, const struct measured *m)
{
    const struct flows *fs = b->state;
    struct tallies end = bench_tallies(b);
    struct hist *h = &b->workers[0].latency;

    for (unsigned i = 1; i < b->started; i++)
        hist_merge(h, &b->workers[i].latency);
    double sent = (double)(m->after.n[TALLY_SENT] - m->before.n[TALLY_SENT]);
    double received = (double)(m->after.n[TALLY_RECEIVED] - m->before.n[TALLY_RECEIVED]);
    double expected = (double)end.n[TALLY_SENT] * fs->fan;
    const struct figure f[] = {
        {"sent", sent / m->seconds, "/s"},
        {"received", received / m->seconds, "/s"},
        {"p50", ms(h, 0.5), "ms"},
        {"p99", ms(h, 0.99), "ms"},
        {"p99.9", ms(h, 0.999), "ms"},
        {"max", (double)h->max / 1e6, "ms"},
        {"lost", expected - (double)end.n[TALLY_RECEIVED], NULL},
        {"duplicate", (double)end.n[TALLY_DUPLICATE], NULL},
        {"out_of_order", (double)end.n[TALLY_DISORDER], NULL},
        {"stalls", (double)end.n[TALLY_STALLS], NULL},
        {"failed", (double)end.n[TALLY_FAILED], NULL},
        {"broker_cpu", m->cpu_s / m->seconds, "CPUs"},
        {"received_per_cpu", m->cpu_s > 0 ? received / m->cpu_s : 0, "/CPU second"},
    };
    report_print(b, f, ARRAY_LEN(f) - (b->options->broker_pid ? 0u : 2u));
}

static int conduct(struct bench *b)
{
    const struct flows *fs = b->state;

    if (!bench_wait_ready(b)) return EXIT_FAILED;
    bench_set_phase(b, PHASE_RUN);
    bench_sleep(b, b->options->warmup_ms);
    struct measured m = measure(b);
    bench_set_phase(b, PHASE_DRAIN);
    struct tallies t = bench_tallies(b);
    bench_wait_tally(b, TALLY_RECEIVED, t.n[TALLY_SENT] * fs->fan, 1.5);
    bench_stop(b);
    report(b, &m);
    return EXIT_OK;
}

#define FLOW_SCENARIO(id, name_, what_)                                                            \
    const struct scenario id = {                                                                   \
        .name = name_,                                                                             \
        .what = what_,                                                                             \
        .turn_bytes = sizeof(struct flow_turn),                                                    \
        .prepare = prepare,                                                                        \
        .release = release,                                                                        \
        .conduct = conduct,                                                                        \
        .on_up = flow_on_up,                                                                       \
        .on_packet = flow_on_packet,                                                               \
        .on_drain = flow_on_drain,                                                                 \
        .on_turn = flow_on_turn,                                                                   \
    }

FLOW_SCENARIO(bench_pairs, "pairs",
              "each of -P publishers has a topic and a subscriber of its own");
FLOW_SCENARIO(bench_fan_out, "fan-out", "all -S subscribers get what -P publishers send");
FLOW_SCENARIO(bench_fan_in, "fan-in",
              "-S subscribers (1) of a wildcard get what -P publishers send");
FLOW_SCENARIO(bench_shared, "shared", "-S subscribers share what -P publishers send");
