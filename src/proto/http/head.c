/* SPDX-License-Identifier: BSD-3-Clause */
/* head.c -- a request's head, line by line: each byte is looked at once as it comes, each line
 * once more when it is complete. */
#include <string.h>

#include "proto/http/http.h"

static const char *const methods[] = {
#define HTTP_METHOD(name) #name,
#include "proto/http/methods.def"
#undef HTTP_METHOD
};

const char *http_method_text(enum http_method m)
{
    return methods[m];
}

/* ---- the request line ------------------------------------------------------------------- */

static int take_method(struct http_head *h, struct bytes text)
{
    for (size_t i = 0; i < text.n; i++)
        if (!http_is_token_byte(text.p[i])) return -400;
    if (text.n == 0) return -400;
    for (uint8_t m = 0; m < HTTP_METHODS; m++)
        if (bytes_eq(text, bytes_str(methods[m]))) { /* case matters [RFC9110-9.1] */
            h->method = m;
            return 0;
        }
    return -501; /* [RFC9110-9.1] */
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* [RFC9112-2.3] */
static int take_version(struct http_head *h, struct bytes v)
{
    if (v.n != 8 || memcmp(v.p, "HTTP/", 5) != 0 || v.p[6] != '.') return -400;
    if (!is_digit(v.p[5]) || !is_digit(v.p[7])) return -400;
    if (v.p[5] != '1') return -505;          /* [RFC9110-15.6.6] */
    if (v.p[7] == '0') h->flags |= HTTP_V10; /* 1.2 and later are spoken to as 1.1 */
    return 0;
}

/* One space each between method, target and version [RFC9112-3]. */
static int read_request_line(struct http_head *h, struct http_span line)
{
    struct bytes text = http_span(h, line);
    const uint8_t *first = text.n ? memchr(text.p, ' ', text.n) : NULL;

    if (!first) return -400;
    size_t method = (size_t)(first - text.p);
    struct bytes rest = bytes_skip(text, method + 1);
    const uint8_t *second = rest.n ? memchr(rest.p, ' ', rest.n) : NULL;
    if (!second) return -400;
    size_t target = (size_t)(second - rest.p);

    if (target > HTTP_TARGET_MAX) return -414;
    int err = take_version(h, bytes_skip(rest, target + 1));
    if (err == 0) err = take_method(h, bytes_of(text.p, method));
    if (err < 0) return err;
    h->target = (struct http_span){(uint16_t)(line.at + method + 1), (uint16_t)target};
    h->begun = true;
    return http_target_read(h);
}

/* ---- bytes as they come -------------------------------------------------------------------- */

/* May `c` follow `before` in a head? A CR is nowhere but before a LF, and the other way round, and
 * no other control byte is anywhere but a tab [RFC9112-2.2] [RFC9110-5.5]. */
static bool may_follow(uint8_t before, uint8_t c)
{
    if ((c == '\n') != (before == '\r')) return false;
    return c >= ' ' ? c != 0x7F : c == '\r' || c == '\n' || c == '\t';
}

/* A method's bytes are judged before its line is complete: what speaks another protocol may
 * never end one. */
static bool may_begin(struct http_head *h, uint8_t c)
{
    if (h->begun || h->spaced) return true;
    h->spaced = c == ' ';
    return h->spaced || c == '\r' || c == '\n' || http_is_token_byte(c);
}

/* What has come is no complete line: is it too long to become a good one? */
static int judge_length(const struct http_head *h)
{
    if (h->begun) return h->seen > HTTP_HEAD_MAX ? -431 : 0; /* [RFC6585-5] */
    return h->seen - h->line > HTTP_METHOD_TEXT + HTTP_TARGET_MAX + 16 ? -414 : 0;
}

/* The line that ends before `end`. 1: it was the empty one behind the fields. */
static int read_line(struct http_head *h, uint64_t body_max, uint32_t end)
{
    struct http_span line = {(uint16_t)h->line, (uint16_t)(end - h->line)};

    if (!h->begun) {
        if (line.n == 0) return h->line == 0 ? 0 : -400; /* one is forgiven [RFC9112-2.2] */
        return read_request_line(h, line);
    }
    if (line.n > 0) return http_field_read(h, body_max, line);
    int err = http_fields_settle(h);
    return err < 0 ? err : 1;
}

long http_head_read(struct http_head *h, uint64_t body_max, struct bytes in)
{
    h->base = in.p;
    while (h->seen < in.n) {
        uint32_t at = h->seen;
        uint8_t c = in.p[at];

        if (!may_follow(at ? in.p[at - 1] : 0, c) || !may_begin(h, c)) return -400;
        h->seen++;
        int err = judge_length(h);
        if (err == 0 && c == '\n') {
            err = read_line(h, body_max, at - 1);
            h->line = h->seen;
        }
        if (err < 0) return err;
        if (err > 0) return (long)h->seen;
    }
    return 0;
}
