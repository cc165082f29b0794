/* SPDX-License-Identifier: BSD-3-Clause */
/* reload.c -- the configuration is read again while the broker runs.
 *
 * First everything is read and judged: the file, and all files that it names. If one thing is
 * bad nothing changes. Then everything is switched: the settings are a snapshot that nobody
 * writes to any more, each core takes it in a turn of its own, and the one before goes when
 * the last core has let go of it. A setting that a running broker can't take is kept as it was
 * before cores see the snapshot, so they take all that is in it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/serve/serve.h"
#include "base/err.h"

/* One core's switch. */
struct taking {
    struct helper_job job;
    struct core_modules *modules;
    struct settings *settings;
};

/* One reading of the configuration. Shared: `uses` is counted by all threads. */
struct settings {
    _Atomic unsigned uses;
    struct options options;
    struct access *access;  /* one use; NULL until it has been read */
    struct taking taking[]; /* one for each core */
};

void settings_unref(struct settings **p)
{
    struct settings *s = *p;

    *p = NULL;
    if (!s || atomic_fetch_sub_explicit(&s->uses, 1, memory_order_acq_rel) != 1) return;
    access_unref(&s->access);
    options_fini(&s->options);
    free(s);
}

const struct options *serve_options(const struct serve *s)
{
    return s->settings ? &s->settings->options : s->options;
}

/* ---- read all ------------------------------------------------------------------------------ */

/* What has been read and is good, until it is put in force. */
struct reading {
    struct settings *settings;
    struct options_diff diff;
    struct tls_context *tls[NET_LISTENERS_MAX];
    struct admin_tokens *tokens;
};

static int read_settings(struct serve *s, struct reading *r, char *error)
{
    size_t bytes = sizeof *r->settings + s->plan.cores * sizeof r->settings->taking[0];

    r->settings = calloc(1, bytes);
    if (!r->settings) {
        snprintf(error, OPTIONS_ERROR, "%s", err_text(ERR_NOMEM));
        return -ERR_NOMEM;
    }
    atomic_init(&r->settings->uses, 1);
    struct options *o = &r->settings->options;
    int err = options_load(o, s->args);
    if (err == 0) options_keep_restart(o, serve_options(s), &r->diff);
    if (err == 0) err = options_check_data(o); /* with what stays as it was */
    if (err < 0) memcpy(error, o->error, OPTIONS_ERROR);
    return err;
}

/* Whatever else the settings name is read here too, and refused as a whole. */
static int read_all(struct serve *s, struct reading *r, char *error)
{
    int err = read_settings(s, r, error);

    if (err == 0) err = serve_admin_read(s, &r->tokens, error);
    if (err < 0) return err;
    r->settings->access = serve_access_new(s, &r->settings->options, error);
    if (!r->settings->access) return -ERR_INVALID;
    return serve_tls_read(s, &r->settings->options, r->tls, error);
}

/* ---- switch all ----------------------------------------------------------------------------- */

static void put_in_force(struct core_modules *m, const struct options *o)
{
    struct core *c = &m->core;
    struct log_options log = o->log;

    log.fd = c->log.how.fd;
    c->log.how = log;
    if (!atomic_load_explicit(&c->stop, memory_order_relaxed)) c->idle = o->idle;
    pool_set_max(c->pool, serve_pool_max(m->serve));
    c->memory_look.due_s = 0;
    broker_set_options(m->broker, &o->broker);
    net_set_options(m->net, &o->net);
    if (mqtt_core_set_options(m->mqtt, &o->mqtt, o->net.out_bytes_max) < 0)
        LOG(&c->log, LOG_ERROR, "setting_kept", F_STR("setting", "mqtt.packet"),
            F_STR("reason", err_text(ERR_NOMEM)));
}

/* On the core. */
static void on_taken(struct helper_job *j)
{
    struct taking *t = CONTAINER_OF(j, struct taking, job);
    struct core_modules *m = t->modules;

    put_in_force(m, &t->settings->options);
    broker_set_access(m->broker, access_ref(t->settings->access));
    settings_unref(&m->settings); /* texts of the old ones were in use until now */
    m->settings = t->settings;
}

static void switch_cores(struct serve *s, struct settings *fresh)
{
    atomic_store_explicit(&fresh->uses, s->started + 1, memory_order_relaxed);
    for (unsigned i = 0; i < s->started; i++) {
        struct taking *t = &fresh->taking[i];
        *t = (struct taking){.job = {.done = on_taken}, .modules = &s->cores[i], .settings = fresh};
        helper_post(s->helpers, i, &t->job);
    }
    settings_unref(&s->settings);
    s->settings = fresh;
}

static void switch_all(struct serve *s, struct reading *r)
{
    struct log_options log = r->settings->options.log;

    access_unref(&s->access);
    s->access = access_ref(r->settings->access);

    log.fd = s->log.how.fd;
    s->log.how = log;
    serve_tls_take(s, r->tls);
    if (r->tokens) admin_set_tokens(&s->admin, r->tokens);
    serve_memory_limit(s, &r->settings->options);
    switch_cores(s, r->settings);
}

/* ---- both ------------------------------------------------------------------------------------ */

/* Another log file is opened before anything changes, since that may fail as well. */
static int switch_log(struct serve *s, const struct reading *r, char *error)
{
    const char *path = r->settings->options.log_file;

    if (strcmp(path, serve_options(s)->log_file) == 0) return 0;
    return log_file_reopen(s->log.how.fd, path, error);
}

void serve_reload(struct serve *s)
{
    char error[OPTIONS_ERROR];
    struct reading r = {.settings = NULL};
    int err = s->args ? read_all(s, &r, error) : 0;

    if (!s->args) return;
    if (err == 0) err = switch_log(s, &r, error);
    if (err < 0) {
        LOG(serve_log(s), LOG_ERROR, "reload_refused", F_STR("reason", error));
        settings_unref(&r.settings);
        admin_tokens_free(&r.tokens);
        for (unsigned i = 0; i < NET_LISTENERS_MAX; i++)
            tls_context_free(&r.tls[i]);
        return;
    }
    switch_all(s, &r);
    LOG(serve_log(s), LOG_INFO, "reloaded", F_STR("changed", r.diff.changed));
    if (*r.diff.restart)
        LOG(serve_log(s), LOG_WARN, "restart_needed", F_STR("settings", r.diff.restart));
}
