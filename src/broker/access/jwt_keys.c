/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/access/jwt_keys.h"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/file.h"

static const char *const alg_names[JWT_ALGS] = {
    [JWT_HS256] = "HS256", [JWT_RS256] = "RS256", [JWT_ES256] = "ES256"};

const char *jwt_alg_text(enum jwt_alg alg)
{
    return alg_names[alg];
}

int jwt_alg_find(struct bytes text)
{
    for (int i = 0; i < JWT_ALGS; i++)
        if (bytes_eq(text, bytes_str(alg_names[i]))) return i;
    return -ERR_ABSENT;
}

/* ---- one key ----------------------------------------------------------------------------- */

int jwt_key_alg(const EVP_PKEY *public, const char **why)
{
    char group[32] = "";

    if (EVP_PKEY_is_a(public, "RSA")) {
        int bits = EVP_PKEY_get_bits(public);
        if (bits >= JWT_RSA_BITS_MIN && bits <= JWT_RSA_BITS_MAX) return JWT_RS256;
        *why = "an RSA key has 2048 to 8192 bits";
        return -ERR_UNSUPPORTED;
    }
    *why = "not an RSA key, nor an EC key on P-256";
    if (!EVP_PKEY_is_a(public, "EC")) return -ERR_UNSUPPORTED;
    EVP_PKEY_get_utf8_string_param(public, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group, NULL);
    return strcmp(group, "prime256v1") == 0 ? JWT_ES256 : -ERR_UNSUPPORTED;
}

void jwt_key_fini(struct jwt_key *key)
{
    void *secret = (void *)(uintptr_t)key->secret.p;

    if (secret) OPENSSL_cleanse(secret, key->secret.n);
    free(secret);
    free((void *)(uintptr_t)key->kid.p);
    EVP_PKEY_free(key->public);
    *key = (struct jwt_key){.kid = {.n = 0}};
}

int jwt_keys_add(struct jwt_keys *k, struct jwt_key *key)
{
    if (k->n == JWT_KEYS_MAX) {
        jwt_key_fini(key);
        return -ERR_FULL;
    }
    k->key[k->n++] = *key;
    return 0;
}

void jwt_keys_fini(struct jwt_keys *k)
{
    while (k->n > 0)
        jwt_key_fini(&k->key[--k->n]);
}

/* ---- files ------------------------------------------------------------------------------------
 */

static int refuse(int err, const char *path, const char *why, char *error, size_t n)
{
    snprintf(error, n, "%s: %s", path, why);
    return err;
}

/* What an editor left at the end of a secret that is text; bytes are left as they are. */
static struct bytes without_line_end(struct bytes s)
{
    struct bytes line = s;

    if (line.n && line.p[line.n - 1] == '\n') line.n--;
    if (line.n && line.n < s.n && line.p[line.n - 1] == '\r') line.n--;
    for (size_t i = 0; i < line.n; i++)
        if (line.p[i] < 0x20 || line.p[i] > 0x7E) return s;
    return line;
}

static const char *fault_of_secret(const struct file_text *f, struct bytes secret)
{
    if (!f->private) return "others may read or change this secret: chmod 600";
    if (secret.n < JWT_SECRET_MIN) return "a secret has at least 32 bytes";
    /* A public key is no secret: whoever knows it could sign tokens. */
    if (memmem(secret.p, secret.n, "-----BEGIN", 10)) return "a key in PEM is not a secret";
    return NULL;
}

int jwt_keys_add_secret(struct jwt_keys *k, const char *path, char *error, size_t n)
{
    struct jwt_key key = {.alg = JWT_HS256};
    struct file_text f;

    int err = file_read(&f, path, JWT_SECRET_MAX, error, n);
    if (err < 0) return err;
    struct bytes secret = without_line_end(f.text);
    const char *fault = fault_of_secret(&f, secret);
    uint8_t *copy = fault ? NULL : malloc(secret.n);
    if (copy) memcpy(copy, secret.p, secret.n);
    key.secret = bytes_of(copy, copy ? secret.n : 0);
    file_free(&f);
    if (fault) return refuse(-ERR_INVALID, path, fault, error, n);
    if (!copy) return refuse(-ERR_NOMEM, path, err_text(ERR_NOMEM), error, n);
    err = jwt_keys_add(k, &key);
    return err < 0 ? refuse(err, path, "too many keys", error, n) : 0;
}

/* The next key of the file: 1, 0 at its end, or -ERR_X with the reason in *why. */
static int add_next_pem(struct jwt_keys *k, BIO *bio, const char **why)
{
    struct jwt_key key = {.alg = JWT_RS256};
    char *rest;

    long left = BIO_get_mem_data(bio, &rest);
    *why = "not a public key in PEM";
    if (left <= 0 || !memmem(rest, (size_t)left, "-----BEGIN", 10)) return 0;
    key.public = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    ERR_clear_error();
    if (!key.public) return -ERR_MALFORMED;
    int alg = jwt_key_alg(key.public, why);
    if (alg < 0) {
        jwt_key_fini(&key);
        return alg;
    }
    key.alg = (enum jwt_alg)alg;
    *why = "too many keys";
    int err = jwt_keys_add(k, &key);
    return err < 0 ? err : 1;
}

int jwt_keys_add_pem(struct jwt_keys *k, const char *path, char *error, size_t n)
{
    const char *why = err_text(ERR_NOMEM);
    unsigned before = k->n;
    struct file_text f;

    int err = file_read(&f, path, JWT_KEY_FILE_MAX, error, n);
    if (err < 0) return err;
    BIO *bio = BIO_new_mem_buf(f.text.p, (int)f.text.n);
    int more = bio ? 1 : -ERR_NOMEM;
    while (more > 0)
        more = add_next_pem(k, bio, &why);
    BIO_free(bio);
    file_free(&f);
    if (more == 0 && k->n > before) return 0;
    while (k->n > before)
        jwt_key_fini(&k->key[--k->n]);
    return refuse(more < 0 ? more : -ERR_MALFORMED, path, why, error, n);
}

/* ---- signatures -------------------------------------------------------------------------------
 */

enum { ES256_BYTES = 64, DER_BYTES_MAX = 80, SHA256_BYTES = 32 };

/* [RFC7518-3.2] */
static bool verify_hmac(const struct jwt_key *key, struct bytes text, struct bytes signature)
{
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    if (signature.n != SHA256_BYTES) return false;
    if (!HMAC(EVP_sha256(), key->secret.p, (int)key->secret.n, text.p, text.n, mac, &n))
        return false;
    return n == SHA256_BYTES && CRYPTO_memcmp(mac, signature.p, SHA256_BYTES) == 0;
}

/* The halves r and s of a signature as OpenSSL wants them [RFC7518-3.4]: bytes, or 0. */
static size_t der_of(struct bytes signature, uint8_t der[DER_BYTES_MAX])
{
    int half = ES256_BYTES / 2, n = 0;
    BIGNUM *r = BN_bin2bn(signature.p, half, NULL), *s = BN_bin2bn(signature.p + half, half, NULL);
    ECDSA_SIG *both = ECDSA_SIG_new();

    if (r && s && both && ECDSA_SIG_set0(both, r, s) == 1) { /* takes them */
        uint8_t *at = der;
        n = i2d_ECDSA_SIG(both, NULL) <= DER_BYTES_MAX ? i2d_ECDSA_SIG(both, &at) : 0;
    } else {
        BN_free(r);
        BN_free(s);
    }
    ECDSA_SIG_free(both);
    return n > 0 ? (size_t)n : 0;
}

static bool verify_public(const struct jwt_key *key, struct bytes text, struct bytes signature)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = ctx && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key->public) == 1 &&
                EVP_DigestVerify(ctx, signature.p, signature.n, text.p, text.n) == 1;

    EVP_MD_CTX_free(ctx);
    ERR_clear_error(); /* what failed stays in the thread's queue otherwise */
    return good;
}

bool jwt_key_verify(const struct jwt_key *key, struct bytes is_signed, struct bytes signature)
{
    uint8_t der[DER_BYTES_MAX];

    switch (key->alg) {
    case JWT_HS256: return verify_hmac(key, is_signed, signature);
    case JWT_RS256: /* [RFC7518-3.3], and as long as the modulus [RFC8017-8.2.2] */
        if (signature.n != (size_t)EVP_PKEY_get_size(key->public)) return false;
        return verify_public(key, is_signed, signature);
    case JWT_ES256: {
        if (signature.n != ES256_BYTES) return false;
        size_t n = der_of(signature, der);
        return n > 0 && verify_public(key, is_signed, bytes_of(der, n));
    }
    case JWT_ALGS: break;
    }
    ASSERT(false); /* a key has one of these */
    return false;
}
