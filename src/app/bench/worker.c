/* SPDX-License-Identifier: BSD-3-Clause */
/* worker.c -- a thread of the load generator: opens its links, then turns. */
#include <stdio.h>
#include <time.h>

#include "app/bench/bench.h"
#include "base/clock.h"

enum {
    OPENING_MAX = 200, /* connections under way per worker: a listener's backlog is finite */
    LOOK_NS = 10 * 1000 * 1000, /* a worker looks at the phase so often */
};

uint64_t bench_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

void worker_ready(struct link *l)
{
    l->worker->opening--;
    tally_add(l->worker, TALLY_READY, 1);
}

void worker_failed(struct link *l, const char *why)
{
    struct bench *b = l->worker->bench;

    if (bench_phase(b) == PHASE_CONNECT) l->worker->opening--;
    pthread_mutex_lock(&b->lock);
    if (!*b->failure) snprintf(b->failure, sizeof b->failure, "client %u: %s", l->index, why);
    pthread_mutex_unlock(&b->lock);
    tally_add(l->worker, TALLY_FAILED, 1);
}

/* Links are dealt to workers in turn. */
static void open_more(struct worker *w)
{
    const struct bench *b = w->bench;

    while (w->next < b->nlinks && w->opening < OPENING_MAX) {
        struct link *l = &b->links[w->next];
        w->next += b->options->threads;
        w->opening++;
        l->worker = w;
        link_open(l);
    }
}

void *worker_main(void *arg)
{
    struct worker *w = arg;
    struct bench *b = w->bench;

    while (bench_phase(b) != PHASE_STOP) {
        open_more(w);
        w->now_ns = bench_now_ns();
        uint64_t sleep_ns = b->scenario->on_turn ? b->scenario->on_turn(w) : LOOK_NS;
        reactor_wait(w->reactor, sleep_ns < LOOK_NS ? sleep_ns : LOOK_NS);
        reactor_dispatch(w->reactor);
    }
    for (uint32_t i = w->index; i < b->nlinks; i += b->options->threads)
        if (b->links[i].worker) link_close(&b->links[i]);
    return NULL;
}
