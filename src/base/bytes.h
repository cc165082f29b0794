/* SPDX-License-Identifier: BSD-3-Clause */
/* bytes.h -- a borrowed run of bytes, and the cursors that read and write one.
 *
 * Client data is never a C string: it has a length and may hold any byte. A
 * reader remembers its first failure, so a decoder reads as a straight story
 * and asks `r.bad` once, at the end; after a failure every further read gives
 * zero or nothing. A writer that runs out of room does the same with `w.bad`.
 *
 * Nothing here owns memory: every `struct bytes` borrows. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *p;
    size_t n;
};

static inline struct bytes bytes_of(const void *p, size_t n)
{
    return (struct bytes){.p = p, .n = n};
}

/* A literal, without its terminating zero. */
#define BYTES(literal) bytes_of("" literal, sizeof(literal) - 1)

static inline struct bytes bytes_str(const char *s)
{
    return bytes_of(s, strlen(s));
}

static inline bool bytes_eq(struct bytes a, struct bytes b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool bytes_starts(struct bytes s, struct bytes prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

/* Drops the first `n` bytes; the caller knows that they are there. */
static inline struct bytes bytes_skip(struct bytes s, size_t n)
{
    return (struct bytes){.p = n ? s.p + n : s.p, .n = s.n - n};
}

/* ---- reader ---------------------------------------------------------------- */

struct reader {
    const uint8_t *p;
    const uint8_t *end;
    bool bad; /* something was asked for that is not there */
};

static inline struct reader rd_of(struct bytes b)
{
    if (!b.p) b = BYTES(""); /* C has no arithmetic on NULL */
    return (struct reader){.p = b.p, .end = b.p + b.n, .bad = false};
}

static inline size_t rd_left(const struct reader *r)
{
    return r->bad ? 0 : (size_t)(r->end - r->p);
}

/* The next `n` bytes, or none and `bad`. */
static inline struct bytes rd_take(struct reader *r, size_t n)
{
    if (rd_left(r) < n) {
        r->bad = true;
        return bytes_of(NULL, 0);
    }
    struct bytes b = bytes_of(r->p, n);
    r->p += n;
    return b;
}

static inline struct bytes rd_rest(struct reader *r)
{
    return rd_take(r, rd_left(r));
}

static inline uint8_t rd_u8(struct reader *r)
{
    struct bytes b = rd_take(r, 1);
    return b.n ? b.p[0] : 0;
}

static inline uint16_t rd_u16be(struct reader *r)
{
    struct bytes b = rd_take(r, 2);
    if (!b.n) return 0;
    return (uint16_t)(b.p[0] << 8 | b.p[1]);
}

static inline uint32_t rd_u32be(struct reader *r)
{
    struct bytes b = rd_take(r, 4);
    if (!b.n) return 0;
    return (uint32_t)b.p[0] << 24 | (uint32_t)b.p[1] << 16 | (uint32_t)b.p[2] << 8 | b.p[3];
}

/* ---- writer ---------------------------------------------------------------- */

struct writer {
    uint8_t *start;
    uint8_t *p;
    uint8_t *end;
    bool bad; /* something did not fit; nothing of it was written */
};

static inline struct writer wr_of(void *buf, size_t room)
{
    uint8_t *b = buf ? buf : (uint8_t *)""; /* without room, as NULL has none */
    return (struct writer){.start = b, .p = b, .end = b + room, .bad = false};
}

static inline size_t wr_len(const struct writer *w)
{
    return (size_t)(w->p - w->start);
}

static inline bool wr_room(struct writer *w, size_t n)
{
    if (w->bad || (size_t)(w->end - w->p) < n) w->bad = true;
    return !w->bad;
}

static inline void wr_u8(struct writer *w, uint8_t v)
{
    if (wr_room(w, 1)) *w->p++ = v;
}

static inline void wr_u16be(struct writer *w, uint16_t v)
{
    if (!wr_room(w, 2)) return;
    w->p[0] = (uint8_t)(v >> 8);
    w->p[1] = (uint8_t)v;
    w->p += 2;
}

static inline void wr_u32be(struct writer *w, uint32_t v)
{
    if (!wr_room(w, 4)) return;
    w->p[0] = (uint8_t)(v >> 24);
    w->p[1] = (uint8_t)(v >> 16);
    w->p[2] = (uint8_t)(v >> 8);
    w->p[3] = (uint8_t)v;
    w->p += 4;
}

static inline void wr_bytes(struct writer *w, struct bytes b)
{
    if (!wr_room(w, b.n)) return;
    if (b.n) memcpy(w->p, b.p, b.n);
    w->p += b.n;
}
