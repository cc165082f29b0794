/* SPDX-License-Identifier: BSD-3-Clause */
/* http_session_internal.h -- what the files of the HTTP session layer share. */
#pragma once

#include "base/assert.h"
#include "base/err.h"
#include "proto/http/http_session.h"

enum http_state {
    HTTP_IDLE,      /* between requests, nothing of the next has come */
    HTTP_IN_HEAD,   /* something has */
    HTTP_IN_BODY,   /* the head is complete and was let through */
    HTTP_ASKED,     /* the service has it and has said nothing yet */
    HTTP_ANSWERING, /* it has begun to answer */
    HTTP_OVER,      /* the last word is said; nothing is read any more */
    HTTP_STATES,
};

struct http {
    struct http_exchange exchange;
    struct conn *conn;
    struct http_core *core;
    struct timer limit; /* what the state allows */
    struct timer more;  /* armed for the next turn: the service wants to go on */
    struct http_body body;
    uint8_t *held; /* the head, then the body as far as it has come; malloc'd */
    size_t head_n, held_n, held_cap;
    uint8_t state; /* enum http_state */
    bool keep;     /* the connection goes on after this answer */
    bool chunked;  /* the answer is in chunks */
    bool mute;     /* the answer has no body, whatever is written: HEAD */
    bool waits;    /* the service wants to go on when there is room */
};

struct http_core {
    struct core *core;
    const struct http_service *service;
    void *ctx;
    struct http_options options;
};

static inline struct http *http_of(const struct http_exchange *x)
{
    return CONTAINER_OF(x, struct http, exchange);
}

/* ---- http_session.c ----------------------------------------------------------------------- */

void http_set_state(struct http *h, enum http_state to);

/* ---- http_session_answer.c ------------------------------------------------------------------ */

/* Refuses what is coming in and says so, for the last time: status is 4xx or 5xx. */
void http_say_no(struct http *h, unsigned status);

/* The exchange is over, or never will be: forgets the request. */
void http_forget(struct http *h);

timer_fn http_on_more;
