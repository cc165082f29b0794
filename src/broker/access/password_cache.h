/* SPDX-License-Identifier: BSD-3-Clause */
/* password_cache.h -- passwords that were right a moment ago, so that a storm of clients that come
 * back is not hashed again.
 *
 * Kept is not a password but a HMAC of it, of its user and of the hash it was measured by, under a
 * random key that never leaves the process. As the hash is part of it, nothing outlives a change: a
 * new password, a deleted user, or an answer that arrives after a reload, find nothing.
 * Only what was right is kept: guessing stays as slow as it should be.
 *
 * Owner: a core, one each; no locks. A table of fixed size in sets of four; in a full set the
 * oldest makes room. */
#pragma once

#include <stdint.h>

#include "broker/access/hmac.h"
#include "broker/access/password_file.h"

struct password_cache_slot {
    uint8_t mac[HMAC_SHA256];
    uint32_t until_s; /* 0: free */
};

struct password_cache {
    struct password_cache_slot *slot; /* NULL: keeps nothing */
    uint32_t sets;                    /* a power of two */
    uint32_t keep_s;
    uint8_t key[HMAC_SHA256];
};

/* Room for at least `users`, each for `keep_s` seconds; if either is 0 nothing is ever kept. 0, or
 * -ERR_X: it is then one that keeps nothing. */
int password_cache_init(struct password_cache *c, uint32_t users, uint32_t keep_s);
void password_cache_fini(struct password_cache *c);

/* Was this the password of `e` a moment ago? `now_s` is the core's clock_s(). */
bool password_cache_knows(const struct password_cache *c, const struct password_entry *e,
                          struct bytes password, uint32_t now_s);

/* It was just found right, by password_verify() with this entry. */
void password_cache_keep(struct password_cache *c, const struct password_entry *e,
                         struct bytes password, uint32_t now_s);

/* Forgets everything. */
void password_cache_clear(struct password_cache *c);
