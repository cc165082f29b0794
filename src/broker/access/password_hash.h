/* SPDX-License-Identifier: BSD-3-Clause */
/* password_hash.h -- what is kept of a password, and how it is written.
 *
 *     $argon2id$v=19$m=19456,t=2,p=1$SALT$HASH     Pinion's own
 *     $7$ROUNDS$SALT$HASH                          Mosquitto: PBKDF2 with SHA-512
 *     $6$SALT$HASH                                 Mosquitto: SHA-512 of password and salt
 *     SCRAM-SHA-256$ROUNDS:SALT$STOREDKEY:SERVERKEY   [RFC5803-3]
 *
 * Pure. All costs are bounded when a text is read, before anybody pays them: who can write into a
 * file of passwords can't make the broker hash for minutes or fill its memory. */
#pragma once

#include <stdint.h>

#include "base/bytes.h"

enum password_kind {
    PASSWORD_ARGON2ID,
    PASSWORD_PBKDF2_SHA512,
    PASSWORD_SHA512,
    PASSWORD_SCRAM_SHA256,
    PASSWORD_KINDS,
};

enum {
    PASSWORD_SALT_MIN = 8,
    PASSWORD_SALT_MAX = 64,
    PASSWORD_HASH_MIN = 16,
    PASSWORD_HASH_MAX = 64,
    PASSWORD_TEXT_MAX = 320, /* no hash that we take has a longer text */

    PASSWORD_MEMORY_KIB_MAX = 64 * 1024,
    PASSWORD_PASSES_MAX = 10,
    PASSWORD_LANES_MAX = 4,
    PASSWORD_ROUNDS_MAX = 1000000,

    SCRAM_ROUNDS_MIN = 4096, /* [RFC7677-4] */
    SCRAM_KEY = 32,
};

/* What it costs to compute one, and for whom. */
struct password_cost {
    enum password_kind kind;
    uint32_t rounds;     /* argon2id: passes; 0 for PASSWORD_SHA512 */
    uint32_t memory_kib; /* argon2id only, as are the lanes */
    uint32_t lanes;
    uint32_t salt_bytes;
};

/* What OWASP's Password Storage Cheat Sheet recommends: 19 MiB, two passes, one lane. */
#define PASSWORD_COST_DEFAULT                                                                      \
    {                                                                                              \
        .kind = PASSWORD_ARGON2ID, .rounds = 2, .memory_kib = 19456, .lanes = 1, .salt_bytes = 16  \
    }

struct password_hash {
    struct password_cost cost;
    uint8_t salt[PASSWORD_SALT_MAX]; /* cost.salt_bytes of them */
    uint8_t hash[PASSWORD_HASH_MAX]; /* SCRAM: StoredKey */
    uint32_t hash_bytes;
    uint8_t server_key[SCRAM_KEY]; /* SCRAM only */
};

/* NULL, with *h filled; or what is wrong, in words that show nothing of the text. */
const char *password_hash_read(struct password_hash *h, struct bytes text);

/* At most PASSWORD_TEXT_MAX bytes. */
void password_hash_put(struct writer *w, const struct password_hash *h);

/* "argon2id" */
const char *password_kind_text(enum password_kind k);
