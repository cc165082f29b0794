/* SPDX-License-Identifier: BSD-3-Clause */
/* http_session.c -- bytes in, requests to the service; the time that each step may take. */
#include "proto/http/http_session.h"

#include <stdlib.h>

#include "proto/http/http_session_internal.h"

enum { REQUESTS_MAX = 16 }; /* per connection and turn */

/* ---- states ------------------------------------------------------------------------------- */

/* Moves on, and gives the new state its time. */
void http_set_state(struct http *h, enum http_state to)
{
    const struct http_options *o = &h->core->options;
    const uint16_t limit_s[HTTP_STATES] = {
        [HTTP_IDLE] = o->idle_s,    [HTTP_IN_HEAD] = o->head_s,     [HTTP_IN_BODY] = o->body_s,
        [HTTP_ASKED] = o->answer_s, [HTTP_ANSWERING] = o->answer_s,
    };
    struct core *core = h->core->core;

    ASSERT(h->state != HTTP_OVER);
    h->state = (uint8_t)to;
    if (to == HTTP_OVER)
        wheel_cancel(&core->wheel, &h->limit);
    else
        wheel_arm(&core->wheel, &h->limit, core_now_s(core) + limit_s[to] + 1);
}

static bool is_busy(const struct http *h)
{
    return h->state == HTTP_ASKED || h->state == HTTP_ANSWERING;
}

/* Time is up for whatever it was. */
static void on_limit(struct timer *t)
{
    struct http *h = CONTAINER_OF(t, struct http, limit);

    switch (h->state) {
    case HTTP_IDLE: conn_close(h->conn, 0); return;
    case HTTP_ASKED:
        if (h->exchange.later) h->exchange.later->on_cancel(&h->exchange);
        h->exchange.later = NULL;
        http_say_no(h, 503);
        break;
    case HTTP_ANSWERING: break;
    default: http_say_no(h, 408); /* [RFC9110-15.5.9] */
    }
    conn_close(h->conn, -ERR_TIMEOUT);
}

/* ---- a request comes in ------------------------------------------------------------------- */

static int why_of(unsigned status)
{
    switch (status) {
    case 413:
    case 414:
    case 431: return -ERR_TOO_LARGE;
    case 501:
    case 505: return -ERR_UNSUPPORTED;
    default: return -ERR_MALFORMED;
    }
}

static long refuse(struct http *h, long status)
{
    http_say_no(h, (unsigned)-status);
    return why_of((unsigned)-status);
}

/* Keeps `b` behind what is held of the request; the room grows as bytes come. */
static bool hold(struct http *h, struct bytes b)
{
    size_t all = h->held_n + b.n, cap = h->held_cap ? h->held_cap : 256;

    if (all > h->held_cap) {
        while (cap < all)
            cap *= 2;
        uint8_t *held = realloc(h->held, cap);
        if (!held) return false;
        h->held = held;
        h->held_cap = cap;
        h->exchange.head.base = held;
    }
    if (b.n) memcpy(h->held + h->held_n, b.p, b.n);
    h->held_n = all;
    return true;
}

static void give(struct http *h)
{
    struct http_exchange *x = &h->exchange;

    x->body = bytes_of(h->held + h->head_n, h->held_n - h->head_n);
    http_set_state(h, HTTP_ASKED);
    h->core->service->on_request(x);
}

/* The head is complete: `behind` it there is already so much. */
static void on_head(struct http *h, size_t behind)
{
    struct http_exchange *x = &h->exchange;

    http_body_start(&h->body, &x->head, h->core->options.body_bytes_max);
    http_set_state(h, HTTP_ASKED);
    if (h->core->service->on_head(x) == HTTP_HELD) return;
    if (http_body_done(&h->body)) {
        give(h);
        return;
    }
    http_set_state(h, HTTP_IN_BODY);
    if (x->head.flags & HTTP_CONTINUE && behind == 0) /* [RFC9110-10.1.1] */
        conn_send(h->conn, BYTES("HTTP/1.1 100 Continue\r\n\r\n"));
}

static long read_head(struct http *h, struct bytes in)
{
    struct http_exchange *x = &h->exchange;

    if (h->state == HTTP_IDLE) http_set_state(h, HTTP_IN_HEAD);
    long used = http_head_read(&x->head, h->core->options.body_bytes_max, in);
    if (used < 0) return refuse(h, used);
    if (used == 0) return 0;
    count(&h->core->core->counters, C_http_requests);
    if (!hold(h, bytes_of(in.p, (size_t)used))) return -ERR_NOMEM;
    x->head.base = h->held;
    h->head_n = h->held_n;
    on_head(h, in.n - (size_t)used);
    return used;
}

static long read_body(struct http *h, struct bytes in)
{
    struct bytes piece;
    long used = http_body_read(&h->body, in, &piece);

    if (used < 0) return refuse(h, used);
    if (!hold(h, piece)) return -ERR_NOMEM;
    if (http_body_done(&h->body)) give(h);
    return used;
}

/* Should it read on, this turn? If not, somebody will see to it that it does later. */
static bool may_read(struct http *h, unsigned n)
{
    if (h->state == HTTP_OVER || h->conn->flags & CONN_CLOSING) return false;
    if (is_busy(h) || conn_unsent(h->conn) >= conn_drain_at(h->conn)) {
        conn_pause(h->conn); /* till http_forget, or on_drain */
        return false;
    }
    if (n < REQUESTS_MAX) return true;
    conn_again(h->conn);
    return false;
}

static long on_bytes(struct conn *c, struct bytes in)
{
    struct http *h = c->state;
    struct bytes left = in;

    for (unsigned n = 0; may_read(h, n) && left.n > 0;) {
        bool body = h->state == HTTP_IN_BODY;
        long used = body ? read_body(h, left) : read_head(h, left);
        if (used < 0) return used;
        if (used == 0) break;
        left = bytes_skip(left, (size_t)used);
        n += !body;
    }
    return h->state == HTTP_OVER ? (long)in.n : (long)(in.n - left.n);
}

/* ---- a connection comes and goes ------------------------------------------------------------ */

static int on_open(struct conn *c, bool moved, uint64_t note)
{
    struct core *core = net_core(c->net);
    const struct http_site *site = c->listener->proto_ctx;
    struct http_core *hc = site->core[core->id];
    struct http *h = pool_alloc(core->pool, sizeof *h);

    (void)moved;
    (void)note;
    if (!h) return -ERR_NOMEM;
    *h = (struct http){.conn = c, .core = hc};
    h->limit.fire = on_limit;
    h->more.fire = http_on_more;
    c->state = h;
    c->in_max = 2 * HTTP_HEAD_MAX;
    c->drain_at = hc->options.ahead_bytes;
    http_set_state(h, HTTP_IDLE);
    conn_known(c); /* it has limits of its own */
    wheel_arm(&core->wheel, &h->limit, core_now_s(core) + hc->options.head_s + 1);
    return 0;
}

static void on_drain(struct conn *c)
{
    struct http *h = c->state;

    if (h->waits)
        http_more(&h->exchange);
    else if (!is_busy(h))
        conn_resume(c);
}

static void on_close(struct conn *c, int why)
{
    struct http *h = c->state;
    struct core *core = h->core->core;

    (void)why;
    if (is_busy(h) && h->exchange.later) h->exchange.later->on_cancel(&h->exchange);
    wheel_cancel(&core->wheel, &h->limit);
    wheel_cancel(&core->wheel, &h->more);
    free(h->held);
    pool_free(core->pool, h, sizeof *h);
    c->state = NULL;
}

const struct proto http_proto = {
    .name = "http",
    .on_open = on_open,
    .on_bytes = on_bytes,
    .on_drain = on_drain,
    .on_close = on_close,
};

/* ---- the core's share ----------------------------------------------------------------------- */

struct http_core *http_core_new(struct core *c, const struct http_service *s, void *ctx,
                                const struct http_options *o)
{
    struct http_core *hc = malloc(sizeof *hc);

    if (hc) *hc = (struct http_core){.core = c, .service = s, .ctx = ctx, .options = *o};
    return hc;
}

void http_core_free(struct http_core **hc)
{
    free(*hc);
    *hc = NULL;
}
