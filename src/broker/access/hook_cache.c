/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/access/hook_cache.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/table.h"

enum {
    SECRET_BYTES = 32,
    DENIED_SHARE = 4,        /* a fourth of the room is for answers that are not "allow" */
    ANSWER_BYTES_AVG = 1024, /* room for so many of these */
};

struct entry {
    struct hook_key key;
    struct hook_answer answer;
    uint64_t until_ns;
    size_t bytes;
    struct entry *newer, *older;
};

/* Answers of one kind, by when they were last used. */
struct kept {
    struct entry *newest, *oldest;
    unsigned n, max;
    size_t bytes, bytes_max;
    uint64_t life_ns;
};

struct hook_cache {
    EVP_MAC_CTX *mac; /* with its key; copied for each use */
    struct table table;
    struct kept allowed, others;
};

/* ---- keys -------------------------------------------------------------------------------------
 */

static EVP_MAC_CTX *mac_new(void)
{
    uint8_t secret[SECRET_BYTES];
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = hmac ? EVP_MAC_CTX_new(hmac) : NULL;

    if (ctx && (RAND_priv_bytes(secret, sizeof secret) != 1 ||
                EVP_MAC_init(ctx, secret, sizeof secret, params) != 1)) {
        EVP_MAC_CTX_free(ctx);
        ctx = NULL;
    }
    OPENSSL_cleanse(secret, sizeof secret);
    EVP_MAC_free(hmac);
    return ctx;
}

/* With its length, so that no two texts run into each other; none is not the same as empty. */
static bool add_text(EVP_MAC_CTX *ctx, struct bytes text)
{
    uint64_t head = text.p ? text.n + 1 : 0;

    if (EVP_MAC_update(ctx, (const uint8_t *)&head, sizeof head) != 1) return false;
    return text.n == 0 || EVP_MAC_update(ctx, text.p, text.n) == 1;
}

bool hook_cache_key(const struct hook_cache *c, const struct hook_text *text, struct hook_key *k)
{
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_dup(c->mac);
    uint8_t action = (uint8_t)text->action;
    size_t n = 0;

    bool made = ctx && EVP_MAC_update(ctx, &action, 1) == 1 && add_text(ctx, text->user) &&
                add_text(ctx, text->password) && add_text(ctx, text->client_id) &&
                add_text(ctx, text->address) && add_text(ctx, text->listener) &&
                add_text(ctx, text->certificate) && add_text(ctx, text->topic) &&
                EVP_MAC_final(ctx, k->mac, &n, sizeof k->mac) == 1 && n == sizeof k->mac;
    EVP_MAC_CTX_free(ctx);
    return made;
}

static uint64_t hash_of(const struct hook_key *k)
{
    uint64_t hash;

    memcpy(&hash, k->mac, sizeof hash);
    return hash;
}

/* ---- entries ------------------------------------------------------------------------------------
 */

static struct kept *kept_of(struct hook_cache *c, const struct entry *e)
{
    return e->answer.verdict == HOOK_ALLOW ? &c->allowed : &c->others;
}

static void unlink_entry(struct kept *l, struct entry *e)
{
    *(e->newer ? &e->newer->older : &l->newest) = e->older;
    *(e->older ? &e->older->newer : &l->oldest) = e->newer;
}

static void link_newest(struct kept *l, struct entry *e)
{
    e->newer = NULL;
    e->older = l->newest;
    *(l->newest ? &l->newest->newer : &l->oldest) = e;
    l->newest = e;
}

static void forget(struct hook_cache *c, struct entry *e)
{
    struct kept *l = kept_of(c, e);

    unlink_entry(l, e);
    l->n--;
    l->bytes -= e->bytes;
    table_del(&c->table, hash_of(&e->key), e);
    hook_answer_free(&e->answer);
    free(e);
}

static struct entry *seek(const struct hook_cache *c, const struct hook_key *k)
{
    struct table_iter it = table_seek(&c->table, hash_of(k));

    for (struct entry *e; (e = table_next(&c->table, &it)) != NULL;)
        if (CRYPTO_memcmp(e->key.mac, k->mac, sizeof k->mac) == 0) return e;
    return NULL;
}

static size_t answer_bytes(const struct hook_answer *a)
{
    size_t n = sizeof(struct entry) + a->user.n + a->rules.n * sizeof *a->rules.rule;

    for (unsigned i = 0; i < a->rules.n; i++)
        for (uint32_t t = 0; t < a->rules.rule[i].ntopics; t++)
            n += a->rules.rule[i].topics[t].n + sizeof(struct bytes);
    return n;
}

/* How long an answer is good for, in nanoseconds; 0: not at all. */
static uint64_t life_of(const struct kept *l, const struct hook_answer *a, const struct clock *now)
{
    int64_t now_s = (int64_t)(now->wall_ms / 1000);

    if (a->origin != HOOK_ANSWERED || a->expires_s <= now_s) return 0;
    uint64_t left_s = (uint64_t)(a->expires_s - now_s);
    return left_s < l->life_ns / NS_PER_S ? left_s * NS_PER_S : l->life_ns;
}

/* ---- the cache ----------------------------------------------------------------------------------
 */

static struct kept kept_for(uint32_t entries, uint32_t life_s)
{
    return (struct kept){
        .max = entries ? entries : 1,
        .bytes_max = (size_t)(entries ? entries : 1) * ANSWER_BYTES_AVG,
        .life_ns = life_s * NS_PER_S,
    };
}

struct hook_cache *hook_cache_new(const struct hook_options *o)
{
    struct hook_cache *c = calloc(1, sizeof *c);

    if (!c) return NULL;
    uint32_t denied = o->cache_entries / DENIED_SHARE;
    c->allowed = kept_for(o->cache_entries - denied, o->cache_s);
    c->others = kept_for(denied, o->cache_denied_s);
    c->mac = mac_new();
    if (!c->mac) hook_cache_free(&c);
    return c;
}

void hook_cache_clear(struct hook_cache *c)
{
    while (c->allowed.oldest)
        forget(c, c->allowed.oldest);
    while (c->others.oldest)
        forget(c, c->others.oldest);
}

void hook_cache_free(struct hook_cache **cp)
{
    struct hook_cache *c = *cp;

    if (!c) return;
    hook_cache_clear(c);
    table_fini(&c->table);
    EVP_MAC_CTX_free(c->mac);
    free(c);
    *cp = NULL;
}

const struct hook_answer *hook_cache_find(struct hook_cache *c, const struct hook_key *k,
                                          const struct clock *now)
{
    struct entry *e = seek(c, k);

    if (!e) return NULL;
    if (now->now_ns >= e->until_ns || e->answer.expires_s <= (int64_t)(now->wall_ms / 1000)) {
        forget(c, e);
        return NULL;
    }
    unlink_entry(kept_of(c, e), e);
    link_newest(kept_of(c, e), e);
    return &e->answer;
}

const struct hook_answer *hook_cache_put(struct hook_cache *c, const struct hook_key *k,
                                         struct hook_answer *a, const struct clock *now)
{
    struct kept *l = a->verdict == HOOK_ALLOW ? &c->allowed : &c->others;
    uint64_t life_ns = life_of(l, a, now);
    size_t bytes = answer_bytes(a);

    struct entry *old = seek(c, k);
    if (old) forget(c, old);
    if (life_ns == 0 || bytes > l->bytes_max) return a;
    while (l->n == l->max || l->bytes + bytes > l->bytes_max)
        forget(c, l->oldest);
    struct entry *e = malloc(sizeof *e);
    if (!e) return a;
    *e = (struct entry){.key = *k, .answer = *a, .until_ns = now->now_ns + life_ns, .bytes = bytes};
    if (table_add(&c->table, hash_of(k), e) < 0) {
        free(e);
        return a;
    }
    link_newest(l, e);
    l->n++;
    l->bytes += bytes;
    a->user = bytes_of(NULL, 0); /* what it owned is the cache's now */
    a->rules = (struct rules_given){.given = false};
    return &e->answer;
}

unsigned hook_cache_used(const struct hook_cache *c)
{
    return c->allowed.n + c->others.n;
}
