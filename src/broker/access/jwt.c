/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/access/jwt.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/base64.h"
#include "base/err.h"
#include "broker/access/json_in.h"
#include "broker/access/jwt_claims.h"
#include "broker/access/jwt_keys.h"

enum { DEPTH_MAX = 8, SIGNATURE_MAX = JWT_RSA_BITS_MAX / 8 };

struct jwt {
    struct jwt_options options;
    struct jwt_keys keys;
};

/* A token taken apart: what is signed is its first two parts as they came [RFC7515-5.2]. */
struct parts {
    struct bytes header, claims, is_signed;
    struct bytes signature; /* decoded */
    uint8_t room[BASE64_BYTES_MAX(SIGNATURE_MAX * 4 / 3 + 4)];
};

/* ---- making --------------------------------------------------------------------------------- */

bool jwt_is_configured(const struct jwt_options *o)
{
    return *o->secret_file || *o->key_file || *o->jwks_file;
}

static int read_keys(struct jwt *j, char *error, size_t n)
{
    const struct jwt_options *o = &j->options;
    int err = 0;

    if (*o->secret_file) err = jwt_keys_add_secret(&j->keys, o->secret_file, error, n);
    if (err == 0 && *o->key_file) err = jwt_keys_add_pem(&j->keys, o->key_file, error, n);
    if (err == 0 && *o->jwks_file) err = jwt_keys_add_jwks(&j->keys, o->jwks_file, error, n);
    return err;
}

struct jwt *jwt_new(const struct jwt_options *o, char *error, size_t n)
{
    struct jwt *j = calloc(1, sizeof *j);

    ASSERT(jwt_is_configured(o));
    if (!j) {
        snprintf(error, n, "%s", err_text(ERR_NOMEM));
        return NULL;
    }
    j->options = *o;
    if (read_keys(j, error, n) < 0) jwt_free(&j);
    return j;
}

void jwt_free(struct jwt **jp)
{
    if (!*jp) return;
    jwt_keys_fini(&(*jp)->keys);
    free(*jp);
    *jp = NULL;
}

const char *jwt_notes(const struct jwt *j)
{
    return j->keys.notes;
}

unsigned jwt_keys_count(const struct jwt *j)
{
    return j->keys.n;
}

/* ---- taking apart ------------------------------------------------------------------------------
 */

/* The bytes up to the next dot; false if there is none. */
static bool next_part(struct bytes *rest, struct bytes *part)
{
    const uint8_t *dot = rest->n ? memchr(rest->p, '.', rest->n) : NULL;

    if (!dot) return false;
    *part = bytes_of(rest->p, (size_t)(dot - rest->p));
    *rest = bytes_skip(*rest, part->n + 1);
    return true;
}

/* A header is a JSON object, which begins with `{"` or `{` and white space. */
bool jwt_is_token(struct bytes password)
{
    struct bytes rest = password, header, claims;

    if (!next_part(&rest, &header) || !next_part(&rest, &claims)) return false;
    if (memchr(rest.p, '.', rest.n)) return false;
    return header.n > 2 && header.p[0] == 'e' && (header.p[1] == 'y' || header.p[1] == 'w');
}

static bool take_apart(struct parts *p, struct bytes token)
{
    struct bytes rest = token;

    if (!next_part(&rest, &p->header) || !next_part(&rest, &p->claims)) return false;
    p->is_signed = bytes_of(token.p, p->header.n + 1 + p->claims.n);
    if (BASE64_BYTES_MAX(rest.n) > sizeof p->room) return false;
    long n = base64_decode(BASE64_URL, rest, p->room);
    p->signature = bytes_of(p->room, n > 0 ? (size_t)n : 0);
    return n > 0;
}

/* The JSON object that a part means; NULL if it means none. */
static json_t *part_json(struct bytes part)
{
    uint8_t *text = malloc(BASE64_BYTES_MAX(part.n));
    long n = text ? base64_decode(BASE64_URL, part, text) : -ERR_NOMEM;
    json_t *v = n > 0 ? json_in(bytes_of(text, (size_t)n), DEPTH_MAX) : NULL;

    free(text);
    if (json_is_object(v)) return v;
    json_decref(v);
    return NULL;
}

/* ---- judging -----------------------------------------------------------------------------------
 */

/* A token of another kind, such as a logout token, is no login [RFC8725-3.11]. */
static bool is_access_type(const json_t *typ)
{
    static const char *const types[] = {"JWT", "at+jwt", "application/at+jwt"};
    struct bytes text = json_in_text(typ);

    if (!typ) return true; /* [RFC7519-5.1]: it may be left out */
    for (unsigned i = 0; i < ARRAY_LEN(types); i++)
        if (text.n == strlen(types[i]) && strncasecmp(types[i], (const char *)text.p, text.n) == 0)
            return true;
    return false;
}

/* Does any of our keys of that algorithm and kid say that it signed this? */
static enum jwt_refusal try_keys(const struct jwt *j, enum jwt_alg alg, const json_t *kid,
                                 const struct parts *p)
{
    struct bytes named = json_in_text(kid);
    enum jwt_refusal why = JWT_REFUSED_KEY;

    for (unsigned i = 0; i < j->keys.n; i++) {
        const struct jwt_key *key = &j->keys.key[i];
        bool fits = !kid || !key->kid.n || bytes_eq(key->kid, named); /* [RFC7515-4.1.4] */
        if (key->alg != alg || !fits) continue;
        if (jwt_key_verify(key, p->is_signed, p->signature)) return JWT_GOOD;
        why = JWT_REFUSED_SIGNATURE;
    }
    return why;
}

static enum jwt_refusal judge_header(const struct jwt *j, const json_t *header,
                                     const struct parts *p)
{
    const json_t *kid = json_object_get(header, "kid");

    if (json_object_get(header, "crit")) return JWT_REFUSED_HEADER; /* [RFC7515-4.1.11] */
    if (!is_access_type(json_object_get(header, "typ"))) return JWT_REFUSED_HEADER;
    if (kid && !json_is_string(kid)) return JWT_REFUSED_HEADER;
    int alg = jwt_alg_find(json_in_text(json_object_get(header, "alg"))); /* [RFC7515-4.1.1] */
    if (alg < 0) return JWT_REFUSED_KEY;
    return try_keys(j, (enum jwt_alg)alg, kid, p);
}

enum jwt_refusal jwt_verify(const struct jwt *j, const struct jwt_login *login,
                            struct jwt_identity *out)
{
    struct parts p;

    *out = (struct jwt_identity){.expires_s = INT64_MAX};
    if (login->token.n > JWT_TOKEN_MAX) return JWT_REFUSED_TOO_LARGE;
    if (!take_apart(&p, login->token)) return JWT_REFUSED_MALFORMED;
    json_t *header = part_json(p.header);
    enum jwt_refusal why = header ? judge_header(j, header, &p) : JWT_REFUSED_MALFORMED;
    json_decref(header);
    if (why != JWT_GOOD) return why;
    json_t *claims = part_json(p.claims);
    why = claims ? jwt_claims_judge(&j->options, claims, login, out) : JWT_REFUSED_MALFORMED;
    json_decref(claims);
    if (why != JWT_GOOD) jwt_identity_free(out);
    return why;
}

void jwt_identity_free(struct jwt_identity *i)
{
    free((void *)(uintptr_t)i->user.p);
    rules_given_free(&i->rules);
    *i = (struct jwt_identity){.expires_s = INT64_MAX};
}

/* ---- words
 * --------------------------------------------------------------------------------------- */

const char *jwt_refusal_word(enum jwt_refusal r)
{
    static const char *const words[] = {
        "good",
#define JWT_REFUSAL(name, word, text) word,
#include "broker/access/jwt_refusals.def"
#undef JWT_REFUSAL
    };
    return words[r];
}

const char *jwt_refusal_text(enum jwt_refusal r)
{
    static const char *const texts[] = {
        "good",
#define JWT_REFUSAL(name, word, text) text,
#include "broker/access/jwt_refusals.def"
#undef JWT_REFUSAL
    };
    return texts[r];
}
