/* SPDX-License-Identifier: BSD-3-Clause */
#include "admin/throttle.h"

#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"

static void neighbourhood(const uint8_t ip[16], uint8_t out[16])
{
    static const uint8_t v4[12] = {[10] = 0xFF, [11] = 0xFF};

    memcpy(out, ip, 16);
    if (memcmp(ip, v4, sizeof v4) != 0) memset(out + 8, 0, 8);
}

uint32_t throttle_fail(struct throttle *t, const uint8_t ip[16], uint32_t now_s)
{
    uint8_t who[16];

    neighbourhood(ip, who);
    uint64_t hash = hash_bytes((uintptr_t)t, bytes_of(who, sizeof who));
    unsigned i = (unsigned)(hash % THROTTLE_SLOTS);
    bool same = memcmp(t->slot[i].ip, who, sizeof who) == 0;

    if (!same || now_s - t->slot[i].last_s > THROTTLE_FORGETS_S) t->slot[i].failures = 0;
    memcpy(t->slot[i].ip, who, sizeof who);
    t->slot[i].last_s = now_s;
    uint32_t n = ++t->slot[i].failures;
    if (n <= THROTTLE_FREE) return 0;
    uint32_t wait = n - THROTTLE_FREE < 4 ? 1u << (n - THROTTLE_FREE - 1) : THROTTLE_S_MAX;
    return wait < THROTTLE_S_MAX ? wait : THROTTLE_S_MAX;
}
