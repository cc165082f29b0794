/* SPDX-License-Identifier: BSD-3-Clause */
/* text.h -- a long answer, written line by line and sent by the piece. */
#pragma once

#include "proto/http/http_session.h"

enum { TEXT_PIECE = 4096, TEXT_LINE_MAX = 1024 };

struct text {
    struct http_exchange *x;
    size_t n;
    char at[TEXT_PIECE];
};

/* Begins a 200 answer of this content type. */
struct text text_begin(struct http_exchange *x, struct bytes type);

/* Goes on with one that was begun in another turn. */
struct text text_resume(struct http_exchange *x);

/* Adds up to TEXT_LINE_MAX bytes; only what we made ourselves goes through a format. */
__attribute__((format(printf, 2, 3))) void text_add(struct text *t, const char *format, ...);
void text_add_bytes(struct text *t, struct bytes b); /* any length */

/* Sends what is there. To be called before the exchange ends and before the handler returns. */
void text_flush(struct text *t);
