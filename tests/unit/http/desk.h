/* SPDX-License-Identifier: BSD-3-Clause */
/* desk.h -- a service that the test plays, with one client on a real socket. */
#pragma once

#include "unit/net/rig.h"

#include <stdio.h>

#include "base/assert.h"
#include "proto/http/http_session.h"

#define GET "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
#define POST "POST /a HTTP/1.1\r\nHost: x\r\n"

enum { HEARD_MAX = 1 << 20 };

/* What the service does, and what it saw. */
struct desk {
    struct rig *rig;
    struct http_site site;
    struct http_exchange *x; /* the last one, till its end */
    bool later;              /* answer not at once */
    bool hold;               /* refuse at the head */
    bool pour;               /* answer without end, as there is room */
    unsigned heads, requests, rooms, cancels;
    size_t poured;
    char body[256];
    int fd;
    size_t heard_n;
    char *heard;
};

static inline void answer(struct http_exchange *x)
{
    struct desk *d = http_ctx(x);

    d->x = NULL;
    http_answer(x, &(struct http_answer){
                       .status = 200,
                       .type = BYTES("text/plain"),
                       .body = BYTES("done"),
                   });
}

static inline enum http_verdict on_head(struct http_exchange *x)
{
    struct desk *d = http_ctx(x);

    d->heads++;
    if (!d->hold) return HTTP_GO_ON;
    http_refuse(x, 401, "no");
    return HTTP_HELD;
}

static inline void pour(struct http_exchange *x)
{
    static const char piece[4096];
    struct desk *d = http_ctx(x);

    d->rooms++;
    for (unsigned n = 0; n < 8 && http_has_room(x); n++) {
        http_write(x, bytes_of(piece, sizeof piece));
        d->poured += sizeof piece;
    }
    http_more(x);
}

static inline void on_cancel(struct http_exchange *x)
{
    struct desk *d = http_ctx(x);

    assert_ptr_equal(d->x, x);
    d->cancels++;
    d->x = NULL;
}

static inline void on_request(struct http_exchange *x)
{
    static const struct http_later later = {.on_room = pour, .on_cancel = on_cancel};
    struct desk *d = http_ctx(x);

    d->requests++;
    d->x = x;
    assert_true(x->body.n < sizeof d->body);
    memcpy(d->body, x->body.p, x->body.n);
    d->body[x->body.n] = '\0';
    x->later = &later;
    if (d->pour) {
        http_begin(x, &(struct http_answer){.status = 200});
        pour(x);
    } else if (!d->later) {
        answer(x);
    }
}

static inline struct desk *desk_new(void)
{
    static const struct http_service service = {.on_head = on_head, .on_request = on_request};
    struct http_options o = HTTP_OPTIONS_DEFAULT;
    struct desk *d = calloc(1, sizeof *d);

    assert_non_null(d);
    d->rig = rig_default();
    d->heard = calloc(1, HEARD_MAX);
    assert_non_null(d->heard);
    o.body_bytes_max = 200;
    o.fields = BYTES("X-Guard: yes\r\n");
    d->site.core[0] = http_core_new(&d->rig->core[0], &service, d, &o);
    assert_non_null(d->site.core[0]);
    d->rig->listener.proto = &http_proto;
    d->rig->listener.proto_ctx = &d->site;
    d->fd = rig_stream(d->rig);
    return d;
}

static inline void desk_free(struct desk *d)
{
    if (d->fd >= 0) close(d->fd);
    rig_free(d->rig);
    http_core_free(&d->site.core[0]);
    free(d->heard);
    free(d);
}

/* Turns, and takes what has come. Returns it all as a string. */
static inline const char *hear(struct desk *d)
{
    for (unsigned i = 0; i < 20; i++) {
        rig_turn(d->rig, 1);
        long n = rig_hear(d->fd, d->heard + d->heard_n, HEARD_MAX - 1 - d->heard_n);
        if (n > 0) d->heard_n += (size_t)n;
    }
    d->heard[d->heard_n] = '\0';
    return d->heard;
}

static inline void say(struct desk *d, const char *text)
{
    rig_say(d->fd, text, strlen(text));
}

static inline const char *ask(struct desk *d, const char *text)
{
    say(d, text);
    return hear(d);
}

/* How often `part` stands in `text`. */
static inline unsigned times(const char *text, const char *part)
{
    unsigned n = 0;

    while ((text = strstr(text, part)) != NULL) {
        text += strlen(part);
        n++;
    }
    return n;
}

/* Has the broker closed the connection? */
static inline bool ended(struct desk *d)
{
    char byte;

    hear(d);
    return rig_hear(d->fd, &byte, 1) == 0;
}

/* As if so many seconds had passed. */
static inline void pass(struct desk *d, uint32_t seconds)
{
    struct core *c = &d->rig->core[0];

    wheel_run(&c->wheel, core_now_s(c) + seconds);
}
