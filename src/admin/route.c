/* SPDX-License-Identifier: BSD-3-Clause */
/* route.c -- from a request's path to its handler. */
#include "admin/route.h"

static const struct admin_route routes[] = {
#define ROUTE(method_, pattern_, handle_, flags_, help_)                                           \
    {.method = HTTP_##method_,                                                                     \
     .pattern = pattern_,                                                                          \
     .handle = handle_,                                                                            \
     .flags = flags_,                                                                              \
     .help = help_},
#include "admin/routes.def"
#undef ROUTE
};

unsigned admin_routes_count(void)
{
    return ARRAY_LEN(routes);
}

const struct admin_route *admin_route_at(unsigned i)
{
    ASSERT(i < ARRAY_LEN(routes));
    return &routes[i];
}

/* Is the path one that `pattern` stands for? Segments are compared as they were sent: what is
 * written with escapes where none are needed is another path. */
static bool matches(const struct http_head *h, const char *pattern)
{
    unsigned n = http_segments(h);

    if (n == 0) return http_span(h, h->path).n == 0 && pattern[1] == '\0';
    for (unsigned i = 0; i < n; i++) {
        struct bytes segment = http_segment(h, i);
        if (*pattern++ != '/') return false;
        size_t len = strcspn(pattern, "/");
        bool any = *pattern == '{' && segment.n > 0;
        if (!any && !bytes_eq(segment, bytes_of(pattern, len))) return false;
        pattern += len;
    }
    return *pattern == '\0';
}

static bool serves(enum http_method served, enum http_method asked)
{
    return served == asked || (served == HTTP_GET && asked == HTTP_HEAD);
}

struct route_found route_find(const struct http_head *h)
{
    struct route_found found = {.route = NULL};

    for (unsigned i = 0; i < ARRAY_LEN(routes); i++) {
        if (!matches(h, routes[i].pattern)) continue;
        found.methods |= 1u << routes[i].method;
        if (serves(routes[i].method, h->method)) found.route = &routes[i];
    }
    return found;
}

void route_put_allow(struct writer *w, unsigned methods)
{
    const char *comma = "";

    methods |= 1u << HTTP_OPTIONS;
    if (methods & 1u << HTTP_GET) methods |= 1u << HTTP_HEAD;
    for (enum http_method m = 0; m < HTTP_METHODS; m++) {
        if (!(methods & 1u << m)) continue;
        wr_bytes(w, bytes_str(comma));
        wr_bytes(w, bytes_str(http_method_text(m)));
        comma = ", ";
    }
}
