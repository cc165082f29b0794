/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/access/identity.h"

#include <stdlib.h>
#include <string.h>

#include "broker/access/acl.h"

struct identity *identity_new(const struct access_door *door, const uint8_t ip[16],
                              struct bytes user)
{
    struct identity *i = user.n <= UINT16_MAX ? malloc(sizeof *i + user.n) : NULL;

    if (!i) return NULL;
    *i = (struct identity){.door = door, .expires_s = INT64_MAX, .user_len = (uint16_t)user.n};
    memcpy(i->ip, ip, sizeof i->ip);
    memcpy(i->user, user.p, user.n);
    return i;
}

void identity_free(struct identity **i)
{
    if (*i) acl_free(&(*i)->own);
    free(*i);
    *i = NULL;
}
