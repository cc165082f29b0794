/* SPDX-License-Identifier: BSD-3-Clause */
/* wake_up.c -- from mesh_post to the handler of a core that sleeps on its bell. */
#include <poll.h>
#include <stdlib.h>

#include "base/assert.h"
#include "bench.h"
#include "core/mesh.h"

enum { FALL_ASLEEP_NS = 100000 };

struct night {
    struct mesh *mesh;
    double *latency_ns;
    uint32_t wakes;
    _Atomic uint32_t woken;
};

static void on_mail(void *ctx, unsigned from, const struct mail *m)
{
    struct night *n = ctx;
    (void)from;
    n->latency_ns[m->b] = (double)(bench_now_ns() - m->c);
    atomic_store(&n->woken, m->b + 1);
}

static mail_fn *const HANDLERS[] = {NULL, on_mail};

static void sleeper(void *arg)
{
    struct night *n = arg;
    struct mesh_port *p = mesh_port_at(n->mesh, 1);
    struct pollfd bell = {.fd = mesh_bell_fd(p), .events = POLLIN};
    uint32_t got = 0;
    while (got < n->wakes) {
        if (mesh_may_sleep(p)) {
            poll(&bell, 1, 10000);
            mesh_awake(p);
        }
        got += mesh_take(p);
        mesh_post(p);
    }
}

static void waker(void *arg)
{
    struct night *n = arg;
    struct mesh_port *p = mesh_port_at(n->mesh, 0);
    for (uint32_t i = 0; i < n->wakes; i++) {
        struct patience patience = {0};
        for (uint64_t began = bench_now_ns(); bench_now_ns() - began < FALL_ASLEEP_NS;)
            bench_wait(&patience);
        mesh_send(p, 1, (struct mail){.kind = 1, .b = i, .c = bench_now_ns()}, 0, 0);
        mesh_post(p);
        while (atomic_load(&n->woken) <= i)
            bench_wait(&patience);
    }
}

void wake_up(const struct bench *b)
{
    int err = 0;
    struct night n = {.wakes = b->quick ? 500 : 5000};
    n.latency_ns = bench_alloc(n.wakes * sizeof *n.latency_ns);
    n.mesh = mesh_new(&(struct mesh_options){.cores = 2}, &err);
    if (!n.mesh) bench_die("no mesh: out of memory or file descriptors");
    mesh_port_bind(mesh_port_at(n.mesh, 1), HANDLERS, ARRAY_LEN(HANDLERS), NULL, &n);

    bench_pair(b, waker, sleeper, &n);
    const struct figure f[] = {
        {"asleep_percent", 100.0 * (double)mesh_counts(mesh_port_at(n.mesh, 0)).bells / n.wakes},
        {"p50_us", bench_quantile(n.latency_ns, n.wakes, 0.5) / 1000},
        {"p99_us", bench_quantile(n.latency_ns, n.wakes, 0.99) / 1000},
    };
    bench_report(b, "wake_up", "doorbell", f, ARRAY_LEN(f));
    mesh_free(&n.mesh);
    free(n.latency_ns);
}
