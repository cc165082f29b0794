/* SPDX-License-Identifier: BSD-3-Clause */
/* core.c -- core_turn() is the table of contents of everything a core does. */
#include "core/core.h"

#include <stddef.h>

#include "base/err.h"
#include "base/hash.h"

/* A helper thread or a signal rang while we did not sleep. After a sleep the bell
 * has been drained already, and this does nothing more. */
static void on_bell(struct watch *w, unsigned ready)
{
    (void)ready;
    struct core *c = CONTAINER_OF(w, struct core, bell);
    mesh_awake(c->mesh);
}

int core_init(struct core *c, const struct core_options *o)
{
    int err = -ERR_NOMEM;
    clock_tick(&c->clock);
    c->id = o->id;
    c->cores = o->cores;
    c->idle = o->idle;
    c->helpers = o->helpers;
    c->memory = o->memory;
    c->again = true; /* the first turn looks before it sleeps */
    c->durable = c->commit_pos = UINT64_MAX;
    c->mesh = mesh_port_at(o->mesh, o->id);
    wheel_init(&c->wheel, clock_s(&c->clock));
    rng_seed(&c->rng, hash_pair(o->seed, o->id));
    log_init(&c->log, &o->log, o->id, &c->clock);

    c->pool = pool_new(o->id, o->cores, o->pools);
    c->reactor = c->pool ? reactor_new(&err) : NULL;
    if (c->reactor) {
        c->bell = (struct watch){.fd = mesh_bell_fd(c->mesh), .on_ready = on_bell};
        err = reactor_add(c->reactor, &c->bell, READY_READ);
    }
    if (err < 0) core_fini(c);
    return err;
}

void core_fini(struct core *c)
{
    if (c->reactor) reactor_del(c->reactor, &c->bell);
    reactor_free(&c->reactor);
    pool_free_all(&c->pool);
}

/* How long until the log wants its phase of the turn. */
static uint64_t commit_wait_ns(const struct core *c)
{
    uint64_t due = c->ops.commit_due_ns ? c->ops.commit_due_ns(c->ops.store) : UINT64_MAX;
    uint64_t now = c->clock.now_ns;

    if (due == UINT64_MAX) return due;
    return due > now ? due - now : 0;
}

/* How long this turn may wait for the network. While something is left to do, or within the
 * spinning time, it only looks. So it does after work if there are other cores: their next
 * mail is likely near, and finds us awake. Alone we may block at once: what is ready ends
 * the wait. mesh_may_sleep is asked only when we mean it. */
static uint64_t sleep_ns(struct core *c)
{
    bool look = c->again || (c->last_work && c->cores > 1);
    c->again = false;
    if (look || c->idle == IDLE_BUSY) return 0;
    bool spins = c->last_work || c->clock.now_ns - c->idle_since_ns < SPIN_NS;
    if (c->idle == IDLE_SPIN && spins) return 0;
    uint64_t ns = wheel_wait_ns(&c->wheel, c->clock.now_ns);
    uint64_t commit_ns = commit_wait_ns(c);
    if (commit_ns < ns) ns = commit_ns;
    return ns && mesh_may_sleep(c->mesh) ? ns : 0;
}

/* The clock has been read: the turn that is over ends here. */
static void note_turn(struct core *c)
{
    struct turn_times *t = &c->times;
    uint64_t took = t->began_ns ? c->clock.now_ns - t->began_ns : 0;
    uint32_t period = core_now_s(c) / TURN_PERIOD_S;

    if (UNLIKELY(period != t->period)) {
        t->longest_before_ns = period == t->period + 1 ? t->longest_ns : 0;
        t->longest_ns = 0;
        t->period = period;
    }
    if (took > t->longest_ns) t->longest_ns = took;
}

/* One more reading of the clock, which a sleep makes cheap: how long it was. */
static void sleep_and_tick(struct core *c, uint64_t ns)
{
    clock_tick(&c->clock);
    note_turn(c);
    uint64_t from_ns = c->clock.now_ns;
    reactor_wait(c->reactor, ns);
    mesh_awake(c->mesh);
    count(&c->counters, C_sleeps);
    clock_tick(&c->clock);
    c->times.slept_ns += c->clock.now_ns - from_ns;
}

/* Looks or sleeps, then reads the clock: everything in the turn sees this moment. */
static void wait_and_tick(struct core *c)
{
    uint64_t ns = sleep_ns(c);
    if (ns) {
        sleep_and_tick(c, ns);
    } else {
        reactor_wait(c->reactor, 0);
        clock_tick(&c->clock);
        note_turn(c);
    }
    c->times.began_ns = c->clock.now_ns;
}

static unsigned phase(unsigned (*fn)(void *), void *ctx)
{
    return fn ? fn(ctx) : 0;
}

static void copy_counts(struct core *c)
{
    struct mesh_counts m = mesh_counts(c->mesh);
    count_set(&c->counters, C_log_lines_lost, c->log.lost);
    count_set(&c->counters, C_mails_sent, m.sent);
    count_set(&c->counters, C_mails_taken, m.taken);
    count_set(&c->counters, C_mails_waited, m.waited);
    count_set(&c->counters, C_bells_rung, m.bells);
}

/* The log tells of it once a second, while it lasts. */
static void tell_of_memory(struct core *c)
{
    uint64_t refused = pool_refused(c->pool);

    if (core_now_s(c) < c->refused_due_s) return;
    LOG(&c->log, LOG_ERROR, "memory_refused", F_U64("times", refused - c->refused_seen),
        F_U64("bytes_used", pool_bytes_used(c->pool)));
    count_set(&c->counters, C_memory_refused, refused);
    c->refused_seen = refused;
    c->refused_due_s = core_now_s(c) + 1;
}

static void note_work(struct core *c, unsigned work)
{
    count(&c->counters, C_turns);
    if (work)
        c->idle_since_ns = 0;
    else if (c->last_work || !c->idle_since_ns)
        c->idle_since_ns = c->clock.now_ns;
    c->last_work = work;
    if (work) copy_counts(c);
    if (UNLIKELY(pool_refused(c->pool) != c->refused_seen)) tell_of_memory(c);
}

unsigned core_turn(struct core *c)
{
    unsigned work = 0;

    wait_and_tick(c);
    if (UNLIKELY(memory_is_due(c))) memory_watch(c);
    work += reactor_dispatch(c->reactor);                    /* bytes in, decoded, to the broker */
    work += mesh_take(c->mesh);                              /* mail from other cores */
    work += c->helpers ? helper_take(c->helpers, c->id) : 0; /* blocking work that is done */
    work += wheel_run(&c->wheel, core_now_s(c));             /* timers */
    work += phase(c->ops.deliver, c->ops.broker);            /* fill windows, encode */
    work += phase(c->ops.commit, c->ops.store);              /* one write, one sync for the turn */
    work += phase(c->ops.flush, c->ops.net); /* one send per connection; acks after commit */
    if (c->ops.block_home)
        work += pool_take_home(c->pool, c->ops.block_home, c); /* our dead blocks */
    pool_flush_home(c->pool);                                  /* other cores' */
    work += mesh_post(c->mesh); /* outboxes to rings; wake who sleeps */

    note_work(c, work);
    return work;
}

void core_run(struct core *c)
{
    while (!atomic_load_explicit(&c->stop, memory_order_acquire))
        core_turn(c);
}
