/* SPDX-License-Identifier: BSD-3-Clause */
/* http_session_answer.c -- answers: at once, or in pieces as the client takes them. */
#include <stdio.h>
#include <stdlib.h>

#include "proto/http/http_session_internal.h"

enum { HEAD_ROOM = 2048, LINE_ROOM = 256 };

void *http_ctx(const struct http_exchange *x)
{
    return http_of(x)->core->ctx;
}

const struct conn *http_conn(const struct http_exchange *x)
{
    return http_of(x)->conn;
}

/* ---- heads ---------------------------------------------------------------------------------- */

enum length { LENGTH_KNOWN, LENGTH_OPEN, LENGTH_NONE };

static void put_length(struct http *h, struct writer *w, enum length kind, size_t n)
{
    if (kind == LENGTH_KNOWN) http_put_number(w, BYTES("Content-Length"), n);
    if (kind != LENGTH_OPEN) return;
    h->chunked = !(h->exchange.head.flags & HTTP_V10);
    if (h->chunked)
        http_put_field(w, BYTES("Transfer-Encoding"), BYTES("chunked"));
    else
        h->keep = false; /* its end is the connection's [RFC9112-6.3] */
}

static void put_head(struct http *h, const struct http_answer *a, enum length kind)
{
    uint8_t room[HEAD_ROOM];
    struct writer w = wr_of(room, sizeof room);

    http_put_status(&w, a->status);
    http_put_date(&w, h->core->core->clock.wall_ms); /* [RFC9110-6.6.1] */
    wr_bytes(&w, h->core->options.fields);
    if (a->type.n) http_put_field(&w, BYTES("Content-Type"), a->type);
    put_length(h, &w, kind, a->body.n);
    for (unsigned i = 0; i < HTTP_EXTRAS_MAX && a->extra[i].name.n; i++)
        http_put_field(&w, a->extra[i].name, a->extra[i].value);
    if (!h->keep) http_put_field(&w, BYTES("Connection"), BYTES("close")); /* [RFC9112-9.6] */
    if (h->keep && h->exchange.head.flags & HTTP_V10)
        http_put_field(&w, BYTES("Connection"), BYTES("keep-alive"));
    http_put_end(&w);
    ASSERT(!w.bad); /* a service gives no such values */
    conn_send(h->conn, bytes_of(room, wr_len(&w)));
}

/* What the request asks of the answer; a body that was not read ends the connection. */
static void begin(struct http *h)
{
    const struct http_head *head = &h->exchange.head;

    ASSERT(h->state == HTTP_ASKED);
    h->keep = head->flags & HTTP_KEEP && http_body_done(&h->body);
    h->mute = head->method == HTTP_HEAD; /* [RFC9110-9.3.2] */
    h->chunked = false;
    http_set_state(h, HTTP_ANSWERING);
}

/* ---- the end ----------------------------------------------------------------------------------
 */

void http_forget(struct http *h)
{
    wheel_cancel(&h->core->core->wheel, &h->more);
    free(h->held);
    h->held = NULL;
    h->head_n = h->held_n = h->held_cap = 0;
    h->waits = false;
    h->exchange = (struct http_exchange){.work = NULL};
}

static void finish(struct http *h)
{
    http_forget(h);
    if (h->keep) {
        http_set_state(h, HTTP_IDLE);
        conn_resume(h->conn);
        return;
    }
    http_set_state(h, HTTP_OVER);
    conn_close(h->conn, 0);
}

/* ---- at once ------------------------------------------------------------------------------------
 */

void http_answer(struct http_exchange *x, const struct http_answer *a)
{
    struct http *h = http_of(x);

    begin(h);
    put_head(h, a, a->status == 204 ? LENGTH_NONE : LENGTH_KNOWN); /* [RFC9110-8.6] */
    if (!h->mute && a->status != 204) conn_send(h->conn, a->body);
    finish(h);
}

static struct bytes line_of(char room[LINE_ROOM], unsigned status, const char *why)
{
    int n = why ? snprintf(room, LINE_ROOM, "%s: %.160s\n", http_status_text(status), why)
                : snprintf(room, LINE_ROOM, "%s\n", http_status_text(status));

    return bytes_of(room, (size_t)n);
}

void http_refuse(struct http_exchange *x, unsigned status, const char *why)
{
    char room[LINE_ROOM];
    struct http_answer a = {
        .status = status,
        .type = BYTES("text/plain; charset=utf-8"),
        .body = line_of(room, status, why),
    };

    http_answer(x, &a);
}

void http_say_no(struct http *h, unsigned status)
{
    char room[LINE_ROOM];
    struct http_answer a = {
        .status = status,
        .type = BYTES("text/plain; charset=utf-8"),
        .body = line_of(room, status, NULL),
    };

    count(&h->core->core->counters, C_http_refused);
    h->keep = false;
    put_head(h, &a, LENGTH_KNOWN);
    conn_send(h->conn, a.body);
    http_forget(h);
    http_set_state(h, HTTP_OVER);
}

/* ---- in pieces
 * ------------------------------------------------------------------------------------ */

void http_begin(struct http_exchange *x, const struct http_answer *a)
{
    struct http *h = http_of(x);

    begin(h);
    put_head(h, a, LENGTH_OPEN);
}

void http_write(struct http_exchange *x, struct bytes piece)
{
    struct http *h = http_of(x);
    uint8_t room[HTTP_CHUNK_HEAD_MAX];
    struct writer w = wr_of(room, sizeof room);

    ASSERT(h->state == HTTP_ANSWERING);
    if (h->mute || piece.n == 0) return;
    if (h->chunked) {
        http_put_chunk_head(&w, piece.n);
        conn_send(h->conn, bytes_of(room, wr_len(&w)));
    }
    conn_send(h->conn, piece);
    if (h->chunked) conn_send(h->conn, BYTES("\r\n"));
}

bool http_has_room(const struct http_exchange *x)
{
    const struct conn *c = http_conn(x);

    return conn_unsent(c) < conn_drain_at(c);
}

/* Gives the client its time, from now on, to take some. */
static void wait_for_room(struct http *h)
{
    struct core *core = h->core->core;

    h->waits = true;
    wheel_arm(&core->wheel, &h->limit, core_now_s(core) + h->core->options.stall_s + 1);
}

void http_more(struct http_exchange *x)
{
    struct http *h = http_of(x);

    if (h->conn->flags & CONN_CLOSING) return; /* on_cancel follows */
    if (http_has_room(x))
        wheel_arm(&h->core->core->wheel, &h->more, 0); /* past: fires in the next turn */
    else
        wait_for_room(h);
}

void http_on_more(struct timer *t)
{
    struct http *h = CONTAINER_OF(t, struct http, more);

    if (h->conn->flags & CONN_CLOSING) return;
    if (!http_has_room(&h->exchange)) {
        wait_for_room(h);
        return;
    }
    h->waits = false;
    http_set_state(h, (enum http_state)h->state); /* its time begins anew */
    h->exchange.later->on_room(&h->exchange);
}

void http_end(struct http_exchange *x)
{
    struct http *h = http_of(x);

    ASSERT(h->state == HTTP_ANSWERING);
    if (h->chunked && !h->mute) conn_send(h->conn, BYTES("0\r\n\r\n"));
    finish(h);
}

void http_abort(struct http_exchange *x)
{
    struct http *h = http_of(x);

    http_forget(h);
    http_set_state(h, HTTP_OVER);
    conn_close(h->conn, -ERR_RESET); /* no last words */
}
