/* SPDX-License-Identifier: BSD-3-Clause */
/* target.c -- what a request is about: its target taken apart, percent-encoding, queries.
 *
 * A path is never cleaned up: one with "." or ".." in it, however it is written, is refused, and
 * so is a NUL. Slashes that were encoded stay within their segment. */
#include <string.h>
#include <strings.h>

#include "proto/http/http.h"

static int hex(uint8_t c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* The byte that "%xy" at `p` stands for; -1 if it is none. */
static int escaped(struct bytes at)
{
    if (at.n < 3) return -1;
    int high = hex(at.p[1]), low = hex(at.p[2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* Bytes that stand for themselves, apart from letters and digits (RFC 3986, section 2). */
static bool stands_for_itself(uint8_t c, const char *others)
{
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return true;
    return c && strchr(others, c);
}

/* Only bytes that may be there, complete escapes, and no NUL. */
static bool is_clean(struct bytes b, const char *others)
{
    for (size_t i = 0; i < b.n; i++) {
        if (b.p[i] != '%') {
            if (!stands_for_itself(b.p[i], others)) return false;
            continue;
        }
        if (escaped(bytes_skip(b, i)) <= 0) return false;
        i += 2;
    }
    return true;
}

/* ---- authorities ------------------------------------------------------------------------ */

static bool is_port(struct bytes b)
{
    for (size_t i = 0; i < b.n; i++)
        if (b.p[i] < '0' || b.p[i] > '9') return false;
    return b.n <= 5;
}

/* "[::1]" up to its bracket; 0 if that is no address. */
static size_t literal_bytes(struct bytes b)
{
    const uint8_t *close = memchr(b.p, ']', b.n);
    size_t n = close ? (size_t)(close - b.p) + 1 : 0;

    if (n < 4) return 0;
    for (size_t i = 1; i + 1 < n; i++)
        if (hex(b.p[i]) < 0 && b.p[i] != ':' && b.p[i] != '.') return 0;
    return n;
}

/* A host with or without a port, and nothing else: no user, no path [RFC9110-7.2]. */
bool http_authority_valid(struct bytes b)
{
    size_t host;

    if (b.n == 0) return true; /* "Host:" alone, for targets that have none [RFC9112-3.2] */
    if (b.p[0] == '[') {
        host = literal_bytes(b);
        if (host == 0) return false;
    } else {
        const uint8_t *colon = memchr(b.p, ':', b.n);
        host = colon ? (size_t)(colon - b.p) : b.n;
        if (!is_clean(bytes_of(b.p, host), "-._~!$&'()*+,;=")) return false;
    }
    struct bytes port = bytes_skip(b, host);
    return port.n == 0 || (port.p[0] == ':' && is_port(bytes_skip(port, 1)));
}

/* ---- the target --------------------------------------------------------------------------- */

/* Is it "." or "..", however written? */
static bool is_dots(struct bytes segment)
{
    unsigned dots = 0;

    while (segment.n > 0) {
        bool plain = segment.p[0] == '.';
        if (!plain && escaped(segment) != '.') return false;
        segment = bytes_skip(segment, plain ? 1 : 3);
        dots++;
    }
    return dots == 1 || dots == 2;
}

static int judge_path(const struct http_head *h)
{
    if (!is_clean(http_span(h, h->path), "-._~!$&'()*+,;=:@/")) return -400;
    if (!is_clean(http_span(h, h->query), "-._~!$&'()*+,;=:@/?")) return -400;
    unsigned n = http_segments(h);
    if (n > HTTP_SEGMENTS_MAX) return -414;
    for (unsigned i = 0; i < n; i++)
        if (is_dots(http_segment(h, i))) return -400;
    return 0;
}

static struct http_span part(struct http_span s, size_t from, size_t n)
{
    return (struct http_span){(uint16_t)(s.at + from), (uint16_t)n};
}

/* "/path?query" [RFC9112-3.2.1]. */
static int read_origin(struct http_head *h, struct http_span s)
{
    struct bytes text = http_span(h, s);
    const uint8_t *mark = memchr(text.p, '?', text.n);
    size_t path = mark ? (size_t)(mark - text.p) : text.n;

    h->path = part(s, 0, path);
    h->query = mark ? part(s, path + 1, text.n - path - 1) : part(s, path, 0);
    return judge_path(h);
}

/* "http://host/path?query", as a proxy is spoken to; we are the host [RFC9112-3.2.2]. */
static int read_absolute(struct http_head *h)
{
    struct bytes text = http_span(h, h->target);
    size_t from = text.n > 7 && strncasecmp((const char *)text.p, "http://", 7) == 0 ? 7 : 0;

    if (text.n > 8 && strncasecmp((const char *)text.p, "https://", 8) == 0) from = 8;
    if (from == 0) return -400;
    size_t end = from;
    while (end < text.n && text.p[end] != '/' && text.p[end] != '?')
        end++;
    h->authority = part(h->target, from, end - from);
    if (end == from || !http_authority_valid(http_span(h, h->authority))) return -400;
    if (end < text.n && text.p[end] == '/')
        return read_origin(h, part(h->target, end, text.n - end));
    h->path = part(h->target, end, 0); /* the same as "/" [RFC9110-4.2.3] */
    h->query = end < text.n ? part(h->target, end + 1, text.n - end - 1) : h->path;
    return judge_path(h);
}

int http_target_read(struct http_head *h)
{
    struct bytes text = http_span(h, h->target);

    if (text.n == 0) return -400;
    if (text.p[0] == '/') return read_origin(h, h->target);
    if (bytes_eq(text, BYTES("*"))) { /* [RFC9112-3.2.4] */
        h->path = h->target;
        return h->method == HTTP_OPTIONS ? 0 : -400;
    }
    return read_absolute(h);
}

/* ---- segments ----------------------------------------------------------------------------- */

unsigned http_segments(const struct http_head *h)
{
    struct bytes path = http_span(h, h->path);
    unsigned n = 0;

    for (size_t i = 0; i < path.n; i++)
        n += path.p[i] == '/';
    return n;
}

struct bytes http_segment(const struct http_head *h, unsigned i)
{
    struct bytes path = http_span(h, h->path);

    while (path.n > 0 && path.p[0] == '/') {
        path = bytes_skip(path, 1);
        const uint8_t *slash = path.n ? memchr(path.p, '/', path.n) : NULL;
        size_t n = slash ? (size_t)(slash - path.p) : path.n;
        if (i-- == 0) return bytes_of(path.p, n);
        path = bytes_skip(path, n);
    }
    return bytes_of(NULL, 0);
}

/* ---- queries --------------------------------------------------------------------------------- */

bool http_decode(struct bytes in, bool plus, struct writer *w)
{
    for (size_t i = 0; i < in.n; i++) {
        int c = in.p[i];
        if (c == '%') {
            c = escaped(bytes_skip(in, i));
            if (c < 0) w->bad = true;
            i += 2;
        } else if (plus && c == '+') {
            c = ' ';
        }
        if (w->bad) return false;
        wr_u8(w, (uint8_t)c);
    }
    return !w->bad;
}

bool http_query_next(struct bytes *query, struct bytes *name, struct bytes *value)
{
    while (query->n > 0 && query->p[0] == '&')
        *query = bytes_skip(*query, 1);
    if (query->n == 0) return false;
    const uint8_t *amp = memchr(query->p, '&', query->n);
    struct bytes one = bytes_of(query->p, amp ? (size_t)(amp - query->p) : query->n);
    const uint8_t *equals = memchr(one.p, '=', one.n);

    *query = bytes_skip(*query, one.n);
    *name = bytes_of(one.p, equals ? (size_t)(equals - one.p) : one.n);
    *value = bytes_skip(one, equals ? name->n + 1 : one.n);
    return true;
}

/* Names are compared decoded, so that none can be hidden. */
static bool is_named(struct bytes encoded, const char *name)
{
    uint8_t room[64];
    struct writer w = wr_of(room, sizeof room);

    return http_decode(encoded, true, &w) && bytes_eq(bytes_of(room, wr_len(&w)), bytes_str(name));
}

int http_query_find(const struct http_head *h, const char *name, struct writer *w)
{
    struct bytes query = http_span(h, h->query), one, value;
    int found = 0;

    while (http_query_next(&query, &one, &value)) {
        if (!is_named(one, name)) continue;
        if (found || !http_decode(value, true, w)) return -400;
        found = 1;
    }
    return found;
}
