/* SPDX-License-Identifier: BSD-3-Clause */
/* jwks.c -- a JSON Web Key Set [RFC7517], from a file.
 *
 * A set comes from an issuer who may add kinds of keys that we do not know: such a key is
 * noted and left out [RFC7517-5]. Private parts are not looked at. */
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/err.h"
#include "base/file.h"
#include "broker/access/json_in.h"
#include "broker/access/jwt_keys.h"

enum { DEPTH_MAX = 8, COORDINATE = 32, POINT = 1 + 2 * COORDINATE };

/* A member that holds base64url, decoded; the caller frees it. None, if it is not. */
static struct bytes member_bytes(const json_t *jwk, const char *name)
{
    struct bytes text = json_in_text(json_object_get(jwk, name));
    uint8_t *out = text.n ? malloc(BASE64_BYTES_MAX(text.n)) : NULL;
    long n = out ? base64_decode(BASE64_URL, text, out) : -ERR_MALFORMED;

    if (n > 0) return bytes_of(out, (size_t)n);
    free(out);
    return bytes_of(NULL, 0);
}

static void bytes_free(struct bytes b)
{
    free((void *)(uintptr_t)b.p);
}

/* ---- kinds of keys ----------------------------------------------------------------------------
 */

static EVP_PKEY *make_public(const char *type, OSSL_PARAM_BLD *build)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY *key = NULL;

    if (!ctx || !params || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    OSSL_PARAM_free(params);
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return key;
}

/* [RFC7518-6.3.1] */
static const char *read_rsa(struct jwt_key *key, const json_t *jwk)
{
    struct bytes n = member_bytes(jwk, "n"), e = member_bytes(jwk, "e");
    /* Base64urlUInt has no zeros in front [RFC7518-2]; an exponent is odd and not 1. */
    bool good = n.n && n.n <= JWT_RSA_BITS_MAX / 8 && n.p[0] && e.n && e.n <= 8 && e.p[0] &&
                e.p[e.n - 1] % 2 == 1 && !(e.n == 1 && e.p[0] == 1);
    BIGNUM *modulus = good ? BN_bin2bn(n.p, (int)n.n, NULL) : NULL;
    BIGNUM *exponent = good ? BN_bin2bn(e.p, (int)e.n, NULL) : NULL;
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();

    if (modulus && exponent && build &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent) == 1)
        key->public = make_public("RSA", build);
    OSSL_PARAM_BLD_free(build);
    BN_free(modulus);
    BN_free(exponent);
    bytes_free(n);
    bytes_free(e);
    return key->public ? NULL : "its n or e is no RSA key";
}

/* [RFC7518-6.2.1]; OpenSSL refuses a point that is not on the curve. */
static const char *read_ec(struct jwt_key *key, const json_t *jwk)
{
    uint8_t point[POINT] = {POINT_CONVERSION_UNCOMPRESSED};

    if (!bytes_eq(json_in_text(json_object_get(jwk, "crv")), BYTES("P-256")))
        return "its curve is not P-256";
    struct bytes x = member_bytes(jwk, "x"), y = member_bytes(jwk, "y");
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    if (build && x.n == COORDINATE && y.n == COORDINATE) {
        memcpy(point + 1, x.p, COORDINATE);
        memcpy(point + 1 + COORDINATE, y.p, COORDINATE);
        if (OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) &&
            OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, POINT))
            key->public = make_public("EC", build);
    }
    OSSL_PARAM_BLD_free(build);
    bytes_free(x);
    bytes_free(y);
    return key->public ? NULL : "its x and y are no point of P-256";
}

/* [RFC7518-6.4.1] */
static const char *read_oct(struct jwt_key *key, const json_t *jwk)
{
    key->secret = member_bytes(jwk, "k");
    if (key->secret.n >= JWT_SECRET_MIN && key->secret.n <= JWT_SECRET_MAX) return NULL;
    return "its secret has less than 32 bytes, or more than 4096";
}

/* ---- one key ------------------------------------------------------------------------------- */

static bool may_verify(const json_t *jwk)
{
    const json_t *use = json_object_get(jwk, "use"), *ops = json_object_get(jwk, "key_ops");
    const json_t *op;
    size_t i;

    if (use && !bytes_eq(json_in_text(use), BYTES("sig"))) return false; /* [RFC7517-4.2] */
    if (!ops) return true;
    json_array_foreach(ops, i, op) /* [RFC7517-4.3] */
        if (bytes_eq(json_in_text(op), BYTES("verify"))) return true;
    return false;
}

static const char *read_kid(struct jwt_key *key, const json_t *jwk)
{
    const json_t *kid = json_object_get(jwk, "kid");
    struct bytes text = json_in_text(kid);

    if (!kid) return NULL;
    if (!text.n || text.n > JWT_KID_MAX) return "its kid is no text of 1 to 256 bytes";
    uint8_t *copy = malloc(text.n);
    if (!copy) return err_text(ERR_NOMEM);
    memcpy(copy, text.p, text.n);
    key->kid = bytes_of(copy, text.n);
    return NULL;
}

/* What the key is for, from its type alone; `alg` may only agree [RFC7517-4.4]. */
static const char *read_material(struct jwt_key *key, const json_t *jwk)
{
    struct bytes type = json_in_text(json_object_get(jwk, "kty"));
    const json_t *alg = json_object_get(jwk, "alg");
    const char *why = "its kty is not RSA, EC or oct";

    if (bytes_eq(type, BYTES("RSA"))) {
        key->alg = JWT_RS256;
        why = read_rsa(key, jwk);
    } else if (bytes_eq(type, BYTES("EC"))) {
        key->alg = JWT_ES256;
        why = read_ec(key, jwk);
    } else if (bytes_eq(type, BYTES("oct"))) {
        key->alg = JWT_HS256;
        why = read_oct(key, jwk);
    }
    if (why) return why;
    if (key->public && jwt_key_alg(key->public, &why) < 0) return why;
    if (alg && jwt_alg_find(json_in_text(alg)) != (int)key->alg)
        return "its alg is not RS256, ES256 or HS256 as its kty asks for";
    return NULL;
}

/* Two keys that one token could mean would be one key too many [RFC7517-4.5]. */
static bool is_twin(const struct jwt_keys *k, const struct jwt_key *key)
{
    for (unsigned i = 0; key->kid.n && i < k->n; i++)
        if (k->key[i].alg == key->alg && bytes_eq(k->key[i].kid, key->kid)) return true;
    return false;
}

/* Adds the key; NULL, or why not. */
static const char *read_key(struct jwt_keys *k, const json_t *jwk, bool private)
{
    struct jwt_key key = {.alg = JWT_RS256};
    const char *why = json_is_object(jwk) ? NULL : "not an object";

    if (!why && !may_verify(jwk)) why = "it is not for signatures";
    if (!why) why = read_kid(&key, jwk);
    if (!why) why = read_material(&key, jwk);
    if (!why && key.secret.n && !private) why = "others may read or change the file: chmod 600";
    if (!why && is_twin(k, &key)) why = "its kid is taken";
    if (why) {
        jwt_key_fini(&key);
        return why;
    }
    return jwt_keys_add(k, &key) < 0 ? "too many keys" : NULL;
}

/* ---- the set ----------------------------------------------------------------------------------
 */

/* "set.json: key 2 (kid abc): why"; what is not printable in a kid becomes '?'. */
static void note(struct jwt_keys *k, const char *path, size_t i, const json_t *jwk, const char *why)
{
    struct bytes kid = json_in_text(json_object_get(jwk, "kid"));
    size_t used = strlen(k->notes);
    char shown[40];
    size_t n = kid.n < sizeof shown ? kid.n : sizeof shown - 1;

    for (size_t c = 0; c < n; c++)
        shown[c] = kid.p[c] > 0x20 && kid.p[c] < 0x7F ? (char)kid.p[c] : '?';
    shown[n] = '\0';
    snprintf(k->notes + used, sizeof k->notes - used, "%s%s: key %zu%s%s%s: %s", used ? "\n" : "",
             path, i + 1, n ? " (kid " : "", shown, n ? ")" : "", why);
}

int jwt_keys_add_jwks(struct jwt_keys *k, const char *path, char *error, size_t n)
{
    unsigned before = k->n;
    struct file_text f;
    const json_t *jwk;
    size_t i;

    int err = file_read(&f, path, JWT_KEY_FILE_MAX, error, n);
    if (err < 0) return err;
    json_t *set = json_in(f.text, DEPTH_MAX);
    const json_t *keys = json_object_get(set, "keys");
    json_array_foreach(keys, i, jwk)
    {
        const char *why = read_key(k, jwk, f.private);
        if (why) note(k, path, i, jwk, why);
    }
    if (!json_is_array(keys)) {
        snprintf(error, n, "%s: not a JSON Web Key Set", path);
        err = -ERR_MALFORMED;
    } else if (k->n == before) {
        snprintf(error, n, "%s: none of its keys can be used%s%s", path, *k->notes ? ": " : "",
                 k->notes);
        err = -ERR_INVALID;
    }
    json_decref(set);
    file_free(&f);
    return err;
}
