/* SPDX-License-Identifier: BSD-3-Clause */
/* jwt_keys.h -- the keys that tokens are signed with, read from files.
 *
 * A key knows its one algorithm and verifies with no other, whatever a token says
 * [RFC8725-3.1]: so "none" has no key, and an RSA key's public text is nobody's HMAC secret.
 *
 * Owner: struct jwt. Made by the main thread, then read by any thread. */
#pragma once

#include <openssl/evp.h>

#include "base/bytes.h"

enum jwt_alg { JWT_HS256, JWT_RS256, JWT_ES256, JWT_ALGS };

enum {
    JWT_KEYS_MAX = 32,
    JWT_KEY_FILE_MAX = 1 << 18,
    JWT_KID_MAX = 256,
    JWT_SECRET_MIN = 32, /* [RFC7518-3.2] */
    JWT_SECRET_MAX = 4096,
    JWT_RSA_BITS_MIN = 2048, /* [RFC7518-3.3] */
    JWT_RSA_BITS_MAX = 8192, /* verifying costs the square */
    JWT_NOTES_MAX = 1024,
};

struct jwt_key {
    enum jwt_alg alg;
    struct bytes kid;    /* owned; none: for tokens of any kid */
    struct bytes secret; /* owned; JWT_HS256 */
    EVP_PKEY *public;    /* owned; the others */
};

struct jwt_keys {
    struct jwt_key key[JWT_KEYS_MAX];
    unsigned n;
    char notes[JWT_NOTES_MAX]; /* what could not be used, a line each; printable ASCII */
};

/* "HS256" and so on; jwt_alg_find() gives -ERR_ABSENT for all others. */
const char *jwt_alg_text(enum jwt_alg alg);
int jwt_alg_find(struct bytes text);

/* Each adds what a file holds: 0, or -ERR_X with a sentence in error[n]; nothing is added then. */
int jwt_keys_add_secret(struct jwt_keys *k, const char *path, char *error, size_t n);
int jwt_keys_add_pem(struct jwt_keys *k, const char *path, char *error, size_t n);

/* jwks.c: a set of keys [RFC7517-5]. Keys that can't be used are left out and noted; it is an
 * error if none is left. */
int jwt_keys_add_jwks(struct jwt_keys *k, const char *path, char *error, size_t n);

/* Takes `key`; 0, or -ERR_X (it is freed then). */
int jwt_keys_add(struct jwt_keys *k, struct jwt_key *key);

/* The algorithm that fits a public key; -ERR_UNSUPPORTED with the reason in *why. */
int jwt_key_alg(const EVP_PKEY *public, const char **why);

/* Did the holder of `key` sign these bytes? */
bool jwt_key_verify(const struct jwt_key *key, struct bytes is_signed, struct bytes signature);

void jwt_key_fini(struct jwt_key *key);
void jwt_keys_fini(struct jwt_keys *k);
