/* SPDX-License-Identifier: BSD-3-Clause */
/* zip.h -- messages compressed as RFC 7692, section 7.2 has it, each for itself.
 *
 * One for all connections of a core: since no window lives from one message to the next, a
 * connection owns none. Nothing is allocated on a peer's word: what comes out grows as it
 * comes, up to the caller's limit.
 *
 * Owner: net of the core. */
#pragma once

#include "base/bytes.h"

struct zip;

/* Bytes that grow. */
struct zip_out {
    uint8_t *p; /* malloc'd */
    size_t n, cap;
};

struct zip *zip_new(void); /* NULL: no memory */
void zip_free(struct zip **z);

/* Appends what `in`, a whole message, stands for. -ERR_TOO_LARGE if that is more than `max` bytes,
 * -ERR_MALFORMED, -ERR_NOMEM; part of it may have been appended. */
int zip_inflate(struct zip *z, struct bytes in, struct zip_out *out, size_t max);

/* Writes `in` compressed to out[room], with a window of 2 to the power of `bits` (9 to 15). Returns
 * the bytes it takes; 0 if it does not fit, or there is no memory. */
size_t zip_deflate(struct zip *z, struct bytes in, uint8_t *out, size_t room, unsigned bits);

/* Appends bytes as they are. -ERR_NOMEM. */
int zip_out_add(struct zip_out *o, struct bytes b);
