/* SPDX-License-Identifier: BSD-3-Clause */
/* idle.c -- connections as such: how much memory one takes, how fast they come. */
#include "app/args.h"
#include "app/bench/bench.h"
#include "base/assert.h"

static int prepare(struct bench *b)
{
    b->nlinks = b->options->count;
    return 0;
}

static void release(struct bench *b)
{
    (void)b;
}

static void ignore(struct link *l, const struct mqtt_frame *f)
{
    (void)l;
    (void)f;
}

/* ---- idle -------------------------------------------------------------------------------- */

static int hold(struct bench *b)
{
    uint64_t began = bench_now_ns();

    if (!bench_wait_ready(b)) return EXIT_FAILED;
    double seconds = (double)(bench_now_ns() - began) / 1e9;
    double cpu = broker_cpu_s(b);
    bench_sleep(b, b->options->measure_ms);
    const struct figure f[] = {
        {"connections", (double)bench_tallies(b).n[TALLY_READY], NULL},
        {"connected_in", seconds, "s"},
        {"failed", (double)bench_tallies(b).n[TALLY_FAILED], NULL},
        {"rss", broker_rss_bytes(b) / 1048576, "MiB"},
        {"rss_per_connection", (broker_rss_bytes(b) - b->rss_before) / b->nlinks, "bytes"},
        {"idle_cpu", (broker_cpu_s(b) - cpu) * 1000 / b->options->measure_ms, "CPUs"},
    };
    report_print(b, f, ARRAY_LEN(f) - (b->options->broker_pid ? 0u : 3u));
    bench_stop(b);
    return EXIT_OK;
}

const struct scenario bench_idle = {
    .name = "idle",
    .what = "-n connections that do nothing: memory of the broker per connection",
    .prepare = prepare,
    .release = release,
    .conduct = hold,
    .on_up = worker_ready,
    .on_packet = ignore,
};

/* ---- connrate ---------------------------------------------------------------------------- */

static void greeted(struct link *l)
{
    struct worker *w = l->worker;

    if (l->tries == 1) worker_ready(l);
    tally_add(w, TALLY_RECEIVED, 1);
    if (bench_measures(w->bench, l->began_ns)) hist_add(&w->latency, w->now_ns - l->began_ns);
    link_leave(l);
}

static void come_again(struct link *l)
{
    tally_add(l->worker, TALLY_SENT, 1);
    link_open(l);
}

static int count_connections(struct bench *b)
{
    if (!bench_wait_ready(b)) return EXIT_FAILED;
    bench_set_phase(b, PHASE_RUN);
    bench_sleep(b, b->options->warmup_ms);
    uint64_t began = bench_now_ns(), before = bench_tallies(b).n[TALLY_RECEIVED];
    double cpu = broker_cpu_s(b);
    atomic_store(&b->measure_from_ns, began);
    bench_sleep(b, b->options->measure_ms);
    double seconds = (double)(bench_now_ns() - began) / 1e9;
    double n = (double)(bench_tallies(b).n[TALLY_RECEIVED] - before);
    cpu = broker_cpu_s(b) - cpu;
    bench_stop(b);

    struct hist *h = &b->workers[0].latency;
    for (unsigned i = 1; i < b->started; i++)
        hist_merge(h, &b->workers[i].latency);
    const struct figure f[] = {
        {"connections", n / seconds, "/s"},
        {"p50", (double)hist_quantile(h, 0.5) / 1e6, "ms"},
        {"p99", (double)hist_quantile(h, 0.99) / 1e6, "ms"},
        {"max", (double)h->max / 1e6, "ms"},
        {"failed", (double)bench_tallies(b).n[TALLY_FAILED], NULL},
        {"broker_cpu", cpu / seconds, "CPUs"},
        {"per_cpu", cpu > 0 ? n / cpu : 0, "/CPU second"},
    };
    report_print(b, f, ARRAY_LEN(f) - (b->options->broker_pid ? 0u : 2u));
    return EXIT_OK;
}

const struct scenario bench_connrate = {
    .name = "connrate",
    .what = "-n clients connect, leave and come again: connections per second",
    .prepare = prepare,
    .release = release,
    .conduct = count_connections,
    .on_up = greeted,
    .on_packet = ignore,
    .on_left = come_again,
};
