/* SPDX-License-Identifier: BSD-3-Clause */
/* serve_run.c -- what the main thread does while the cores run: it waits for signals. */
#include <signal.h>

#include "app/serve/serve.h"

enum { DRAIN_STEP_MS = 100 };

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

static void drain_slowly(struct serve *s)
{
    unsigned steps = serve_options(s)->drain_s * (1000 / DRAIN_STEP_MS);

    for (unsigned left = steps; left > 0; left--) {
        unsigned late = serve_order(s, send_away, left);
        int which = signals_next(DRAIN_STEP_MS);
        if (which == SIGTERM || which == SIGINT) end_at_once(which);
        if (which == SIGUSR1) reopen_log(s);
        if (late == 0 && left < steps && serve_connections(s) == 0) return;
    }
}

static void end(struct serve *s, int which)
{
    const struct options *o = serve_options(s);

    LOG(serve_log(s), LOG_INFO, "shutting_down", F_STR("signal", which == SIGINT ? "INT" : "TERM"),
        F_U64("drain_s", o->drain_s), F_U64("timeout_s", o->shutdown_timeout_s));
    admin_set_ready(&s->admin, false);
    serve_order(s, close_door, 0);
    drain_slowly(s);
    signals_let_end();
}

void serve_run(struct serve *s)
{
    for (;;) {
        int which = signals_next(-1);
        switch (which) {
        case SIGHUP: serve_reload(s); break;
        case SIGUSR1: reopen_log(s); break;
        case SIGTERM:
        case SIGINT: end(s, which); return;
        default: break;
        }
    }
}
