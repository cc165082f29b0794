/* SPDX-License-Identifier: BSD-3-Clause */
/* mesh_growth.c -- what a mail costs as the mesh grows: all cores write to all.
 *
 * A core sends BURST mails a turn, to all others in turn: the more cores there are, the
 * fewer mails share a publish and a doorbell. Where there are more cores than CPUs the
 * threads share them, so the figure to read is CPU time per mail, which includes
 * sending, the ring, the bell, taking, and the turns that found nothing. Nobody sends
 * while mail waits in his outbox. */
#include <sched.h>
#include <stdalign.h>
#include <stdlib.h>

#include "base/assert.h"
#include "bench.h"
#include "core/mesh.h"

enum { CORES_MOST = 128, BURST = 256 };

static const unsigned SIZES[] = {2, 4, 8, 16, 32, 64, CORES_MOST};

struct actor {
    alignas(2 * CACHE_LINE) struct mesh_port *port;
    unsigned id, cores, to;
    uint64_t quota, sent, got, sum;
};

static void on_mail(void *ctx, unsigned from, const struct mail *m)
{
    struct actor *a = ctx;
    (void)from;
    a->got++;
    a->sum += m->b;
}

static mail_fn *const HANDLERS[] = {NULL, on_mail};

static unsigned after(const struct actor *a, unsigned core)
{
    return core + 1 < a->cores ? core + 1 : 0;
}

static void send_burst(struct actor *a)
{
    for (int i = 0; i < BURST && a->sent < a->quota; i++) {
        struct mail m = {.kind = 1, .b = 1};
        mesh_send(a->port, a->to, m, 0, sizeof m);
        a->sent++;
        a->to = after(a, a->to);
        if (a->to == a->id) a->to = after(a, a->to);
    }
}

/* Everybody sends evenly to all others, so everybody gets as much as he sends. */
static void act(void *arg)
{
    struct actor *a = arg;
    uint64_t idle = 0;
    while (a->sent < a->quota || a->got < a->quota || mesh_outbox_bytes(a->port) > 0) {
        unsigned work = mesh_take(a->port);
        if (mesh_outbox_bytes(a->port) == 0) send_burst(a);
        work += mesh_post(a->port);
        idle = work ? 0 : idle + 1;
        if (idle > 1u << 26) bench_die("mail was lost");
        if (idle > 8) sched_yield();
    }
    if (a->sum != a->quota) bench_die("mail was damaged");
}

static struct mesh *mesh_make(unsigned cores, uint64_t quota, struct actor *a)
{
    int err = 0;
    struct mesh *m = mesh_new(&(struct mesh_options){.cores = cores}, &err);
    if (!m) bench_die("no mesh: out of memory or file descriptors");
    for (unsigned i = 0; i < cores; i++) {
        a[i] = (struct actor){.port = mesh_port_at(m, i), .id = i, .cores = cores, .quota = quota};
        a[i].to = (i + 1) % cores;
        mesh_port_bind(a[i].port, HANDLERS, ARRAY_LEN(HANDLERS), NULL, &a[i]);
    }
    return m;
}

static void once(const struct bench *b, unsigned cores, double *cpu_ns, double *wall_ns)
{
    uint64_t all = b->quick ? 1u << 19 : 1u << 21;
    uint64_t quota = all / cores / (cores - 1) * (cores - 1);
    struct actor *a = bench_alloc(cores * sizeof *a);
    struct runner runner[CORES_MOST];
    struct mesh *m = mesh_make(cores, quota, a);

    for (unsigned i = 0; i < cores; i++)
        runner[i] = (struct runner){.run = act, .arg = &a[i], .cpu = b->cpu[i % 2]};
    uint64_t before = bench_cpu_ns();
    *wall_ns = (double)bench_run(runner, cores) / (double)(quota * cores);
    *cpu_ns = (double)(bench_cpu_ns() - before) / (double)(quota * cores);
    mesh_free(&m);
    free(a);
}

void mesh_growth(const struct bench *b)
{
    for (size_t s = 0; s < ARRAY_LEN(SIZES); s++) {
        double cpu_ns[BENCH_RUNS_MAX], wall_ns[BENCH_RUNS_MAX];
        for (unsigned i = 0; i < b->runs; i++)
            once(b, SIZES[s], &cpu_ns[i], &wall_ns[i]);
        const struct figure f[] = {
            {"cores", SIZES[s]},
            {"cpu_ns_per_mail", bench_median(cpu_ns, b->runs)},
            {"mails_per_us", 1000 / bench_median(wall_ns, b->runs)},
        };
        bench_report(b, "all_to_all", "mesh", f, ARRAY_LEN(f));
    }
}
