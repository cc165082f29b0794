/* SPDX-License-Identifier: BSD-3-Clause */
/* cores.c -- the broker's cores, wired as the application does it, each on a fiber. */
#include "base/assert.h"
#include "base/clock.h"
#include "world.h"

/* ---- making them ------------------------------------------------------------------------------
 */

static struct place *place_of(struct broker *b)
{
    return broker_core(b)->modules;
}

static void on_handover(void *ctx, unsigned from, const struct mail *m)
{
    (void)from;
    net_on_handover(place_of(ctx)->net, m);
}

static void on_relief(void *ctx, uint32_t account, uint32_t bytes)
{
    net_on_relief(place_of(ctx)->net, account, bytes);
}

static unsigned flush(void *net)
{
    return net_flush(net);
}

static void live(void *arg)
{
    struct place *p = arg;
    for (;;) {
        core_turn(&p->core);
        fiber_yield(p->fiber);
    }
}

/* Luck decides the order of these calls: what is drawn stays the same for a seed. */
void cores_choose(struct world *w, const struct world_options *o)
{
    static const unsigned sizes[] = {1, 2, 2, 4, 4, 16};
    struct broker_options *bo = &w->broker_options;
    struct net_options *no = &w->net_options;

    *bo = (struct broker_options)BROKER_OPTIONS_DEFAULT;
    *no = (struct net_options)NET_OPTIONS_DEFAULT;
    w->cores = o->cores ? o->cores : sizes[any_below(ARRAY_LEN(sizes))];
    w->ring_slots = 2u << any_below(4);
    w->listener = (struct listener){.proto = &mqtt_proto};
    bo->receive_max = once_in(2) ? 1 + any_below(10) : 1000;
    bo->window_max = once_in(2) ? 1 + any_below(10) : 1000;
    if (o->expiry_max_s) bo->expiry_max_s = o->expiry_max_s;
    bo->match_cache = once_in(2) ? 2 : 256;
    w->oracle.qos0_sure = !once_in(3) && !o->crashes;
    no->mail_handover = MAIL_HANDOVER;
    no->out_bytes_max = w->oracle.qos0_sure ? 8u << 20 : 2048;
    no->debt_bytes_max = once_in(2) ? 500 : 256u << 10;
    no->read_bytes = once_in(2) ? 64 : 65536;
    w->seed = rng_u64(&machine()->rng);
    trace(&w->trace, "%u cores, receive_max=%u window_max=%u out_bytes_max=%u debt=%u read=%u",
          w->cores, bo->receive_max, bo->window_max, no->out_bytes_max, no->debt_bytes_max,
          no->read_bytes);
    if (o->disk) boot_choose(w);
}

static void place_make(struct world *w, unsigned i)
{
    static const struct mqtt_options mqtt = MQTT_OPTIONS_DEFAULT;
    struct place *p = &w->place[i];
    struct core *c = &p->core;
    struct core_options co = {.id = i,
                              .cores = w->cores,
                              .idle = once_in(4) ? IDLE_SPIN : IDLE_SLEEP,
                              .mesh = w->mesh,
                              .pools = w->pools,
                              .seed = w->seed,
                              .log = {.fd = -1}};
    int err = core_init(c, &co);
    ASSERT(err == 0);
    c->modules = p;
    p->broker = broker_new(c, &w->broker_options, w->seed);
    p->mqtt = p->broker ? mqtt_core_new(c, p->broker, &mqtt) : NULL;
    p->net = p->mqtt ? net_new(c, &w->net_options, p->mqtt) : NULL;
    p->fiber = fiber_new(live, p);
    ASSERT(p->net && p->fiber);
    c->ops = (struct turn_ops){.deliver = broker_deliver,
                               .flush = flush,
                               .broker = p->broker,
                               .net = p->net,
                               .block_home = message_on_home};
    mesh_port_bind(c->mesh, w->handlers, BROKER_MAIL_KINDS, on_relief, p->broker);
}

/* Small limits that slow things down, but none that loses what must not be lost. */
void cores_start(struct world *w)
{
    int err;
    if (w->sim) boot_open(w);
    w->mesh =
        mesh_new(&(struct mesh_options){.cores = w->cores, .ring_slots = w->ring_slots}, &err);
    ASSERT(w->mesh);
    broker_mail_handlers(w->handlers);
    w->handlers[MAIL_HANDOVER] = on_handover;
    for (unsigned i = 0; i < w->cores; i++)
        place_make(w, i);
    for (unsigned i = 0; i < w->cores && w->sim; i++)
        boot_core(w, i);
    if (w->sim) boot_end(w);
    for (unsigned i = 0; i < w->cores; i++) {
        struct place *p = &w->place[i];
        err = net_listen(p->net, &w->listener);
        ASSERT(err == 0);
        if (w->oracle.crashes == 0) w->bytes_at_rest[i] = pool_bytes_used(p->core.pool);
    }
}

/* Nothing may be left in the pools when the brokers are gone. */
static void check_pools(struct world *w)
{
    for (unsigned i = 0; i < w->cores; i++) {
        size_t left = pool_bytes_used(w->place[i].core.pool);
        if (left) broken(&w->trace, "core %u lost %zu bytes of its pool", i, left);
    }
}

void cores_stop(struct world *w)
{
    for (unsigned i = 0; i < w->cores; i++)
        if (w->place[i].journal) journal_close(w->place[i].journal);
    for (unsigned i = 0; i < w->cores; i++) {
        struct place *p = &w->place[i];
        net_free(&p->net);
        mqtt_core_free(&p->mqtt);
        broker_free(&p->broker);
        journal_free(&p->journal);
        disk_free(&p->disk);
    }
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < w->cores; i++) {
            struct core *c = &w->place[i].core;
            pool_flush_home(c->pool);
            pool_take_home(c->pool, message_on_home, c);
        }
    }
    if (!w->trace.broken[0]) check_pools(w);
    for (unsigned i = 0; i < w->cores; i++) {
        struct place *p = &w->place[i];
        core_fini(&p->core);
        fiber_free(&p->fiber);
        *p = (struct place){.net = NULL};
        w->pools[i] = NULL;
    }
    mesh_free(&w->mesh);
    if (w->sim) boot_close(w);
}

/* ---- running them
 * ---------------------------------------------------------------------------------- */

/* As a helper thread does it that has finished with something. */
static void hear_disk(struct place *p)
{
    if (p->disk && slow_disk_due_ns(p->disk) <= machine()->now_ns) mesh_ring(p->core.mesh);
}

bool cores_run_one(struct world *w, unsigned i)
{
    struct place *p = &w->place[i];
    hear_disk(p);
    if (reactor_asleep(p->core.reactor)) return false;
    fiber_run(p->fiber);
    w->turns++;
    return true;
}

bool cores_asleep(struct world *w)
{
    for (unsigned i = 0; i < w->cores; i++) {
        hear_disk(&w->place[i]);
        if (!reactor_asleep(w->place[i].core.reactor)) return false;
    }
    return true;
}

uint64_t cores_wake_ns(const struct world *w)
{
    uint64_t first = UINT64_MAX;
    for (unsigned i = 0; i < w->cores; i++) {
        const struct place *p = &w->place[i];
        uint64_t ns = reactor_wake_ns(p->core.reactor);
        uint64_t disk_ns = p->disk ? slow_disk_due_ns(p->disk) : UINT64_MAX;
        if (disk_ns < ns) ns = disk_ns;
        if (ns < first) first = ns;
    }
    return first;
}

uint64_t cores_count(const struct world *w, enum counter which)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < w->cores; i++)
        sum += counter_read(&w->place[i].core.counters, which);
    return sum;
}
