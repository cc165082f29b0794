/* SPDX-License-Identifier: BSD-3-Clause */
/* hook_cache.h -- answers of the hook, used again for a while.
 *
 * An answer is found by an HMAC of everything that was asked, under a key that is made with the
 * cache: neither a password nor anything that could be tried against a list of passwords is
 * kept. Allowed and other answers have a lifetime and a room of their own, so that a flood of
 * wrong passwords does not push out those who may come in. Failures are not kept.
 *
 * Owner: a core; one each, no locks. */
#pragma once

#include "base/clock.h"
#include "broker/access/hook.h"

struct hook_cache;

/* What an answer is found by. */
struct hook_key {
    uint8_t mac[32];
};

/* NULL: out of memory, or no random key. */
struct hook_cache *hook_cache_new(const struct hook_options *o);
void hook_cache_free(struct hook_cache **c);

/* False if it can't be made: then nothing is looked up or kept. */
bool hook_cache_key(const struct hook_cache *c, const struct hook_text *text, struct hook_key *k);

/* The answer, if there is one that is still good; valid until the next call. */
const struct hook_answer *hook_cache_find(struct hook_cache *c, const struct hook_key *k,
                                          const struct clock *now);

/* Keeps `a` if it is worth it: what it owns is the cache's then. Returns where the answer is now,
 * in the cache (valid until the next call) or in `a`; `a` is freed by its owner as before. */
const struct hook_answer *hook_cache_put(struct hook_cache *c, const struct hook_key *k,
                                         struct hook_answer *a, const struct clock *now);

/* All of them are forgotten: what they rest on has changed. */
void hook_cache_clear(struct hook_cache *c);

/* How many are kept. */
unsigned hook_cache_used(const struct hook_cache *c);
