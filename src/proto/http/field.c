/* SPDX-License-Identifier: BSD-3-Clause */
/* field.c -- a request's fields: their grammar, and what those mean that frame it. */
#include <string.h>
#include <strings.h>

#include "base/assert.h"
#include "proto/http/http.h"

/* ---- words -------------------------------------------------------------------------------- */

bool http_is_token_byte(uint8_t c)
{
    static const char others[] = "!#$%&'*+-.^_`|~";

    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return true;
    return c && strchr(others, c);
}

bool http_is_word(struct bytes b, const char *w)
{
    return b.n == strlen(w) && (b.n == 0 || strncasecmp((const char *)b.p, w, b.n) == 0);
}

struct bytes http_trim(struct bytes b)
{
    while (b.n && (b.p[0] == ' ' || b.p[0] == '\t'))
        b = bytes_skip(b, 1);
    while (b.n && (b.p[b.n - 1] == ' ' || b.p[b.n - 1] == '\t'))
        b.n--;
    return b;
}

struct bytes http_next_element(struct bytes *list)
{
    const uint8_t *comma = list->n ? memchr(list->p, ',', list->n) : NULL;
    size_t n = comma ? (size_t)(comma - list->p) : list->n;
    struct bytes one = http_trim(bytes_of(list->p, n));

    *list = bytes_skip(*list, comma ? n + 1 : n);
    return one;
}

/* ---- fields that mean something here ----------------------------------------------------------
 */

/* A field that may come once at most leaves its flag. */
static bool comes_again(struct http_head *h, uint16_t flag)
{
    bool again = h->flags & flag;

    h->flags |= flag;
    return again;
}

static int on_host(struct http_head *h, struct bytes value, uint64_t body_max)
{
    (void)body_max;
    if (comes_again(h, HTTP_HOST)) return -400; /* [RFC9112-3.2] */
    return http_authority_valid(value) ? 0 : -400;
}

/* Digits and nothing else, once; what does not fit in 64 bits is too large in any case
 * [RFC9110-8.6] [RFC9112-6.3]. */
static int on_content_length(struct http_head *h, struct bytes value, uint64_t body_max)
{
    uint64_t n = 0;
    bool large = false;

    if (comes_again(h, HTTP_LENGTH) || value.n == 0) return -400;
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] < '0' || value.p[i] > '9') return -400;
        large = large || n > (UINT64_MAX - 9) / 10;
        if (!large) n = n * 10 + (uint64_t)(value.p[i] - '0');
    }
    h->length = n;
    return large || n > body_max ? -413 : 0;
}

/* "chunked", once, is what we can undo [RFC9112-6.1]. */
static int on_transfer_encoding(struct http_head *h, struct bytes value, uint64_t body_max)
{
    (void)body_max;
    if (comes_again(h, HTTP_CHUNKED)) return -400;
    if (h->flags & HTTP_V10) return -400; /* [RFC9112-6.1]: its framing is faulty */
    if (http_is_word(value, "chunked")) return 0;
    struct bytes last = {NULL, 0}, list = value;
    while (list.n > 0)
        last = http_next_element(&list);
    return http_is_word(last, "chunked") ? -501 : -400; /* [RFC9112-6.3] */
}

static int on_connection(struct http_head *h, struct bytes value, uint64_t body_max)
{
    (void)body_max;
    while (value.n > 0) {
        struct bytes option = http_next_element(&value);
        if (http_is_word(option, "close")) h->flags |= HTTP_CLOSE;
        if (http_is_word(option, "keep-alive")) h->flags |= HTTP_KEEP_ASKED;
    }
    return 0;
}

/* [RFC9110-10.1.1] */
static int on_expect(struct http_head *h, struct bytes value, uint64_t body_max)
{
    (void)body_max;
    if (comes_again(h, HTTP_EXPECTED)) return -417;
    if (!http_is_word(value, "100-continue")) return -417;
    if (!(h->flags & HTTP_V10)) h->flags |= HTTP_CONTINUE;
    return 0;
}

/* A body that is packed could be a bomb: none is taken [RFC9110-15.5.16]. */
static int on_content_encoding(struct http_head *h, struct bytes value, uint64_t body_max)
{
    (void)h;
    (void)body_max;
    return value.n == 0 || http_is_word(value, "identity") ? 0 : -415;
}

static int on_content_type(struct http_head *h, struct bytes value, uint64_t body_max)
{
    (void)value;
    (void)body_max;
    return comes_again(h, HTTP_TYPED) ? -400 : 0;
}

static int on_authorization(struct http_head *h, struct bytes value, uint64_t body_max)
{
    (void)value;
    (void)body_max;
    return comes_again(h, HTTP_AUTHORIZED) ? -400 : 0;
}

static const struct {
    const char *name;
    int (*take)(struct http_head *h, struct bytes value, uint64_t body_max);
} known[] = {
    {"Host", on_host},
    {"Content-Length", on_content_length},
    {"Transfer-Encoding", on_transfer_encoding},
    {"Connection", on_connection},
    {"Expect", on_expect},
    {"Content-Encoding", on_content_encoding},
    {"Content-Type", on_content_type},
    {"Authorization", on_authorization},
};

/* ---- a line --------------------------------------------------------------------------------- */

static struct http_span span_of(const struct http_head *h, struct bytes b)
{
    return (struct http_span){(uint16_t)(b.p - h->base), (uint16_t)b.n};
}

int http_field_read(struct http_head *h, uint64_t body_max, struct http_span line)
{
    struct bytes text = http_span(h, line);
    size_t n = 0;

    if (h->nfields == HTTP_FIELDS_MAX) return -431;
    while (n < text.n && http_is_token_byte(text.p[n]))
        n++;
    /* No name, a space in or behind it [RFC9112-5.1], or a folded line [RFC9112-5.2]. */
    if (n == 0 || n == text.n || text.p[n] != ':') return -400;
    struct bytes name = bytes_of(text.p, n);
    struct bytes value = http_trim(bytes_skip(text, n + 1));

    h->field[h->nfields++] = (struct http_field){span_of(h, name), span_of(h, value)};
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (http_is_word(name, known[i].name)) return known[i].take(h, value, body_max);
    return 0;
}

int http_fields_settle(struct http_head *h)
{
    bool v10 = h->flags & HTTP_V10;

    if (!v10 && !(h->flags & HTTP_HOST)) return -400;                   /* [RFC9112-3.2] */
    if (h->flags & HTTP_CHUNKED && h->flags & HTTP_LENGTH) return -400; /* [RFC9112-6.3] */
    bool keep = v10 ? h->flags & HTTP_KEEP_ASKED : true;                /* [RFC9112-9.3] */
    if (keep && !(h->flags & HTTP_CLOSE)) h->flags |= HTTP_KEEP;
    return 0;
}

/* ---- asking -----------------------------------------------------------------------------------
 */

struct bytes http_field(const struct http_head *h, const char *name)
{
    for (unsigned i = 0; i < h->nfields; i++)
        if (http_is_word(http_span(h, h->field[i].name), name))
            return http_span(h, h->field[i].value);
    return bytes_of(NULL, 0);
}

bool http_type_is(const struct http_head *h, const char *type)
{
    struct bytes value = http_field(h, "Content-Type");
    const uint8_t *semicolon = value.n ? memchr(value.p, ';', value.n) : NULL;

    if (semicolon) value.n = (size_t)(semicolon - value.p); /* [RFC9110-8.3.1] */
    return http_is_word(http_trim(value), type);
}
