/* SPDX-License-Identifier: BSD-3-Clause */
/* route.h -- from a request's path to its handler: routes.def. */
#pragma once

#include "admin/internal.h"

struct route_found {
    const struct admin_route *route; /* NULL: none for this path and method */
    unsigned methods;                /* bits of those that the path has; 0: no such path */
};

struct route_found route_find(const struct http_head *h);

/* "GET, HEAD, OPTIONS" for the Allow field. */
enum { ROUTE_ALLOW_MAX = 64 };
void route_put_allow(struct writer *w, unsigned methods);
