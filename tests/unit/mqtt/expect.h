/* SPDX-License-Identifier: BSD-3-Clause */
/* expect.h -- what the codec's unit tests say often: the frame of a vector, these bytes,
 * and an encoder's output that must be a vector's bytes in exactly their room. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vectors/mqtt/vectors.h"

static inline struct mqtt_frame frame_in(struct bytes in)
{
    struct mqtt_frame f;
    uint32_t need;
    assert_int_equal(mqtt_frame_next(in, UINT32_MAX, &f, &need), in.n);
    return f;
}

static inline void expect_bytes(struct bytes got, struct bytes wanted)
{
    assert_int_equal(got.n, wanted.n);
    if (got.n) assert_memory_equal(got.p, wanted.p, got.n);
}

#define EXPECT_TEXT(got, literal) expect_bytes(got, BYTES(literal))

/* Room of exactly n bytes for an encoder. */
static inline struct writer writer_of(size_t n)
{
    uint8_t *p = malloc(n ? n : 1);
    assert_non_null(p);
    return wr_of(p, n);
}

static inline struct writer writer_for(const char *name)
{
    struct bytes wanted = good_bytes(name);
    struct writer w = writer_of(wanted.n);
    exact_free(wanted);
    return w;
}

/* The writer holds this vector's bytes. Frees its room. */
static inline void expect_written(struct writer *w, const char *name)
{
    struct bytes wanted = good_bytes(name);
    assert_false(w->bad);
    expect_bytes(bytes_of(w->start, wr_len(w)), wanted);
    exact_free(wanted);
    free(w->start);
}
