/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/access/password_cache.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdlib.h>

#include "base/err.h"

enum { WAYS = 4, SETS_MAX = 1 << 20 };

int password_cache_init(struct password_cache *c, uint32_t users, uint32_t keep_s)
{
    uint32_t sets = 1;

    *c = (struct password_cache){.keep_s = keep_s};
    if (users == 0 || keep_s == 0) return 0;
    while (sets < SETS_MAX && (uint64_t)sets * WAYS < users)
        sets *= 2;
    if (RAND_bytes(c->key, sizeof c->key) != 1) return -ERR_OS;
    c->slot = calloc((size_t)sets * WAYS, sizeof *c->slot);
    if (!c->slot) return -ERR_NOMEM;
    c->sets = sets;
    return 0;
}

void password_cache_clear(struct password_cache *c)
{
    if (c->slot) OPENSSL_cleanse(c->slot, (size_t)c->sets * WAYS * sizeof *c->slot);
}

void password_cache_fini(struct password_cache *c)
{
    password_cache_clear(c);
    free(c->slot);
    OPENSSL_cleanse(c, sizeof *c);
}

/* The lengths keep the pieces apart: "ab" and "c" is not "a" and "bc". */
static bool make_mac(const struct password_cache *c, const struct password_entry *e,
                     struct bytes password, uint8_t mac[HMAC_SHA256])
{
    uint8_t lengths[8];
    struct writer w = wr_of(lengths, sizeof lengths);
    struct bytes hash = e->hash.n ? e->hash : e->scram; /* as password_verify() has it */

    wr_u32be(&w, (uint32_t)e->user.n);
    wr_u32be(&w, (uint32_t)hash.n);
    const struct bytes pieces[] = {bytes_of(lengths, sizeof lengths), e->user, hash, password};
    return hmac_sha256(bytes_of(c->key, sizeof c->key), pieces, 4, mac);
}

/* The bits of a HMAC are as good as a hash. */
static struct password_cache_slot *set_of(const struct password_cache *c,
                                          const uint8_t mac[HMAC_SHA256])
{
    struct reader r = rd_of(bytes_of(mac, HMAC_SHA256));

    return &c->slot[(rd_u32be(&r) & (c->sets - 1)) * WAYS];
}

static struct password_cache_slot *find(const struct password_cache *c,
                                        const uint8_t mac[HMAC_SHA256], uint32_t now_s)
{
    struct password_cache_slot *set = set_of(c, mac), *found = NULL;

    for (unsigned i = 0; i < WAYS; i++)
        if (set[i].until_s > now_s && CRYPTO_memcmp(set[i].mac, mac, HMAC_SHA256) == 0)
            found = &set[i];
    return found;
}

/* A slot that is free or has ended is older than any other. */
static struct password_cache_slot *oldest(const struct password_cache *c,
                                          const uint8_t mac[HMAC_SHA256])
{
    struct password_cache_slot *set = set_of(c, mac), *s = set;

    for (unsigned i = 1; i < WAYS; i++)
        if (set[i].until_s < s->until_s) s = &set[i];
    return s;
}

bool password_cache_knows(const struct password_cache *c, const struct password_entry *e,
                          struct bytes password, uint32_t now_s)
{
    uint8_t mac[HMAC_SHA256];

    return c->slot && make_mac(c, e, password, mac) && find(c, mac, now_s) != NULL;
}

void password_cache_keep(struct password_cache *c, const struct password_entry *e,
                         struct bytes password, uint32_t now_s)
{
    uint8_t mac[HMAC_SHA256];

    if (!c->slot || !make_mac(c, e, password, mac)) return;
    struct password_cache_slot *s = find(c, mac, now_s);
    if (!s) s = oldest(c, mac);
    memcpy(s->mac, mac, sizeof s->mac);
    s->until_s = now_s + c->keep_s; /* if that overflows it has ended, which is safe */
}
