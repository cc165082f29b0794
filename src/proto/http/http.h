/* SPDX-License-Identifier: BSD-3-Clause */
/* http.h -- HTTP/1.1 and 1.0 as a server speaks it: requests in, heads of answers out.
 *
 * Strict where RFC 9110 and 9112 leave a choice: whatever two parties could read in two ways is
 * refused (lengths given twice, folded lines, bare CR or LF, spaces around names), because
 * requests are smuggled through such differences. A head is read as it comes, each byte looked
 * at once; a request that can't become a good one is refused at that byte.
 *
 * Pure: no socket, no memory of its own, no clock. What is refused is told as the status to
 * answer with, negated. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum {
    HTTP_HEAD_MAX = 8192,   /* request line and fields, all together */
    HTTP_TARGET_MAX = 4096, /* the target alone */
    HTTP_FIELDS_MAX = 64,
    HTTP_METHOD_TEXT = 16,
    HTTP_SEGMENTS_MAX = 16, /* parts of a path, between slashes */
    HTTP_CHUNK_LINE_MAX = 128,
    HTTP_TRAILERS_BYTES_MAX = 1024,
};

/* ---- requests ------------------------------------------------------------------------- */

/* Those of RFC 9110, section 9, and RFC 5789 that make sense here. */
enum http_method {
#define HTTP_METHOD(name) HTTP_##name,
#include "proto/http/methods.def"
#undef HTTP_METHOD
    HTTP_METHODS
};

/* "GET". */
const char *http_method_text(enum http_method m);

/* A part of a head, as an offset, so that the head may move. */
struct http_span {
    uint16_t at, n;
};

struct http_field {
    struct http_span name, value; /* value without the space around it */
};

enum http_flag {
    HTTP_V10 = 1 << 0,      /* HTTP/1.0 */
    HTTP_KEEP = 1 << 1,     /* the connection is to go on afterwards */
    HTTP_CHUNKED = 1 << 2,  /* the body comes in chunks */
    HTTP_LENGTH = 1 << 3,   /* it was said how long the body is */
    HTTP_CONTINUE = 1 << 4, /* the client waits for "100 Continue" before it sends the body */
    HTTP_HOST = 1 << 5,     /* a Host field came */
    HTTP_CLOSE = 1 << 6,    /* Connection: close */
    HTTP_KEEP_ASKED = 1 << 7,
    HTTP_EXPECTED = 1 << 8,
    HTTP_TYPED = 1 << 9,
    HTTP_AUTHORIZED = 1 << 10,
};

/* A head, complete or coming. Zeroed at first. */
struct http_head {
    uint32_t seen;       /* bytes that were looked at */
    uint32_t line;       /* where the line that is coming begins */
    const uint8_t *base; /* where the head lies now; set by whoever keeps it */
    uint64_t length;     /* of the body, with HTTP_LENGTH */
    struct http_span target, authority, path, query; /* query without its '?' */
    struct http_field field[HTTP_FIELDS_MAX];
    uint8_t nfields;
    uint8_t method; /* enum http_method */
    uint16_t flags; /* enum http_flag */
    bool begun;     /* the request line has come */
    bool spaced;    /* its method has */
};

/* Reads on in `in`, which begins with the head's first byte, is what has come of it, and has only
 * grown since the call before. Returns the bytes of the head when it is complete (h->base is then
 * in.p), 0 if more must come, or the status to refuse it with, negated. `body_max` bounds
 * Content-Length. */
long http_head_read(struct http_head *h, uint64_t body_max, struct bytes in);

static inline struct bytes http_span(const struct http_head *h, struct http_span s)
{
    return bytes_of(h->base + s.at, s.n);
}

/* The value of the first field `name` (in any case); NULL bytes if there is none. */
struct bytes http_field(const struct http_head *h, const char *name);

/* Does the client say that the body is `type` ("application/json"), whatever its parameters? */
bool http_type_is(const struct http_head *h, const char *type);

/* ---- bodies ---------------------------------------------------------------------------- */

enum http_body_state {
    HTTP_BODY_DATA, /* `left` bytes of the body or of a chunk */
    HTTP_CHUNK_SIZE,
    HTTP_CHUNK_EXTENSION,
    HTTP_CHUNK_LF,
    HTTP_CHUNK_END_CR,
    HTTP_CHUNK_END_LF,
    HTTP_TRAILER,
    HTTP_TRAILER_LF,
    HTTP_BODY_DONE,
};

struct http_body {
    uint64_t left;
    uint64_t room;         /* bytes that the body may still have */
    uint32_t line;         /* bytes of the line that is coming; of all trailers */
    uint32_t trailer_line; /* bytes of this trailer */
    uint8_t state;         /* enum http_body_state */
    uint8_t digits;
    bool chunked;
};

/* For the body that `h` announces, which may have up to `max` bytes. */
void http_body_start(struct http_body *b, const struct http_head *h, uint64_t max);

/* Takes what it can from the start of `in`: returns how much; *piece is what of that belongs to
 * the body, borrowed. To be called until it takes nothing or is done. Negated status when it is
 * to be refused. */
long http_body_read(struct http_body *b, struct bytes in, struct bytes *piece);

static inline bool http_body_done(const struct http_body *b)
{
    return b->state == HTTP_BODY_DONE;
}

/* ---- targets ------------------------------------------------------------------------------ */

/* The i-th segment of the path as it was sent ("/a/b" has two), NULL bytes if there is none. */
struct bytes http_segment(const struct http_head *h, unsigned i);
unsigned http_segments(const struct http_head *h);

/* Undoes percent-encoding into `w`; with `plus`, '+' is a space as forms have it. False if `in` is
 * malformed or does not fit. */
bool http_decode(struct bytes in, bool plus, struct writer *w);

/* The next "name=value" of a query, still encoded; moves `query` behind it. False at the end. */
bool http_query_next(struct bytes *query, struct bytes *name, struct bytes *value);

/* The decoded value of the parameter `name` into `w`: 1, 0 if there is none, -ERR_X as a negated
 * status if it is there twice, malformed or too long. */
int http_query_find(const struct http_head *h, const char *name, struct writer *w);

/* ---- answers ------------------------------------------------------------------------------- */

/* "Not Found"; "Unknown" for what no one sends. */
const char *http_status_text(unsigned status);

/* "HTTP/1.1 404 Not Found" and its line end [RFC9112-4]. */
void http_put_status(struct writer *w, unsigned status);

/* "name: value". Nothing is written and w->bad set if either holds what does not belong there:
 * CR, LF, NUL above all [RFC9110-5.5]. */
void http_put_field(struct writer *w, struct bytes name, struct bytes value);
void http_put_number(struct writer *w, struct bytes name, uint64_t value);

/* "Date: Tue, 15 Nov 1994 08:12:31 GMT" [RFC9110-5.6.7]. */
void http_put_date(struct writer *w, uint64_t wall_ms);
void http_put_end(struct writer *w); /* the empty line */

/* The line before a chunk of `n` bytes [RFC9112-7.1]. */
enum { HTTP_CHUNK_HEAD_MAX = 18 };
void http_put_chunk_head(struct writer *w, size_t n);

/* ---- shared by the files of the codec -------------------------------------------------------- */

bool http_is_token_byte(uint8_t c);               /* [RFC9110-5.6.2] */
bool http_is_word(struct bytes b, const char *w); /* equal in any case */
struct bytes http_trim(struct bytes b);           /* without spaces and tabs around it */

/* The first element of a list with commas; moves `list` behind it. */
struct bytes http_next_element(struct bytes *list);

/* Reads the field line `line` of `h`: 0 or a negated status. */
int http_field_read(struct http_head *h, uint64_t body_max, struct http_span line);

/* What the fields mean together, once all are there: 0 or a negated status. */
int http_fields_settle(struct http_head *h);

/* Judges and takes apart h->target: 0 or a negated status. */
int http_target_read(struct http_head *h);
bool http_authority_valid(struct bytes b);
