/* SPDX-License-Identifier: BSD-3-Clause */
/* internal.h -- what the files of the admin interface share.
 *
 * A route's handler gets the exchange when the token was right and the body is there. It answers,
 * or sets x->later and x->work and answers from there. */
#pragma once

#include "admin/admin.h"
#include "admin/problem.h"
#include "admin/throttle.h"
#include "base/assert.h"
#include "base/err.h"

struct ask;
struct gather;
struct penalty;

struct admin {
    struct core *core;
    struct broker *broker;
    struct admin_shared *shared;
    struct http_core *http;
    struct throttle throttle; /* wrong tokens, by address */
    struct gather *gathers;   /* under way */
    unsigned ngathers;
    struct ask *asks; /* under way */
    unsigned nasks;
    uint32_t healthy_s;        /* when all cores had answered last */
    struct penalty *penalties; /* answers that are held back */
    unsigned npenalties;
};

static inline struct admin *admin_of(const struct http_exchange *x)
{
    return http_ctx(x);
}

typedef void admin_handler(struct http_exchange *x);

enum admin_route_flag {
    ADMIN_HEALTH = 1 << 0, /* may be had without a token */
    ADMIN_JSON = 1 << 1,   /* takes a body, and it is application/json */
};

/* "/api/v1/clients/{id}": what stands in braces is any one segment (http_segment). */
struct admin_route {
    enum http_method method;
    const char *pattern;
    admin_handler *handle;
    unsigned flags; /* enum admin_route_flag */
    const char *help;
};

unsigned admin_routes_count(void);
const struct admin_route *admin_route_at(unsigned i);

#define ROUTE(method, pattern, handle, flags, help) admin_handler handle;
#include "admin/routes.def"
#undef ROUTE

/* ---- guard.c -------------------------------------------------------------------------------- */

/* Is the request's token right? If not, answers now or later, and the exchange is held. */
bool admin_let_in(struct http_exchange *x);
void admin_forget_penalties(struct admin *a);
