/* SPDX-License-Identifier: BSD-3-Clause */
#include "admin/text.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"

struct text text_resume(struct http_exchange *x)
{
    return (struct text){.x = x};
}

struct text text_begin(struct http_exchange *x, struct bytes type)
{
    http_begin(x, &(struct http_answer){.status = 200, .type = type});
    return text_resume(x);
}

void text_flush(struct text *t)
{
    http_write(t->x, bytes_of(t->at, t->n));
    t->n = 0;
}

void text_add(struct text *t, const char *format, ...)
{
    va_list args;

    if (sizeof t->at - t->n < TEXT_LINE_MAX) text_flush(t);
    va_start(args, format);
    int n = vsnprintf(t->at + t->n, TEXT_LINE_MAX, format, args);
    va_end(args);
    ASSERT(n >= 0 && n < TEXT_LINE_MAX);
    t->n += (size_t)n;
}

void text_add_bytes(struct text *t, struct bytes b)
{
    while (b.n > 0) {
        size_t room = sizeof t->at - t->n, n = b.n < room ? b.n : room;
        memcpy(t->at + t->n, b.p, n);
        t->n += n;
        b = bytes_skip(b, n);
        if (t->n == sizeof t->at) text_flush(t);
    }
}
