/* SPDX-License-Identifier: BSD-3-Clause */
/* base64.h -- base64 [RFC4648-4], strict: no white space, no line breaks, and one spelling per
 * value, so that equal bytes have equal texts [RFC4648-3.5]. */
#pragma once

#include "base/bytes.h"

enum base64_form {
    BASE64_PADDED, /* "TWE=" */
    BASE64_BARE,   /* "TWE": the same, without '=' */
    BASE64_URL, /* bare, with '-' and '_' for '+' and '/' [RFC4648-5], as in tokens [RFC7515-2] */
};

/* Room for whatever `n` characters can mean, and for the text of `n` bytes. */
#define BASE64_BYTES_MAX(n) ((n) / 4 * 3 + 2)
#define BASE64_TEXT_MAX(n) (((n) + 2) / 3 * 4)

/* Decodes into out[BASE64_BYTES_MAX(text.n)]: how many bytes, or -ERR_MALFORMED. */
long base64_decode(enum base64_form form, struct bytes text, uint8_t *out);

void base64_put(enum base64_form form, struct writer *w, struct bytes b);
