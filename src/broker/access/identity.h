/* SPDX-License-Identifier: BSD-3-Clause */
/* identity.h -- who a client turned out to be, and where it came from.
 *
 * Made by a login, then the session's. It is all that is needed to work out again what the client
 * may do, when the rules change. malloc'd; lives on the session's home. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

struct access_door;
struct acl;

enum identity_source {
    IDENTITY_ANYBODY,
    IDENTITY_CERTIFICATE,
    IDENTITY_TOKEN,
    IDENTITY_PASSWORD, /* or an exchange about one */
    IDENTITY_HOOK,
};

struct identity {
    const struct access_door *door; /* NULL: none, as in tests */
    uint8_t ip[16];
    int64_t expires_s; /* since 1970, when what proved it ends; INT64_MAX: never */
    struct acl *own;   /* rules that came with a token, or the hook's answer; NULL: none came */
    uint8_t source;    /* enum identity_source */
    uint16_t user_len;
    char user[];
};

/* NULL: no memory, or no user's name is so long. */
struct identity *identity_new(const struct access_door *door, const uint8_t ip[16],
                              struct bytes user);
void identity_free(struct identity **i);

/* Empty for who is anonymous (NULL). */
static inline struct bytes identity_user(const struct identity *i)
{
    return i ? bytes_of(i->user, i->user_len) : bytes_of("", 0);
}
