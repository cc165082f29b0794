/* SPDX-License-Identifier: BSD-3-Clause */
/* serve_core.c -- the life of one core's thread: pin, make, recover, settle, listen, run, drain,
 * settle, close, free.
 *
 * What each module wants to be called with differs (mail handlers get the broker, net
 * wants itself), so the few adapters between them stand here. */
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "app/serve/serve.h"
#include "base/err.h"

enum {
    QUIET_NS = 20 * 1000 * 1000,    /* nothing to do for so long: done */
    FORCE_NS = 300 * 1000 * 1000,   /* before the end, whoever is still there is sent away */
    REST_US = 500,                  /* between turns that find nothing to do */
    SETTLE_NS = 1000 * 1000 * 1000, /* on top of all, as mail is nobody's to lose */
    SETTLE_QUIET = 3,               /* rounds without work: settled */
};

/* ---- adapters --------------------------------------------------------------------------- */

static struct core_modules *modules_of(void *broker)
{
    return broker_core(broker)->modules;
}

static void on_handover(void *broker, unsigned from, const struct mail *m)
{
    (void)from;
    net_on_handover(modules_of(broker)->net, m);
}

static void on_relief(void *broker, uint32_t account, uint32_t bytes)
{
    net_on_relief(modules_of(broker)->net, account, bytes);
}

void serve_mail_handlers(mail_fn *handlers[BROKER_MAIL_KINDS])
{
    broker_mail_handlers(handlers);
    handlers[MAIL_HANDOVER] = on_handover;
}

static unsigned flush(void *net)
{
    return net_flush(net);
}

/* ---- start -------------------------------------------------------------------------------- */

static int refuse(struct core_modules *m, int err, const char *what)
{
    snprintf(m->error, OPTIONS_ERROR, "core %u: %s: %s", m->core.id, what, err_text(err));
    return err;
}

static int start_core(struct core_modules *m)
{
    struct serve *s = m->serve;
    const struct options *o = s->options;
    unsigned id = (unsigned)(m - s->cores);

    m->pinned = s->plan.pin && cpu_pin(s->plan.cpu[id]) == 0;
    struct core_options co = {
        .id = id,
        .cores = s->plan.cores,
        .idle = o->idle,
        .mesh = s->mesh,
        .pools = s->pools,
        .helpers = s->helpers,
        .memory = &s->memory,
        .seed = s->luck,
        .log = s->log.how,
    };
    int err = core_init(&m->core, &co);
    if (err < 0) return refuse(m, err, "can't start");
    m->core.modules = m;
    pool_set_max(m->core.pool, serve_pool_max(s));
    return 0;
}

static int start_modules(struct core_modules *m)
{
    struct serve *s = m->serve;
    const struct options *o = s->options;

    m->broker = broker_new(&m->core, &o->broker, s->seed);
    if (m->broker) m->mqtt = mqtt_core_new(&m->core, m->broker, &o->mqtt);
    if (m->mqtt) m->net = net_new(&m->core, &o->net, m->mqtt);
    if (m->net && s->has_admin) m->admin = admin_new(&m->core, m->broker, &s->admin);
    if (m->net) m->sys = sys_new(&m->core, m->broker, &s->sys);
    if (!m->sys || (s->has_admin && !m->admin)) return refuse(m, -ERR_NOMEM, "can't start");

    broker_set_access(m->broker, access_ref(s->access));
    m->core.ops = (struct turn_ops){
        .deliver = broker_deliver,
        .flush = flush,
        .broker = m->broker,
        .net = m->net,
        .block_home = message_on_home,
    };
    mesh_port_bind(m->core.mesh, s->handlers, BROKER_MAIL_KINDS, on_relief, m->broker);
    return 0;
}

static int start_listening(struct core_modules *m)
{
    struct serve *s = m->serve;

    for (unsigned i = 0; i < s->options->listeners.n; i++) {
        int err = net_listen(m->net, &s->listener[i]);
        if (err < 0) return serve_refuse_address(s, i, err, m->error);
    }
    return 0;
}

/* ---- run and end --------------------------------------------------------------------------------
 */

static void report(struct serve *s)
{
    pthread_mutex_lock(&s->lock);
    s->reported++;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

/* Waits until the gate is this one or a later one, and so many have reported since; returns whether
 * it is to go on. */
static bool wait_for_gate(struct serve *s, enum gate gate, unsigned reported)
{
    pthread_mutex_lock(&s->lock);
    while (s->gate < gate || (s->gate == gate && s->reported < reported))
        pthread_cond_wait(&s->changed, &s->lock);
    bool open = s->gate != GATE_NEVER;
    pthread_mutex_unlock(&s->lock);
    return open;
}

/* Waits until every thread has come to this step of the end. */
static void wait_for_all(struct serve *s, enum step step)
{
    pthread_mutex_lock(&s->lock);
    s->passed[step]++;
    pthread_cond_broadcast(&s->changed);
    while (s->passed[step] < s->started)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

/* Turns until there has been nothing to do for a while, at most until then. */
static void turn_until_quiet(struct core_modules *m, uint64_t until_ns)
{
    struct core *c = &m->core;
    uint64_t busy = c->clock.now_ns;

    while (c->clock.now_ns - busy < QUIET_NS && c->clock.now_ns < until_ns) {
        if (core_turn(c) || net_lingers(m->net))
            busy = c->clock.now_ns;
        else
            usleep(REST_US);
    }
}

/* This core's clients go, each when it has what it was to get, and all cores together work off
 * what they cause. All is over by the end that was set, and somewhat earlier for the clients, so
 * that those who don't read can still be told. */
static void drain(struct core_modules *m)
{
    struct core *c = &m->core;
    uint64_t end = m->serve->end_by_ns, force = end - FORCE_NS;

    c->idle = IDLE_BUSY; /* nobody rings any more */
    c->draining = true;
    net_stop_listening(m->net);
    net_pause_all(m->net);
    turn_until_quiet(m, force); /* what is under way between cores arrives */
    while (net_farewell(m->net, FAREWELL_SENT, UINT_MAX) > 0 && c->clock.now_ns < force) {
        net_pause_all(m->net); /* a protocol may have asked for more */
        if (!core_turn(c)) usleep(REST_US);
    }
    net_farewell(m->net, FAREWELL_ALL, UINT_MAX);
    turn_until_quiet(m, end);
}

/* All other cores stand still, so one thread turns them all until nothing happens on any, and what
 * mail carries is lost by nobody. */
static void settle(struct serve *s, uint64_t until_ns)
{
    const struct clock *now = &s->cores[0].core.clock;

    for (unsigned quiet = 0; quiet < SETTLE_QUIET && now->now_ns < until_ns;) {
        unsigned work = 0;
        for (unsigned i = 0; i < s->started; i++)
            work += core_turn(&s->cores[i].core);
        quiet = work ? 0 : quiet + 1;
    }
}

/* What was read back makes mail: each owner learns of topics that sessions elsewhere subscribe to.
 * All of it has arrived when the first client comes. */
static void settle_at_start(struct serve *s)
{
    for (unsigned i = 0; i < s->started; i++)
        s->cores[i].core.idle = IDLE_BUSY; /* a turn without work comes back at once */
    settle(s, UINT64_MAX);
    for (unsigned i = 0; i < s->started; i++)
        s->cores[i].core.idle = s->options->idle;
}

/* What was still under way when the first core had drained: mail for it, and connections that
 * moved. */
static void settle_at_end(struct serve *s)
{
    for (unsigned i = 0; i < s->started; i++)
        net_farewell(s->cores[i].net, FAREWELL_ALL, UINT_MAX);
    settle(s, s->cores[0].core.clock.now_ns + SETTLE_NS);
}

static void run(struct core_modules *m)
{
    core_run(&m->core);
    drain(m);
    wait_for_all(m->serve, STEP_DRAINED);
    if (m == m->serve->cores) settle_at_end(m->serve);
}

/* Part after part, each when the gate for it is open; every core reports on each. Whether it runs.
 */
static bool start(struct core_modules *m)
{
    struct serve *s = m->serve;
    unsigned id = (unsigned)(m - s->cores);

    m->err = start_core(m);
    m->made = m->err >= 0;
    if (m->err >= 0) m->err = start_modules(m);
    if (m->err >= 0) m->err = data_core_open(m, m->error);
    report(s);
    if (!wait_for_gate(s, GATE_SETTLE, 0)) return false;
    if (id == 0) settle_at_start(s);
    report(s);
    if (!wait_for_gate(s, GATE_LISTEN, id)) return false;
    m->err = start_listening(m);
    report(s);
    return wait_for_gate(s, GATE_OPEN, 0);
}

void *serve_core_main(void *arg)
{
    struct core_modules *m = arg;
    struct serve *s = m->serve;
    char name[16];

    snprintf(name, sizeof name, "core %u", (unsigned)(m - s->cores));
    pthread_setname_np(pthread_self(), name);
    if (start(m)) run(m);

    wait_for_all(s, STEP_SETTLED);
    int err = data_core_close(m);
    if (m->err >= 0) m->err = err;
    net_free(&m->net);
    mqtt_core_free(&m->mqtt);
    sys_free(&m->sys);
    admin_free(&m->admin);
    broker_free(&m->broker);
    data_core_free(m);
    wait_for_all(s, STEP_FREED);
    if (m->made) core_fini(&m->core);
    return NULL;
}
