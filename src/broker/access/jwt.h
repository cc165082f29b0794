/* SPDX-License-Identifier: BSD-3-Clause */
/* jwt.h -- a signed token as a login: JSON Web Tokens (RFC 7519) in compact JWS (RFC 7515).
 *
 * Nothing in a token is believed before its signature was verified, but for `alg` and `kid`,
 * which only pick among our own keys. Signed is not yet meant for us: time, issuer, audience and
 * client identifier are judged too, and what can't be judged is refused.
 *
 * Owner: struct access. Immutable once made; verified on any thread. Checking a signature
 * is cheap beside hashing a password: a helper thread does it without a queue of its own. */
#pragma once

#include "broker/access/rules_json.h"

enum { JWT_TEXT_MAX = 256, JWT_TOKEN_MAX = 16384 };

/* An empty text is none. */
struct jwt_options {
    char secret_file[JWT_TEXT_MAX]; /* HS256 */
    char key_file[JWT_TEXT_MAX];    /* public keys in PEM */
    char jwks_file[JWT_TEXT_MAX];
    char issuer[JWT_TEXT_MAX];
    char audience[JWT_TEXT_MAX];
    char user_claim[JWT_TEXT_MAX];
    char client_claim[JWT_TEXT_MAX]; /* must be there and equal the client identifier */
    char rules_claim[JWT_TEXT_MAX];
    uint32_t leeway_s;
    bool expiry_optional;
};

#define JWT_OPTIONS_DEFAULT                                                                        \
    {                                                                                              \
        .user_claim = "sub", .rules_claim = "acl", .leeway_s = 60                                  \
    }

enum jwt_refusal {
    JWT_GOOD,
#define JWT_REFUSAL(name, word, text) JWT_REFUSED_##name,
#include "broker/access/jwt_refusals.def"
#undef JWT_REFUSAL
    JWT_REFUSALS
};

/* Who the token says its bearer is. */
struct jwt_identity {
    struct bytes user; /* owned */
    struct rules_given rules;
    int64_t expires_s; /* since 1970; INT64_MAX: never */
};

struct jwt;

/* Is any key configured? */
bool jwt_is_configured(const struct jwt_options *o);

/* Reads the keys: NULL with a sentence in error[n]. */
struct jwt *jwt_new(const struct jwt_options *o, char *error, size_t n);
void jwt_free(struct jwt **j);

/* Keys of the files that could not be used, a line each; "" if there is none. */
const char *jwt_notes(const struct jwt *j);
unsigned jwt_keys_count(const struct jwt *j);

/* Has `password` the shape of a token? If not, it is a password for somebody else to judge. */
bool jwt_is_token(struct bytes password);

/* Judges `token` at `now_s` (since 1970) for a client: JWT_GOOD with `out` filled, which the
 * caller gives back, or why not. */
struct jwt_login {
    struct bytes token, client_id;
    int64_t now_s;
};
enum jwt_refusal jwt_verify(const struct jwt *j, const struct jwt_login *login,
                            struct jwt_identity *out);
void jwt_identity_free(struct jwt_identity *i);

/* "expired", and a sentence. */
const char *jwt_refusal_word(enum jwt_refusal r);
const char *jwt_refusal_text(enum jwt_refusal r);
