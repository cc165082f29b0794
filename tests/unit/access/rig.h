/* SPDX-License-Identifier: BSD-3-Clause */
/* rig.h -- what the tests of access share: files in a folder of their own, base64url as an
 * encoder of the test's own, and an issuer that signs whatever it is told to. */
#pragma once

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"

enum { RIG_FILES = 8, RIG_PATH = 96, RIG_TOKEN = 40000 };

struct folder {
    char path[RIG_PATH];
    char file[RIG_FILES][RIG_PATH];
    unsigned n;
};

static inline struct folder folder_new(void)
{
    struct folder f = {.path = "/tmp/pinion-test-XXXXXX"};
    assert_non_null(mkdtemp(f.path));
    return f;
}

static inline void folder_free(struct folder *f)
{
    while (f->n > 0)
        unlink(f->file[--f->n]);
    assert_int_equal(rmdir(f->path), 0);
}

/* The path of a new file with that text. */
static inline const char *folder_put(struct folder *f, struct bytes text, mode_t mode)
{
    assert_true(f->n < RIG_FILES);
    char *path = f->file[f->n];
    snprintf(path, RIG_PATH, "%.64s/%u", f->path, f->n);
    f->n++;
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(text.p, 1, text.n, out), text.n);
    fclose(out);
    assert_int_equal(chmod(path, mode), 0);
    return path;
}

/* ---- base64url ----------------------------------------------------------------------------------
 */

static inline size_t encode_to(char *out, struct bytes in)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t n = 0;
    for (size_t bit = 0; bit < in.n * 8; bit += 6) {
        unsigned six = 0;
        for (size_t k = bit; k < bit + 6; k++)
            six = six << 1 | (k < in.n * 8 ? in.p[k / 8] >> (7 - k % 8) & 1u : 0);
        out[n++] = alphabet[six];
    }
    out[n] = '\0';
    return n;
}

/* ---- an issuer
 * ------------------------------------------------------------------------------------ */

struct issuer {
    EVP_PKEY *key;       /* RSA or EC; NULL: HMAC */
    struct bytes secret; /* borrowed */
};

static inline size_t sign_hmac(const struct issuer *i, struct bytes text, uint8_t *out)
{
    unsigned n = 0;
    HMAC(EVP_sha256(), i->secret.p, (int)i->secret.n, text.p, text.n, out, &n);
    return n;
}

/* ECDSA's DER becomes r || s. */
static inline size_t raw_of_der(const uint8_t *der, size_t n, uint8_t out[64])
{
    ECDSA_SIG *both = d2i_ECDSA_SIG(NULL, &der, (long)n);
    assert_non_null(both);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(both), out, 32), 32);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(both), out + 32, 32), 32);
    ECDSA_SIG_free(both);
    return 64;
}

static inline size_t sign_key(const struct issuer *i, struct bytes text, uint8_t *out)
{
    uint8_t made[1024];
    size_t n = sizeof made;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, i->key), 1);
    assert_int_equal(EVP_DigestSign(ctx, made, &n, text.p, text.n), 1);
    EVP_MD_CTX_free(ctx);
    if (EVP_PKEY_is_a(i->key, "EC")) return raw_of_der(made, n, out);
    memcpy(out, made, n);
    return n;
}

/* A token of these two texts, whatever they are; the next call overwrites it. */
static inline struct bytes issue_token(const struct issuer *i, const char *header,
                                       const char *claims)
{
    static char token[RIG_TOKEN];
    uint8_t signature[1024];
    assert_true((strlen(header) + strlen(claims)) * 4 / 3 + 1500 < sizeof token);
    size_t n = encode_to(token, bytes_str(header));
    token[n++] = '.';
    n += encode_to(token + n, bytes_str(claims));
    struct bytes text = bytes_of(token, n);
    size_t signed_n = i->key ? sign_key(i, text, signature) : sign_hmac(i, text, signature);
    token[n++] = '.';
    n += encode_to(token + n, bytes_of(signature, signed_n));
    return bytes_of(token, n);
}

/* The public half of a key as a PEM text. */
static inline struct bytes pem_of(EVP_PKEY *key, char *out, size_t room)
{
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
    int n = BIO_read(bio, out, (int)room);
    BIO_free(bio);
    assert_true(n > 0);
    return bytes_of(out, (size_t)n);
}
