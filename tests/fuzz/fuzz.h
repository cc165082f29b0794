/* SPDX-License-Identifier: BSD-3-Clause */
/* fuzz.h -- what the codec's fuzz targets share.
 *
 * An input's first byte chooses the version and who sent it, the rest is what a
 * decoder gets, in a block of exactly its length. What was decoded is held to three
 * promises: borrowed bytes lie inside the input, encoding and decoding it again gives
 * the same, and a refusal is a reason code. */
#pragma once

#include <stdlib.h>

#include "base/assert.h"
#include "proto/mqtt/mqtt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_input {
    enum mqtt_version version;
    bool from_client;
    unsigned choice; /* what is left of the first byte */
    struct bytes in; /* owned */
};

static inline struct bytes fuzz_copy(struct bytes b)
{
    uint8_t *p = malloc(b.n ? b.n : 1);
    ASSERT(p);
    if (b.n) memcpy(p, b.p, b.n);
    return bytes_of(p, b.n);
}

static inline void fuzz_free(struct bytes b)
{
    free((void *)(uintptr_t)b.p);
}

/* False for an input without a first byte. */
static inline bool fuzz_open(struct fuzz_input *f, const uint8_t *data, size_t size)
{
    static const enum mqtt_version versions[] = {MQTT_V5, MQTT_V311, MQTT_V31, MQTT_V5};
    if (size == 0) return false;
    f->version = versions[data[0] & 3];
    f->from_client = data[0] & 4;
    f->choice = data[0] >> 3;
    f->in = fuzz_copy(bytes_of(data + 1, size - 1));
    return true;
}

static inline void fuzz_inside(struct bytes part, struct bytes whole)
{
    if (part.n) ASSERT(part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static inline void fuzz_reason(int rc)
{
    ASSERT(rc == 0 || (rc >= 0x80 && rc <= 0xA2));
}

/* Every value that `have` says is there, as bytes of one order, so that two are compared by
 * their encodings. */
static inline struct bytes fuzz_props_image(const struct mqtt_props *p, struct bytes whole)
{
    fuzz_inside(p->raw, whole);
    struct writer w = wr_of(malloc(p->raw.n + 8), p->raw.n + 8);
    ASSERT(w.start);
    mqtt_encode_props(&w, p);
    ASSERT(!w.bad);
    return bytes_of(w.start, wr_len(&w));
}

static inline void fuzz_same_props(const struct mqtt_props *a, struct bytes in_a,
                                   const struct mqtt_props *b, struct bytes in_b)
{
    struct bytes x = fuzz_props_image(a, in_a), y = fuzz_props_image(b, in_b);
    ASSERT(a->have == b->have && bytes_eq(x, y));
    fuzz_free(x);
    fuzz_free(y);
}

/* Room for any packet that was decoded from `in`, whichever order its properties get. */
static inline struct writer fuzz_writer(struct bytes in)
{
    size_t room = in.n + 64;
    struct writer w = wr_of(malloc(room), room);
    ASSERT(w.start);
    return w;
}

/* The one packet that an encoder wrote. */
static inline struct mqtt_frame fuzz_written(const struct writer *w)
{
    struct mqtt_frame f;
    uint32_t need;
    ASSERT(!w->bad);
    long n = mqtt_frame_next(bytes_of(w->start, wr_len(w)), UINT32_MAX, &f, &need);
    ASSERT(n == (long)wr_len(w) && !f.padded);
    return f;
}
