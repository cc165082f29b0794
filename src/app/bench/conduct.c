/* SPDX-License-Identifier: BSD-3-Clause */
/* conduct.c -- the main thread's part: start workers, wait, count, stop. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "app/bench/bench.h"
#include "base/clock.h"
#include "base/err.h"

enum { CONNECT_PATIENCE_S = 10 };

static int worker_init(struct worker *w, struct bench *b, unsigned index)
{
    int err = -ERR_NOMEM;

    w->bench = b;
    w->index = w->next = index;
    w->in_room = w->out_room = BENCH_BUFFER + 2 * (size_t)b->options->payload_bytes;
    w->in = malloc(w->in_room);
    w->out = malloc(w->out_room);
    w->state = calloc(1, b->scenario->turn_bytes + 1);
    if (b->wires.ws) w->frame = malloc(w->out_room + WIRE_HEADER_MAX);
    if (!w->in || !w->out || !w->state || (b->wires.ws && !w->frame)) return err;
    w->reactor = reactor_new(&err);
    return w->reactor ? 0 : err;
}

int bench_start(struct bench *b)
{
    unsigned threads = b->options->threads;

    pthread_mutex_init(&b->lock, NULL);
    atomic_store(&b->measure_from_ns, UINT64_MAX);
    if (b->options->name)
        snprintf(b->name, sizeof b->name, "%s", b->options->name);
    else
        snprintf(b->name, sizeof b->name, "b%llx",
                 (unsigned long long)bench_now_ns() >> 16 & 0xffffffff);
    b->rss_before = broker_rss_bytes(b);
    int err = wire_rules_init(&b->wires, b->options->transport, b->options->resume);
    if (err == 0) err = b->scenario->prepare(b);
    if (err < 0) return err;
    b->links = calloc(b->nlinks, sizeof *b->links);
    b->workers = calloc(threads, sizeof *b->workers);
    if (!b->links || !b->workers) return -ERR_NOMEM;
    for (uint32_t i = 0; i < b->nlinks; i++) {
        b->links[i].index = i;
        b->links[i].watch.fd = -1;
    }
    for (; b->started < threads; b->started++) {
        struct worker *w = &b->workers[b->started];
        err = worker_init(w, b, b->started);
        if (err == 0 && pthread_create(&w->thread, NULL, worker_main, w) != 0) err = -ERR_OS;
        if (err < 0) return err;
    }
    return 0;
}

void bench_set_phase(struct bench *b, enum phase p)
{
    atomic_store_explicit(&b->phase, p, memory_order_release);
}

struct tallies bench_tallies(const struct bench *b)
{
    struct tallies t = {0};

    for (unsigned i = 0; i < b->started; i++)
        for (unsigned k = 0; k < TALLIES; k++)
            t.n[k] += atomic_load_explicit(&b->workers[i].tally[k], memory_order_acquire);
    return t;
}

static void nap(uint64_t ns)
{
    struct timespec t = {.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};

    while (nanosleep(&t, &t) < 0 && errno == EINTR)
        ;
}

static void show_progress(const struct tallies *before, const struct tallies *t, double s)
{
    fprintf(stderr, "%10.0f sent/s %10.0f received/s\n",
            (double)(t->n[TALLY_SENT] - before->n[TALLY_SENT]) / s,
            (double)(t->n[TALLY_RECEIVED] - before->n[TALLY_RECEIVED]) / s);
}

void bench_sleep_until(struct bench *b, uint32_t ms, enum tally t, uint64_t until)
{
    uint64_t shown = bench_now_ns(), end = shown + ms * NS_PER_MS;
    uint64_t longest = until == UINT64_MAX ? NS_PER_S : NS_PER_MS;
    struct tallies before = bench_tallies(b), after = before;

    for (uint64_t now; after.n[t] < until && (now = bench_now_ns()) < end;
         after = bench_tallies(b)) {
        if (now - shown >= NS_PER_S) {
            if (b->options->progress) show_progress(&before, &after, (double)(now - shown) / 1e9);
            before = after;
            shown = now;
        }
        nap(end - now < longest ? end - now : longest);
    }
}

void bench_sleep(struct bench *b, uint32_t ms)
{
    bench_sleep_until(b, ms, TALLY_SENT, UINT64_MAX);
}

void bench_wait_tally(struct bench *b, enum tally t, uint64_t until, double patience_s)
{
    uint64_t last = 0, moved = bench_now_ns();

    for (;;) {
        uint64_t n = bench_tallies(b).n[t], now = bench_now_ns();
        if (n >= until) return;
        if (n != last) moved = now;
        if ((double)(now - moved) > patience_s * 1e9) return;
        last = n;
        nap(NS_PER_MS);
    }
}

bool bench_wait_ready(struct bench *b)
{
    bench_wait_tally(b, TALLY_READY, b->nlinks, CONNECT_PATIENCE_S);
    uint64_t ready = bench_tallies(b).n[TALLY_READY];
    if (ready == b->nlinks) return true;
    pthread_mutex_lock(&b->lock);
    fprintf(stderr, "pinion bench: %llu of %u clients are connected; %s\n",
            (unsigned long long)ready, b->nlinks, *b->failure ? b->failure : "no answer");
    pthread_mutex_unlock(&b->lock);
    return false;
}

void bench_stop(struct bench *b)
{
    bench_set_phase(b, PHASE_STOP);
    for (unsigned i = 0; i < b->started; i++)
        pthread_join(b->workers[i].thread, NULL);
}

void bench_free(struct bench *b)
{
    for (unsigned i = 0; b->workers && i < b->options->threads; i++) {
        struct worker *w = &b->workers[i];
        free(w->in);
        free(w->out);
        free(w->frame);
        free(w->state);
        reactor_free(&w->reactor);
    }
    for (uint32_t i = 0; b->links && i < b->nlinks; i++)
        wire_forget(&b->links[i].wire);
    wire_rules_fini(&b->wires);
    b->scenario->release(b);
    free(b->workers);
    free(b->links);
    pthread_mutex_destroy(&b->lock);
}
