/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/access/password.h"

#include <argon2.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/assert.h"
#include "base/err.h"
#include "broker/access/hmac.h"

enum { HASH_BYTES = 32 };

/* ---- one kind each: fills h->hash from the cost, the salt and the password ----------------- */

static bool hash_argon2id(struct password_hash *h, struct bytes password)
{
    argon2_context c = {
        .out = h->hash,
        .outlen = h->hash_bytes,
        .pwd = (uint8_t *)(uintptr_t)password.p, /* not written: no flag asks to clear it */
        .pwdlen = (uint32_t)password.n,
        .salt = h->salt,
        .saltlen = h->cost.salt_bytes,
        .t_cost = h->cost.rounds,
        .m_cost = h->cost.memory_kib,
        .lanes = h->cost.lanes,
        .threads = 1, /* lanes one after the other: a helper starts no threads */
        .version = ARGON2_VERSION_13,
        .flags = ARGON2_DEFAULT_FLAGS,
    };
    return argon2_ctx(&c, Argon2_id) == ARGON2_OK;
}

static bool pbkdf2(const struct password_hash *h, const EVP_MD *md, struct bytes password,
                   struct writer *out)
{
    return PKCS5_PBKDF2_HMAC((const char *)password.p, (int)password.n, h->salt,
                             (int)h->cost.salt_bytes, (int)h->cost.rounds, md,
                             (int)(out->end - out->p), out->p) == 1;
}

static bool hash_pbkdf2(struct password_hash *h, struct bytes password)
{
    struct writer out = wr_of(h->hash, h->hash_bytes);

    return pbkdf2(h, EVP_sha512(), password, &out);
}

static bool hash_sha512(struct password_hash *h, struct bytes password)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();

    bool ok = c && EVP_DigestInit_ex(c, EVP_sha512(), NULL) == 1 &&
              EVP_DigestUpdate(c, password.p, password.n) == 1 &&
              EVP_DigestUpdate(c, h->salt, h->cost.salt_bytes) == 1 &&
              EVP_DigestFinal_ex(c, h->hash, NULL) == 1;
    EVP_MD_CTX_free(c);
    return ok;
}

/* StoredKey and ServerKey [RFC5802-3]. */
static bool hash_scram(struct password_hash *h, struct bytes password)
{
    uint8_t salted[SCRAM_KEY], client_key[SCRAM_KEY];
    const struct bytes client = BYTES("Client Key"), server = BYTES("Server Key");
    struct bytes key = bytes_of(salted, sizeof salted);
    struct writer out = wr_of(salted, sizeof salted);

    bool ok = pbkdf2(h, EVP_sha256(), password, &out) && hmac_sha256(key, &client, 1, client_key) &&
              hmac_sha256(key, &server, 1, h->server_key) &&
              EVP_Digest(client_key, sizeof client_key, h->hash, NULL, EVP_sha256(), NULL) == 1;
    OPENSSL_cleanse(salted, sizeof salted);
    OPENSSL_cleanse(client_key, sizeof client_key);
    return ok;
}

static bool hash(struct password_hash *h, struct bytes password)
{
    static bool (*const kinds[PASSWORD_KINDS])(struct password_hash *, struct bytes) = {
        [PASSWORD_ARGON2ID] = hash_argon2id,
        [PASSWORD_PBKDF2_SHA512] = hash_pbkdf2,
        [PASSWORD_SHA512] = hash_sha512,
        [PASSWORD_SCRAM_SHA256] = hash_scram,
    };
    if (password.n == 0) password = BYTES(""); /* libraries want a pointer */
    return kinds[h->cost.kind](h, password);
}

static uint32_t bytes_of_kind(enum password_kind k)
{
    return k == PASSWORD_PBKDF2_SHA512 || k == PASSWORD_SHA512 ? 64 : HASH_BYTES;
}

/* HMAC fills its key up with zeros [RFC2104-2], so that PBKDF2 can't tell "p" from "p\0": of
 * these, only the one without is a password. */
static bool is_ambiguous(enum password_kind k, struct bytes password)
{
    bool pbkdf2_kind = k == PASSWORD_PBKDF2_SHA512 || k == PASSWORD_SCRAM_SHA256;

    return pbkdf2_kind && password.n > 0 && password.p[password.n - 1] == 0;
}

/* ---- verifying ------------------------------------------------------------------------------ */

static bool matches(const struct password_hash *kept, struct bytes password, int *err)
{
    struct password_hash h = *kept;

    memset(h.hash, 0, sizeof h.hash);
    bool ok = hash(&h, password);
    *err = ok ? 0 : -ERR_NOMEM;
    bool same = CRYPTO_memcmp(h.hash, kept->hash, kept->hash_bytes) == 0;
    OPENSSL_cleanse(&h, sizeof h);
    return ok && same && !is_ambiguous(kept->cost.kind, password);
}

/* What is kept of the user's password; of nobody's: something that costs as much. True: it is
 * somebody's. */
static bool kept_of(const struct password_file *f, const struct password_entry *e,
                    struct password_hash *kept)
{
    if (!e) {
        *kept = (struct password_hash){.cost = *password_file_usual(f)};
        kept->hash_bytes = bytes_of_kind(kept->cost.kind);
        return false;
    }
    const char *why = password_hash_read(kept, e->hash.n ? e->hash : e->scram);
    ASSERT(!why); /* the file would not have been taken */
    return true;
}

bool password_verify(const struct password_file *f, const struct password_entry *e,
                     struct bytes password, int *err)
{
    struct password_hash kept;
    int failed = -ERR_NOMEM;
    bool known = kept_of(f, e, &kept);
    /* Bounded by what protocols can carry; the libraries count with 32 bits. */
    bool same = password.n <= INT32_MAX && matches(&kept, password, &failed);

    OPENSSL_cleanse(&kept, sizeof kept);
    if (err) *err = failed;
    return same && known;
}

/* ---- making ---------------------------------------------------------------------------------- */

int password_make(struct password_hash *h, const struct password_cost *cost, struct bytes password)
{
    if (cost->kind != PASSWORD_ARGON2ID && cost->kind != PASSWORD_SCRAM_SHA256) return -ERR_INVALID;
    if (cost->salt_bytes > PASSWORD_SALT_MAX || password.n > INT32_MAX) return -ERR_INVALID;
    if (is_ambiguous(cost->kind, password)) return -ERR_INVALID;
    *h = (struct password_hash){.cost = *cost, .hash_bytes = bytes_of_kind(cost->kind)};
    if (RAND_bytes(h->salt, (int)cost->salt_bytes) != 1) return -ERR_OS;
    return hash(h, password) ? 0 : -ERR_NOMEM;
}
