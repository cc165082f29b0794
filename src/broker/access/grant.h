/* SPDX-License-Identifier: BSD-3-Clause */
/* grant.h -- what one client may read and write.
 *
 * A grant is made at login from the rules that can apply to the client (acl.h), with his
 * name and client id filled in: what is left to ask is the topic. It is one block, made
 * for one session and never changed; no grant (NULL) allows everything.
 *
 * A value is filled in only as one whole level. If it can't be one (it is empty, holds '/',
 * '+', '#' or NUL, is not UTF-8, or would make the topic begin with '$'), a rule that allows
 * does not apply to this client, and one that denies takes everything from that level on:
 * whatever a client calls itself, it never gets more by that.
 *
 * Owner: the session. Home's. */
#pragma once

#include "broker/access/acl.h"

struct grant;

/* Makes the grant of `who` in *g, NULL if everything is allowed (`a` NULL: nothing is
 * configured). 0, or -ERR_NOMEM: then *g denies everything. */
int grant_new(const struct grant **g, const struct acl *a, const struct acl_subject *who);
void grant_free(const struct grant **g);

/* Denies everything; needs no memory. grant_free may be called. */
const struct grant *grant_nothing(void);

/* Would both always answer alike? */
bool grant_eq(const struct grant *a, const struct grant *b);

struct grant_verdict {
    bool allowed;
    bool own;       /* a rule that the client brought has decided */
    uint32_t place; /* of the rule that has decided; 0: none matched */
};

/* May this topic be read, or written? */
struct grant_verdict grant_judge(const struct grant *g, enum acl_action action, struct bytes topic);

static inline bool grant_may(const struct grant *g, enum acl_action action, struct bytes topic)
{
    return !g || grant_judge(g, action, topic).allowed;
}

/* May this filter (without "$share/group/") be subscribed to? Yes, if a topic that it
 * matches may be read: delivery sorts out the others. In strict mode only if all may be. */
bool grant_may_subscribe(const struct grant *g, struct bytes filter);
