/* SPDX-License-Identifier: BSD-3-Clause */
/* options_admin.c -- the listeners of the admin interface, and where its token is kept.
 *
 * There are none unless the configuration says so: a port that nobody asked for is one more to be
 * attacked, several brokers on one machine would fight for it, and a secret is not written where
 * nobody looks for it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/serve/serve.h"
#include "base/err.h"

bool listen_is_admin(const struct listen_how *h)
{
    return h->protocol == LISTEN_ADMIN;
}

/* Puts the addresses of `admin.address` behind those of `listeners`. */
static int append(struct options *o)
{
    struct listen_set *extra = calloc(1, sizeof *extra);
    char why[OPTION_TEXT_MAX];
    int err = 0;

    if (!extra) return options_refuse(o, "out of memory");
    if (listen_set_parse(extra, o->admin_address, false, why, sizeof why) < 0)
        err = options_refuse(o, "admin.address: %s", why);
    else if (o->listeners.n + extra->n > NET_LISTENERS_MAX)
        err = options_refuse(o, "admin.address: more than %d listeners", NET_LISTENERS_MAX);
    for (unsigned i = 0; err == 0 && i < extra->n; i++) {
        extra->how[i].protocol = LISTEN_ADMIN;
        o->listeners.at[o->listeners.n] = extra->at[i];
        o->listeners.how[o->listeners.n++] = extra->how[i];
    }
    free(extra);
    return err;
}

/* Where a program may keep what is to be gone after the next boot. */
static int choose_token_file(struct options *o)
{
    const char *folder = getenv("RUNTIME_DIRECTORY"); /* from systemd */
    const char *name = "admin.token";

    if (!folder || !*folder) {
        folder = getenv("XDG_RUNTIME_DIR");
        name = "pinion-admin.token";
    }
    if (!folder || *folder != '/' || strchr(folder, ':'))
        return options_refuse(o, "admin.token_file: say where the token is to be kept");
    int n = snprintf(o->admin_token_file, sizeof o->admin_token_file, "%s/%s", folder, name);
    if (n < (int)sizeof o->admin_token_file) return 0;
    return options_refuse(o, "admin.token_file: too long");
}

static int judge(struct options *o, unsigned i)
{
    const struct listen_how *h = &o->listeners.how[i];
    char address[SOCK_ADDR_TEXT];

    sock_addr_text(&o->listeners.at[i], address);
    if (h->transport == LISTEN_WS || h->transport == LISTEN_WSS)
        return options_refuse(o, "listeners: %s: protocol: admin goes with transport tcp or tls",
                              address);
    if (h->transport == LISTEN_TLS || o->admin_plaintext) return 0;
    if (banner_is_loopback(&o->listeners.at[i])) return 0;
    return options_refuse(o,
                          "listeners: %s: the admin token would cross the network in the clear: "
                          "use transport tls, or admin.plaintext=true",
                          address);
}

int options_settle_admin(struct options *o)
{
    unsigned admins = 0;
    int err = *o->admin_address ? append(o) : 0;

    for (unsigned i = 0; err == 0 && i < o->listeners.n; i++) {
        if (!listen_is_admin(&o->listeners.how[i])) continue;
        err = judge(o, i);
        admins++;
    }
    if (err == 0 && admins == o->listeners.n)
        err = options_refuse(o, "listeners: none of them is for MQTT clients");
    if (err == 0 && admins > 0 && !*o->admin_token_file) err = choose_token_file(o);
    return err;
}
