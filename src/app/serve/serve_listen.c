/* SPDX-License-Identifier: BSD-3-Clause */
/* serve_listen.c -- what each listener needs besides its address: certificates, WebSocket's
 * path. Made by the main thread before any core runs; certificates can be read again while
 * cores accept connections. */
#include <stdio.h>
#include <stdlib.h>

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
        .durability = listen_durability(s->options, h),
        .anonymous = h->anonymous ? h->anonymous : s->options->anonymous,
        .loopback = banner_is_loopback(&l->addr) && !h->proxied, /* who knows who is behind it */
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
        l->stays = true;
        return;
    }
    l->proto = &mqtt_proto;
    make_door(s, i);
}

/* Its address is then what the socket says. */
static int take_handed(struct serve *s, unsigned i, char *error)
{
    struct listener *l = &s->listener[i];
    const char *name = sock_addr_handed(&l->addr);

    if (!name) return 0;
    s->handed[i] = calloc(s->plan.cores, sizeof *s->handed[i]);
    if (!s->handed[i]) {
        snprintf(error, OPTIONS_ERROR, "listeners: %s", err_text(ERR_NOMEM));
        return -ERR_NOMEM;
    }
    int err = handed_take(name, s->handed[i], s->plan.cores, error);
    if (err < 0) return err;
    l->handed = s->handed[i];
    return sock_local(l->handed[0], &l->addr);
}

static int make_one(struct serve *s, unsigned i, char *error)
{
    const struct listen_how *h = &s->options->listeners.how[i];
    struct listener *l = &s->listener[i];
    char why[OPTION_TEXT_MAX], address[SOCK_ADDR_TEXT];

    l->addr = s->options->listeners.at[i];
    l->index = i;
    int err = take_handed(s, i, error);
    if (err < 0) return err;
    make_protocol(s, i);
    if (h->transport == LISTEN_WS || h->transport == LISTEN_WSS) {
        s->ws[i] =
            (struct ws_options){.path = h->path, .norigins = h->norigins, .deflate = h->deflate};
        for (unsigned k = 0; k < h->norigins; k++)
            s->ws[i].origins[k] = h->origins[k];
        l->ws = &s->ws[i];
    }
    if (h->proxied) l->proxy = &h->proxy;
    if (h->transport != LISTEN_TLS && h->transport != LISTEN_WSS) return 0;
    s->tls[i] = listen_tls_new(h, why, sizeof why);
    atomic_store_explicit(&l->tls, s->tls[i], memory_order_release);
    if (s->tls[i]) return 0;
    snprintf(error, OPTIONS_ERROR, "listeners: %s: %s", name_of(s, i, address), why);
    return -ERR_INVALID;
}

static int make_file(struct serve *s, unsigned i, char *error)
{
    const struct listen_set *set = &s->options->listeners;
    char why[OPTION_TEXT_MAX];

    if (set->at[i].ss.ss_family != AF_UNIX) return 0;
    int err = listen_file_open(&s->file[i], &set->at[i], &set->how[i], why, sizeof why);
    if (err < 0)
        snprintf(error, OPTIONS_ERROR, "listeners: %s", why);
    else
        s->listener[i].file = &s->file[i];
    return err;
}

int serve_listeners_make(struct serve *s, char *error)
{
    int err = 0;

    for (unsigned i = 0; err == 0 && i < s->options->listeners.n; i++)
        err = make_one(s, i, error);
    for (unsigned i = 0; err == 0 && i < s->options->listeners.n; i++)
        err = make_file(s, i, error); /* when all else is good */
    return err;
}

void serve_listeners_unlink(struct serve *s)
{
    for (unsigned i = 0; i < NET_LISTENERS_MAX; i++)
        if (s->listener[i].file && !s->listener[i].stays) sock_file_unlink(&s->file[i]);
}

void serve_listeners_free(struct serve *s)
{
    for (unsigned i = 0; i < NET_LISTENERS_MAX; i++) {
        tls_context_free(&s->tls[i]);
        if (s->listener[i].file) sock_file_close(&s->file[i]);
        s->listener[i].file = NULL;
        free(s->handed[i]);
        s->handed[i] = NULL;
    }
}

int serve_tls_read(const struct serve *s, const struct options *o, struct tls_context **fresh,
                   char *error)
{
    char why[OPTION_TEXT_MAX], address[SOCK_ADDR_TEXT];

    for (unsigned i = 0; i < NET_LISTENERS_MAX; i++)
        fresh[i] = NULL;
    for (unsigned i = 0; i < o->listeners.n; i++) {
        if (!s->tls[i]) continue;
        fresh[i] = listen_tls_new(&o->listeners.how[i], why, sizeof why);
        if (fresh[i]) continue;
        snprintf(error, OPTIONS_ERROR, "listeners: %s: %s", name_of(s, i, address), why);
        for (unsigned k = 0; k < i; k++)
            tls_context_free(&fresh[k]);
        return -ERR_INVALID;
    }
    return 0;
}

void serve_tls_take(struct serve *s, struct tls_context **fresh)
{
    char address[SOCK_ADDR_TEXT];

    for (unsigned i = 0; i < NET_LISTENERS_MAX; i++) {
        if (!fresh[i]) continue;
        tls_context_replace(&s->tls[i], fresh[i]);
        atomic_store_explicit(&s->listener[i].tls, fresh[i], memory_order_release);
        LOG(serve_log(s), LOG_INFO, "certificate_loaded", F_STR("listener", name_of(s, i, address)),
            F_I64("not_after_s", tls_context_expiry(fresh[i])));
    }
}
