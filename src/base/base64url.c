/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/base64url.h"

#include "base/err.h"

/* The six bits that a character stands for, or -1. */
static int bits_of(uint8_t c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '-') return 62;
    return c == '_' ? 63 : -1;
}

long base64url_decode(struct bytes text, uint8_t *out)
{
    uint32_t held = 0; /* bits that make no whole byte yet */
    unsigned nheld = 0;
    long n = 0;

    if (text.n % 4 == 1) return -ERR_MALFORMED; /* six bits are no byte */
    for (size_t i = 0; i < text.n; i++) {
        int six = bits_of(text.p[i]);
        if (six < 0) return -ERR_MALFORMED;
        held = (held << 6 | (uint32_t)six) & 0xFFFF;
        nheld += 6;
        if (nheld < 8) continue;
        nheld -= 8;
        out[n++] = (uint8_t)(held >> nheld);
    }
    return (held & ((1u << nheld) - 1)) == 0 ? n : -ERR_MALFORMED;
}
