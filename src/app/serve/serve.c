/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/serve/serve.h"

#include <errno.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/hash.h"
#include "broker/access/hook.h"

enum { JOBS_MAX = 1024, LOOK_NS = 200 * 1000 * 1000 };

static int refuse(char *error, int err, const char *what)
{
    snprintf(error, OPTIONS_ERROR, "%s: %s", what, err_text(err));
    return err;
}

/* What all cores share. */
static int make_shared(struct serve *s, const struct options *o, char *error)
{
    struct mesh_options mo = o->mesh;
    int err = 0;

    mo.cores = s->plan.cores;
    s->seed = s->luck = rng_os_seed();
    serve_mail_handlers(s->handlers);
    err = serve_listeners_make(s, error);
    if (err == 0) err = serve_admin_make(s, error);
    if (err < 0) return err;

    size_t bytes = s->plan.cores * sizeof *s->cores;
    s->cores =
        aligned_alloc(alignof(struct core_modules), bytes); /* counters want their own lines */
    if (!s->cores) return refuse(error, -ERR_NOMEM, "cores");
    memset(s->cores, 0, bytes);
    s->mesh = mesh_new(&mo, &err);
    if (!s->mesh) return refuse(error, err, "mesh");
    s->helpers = helpers_new(o->helper_threads, JOBS_MAX, s->mesh, s->plan.cores, &err);
    if (!s->helpers) return refuse(error, err, "helper_threads");
    err = serve_hook_start(s, error);
    if (err < 0) return err;
    s->access = serve_access_new(s, o, error);
    if (!s->access) return -ERR_INVALID;
    return 0;
}

/* Cores share their ports with SO_REUSEPORT, and so would another broker of the same user: ask
 * for each as somebody who does not share. */
static bool port_is_taken(const struct sock_addr *a)
{
    int on = 1;
    int fd = socket(a->ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0) return false;                                 /* listening will tell why */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on); /* old connections don't count */
    bool taken = bind(fd, (const struct sockaddr *)&a->ss, a->len) < 0 && errno == EADDRINUSE;
    close(fd);
    return taken;
}

int serve_refuse_address(const struct serve *s, unsigned i, int err, char *error)
{
    char address[SOCK_ADDR_TEXT], where[OPTION_TEXT_MAX];
    int row = option_find("listeners", strlen("listeners"));

    snprintf(error, OPTIONS_ERROR, "listeners: %s (%s): %s",
             sock_addr_text(&s->listener[i].addr, address),
             option_origin(s->options, (unsigned)row, where, sizeof where),
             err == -ERR_BUSY ? "another program listens there; choose another with -p PORT"
                              : err_text(err));
    return err;
}

static int check_ports(const struct serve *s, char *error)
{
    for (unsigned i = 0; i < s->options->listeners.n; i++)
        if (!s->listener[i].file && !s->listener[i].handed && port_is_taken(&s->listener[i].addr))
            return serve_refuse_address(s, i, -ERR_BUSY, error);
    return 0;
}

/* ---- cores ---------------------------------------------------------------------------------- */

/* A thread looks at what comes before it, so it must not run ahead of `started`. */
static int start_thread(struct serve *s, char *error)
{
    struct core_modules *m = &s->cores[s->started];

    m->serve = s;
    m->cpu = s->plan.cpu[s->started];
    if (pthread_create(&m->thread, NULL, serve_core_main, m) != 0)
        return refuse(error, -ERR_OS, "cores: a thread can't be started");
    s->started++;
    return 0;
}

static void open_gate(struct serve *s, enum gate gate)
{
    pthread_mutex_lock(&s->lock);
    s->gate = gate;
    s->reported = 0;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

/* Waits a while for all cores to report. */
static bool all_have_reported(struct serve *s)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += LOOK_NS;
    until.tv_sec += until.tv_nsec / (long)NS_PER_S;
    until.tv_nsec %= (long)NS_PER_S;
    pthread_mutex_lock(&s->lock);
    for (int err = 0; err == 0 && s->reported < s->started;)
        err = pthread_cond_timedwait(&s->changed, &s->lock, &until);
    bool all = s->reported == s->started;
    pthread_mutex_unlock(&s->lock);
    return all;
}

/* Waits until all have come through, whatever came of it. The first that failed says why. */
static int wait_for_reports(struct serve *s, struct progress *p, char *error)
{
    while (!all_have_reported(s)) {
        progress_look(p, s);
        signals_look();
    }
    for (unsigned i = 0; i < s->started; i++) {
        if (s->cores[i].err >= 0) continue;
        memcpy(error, s->cores[i].error, OPTIONS_ERROR);
        return s->cores[i].err;
    }
    return 0;
}

/* Each part begins when all cores are through the one before. */
static int start_cores(struct serve *s, char *error)
{
    struct progress progress;
    int err = 0;

    progress_begin(&progress, s);
    while (err == 0 && s->started < s->plan.cores)
        err = start_thread(s, error);
    if (err < 0) return err;
    err = wait_for_reports(s, &progress, error);
    if (err == 0) err = data_switch(s, error);
    if (err < 0) return err;
    open_gate(s, GATE_SETTLE);
    err = wait_for_reports(s, &progress, error);
    progress_end(&progress);
    if (err < 0) return err;
    progress_recovered(&progress, s);
    open_gate(s, GATE_LISTEN);
    return wait_for_reports(s, &progress, error);
}

/* ---- start and end -------------------------------------------------------------------------- */

struct log *serve_log(struct serve *s)
{
    clock_tick(&s->clock);
    return &s->log;
}

int serve_start(struct serve *s, const struct options *o, int log_fd, char *error)
{
    struct log_options log = o->log;
    struct privileges who;

    *s = (struct serve){.options = o};
    notify_open(&s->notify);
    log.fd = log_fd;
    log_init(&s->log, &log, LOG_NO_CORE, &s->clock);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);

    int err = privileges_find(&who, o->user, error, OPTIONS_ERROR);
    if (err == 0) err = cpu_plan_make(&s->plan, o->cores, o->pin, error);
    serve_memory_limit(s, o);
    if (err == 0) err = make_shared(s, o, error);
    if (err == 0) err = check_ports(s, error);
    if (err == 0 && *o->log_file) privileges_give(&who, log_fd);
    if (err == 0) err = privileges_files(&who, error, OPTIONS_ERROR);
    if (err == 0) err = data_open(s, error);
    if (s->data.is_open) s->seed = data_seed(&s->data);
    if (err == 0) err = start_cores(s, error);
    if (err == 0) err = privileges_drop(&who, o->core_dumps, error, OPTIONS_ERROR);
    if (err < 0) return err;
    open_gate(s, GATE_OPEN);
    admin_set_ready(&s->admin, true);
    return err;
}

/* What a core could not write. */
static int told_by_cores(const struct serve *s, char *error)
{
    for (unsigned i = 0; i < s->started; i++) {
        if (s->gate != GATE_OPEN || s->cores[i].err >= 0) continue;
        snprintf(error, OPTIONS_ERROR, "data.dir: %.200s: core %u: %s", s->options->data.dir, i,
                 err_text(s->cores[i].err));
        return s->cores[i].err;
    }
    return 0;
}

int serve_stop(struct serve *s, char *error)
{
    admin_set_ready(&s->admin, false);
    clock_tick(&s->clock);
    s->end_by_ns = s->clock.now_ns + serve_options(s)->shutdown_timeout_s * NS_PER_S;
    hook_stop(s->hook, 0); /* cores still take its answers */
    for (unsigned i = 0; i < s->started && s->gate == GATE_OPEN; i++) {
        atomic_store_explicit(&s->cores[i].core.stop, true, memory_order_release);
        mesh_ring(mesh_port_at(s->mesh, i));
    }
    if (s->gate != GATE_OPEN) open_gate(s, GATE_NEVER);
    for (unsigned i = 0; i < s->started; i++)
        pthread_join(s->cores[i].thread, NULL);
    int err = told_by_cores(s, error);
    for (unsigned i = 0; i < s->started; i++)
        settings_unref(&s->cores[i].settings);
    settings_unref(&s->settings);
    serve_listeners_free(s);
    admin_free_tokens(&s->admin);
    access_unref(&s->access);
    hook_free(&s->hook);
    helpers_free(&s->helpers);
    data_close(s);
    mesh_free(&s->mesh);
    free(s->cores);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    notify_close(&s->notify);
    if (s->log.how.fd >= 0) close(s->log.how.fd);
    return err;
}
