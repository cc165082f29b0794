/* SPDX-License-Identifier: BSD-3-Clause */
/* hmac.h -- HMAC with SHA-256 over several pieces [RFC2104]. */
#pragma once

#include "base/bytes.h"

enum { HMAC_SHA256 = 32 };

/* False: no memory. */
bool hmac_sha256(struct bytes key, const struct bytes *pieces, unsigned npieces,
                 uint8_t out[HMAC_SHA256]);
