/* SPDX-License-Identifier: BSD-3-Clause */
/* tokens.h -- the secrets that open the admin interface.
 *
 * A file with a token in each line ('#' begins a comment), so that one can be replaced without a
 * gap. Only its owner may read it. If there is none, one is made with a random token. What is kept
 * here is digests: comparing takes the same time whatever is given, and no dump holds a token. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum { TOKENS_MAX = 16, TOKEN_BYTES_MIN = 16, TOKEN_BYTES_MAX = 512, TOKEN_DIGEST = 32 };

struct admin_tokens {
    unsigned n;
    uint8_t digest[TOKENS_MAX][TOKEN_DIGEST];
};

/* Reads `path`, or makes it if it is not there (*made). 0, or -ERR_X with a sentence in error[n].
 */
int admin_tokens_load(struct admin_tokens *t, const char *path, bool *made, char *error, size_t n);

/* Reads the text of such a file: -ERR_INVALID if there is no token in it, or one that is bad. */
int admin_tokens_parse(struct admin_tokens *t, struct bytes text, char *error, size_t n);

bool admin_tokens_know(const struct admin_tokens *t, struct bytes token);
