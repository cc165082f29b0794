/* SPDX-License-Identifier: BSD-3-Clause */
/* serve_listen.c -- what each listener needs besides its address: certificates, WebSocket's
 * path. Made by the main thread before any core runs; certificates can be read again while
 * cores accept connections. */
#include <stdio.h>
#include <unistd.h>

#include "app/serve/serve.h"
#include "base/err.h"

static const char *name_of(const struct serve *s, unsigned i, char *out)
{
    return sock_addr_text(&s->listener[i].addr, out);
}

static void make_door(struct serve *s, unsigned i)
{
    const struct listen_how *h = &s->options->listeners.how[i];
    struct listener *l = &s->listener[i];

    s->door[i] = (struct access_door){
        .name = name_of(s, i, s->door_name[i]),
        .connections_max = h->connections_max,
        .anonymous = h->anonymous ? h->anonymous : s->options->anonymous,
        .loopback = banner_is_loopback(&l->addr),
        .certificate_is_user = h->client != TLS_CLIENT_NONE && !h->certificate_is_no_user,
    };
    l->proto_ctx = &s->door[i];
}

static void make_protocol(struct serve *s, unsigned i)
{
    struct listener *l = &s->listener[i];

    if (listen_is_admin(&s->options->listeners.how[i])) {
        l->proto = &http_proto;
        l->proto_ctx = &s->admin.site;
        return;
    }
    l->proto = &mqtt_proto;
    make_door(s, i);
}

static int make_one(struct serve *s, unsigned i, char *error)
{
    const struct listen_how *h = &s->options->listeners.how[i];
    struct listener *l = &s->listener[i];
    char why[OPTION_TEXT_MAX], address[SOCK_ADDR_TEXT];

    l->addr = s->options->listeners.at[i];
    l->index = i;
    make_protocol(s, i);
    if (h->transport == LISTEN_WS || h->transport == LISTEN_WSS) {
        s->ws[i] = (struct ws_options){.path = h->path, .norigins = h->norigins};
        for (unsigned k = 0; k < h->norigins; k++)
            s->ws[i].origins[k] = h->origins[k];
        l->ws = &s->ws[i];
    }
    if (h->transport != LISTEN_TLS && h->transport != LISTEN_WSS) return 0;
    s->tls[i] = listen_tls_new(h, why, sizeof why);
    atomic_store_explicit(&l->tls, s->tls[i], memory_order_release);
    if (s->tls[i]) return 0;
    snprintf(error, OPTIONS_ERROR, "listeners: %s: %s", name_of(s, i, address), why);
    return -ERR_INVALID;
}

int serve_listeners_make(struct serve *s, char *error)
{
    int err = 0;

    for (unsigned i = 0; err == 0 && i < s->options->listeners.n; i++)
        err = make_one(s, i, error);
    return err;
}

void serve_listeners_free(struct serve *s)
{
    for (unsigned i = 0; i < NET_LISTENERS_MAX; i++)
        tls_context_free(&s->tls[i]);
}

static void reload_one(struct serve *s, struct log *log, unsigned i)
{
    const struct listen_how *h = &s->options->listeners.how[i];
    char why[OPTION_TEXT_MAX], address[SOCK_ADDR_TEXT];
    struct tls_context *fresh = listen_tls_new(h, why, sizeof why);

    if (!fresh) {
        LOG(log, LOG_ERROR, "certificate_kept", F_STR("listener", name_of(s, i, address)),
            F_STR("reason", why));
        return;
    }
    tls_context_replace(&s->tls[i], fresh);
    atomic_store_explicit(&s->listener[i].tls, fresh, memory_order_release);
    LOG(log, LOG_INFO, "certificate_loaded", F_STR("listener", name_of(s, i, address)),
        F_I64("not_after_s", tls_context_expiry(fresh)));
}

void serve_reload_tls(struct serve *s)
{
    const struct options *o = s->options;
    const struct log_options lo = {STDERR_FILENO, o->log_level, o->log_json};
    struct clock clock;
    struct log log;

    clock_tick(&clock);
    log_init(&log, &lo, 0, &clock);
    for (unsigned i = 0; i < o->listeners.n; i++)
        if (s->tls[i]) reload_one(s, &log, i);
}
