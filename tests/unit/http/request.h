/* SPDX-License-Identifier: BSD-3-Clause */
/* request.h -- heads of requests, read at once and cut at every byte. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "proto/http/http.h"

enum { REQUEST_BODY_MAX = 1000 };

#define HOST "Host: x\r\n"

/* A row of a table: what is answered, 0 for a head that is taken. */
struct request_row {
    const char *name, *text;
    long status;
};

static inline long request_read(struct http_head *h, struct bytes in)
{
    memset(h, 0, sizeof *h);
    return http_head_read(h, REQUEST_BODY_MAX, in);
}

/* The same bytes in two pieces, each in memory of exactly its size, so that a sanitizer sees what
 * is read too far. */
static inline long request_read_cut(struct http_head *h, struct bytes in, size_t cut)
{
    uint8_t *first = malloc(cut ? cut : 1), *all = malloc(in.n ? in.n : 1);

    assert_non_null(first);
    assert_non_null(all);
    memcpy(first, in.p, cut);
    memcpy(all, in.p, in.n);
    memset(h, 0, sizeof *h);
    long result = http_head_read(h, REQUEST_BODY_MAX, bytes_of(first, cut));
    if (result == 0) result = http_head_read(h, REQUEST_BODY_MAX, bytes_of(all, in.n));
    h->base = in.p; /* the same bytes, and they stay */
    free(first);
    free(all);
    return result;
}

/* The answer to `text`, which is the same wherever it is cut. */
static inline long request_judge(const char *name, struct bytes text)
{
    struct http_head h;
    long at_once = request_read(&h, text);

    for (size_t cut = 0; cut <= text.n; cut++) {
        long result = request_read_cut(&h, text, cut);
        if (result != at_once)
            fail_msg("%s: cut at %zu: %ld instead of %ld", name, cut, result, at_once);
    }
    return at_once;
}

static inline void request_check(const struct request_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct bytes text = bytes_str(rows[i].text);
        long want = rows[i].status ? -rows[i].status : (long)text.n;
        long result = request_judge(rows[i].name, text);
        if (result != want) fail_msg("%s: %ld instead of %ld", rows[i].name, result, want);
    }
}

/* A good head, read; it borrows `text`. */
static inline struct http_head request_of(const char *text)
{
    struct http_head h;
    long n = request_read(&h, bytes_str(text));

    if (n != (long)strlen(text)) fail_msg("%ld: %s", n, text);
    return h;
}

static inline void assert_bytes(struct bytes b, const char *want)
{
    if (!bytes_eq(b, bytes_str(want))) fail_msg("\"%.*s\" is not \"%s\"", (int)b.n, b.p, want);
}
