/* SPDX-License-Identifier: BSD-3-Clause */
/* api_about.c -- what this core knows by itself: the version, the listeners. */
#include "admin/json_out.h"
#include "admin/param.h"

static void answer(struct http_exchange *x, struct json_out *j)
{
    struct http_answer a = {
        .status = 200, .type = BYTES("application/json"), .body = json_out_bytes(j)};

    if (j->failed)
        admin_refuse(x, 503, "out of memory");
    else
        http_answer(x, &a);
    json_out_fini(j);
}

void admin_on_version(struct http_exchange *x)
{
    const struct admin *a = admin_of(x);
    uint64_t now_ms = a->core->clock.wall_ms, began_ms = a->shared->began_ms;
    struct json_out j = {.at = NULL};

    if (!param_known(x, "")) return;
    json_out_open(&j, NULL, '{');
    json_out_str(&j, "version", a->shared->version);
    json_out_time(&j, "started", began_ms);
    json_out_real(&j, "uptime_seconds", now_ms > began_ms ? (double)(now_ms - began_ms) / 1e3 : 0);
    json_out_number(&j, "cores", a->core->cores);
    json_out_bool(&j, "ready", atomic_load_explicit(&a->shared->ready, memory_order_acquire));
    json_out_close(&j, '}');
    answer(x, &j);
}

static void put_listener(struct json_out *j, const struct listener *l)
{
    const struct tls_context *tls = atomic_load_explicit(&l->tls, memory_order_acquire);
    char address[SOCK_ADDR_TEXT];

    json_out_open(j, NULL, '{');
    json_out_str(j, "address", sock_addr_text(&l->addr, address));
    json_out_str(j, "protocol", l->proto->name);
    json_out_bool(j, "tls", tls != NULL);
    json_out_bool(j, "websocket", l->ws != NULL);
    json_out_bool(j, "unix", l->file != NULL);
    json_out_bool(j, "proxy", l->proxy != NULL);
    if (tls) json_out_time(j, "certificate_ends", (uint64_t)tls_context_expiry(tls) * 1000);
    json_out_close(j, '}');
}

void admin_on_listeners(struct http_exchange *x)
{
    const struct admin_shared *s = admin_of(x)->shared;
    struct json_out j = {.at = NULL};

    if (!param_known(x, "")) return;
    json_out_open(&j, NULL, '{');
    json_out_open(&j, "listeners", '[');
    for (unsigned i = 0; i < s->nlisteners; i++)
        put_listener(&j, &s->listeners[i]);
    json_out_close(&j, ']');
    json_out_close(&j, '}');
    answer(x, &j);
}
