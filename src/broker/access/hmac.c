/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/access/hmac.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>

static bool run(EVP_MAC_CTX *c, struct bytes key, const struct bytes *pieces, unsigned npieces)
{
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    bool ok = EVP_MAC_init(c, key.p, key.n, params) == 1;

    for (unsigned i = 0; ok && i < npieces; i++)
        ok = EVP_MAC_update(c, pieces[i].p, pieces[i].n) == 1;
    return ok;
}

bool hmac_sha256(struct bytes key, const struct bytes *pieces, unsigned npieces,
                 uint8_t out[HMAC_SHA256])
{
    size_t n = 0;
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *c = mac ? EVP_MAC_CTX_new(mac) : NULL;

    bool ok = c && run(c, key, pieces, npieces) && EVP_MAC_final(c, out, &n, HMAC_SHA256) == 1;
    EVP_MAC_CTX_free(c);
    EVP_MAC_free(mac);
    return ok && n == HMAC_SHA256;
}
