/* SPDX-License-Identifier: BSD-3-Clause */
/* serve_run.c -- what the main thread does while the cores run: it waits for signals. */
#include <limits.h>
#include <signal.h>
#include <unistd.h>

#include "app/serve/serve.h"

enum {
    DRAIN_STEP_MS = 100,
    GRACE_MS = 5000, /* what the end takes beyond what is configured, on a bad day */
    BEATS = 4,       /* signs of life in the time after which we would be killed */
};

/* USR1: whoever keeps logs has renamed the file. */
static void reopen_log(struct serve *s)
{
    const char *path = serve_options(s)->log_file;
    char error[OPTIONS_ERROR];

    if (!*path) return;
    if (log_file_reopen(s->log.how.fd, path, error) < 0)
        LOG(serve_log(s), LOG_ERROR, "log_kept", F_STR("reason", error));
    else
        LOG(serve_log(s), LOG_INFO, "log_reopened", F_STR("file", path));
}

/* ---- the end ---------------------------------------------------------------------------- */

/* On the core: nobody comes in any more. */
static void close_door(struct core_modules *m, uint32_t n)
{
    (void)n;
    m->core.draining = true;
    net_drain(m->net);
}

/* On the core, with so many steps left: an equal part of its clients goes. What does not divide
 * is left to chance, so that few clients are spread as well. */
static void send_away(struct core_modules *m, uint32_t steps)
{
    unsigned n = net_connections(m->net);
    unsigned one_more = rng_below(&m->core.rng, steps) < n % steps;

    close_door(m, 0); /* if the order to do so came too late */
    net_farewell(m->net, FAREWELL_DRAIN, n / steps + one_more);
}

static void end_at_once(int which)
{
    signals_let_end();
    raise(which);
}

/* The manager's patience starts anew. */
static void ask_for_time(const struct serve *s, uint64_t ms)
{
    notify_say(&s->notify, "EXTEND_TIMEOUT_USEC=%llu", (unsigned long long)ms * 1000);
}

static void drain_slowly(struct serve *s)
{
    unsigned steps = serve_options(s)->drain_s * (1000 / DRAIN_STEP_MS);

    for (unsigned left = steps; left > 0; left--) {
        unsigned late = serve_order(s, send_away, left);
        if (late == 0) notify_say(&s->notify, "WATCHDOG=1");
        ask_for_time(s, GRACE_MS);
        int which = signals_next(DRAIN_STEP_MS);
        if (which == SIGTERM || which == SIGINT) end_at_once(which);
        if (which == SIGUSR1) reopen_log(s);
        if (late == 0 && left < steps && serve_connections(s) == 0) return;
    }
}

static void end(struct serve *s, int which)
{
    const struct options *o = serve_options(s);

    notify_say(&s->notify, "STOPPING=1\nSTATUS=Sending clients away");
    LOG(serve_log(s), LOG_INFO, "shutting_down", F_STR("signal", which == SIGINT ? "INT" : "TERM"),
        F_U64("drain_s", o->drain_s), F_U64("timeout_s", o->shutdown_timeout_s));
    admin_set_ready(&s->admin, false);
    serve_listeners_unlink(s);
    serve_order(s, close_door, 0);
    drain_slowly(s);
    ask_for_time(s, o->shutdown_timeout_s * 1000ull + GRACE_MS);
    signals_let_end();
}

/* ---- until then ------------------------------------------------------------------------- */

static void say_ready(struct serve *s)
{
    notify_say(&s->notify, "READY=1\nSTATUS=Serving on %u cores", s->started);
}

static void reload(struct serve *s)
{
    notify_say(&s->notify, "RELOADING=1\nMONOTONIC_USEC=%llu",
               (unsigned long long)(serve_log(s)->clock->now_ns / NS_PER_US));
    serve_reload(s);
    say_ready(s);
}

/* A sign of life only if every core has answered since the last one: each is asked by an order
 * that does nothing. */
static void beat(struct serve *s)
{
    if (serve_order(s, NULL, 0) == 0) notify_say(&s->notify, "WATCHDOG=1");
}

void serve_run(struct serve *s)
{
    uint32_t watchdog_ms = s->notify.watchdog_ms;
    int beat_ms = watchdog_ms ? (int)(watchdog_ms / BEATS) + 1 : INT_MAX;

    if (geteuid() == 0) LOG(serve_log(s), LOG_WARN, "running_as_root", F_STR("setting", "user"));
    say_ready(s);
    serve_certificates_watch(s, true);
    for (;;) {
        int look_ms = serve_certificates_watch(s, false);
        int which = signals_next(look_ms < beat_ms ? look_ms : beat_ms);
        if (watchdog_ms) beat(s);
        switch (which) {
        case SIGHUP:
            reload(s);
            serve_certificates_watch(s, true);
            break;
        case SIGUSR1: reopen_log(s); break;
        case SIGTERM:
        case SIGINT: end(s, which); return;
        default: break;
        }
    }
}
