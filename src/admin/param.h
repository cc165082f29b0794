/* SPDX-License-Identifier: BSD-3-Clause */
/* param.h -- what a request of the API says in its path and query, decoded and checked.
 *
 * Each verb answers with a problem that names the parameter, and returns false, if the value will
 * not do. A parameter that a route does not know is refused: it might be a misspelt one. */
#pragma once

#include "admin/internal.h"

/* A decoded text: no longer than the target it came in. */
struct param_text {
    uint16_t n;
    uint8_t at[HTTP_TARGET_MAX];
};

static inline struct bytes param_bytes(const struct param_text *t)
{
    return bytes_of(t->at, t->n);
}

/* Are all parameters of the query among `names`, which have spaces between them? */
bool param_known(struct http_exchange *x, const char *names);

/* The value of `name`, which stays as it is if there is none. */
bool param_text(struct http_exchange *x, const char *name, struct param_text *t);
bool param_number(struct http_exchange *x, const char *name, uint32_t max,
                  uint32_t *v); /* 1..max */
bool param_bool(struct http_exchange *x, const char *name, bool *given, bool *v);

/* The i-th segment of the path, which the route calls `name`: UTF-8 without U+0000. */
bool param_segment(struct http_exchange *x, unsigned i, const char *name, struct param_text *t);
