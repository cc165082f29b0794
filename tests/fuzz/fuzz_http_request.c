/* SPDX-License-Identifier: BSD-3-Clause */
/* A request is judged the same at once as in pieces, its body too; its parts lie within it, and
 * what is decoded is never longer than what was sent. */
#include <stdlib.h>

#include "base/assert.h"
#include "proto/http/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BODY_MAX = 4096 };

/* What became of an input. */
struct outcome {
    long head;  /* bytes, 0, or a negated status */
    long body;  /* the same, of what follows; 1: done */
    uint64_t n; /* bytes of the body, and their sum */
    uint64_t sum;
};

/* ---- a head ---------------------------------------------------------------------------------- */

static void is_inside(const struct http_head *h, struct http_span s, size_t n)
{
    (void)h;
    ASSERT((size_t)s.at + s.n <= n);
}

static void decode_all(struct bytes in)
{
    uint8_t *room = malloc(in.n ? in.n : 1);
    struct writer w = wr_of(room, in.n);

    ASSERT(room);
    ASSERT(http_decode(in, false, &w)); /* a target that was taken has only good escapes */
    ASSERT(wr_len(&w) <= in.n);
    free(room);
}

static void take_apart(const struct http_head *h, size_t n)
{
    struct bytes query = http_span(h, h->query), name, value;
    uint8_t room[HTTP_TARGET_MAX];
    struct writer w = wr_of(room, sizeof room);

    is_inside(h, h->target, n);
    is_inside(h, h->path, n);
    is_inside(h, h->query, n);
    is_inside(h, h->authority, n);
    for (unsigned i = 0; i < h->nfields; i++) {
        is_inside(h, h->field[i].name, n);
        is_inside(h, h->field[i].value, n);
        ASSERT(h->field[i].name.n > 0);
    }
    ASSERT(http_segments(h) <= HTTP_SEGMENTS_MAX);
    for (unsigned i = 0; i < http_segments(h); i++)
        decode_all(http_segment(h, i));
    while (http_query_next(&query, &name, &value))
        decode_all(value);
    ASSERT(http_query_find(h, "a", &w) >= -431);
    http_type_is(h, "application/json");
    ASSERT(!(h->flags & HTTP_LENGTH) || !(h->flags & HTTP_CHUNKED));
    ASSERT(h->length <= BODY_MAX);
}

/* ---- a body ------------------------------------------------------------------------------------
 */

static void read_body(struct outcome *o, const struct http_head *h, struct bytes in, size_t step)
{
    struct http_body b;

    http_body_start(&b, h, BODY_MAX);
    while (!http_body_done(&b) && in.n > 0) {
        struct bytes piece, some = bytes_of(in.p, step < in.n ? step : in.n);
        long used = http_body_read(&b, some, &piece);
        if (used < 0) {
            o->body = used;
            return;
        }
        ASSERT(used > 0 && (size_t)used <= some.n);
        ASSERT(piece.n == 0 || (piece.p >= some.p && piece.p + piece.n <= some.p + some.n));
        for (size_t i = 0; i < piece.n; i++)
            o->sum = o->sum * 31 + piece.p[i];
        o->n += piece.n;
        in = bytes_skip(in, (size_t)used);
    }
    ASSERT(o->n <= BODY_MAX);
    o->body = http_body_done(&b);
}

static struct outcome judge(struct bytes in, size_t step)
{
    struct outcome o = {.head = 0};
    struct http_head *h = calloc(1, sizeof *h);

    ASSERT(h);
    for (size_t n = 0; o.head == 0 && n < in.n;) {
        n = step < in.n - n ? n + step : in.n;
        uint8_t *copy = malloc(n); /* it moves as it grows */
        ASSERT(copy);
        memcpy(copy, in.p, n);
        o.head = http_head_read(h, BODY_MAX, bytes_of(copy, n));
        free(copy);
    }
    ASSERT(o.head <= HTTP_HEAD_MAX && (o.head >= 0 || (o.head <= -400 && o.head >= -505)));
    if (o.head > 0) {
        h->base = in.p;
        take_apart(h, (size_t)o.head);
        read_body(&o, h, bytes_skip(in, (size_t)o.head), step);
    }
    free(h);
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    struct bytes in = bytes_of(data + 1, size - 1);
    struct outcome once = judge(in, in.n), pieces = judge(in, 1u + data[0]);

    ASSERT(once.head == pieces.head && once.body == pieces.body);
    if (once.body >= 0) ASSERT(once.n == pieces.n && once.sum == pieces.sum);
    return 0;
}
