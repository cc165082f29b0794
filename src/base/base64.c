/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/base64.h"

#include "base/err.h"

/* The two characters in which the alphabets differ [RFC4648-5]. */
static const char *last_two(enum base64_form form)
{
    return form == BASE64_URL ? "-_" : "+/";
}

/* The six bits that a character stands for, or -1. */
static int six_of(enum base64_form form, uint8_t c)
{
    const char *last = last_two(form);

    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == last[0]) return 62;
    return c == last[1] ? 63 : -1;
}

/* Takes the padding off; false if it is not what the length asks for. */
static bool unpad(enum base64_form form, struct bytes *text)
{
    if (form != BASE64_PADDED) return text->n % 4 != 1; /* six bits are no byte */
    if (text->n % 4 != 0) return false;
    for (unsigned i = 0; i < 2 && text->n > 0 && text->p[text->n - 1] == '='; i++)
        text->n--;
    return true;
}

long base64_decode(enum base64_form form, struct bytes text, uint8_t *out)
{
    uint32_t held = 0; /* bits that make no whole byte yet */
    unsigned held_bits = 0;
    long n = 0;

    if (!unpad(form, &text)) return -ERR_MALFORMED;
    for (size_t i = 0; i < text.n; i++) {
        int six = six_of(form, text.p[i]);
        if (six < 0) return -ERR_MALFORMED;
        held = (held << 6 | (uint32_t)six) & 0xFFFF;
        held_bits += 6;
        if (held_bits < 8) continue;
        held_bits -= 8;
        out[n++] = (uint8_t)(held >> held_bits);
    }
    return (held & ((1u << held_bits) - 1)) == 0 ? n : -ERR_MALFORMED;
}

static char character(enum base64_form form, uint32_t six)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

    return six < 62 ? alphabet[six] : last_two(form)[six - 62];
}

void base64_put(enum base64_form form, struct writer *w, struct bytes b)
{
    for (size_t i = 0; i < b.n; i += 3) {
        size_t left = b.n - i < 3 ? b.n - i : 3;
        uint32_t v = 0;
        for (size_t k = 0; k < 3; k++)
            v = v << 8 | (k < left ? b.p[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            if (k <= left)
                wr_u8(w, (uint8_t)character(form, v >> (18 - 6 * k) & 63));
            else if (form == BASE64_PADDED)
                wr_u8(w, '=');
    }
}
