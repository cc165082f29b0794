/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/zip.h"

#include <stdlib.h>
#define ZLIB_CONST
#include <zlib.h>

#include "base/err.h"

enum {
    BITS = 15,            /* of what clients compress: the most there is */
    LEVEL = Z_BEST_SPEED, /* a core has better things to do */
    MEMORY = 8,
    TAIL = 4,
    OUT_FIRST = 16 << 10,
};

/* The empty block that a sender leaves out (7.2.1, 7.2.2). */
static const uint8_t tail[TAIL] = {0, 0, 0xFF, 0xFF};

struct zip {
    z_stream in, out;
    bool has_in;
    uint8_t out_bits; /* of the window that `out` has; 0: it is not made yet */
};

struct zip *zip_new(void)
{
    return calloc(1, sizeof(struct zip));
}

void zip_free(struct zip **zp)
{
    struct zip *z = *zp;

    if (!z) return;
    *zp = NULL;
    if (z->has_in) inflateEnd(&z->in);
    if (z->out_bits) deflateEnd(&z->out);
    free(z);
}

/* ---- in --------------------------------------------------------------------------------- */

/* Room for at least one more byte. */
static int grow(struct zip_out *o, size_t more)
{
    size_t cap = o->cap ? o->cap : OUT_FIRST;

    while (cap - o->n < more)
        cap *= 2;
    if (cap == o->cap) return 0;
    uint8_t *p = realloc(o->p, cap);
    if (!p) return -ERR_NOMEM;
    o->p = p;
    o->cap = cap;
    return 0;
}

int zip_out_add(struct zip_out *o, struct bytes b)
{
    int err = grow(o, b.n);

    if (err < 0 || b.n == 0) return err;
    memcpy(o->p + o->n, b.p, b.n);
    o->n += b.n;
    return 0;
}

/* Takes all of `in`. A block that calls itself the last may be followed by others (7.2.3.4). */
static int inflate_all(struct zip *z, struct bytes in, struct zip_out *out, size_t end)
{
    z_stream *s = &z->in;

    s->next_in = in.p;
    s->avail_in = (uInt)in.n;
    for (;;) {
        if (out->n > end) return -ERR_TOO_LARGE;
        if (grow(out, 1) < 0) return -ERR_NOMEM;
        size_t room = out->cap - out->n,
               most = end + 1 - out->n; /* one more tells that it is more */
        s->next_out = out->p + out->n;
        s->avail_out = (uInt)(room < most ? room : most);
        uInt before = s->avail_out;
        int result = inflate(s, Z_SYNC_FLUSH);
        out->n += before - s->avail_out;
        if (result == Z_STREAM_END && s->avail_in > 0) {
            if (inflateReset(s) != Z_OK) return -ERR_MALFORMED;
        } else if (result == Z_MEM_ERROR) {
            return -ERR_NOMEM;
        } else if (result != Z_OK && result != Z_BUF_ERROR && result != Z_STREAM_END) {
            return -ERR_MALFORMED;
        } else if (s->avail_out > 0) {
            return s->avail_in == 0 ? 0 : -ERR_MALFORMED;
        }
    }
}

int zip_inflate(struct zip *z, struct bytes in, struct zip_out *out, size_t max)
{
    size_t end = out->n + max;

    if (in.n > UINT32_MAX || max > UINT32_MAX) return -ERR_TOO_LARGE;
    if (z->has_in ? inflateReset(&z->in) != Z_OK : inflateInit2(&z->in, -BITS) != Z_OK)
        return -ERR_NOMEM;
    z->has_in = true;
    int err = inflate_all(z, in, out, end);
    if (err == 0) err = inflate_all(z, bytes_of(tail, TAIL), out, end);
    return err;
}

/* ---- out -------------------------------------------------------------------------------- */

static bool begin_deflate(struct zip *z, unsigned bits)
{
    if (z->out_bits == bits) return deflateReset(&z->out) == Z_OK;
    if (z->out_bits) deflateEnd(&z->out);
    z->out_bits = 0;
    z->out = (z_stream){.zalloc = Z_NULL};
    int made = deflateInit2(&z->out, LEVEL, Z_DEFLATED, -(int)bits, MEMORY, Z_DEFAULT_STRATEGY);
    if (made == Z_OK) z->out_bits = (uint8_t)bits;
    return made == Z_OK;
}

size_t zip_deflate(struct zip *z, struct bytes in, uint8_t *out, size_t room, unsigned bits)
{
    z_stream *s = &z->out;

    if (in.n > UINT32_MAX || room > UINT32_MAX || !begin_deflate(z, bits)) return 0;
    s->next_in = in.p;
    s->avail_in = (uInt)in.n;
    s->next_out = out;
    s->avail_out = (uInt)room;
    bool whole = deflate(s, Z_SYNC_FLUSH) == Z_OK && s->avail_in == 0 && s->avail_out > 0;
    size_t n = room - s->avail_out;
    return whole && n > TAIL ? n - TAIL : 0;
}
