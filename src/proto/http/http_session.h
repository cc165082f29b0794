/* SPDX-License-Identifier: BSD-3-Clause */
/* http_session.h -- HTTP on a connection: requests to a service, answers back.
 *
 * A connection has one request at a time; what is pipelined behind it waits unread. The service
 * (filled from above) gets it as an exchange, and answers at once, or later, or in pieces: a
 * long answer is written as far as there is room and goes on when the client has taken some. A
 * client that goes away cancels its exchange; one that is slow has time limits for its head, its
 * body and our answer.
 *
 * Owner: the application makes one http_core per core, puts it into the http_site that its
 * listeners share as proto_ctx, and frees it after the net. */
#pragma once

#include "net/net.h"
#include "proto/http/http.h"

/* What a listener of HTTP is given as its protocol; its proto_ctx is a struct http_site. */
extern const struct proto http_proto;

struct http_core;

/* Each core puts in its own before it listens, and reads no other. */
struct http_site {
    struct http_core *core[MESH_CORES_MAX];
};

struct http_options {
    uint32_t body_bytes_max;
    uint16_t head_s;      /* from a request's first byte (or the connection's) to its head */
    uint16_t body_s;      /* from there to the end of its body */
    uint16_t answer_s;    /* for the service to answer, or go on with its answer */
    uint16_t stall_s;     /* for a client that takes nothing of its answer */
    uint16_t idle_s;      /* between requests */
    uint32_t ahead_bytes; /* unsent bytes of an answer at which the service has to wait */
    struct bytes fields;  /* complete field lines for every answer, borrowed; may be empty */
};

#define HTTP_OPTIONS_DEFAULT                                                                       \
    {                                                                                              \
        .body_bytes_max = 1u << 20, .head_s = 10, .body_s = 30, .answer_s = 30, .stall_s = 30,     \
        .idle_s = 60, .ahead_bytes = 128u << 10,                                                   \
    }

struct http_exchange;

/* What follows for an exchange that was not answered at once. */
struct http_later {
    void (*on_room)(struct http_exchange *x);   /* http_more() was asked for; may be NULL */
    void (*on_cancel)(struct http_exchange *x); /* it is over: the client went, or time is up */
};

/* A request and its answer. Valid till it is ended (http_answer, http_end, http_abort) or
 * on_cancel has returned; the same memory then serves the connection's next one. */
struct http_exchange {
    struct http_head head;
    struct bytes body;              /* in on_request: all of it */
    void *work;                     /* the service's own */
    const struct http_later *later; /* to be set before on_request returns without an end */
};

enum http_verdict {
    HTTP_GO_ON, /* take the body, then call on_request */
    HTTP_HELD,  /* refused, or it will be: the body is not read */
};

struct http_service {
    enum http_verdict (*on_head)(struct http_exchange *x); /* the body has not come yet */
    void (*on_request)(struct http_exchange *x);
};

struct http_core *http_core_new(struct core *c, const struct http_service *s, void *ctx,
                                const struct http_options *o);
void http_core_free(struct http_core **hc);

/* ---- what the service calls ------------------------------------------------------------- */

void *http_ctx(const struct http_exchange *x); /* as given to http_core_new */
const struct conn *http_conn(const struct http_exchange *x);

enum { HTTP_EXTRAS_MAX = 4 };

struct http_answer {
    unsigned status;
    struct bytes type; /* of the content; none: there is no content */
    struct bytes body; /* copied */
    struct {
        struct bytes name, value;
    } extra[HTTP_EXTRAS_MAX]; /* up to the first without a name */
};

/* Answers with all there is, and ends the exchange. */
void http_answer(struct http_exchange *x, const struct http_answer *a);

/* The same with a line of text: the status and `why`. */
void http_refuse(struct http_exchange *x, unsigned status, const char *why);

/* Begins an answer whose body follows in pieces of any size; a->body is ignored. */
void http_begin(struct http_exchange *x, const struct http_answer *a);
void http_write(struct http_exchange *x, struct bytes piece); /* copied */
bool http_has_room(const struct http_exchange *x); /* if not, write no more, ask http_more() */

/* Calls later->on_room in another turn, as soon as there is room. */
void http_more(struct http_exchange *x);

void http_end(struct http_exchange *x);

/* The answer can't be completed: the connection is cut, so that nobody takes it for whole. */
void http_abort(struct http_exchange *x);
