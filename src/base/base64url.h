/* SPDX-License-Identifier: BSD-3-Clause */
/* base64url.h -- strict base64url as JOSE uses it [RFC7515-2]: the URL-safe alphabet, no
 * padding, no line breaks, no white space, and one spelling per value: the bits that the last
 * character has to spare are zero [RFC4648-3.5]. */
#pragma once

#include "base/bytes.h"

/* Room for whatever `n` characters can mean. */
#define BASE64URL_ROOM(n) ((n) / 4 * 3 + 2)

/* Decodes into out[BASE64URL_ROOM(text.n)]: how many bytes, or -ERR_MALFORMED. */
long base64url_decode(struct bytes text, uint8_t *out);
