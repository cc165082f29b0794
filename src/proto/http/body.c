/* SPDX-License-Identifier: BSD-3-Clause */
/* body.c -- a request's body: so many bytes, or chunks [RFC9112-7.1].
 *
 * The frame around chunks is read byte by byte and remembered as a state, so it may be cut
 * anywhere. Chunk extensions and trailers are bounded, must be well-formed as far as bytes go, and
 * are ignored [RFC9112-7.1.1] [RFC9112-7.1.2]. */
#include "proto/http/http.h"

enum { CHUNK_DIGITS_MAX = 15 };

void http_body_start(struct http_body *b, const struct http_head *h, uint64_t max)
{
    bool chunked = h->flags & HTTP_CHUNKED;

    *b = (struct http_body){.left = h->length, .room = max, .chunked = chunked};
    b->state = chunked ? HTTP_CHUNK_SIZE : h->length ? HTTP_BODY_DATA : HTTP_BODY_DONE;
}

static int hex(uint8_t c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* 1*HEXDIG, and no more of them than could be meant. */
static int on_size(struct http_body *b, uint8_t c)
{
    int digit = hex(c);

    if (digit >= 0) {
        if (b->digits++ == CHUNK_DIGITS_MAX) return -400;
        b->left = b->left * 16 + (uint64_t)digit;
        return b->left > b->room ? -413 : 0;
    }
    if (b->digits == 0) return -400;
    if (c == '\r')
        b->state = HTTP_CHUNK_LF;
    else if (c == ';')
        b->state = HTTP_CHUNK_EXTENSION;
    else
        return -400;
    return 0;
}

static bool is_text(uint8_t c)
{
    return c == '\t' || (c >= ' ' && c != 0x7F);
}

static int on_extension(struct http_body *b, uint8_t c)
{
    if (c == '\r')
        b->state = HTTP_CHUNK_LF;
    else if (!is_text(c) || b->line > HTTP_CHUNK_LINE_MAX)
        return -400;
    return 0;
}

/* The line with the size is over: data, or after a chunk of 0 bytes the trailers. */
static int on_line_end(struct http_body *b, uint8_t c)
{
    if (c != '\n') return -400;
    b->state = b->left ? HTTP_BODY_DATA : HTTP_TRAILER;
    b->room -= b->left;
    b->digits = 0;
    b->line = 0;
    return 0;
}

static int on_trailer(struct http_body *b, uint8_t c)
{
    if (c == '\r') {
        b->state = HTTP_TRAILER_LF;
        return 0;
    }
    /* As strict as with a head: its first byte can be no space, and the line needs no more. */
    if (b->trailer_line == 0 && !http_is_token_byte(c)) return -400;
    if (!is_text(c)) return -400;
    b->trailer_line++;
    return b->line > HTTP_TRAILERS_BYTES_MAX ? -431 : 0;
}

static int on_trailer_end(struct http_body *b, uint8_t c)
{
    if (c != '\n') return -400;
    b->state = b->trailer_line ? HTTP_TRAILER : HTTP_BODY_DONE;
    b->trailer_line = 0;
    return 0;
}

static int on_frame_byte(struct http_body *b, uint8_t c)
{
    b->line++;
    switch (b->state) {
    case HTTP_CHUNK_SIZE: return on_size(b, c);
    case HTTP_CHUNK_EXTENSION: return on_extension(b, c);
    case HTTP_CHUNK_LF: return on_line_end(b, c);
    case HTTP_CHUNK_END_CR: b->state = HTTP_CHUNK_END_LF; return c == '\r' ? 0 : -400;
    case HTTP_CHUNK_END_LF:
        b->state = HTTP_CHUNK_SIZE;
        b->line = 0;
        return c == '\n' ? 0 : -400;
    case HTTP_TRAILER: return on_trailer(b, c);
    default: return on_trailer_end(b, c);
    }
}

long http_body_read(struct http_body *b, struct bytes in, struct bytes *piece)
{
    size_t used = 0;

    *piece = bytes_of(in.p, 0);
    while (used < in.n && b->state != HTTP_BODY_DATA && b->state != HTTP_BODY_DONE) {
        int err = on_frame_byte(b, in.p[used++]);
        if (err < 0) return err;
    }
    if (b->state != HTTP_BODY_DATA || used == in.n) return (long)used;

    size_t n = b->left < in.n - used ? (size_t)b->left : in.n - used;
    *piece = bytes_of(in.p + used, n);
    b->left -= n;
    if (b->left == 0) b->state = b->chunked ? HTTP_CHUNK_END_CR : HTTP_BODY_DONE;
    return (long)(used + n);
}
