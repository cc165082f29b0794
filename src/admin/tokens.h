/* SPDX-License-Identifier: BSD-3-Clause */
/* tokens.h -- the secrets that open the admin interface.
 *
 * A file with a token in each line ('#' begins a comment), so that one can be replaced without a
 * gap. Only its owner may read it. If there is none, one is made with a random token. What is kept
 * here is digests: comparing takes the same time whatever is given, and no dump holds a token.
 *
 * Owner: the main thread; read by all cores, and never changed once they see it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum { TOKENS_MAX = 16, TOKEN_BYTES_MIN = 16, TOKEN_BYTES_MAX = 512, TOKEN_DIGEST = 32 };

struct admin_tokens {
    struct admin_tokens *older; /* what it has replaced: a core may still be looking */
    unsigned n;
    uint8_t digest[TOKENS_MAX][TOKEN_DIGEST];
};

/* Reads `path`, or makes it if it is not there. NULL with a sentence in error[n]. */
struct admin_tokens *admin_tokens_load(const char *path, char *error, size_t n);
void admin_tokens_free(struct admin_tokens **t); /* with all that it has replaced */

/* Reads the text of such a file: -ERR_INVALID if there is no token in it, or one that is bad. */
int admin_tokens_parse(struct admin_tokens *t, struct bytes text, char *error, size_t n);

bool admin_tokens_know(const struct admin_tokens *t, struct bytes token);
