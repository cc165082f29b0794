/* SPDX-License-Identifier: BSD-3-Clause */
/* admin.c -- a core's admin interface: who may come in, and to which handler. */
#include "admin/admin.h"

#include <stdlib.h>

#include "admin/ask.h"
#include "admin/gather.h"
#include "admin/process.h"
#include "admin/route.h"
#include "admin/text.h"

/* For every answer: what is here is nobody else's to keep, to guess at or to frame. */
static const char guards[] = "Cache-Control: no-store\r\n"
                             "X-Content-Type-Options: nosniff\r\n"
                             "Content-Security-Policy: default-src 'none'; "
                             "frame-ancestors 'none'\r\n";

/* ---- requests ------------------------------------------------------------------------------- */

static void answer_methods(struct http_exchange *x, unsigned status, unsigned methods)
{
    uint8_t room[ROUTE_ALLOW_MAX];
    struct writer w = wr_of(room, sizeof room);
    struct http_answer a = {.status = status};
    char problem[PROBLEM_MAX];

    if (status != 204 && admin_is_api(x)) admin_problem_body(&a, NULL, NULL, problem);
    route_put_allow(&w, methods);
    a.extra[0].name = BYTES("Allow");
    a.extra[0].value = bytes_of(room, wr_len(&w));
    http_answer(x, &a);
}

/* Does it bring the body that the route takes? */
static bool brings_body(struct http_exchange *x, const struct admin_route *r)
{
    if (!(r->flags & ADMIN_JSON)) return true;
    if (!(x->head.flags & (HTTP_LENGTH | HTTP_CHUNKED)))
        admin_refuse(x, 411, "this needs a body"); /* [RFC9110-15.5.12] */
    else if (!http_type_is(&x->head, "application/json"))
        admin_refuse(x, 415, "this takes application/json"); /* [RFC9110-15.5.16] */
    else
        return true;
    return false;
}

static bool is_open(const struct admin *a, const struct route_found *f)
{
    return f->route && f->route->flags & ADMIN_HEALTH && !a->shared->health_needs_token;
}

/* The token comes first: until it is right, every path looks the same. */
static enum http_verdict on_head(struct http_exchange *x)
{
    struct route_found f = route_find(&x->head);

    if (!is_open(admin_of(x), &f) && !admin_let_in(x)) return HTTP_HELD;
    if (x->head.method == HTTP_OPTIONS)
        answer_methods(x, 204, f.methods);
    else if (f.methods == 0)
        admin_refuse(x, 404, NULL);
    else if (!f.route)
        answer_methods(x, 405, f.methods); /* [RFC9110-15.5.6] */
    else if (brings_body(x, f.route))
        return HTTP_GO_ON;
    return HTTP_HELD;
}

static void on_request(struct http_exchange *x)
{
    route_find(&x->head).route->handle(x);
}

static const struct http_service service = {.on_head = on_head, .on_request = on_request};

void admin_on_index(struct http_exchange *x)
{
    struct text t = text_begin(x, BYTES("text/plain; charset=utf-8"));

    text_add(&t, "Pinion %s\n\n", admin_of(x)->shared->version);
    for (unsigned i = 0; i < admin_routes_count(); i++) {
        const struct admin_route *r = admin_route_at(i);
        text_add(&t, "%-7s %-34s %s\n", http_method_text(r->method), r->pattern, r->help);
    }
    text_flush(&t);
    http_end(x);
}

/* ---- life ---------------------------------------------------------------------------------------
 */

struct admin *admin_new(struct core *c, struct broker *b, struct admin_shared *s)
{
    struct http_options o = HTTP_OPTIONS_DEFAULT;
    struct admin *a = calloc(1, sizeof *a);

    if (!a) return NULL;
    a->core = c;
    a->broker = b;
    a->shared = s;
    a->healthy_s = core_now_s(c); /* it has just started */
    o.fields = bytes_str(guards);
    a->http = http_core_new(c, &service, a, &o);
    if (!a->http) admin_free(&a);
    if (!a) return NULL;
    s->site.core[c->id] = a->http;
    process_open_files(s, c); /* somebody will ask */
    return a;
}

void admin_free(struct admin **ap)
{
    struct admin *a = *ap;

    if (!a) return;
    *ap = NULL;
    admin_forget_penalties(a);
    gather_free_all(a);
    ask_free_all(a);
    http_core_free(&a->http);
    free(a);
}

void admin_set_ready(struct admin_shared *s, bool ready)
{
    atomic_store_explicit(&s->ready, ready, memory_order_release);
}

void admin_set_failed(struct admin_shared *s, const char *why)
{
    atomic_store_explicit(&s->failed, why, memory_order_release);
}

void admin_set_tokens(struct admin_shared *s, struct admin_tokens *fresh)
{
    fresh->older = atomic_load_explicit(&s->tokens, memory_order_relaxed);
    atomic_store_explicit(&s->tokens, fresh, memory_order_release);
}

void admin_free_tokens(struct admin_shared *s)
{
    struct admin_tokens *t = atomic_exchange_explicit(&s->tokens, NULL, memory_order_acquire);

    admin_tokens_free(&t);
}
