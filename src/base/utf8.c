/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/utf8.h"

#define LOW_BITS 0x0101010101010101ull
#define HIGH_BITS 0x8080808080808080ull

/* Eight bytes at once: none above 0x7F and none zero. */
static bool eight_plain(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return ((v | (v - LOW_BITS)) & HIGH_BITS) == 0;
}

static bool follows(uint8_t c)
{
    return (c & 0xC0) == 0x80;
}

/* Length of the well-formed sequence at `p` with `n` > 0 bytes left; 0 if ill-formed. */
static size_t sequence(const uint8_t *p, size_t n)
{
    uint8_t c = p[0];
    if (c == 0) return 0;
    if (c < 0x80) return 1;
    if (c < 0xC2) return 0; /* a stray continuation, or an overlong C0/C1 */
    if (c < 0xE0) return n >= 2 && follows(p[1]) ? 2 : 0;
    if (c < 0xF0) {
        if (n < 3 || !follows(p[1]) || !follows(p[2])) return 0;
        if (c == 0xE0 && p[1] < 0xA0) return 0;  /* overlong */
        if (c == 0xED && p[1] >= 0xA0) return 0; /* surrogate */
        return 3;
    }
    if (c > 0xF4 || n < 4 || !follows(p[1]) || !follows(p[2]) || !follows(p[3])) return 0;
    if (c == 0xF0 && p[1] < 0x90) return 0;  /* overlong */
    if (c == 0xF4 && p[1] >= 0x90) return 0; /* above U+10FFFF */
    return 4;
}

bool utf8_valid(struct bytes s)
{
    const uint8_t *p = s.p;
    size_t n = s.n;
    while (n) {
        if (n >= 8 && eight_plain(p)) {
            p += 8;
            n -= 8;
            continue;
        }
        size_t k = sequence(p, n);
        if (!k) return false;
        p += k;
        n -= k;
    }
    return true;
}
