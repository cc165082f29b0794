/* SPDX-License-Identifier: BSD-3-Clause */
/* acl.h -- access rules: who may read or write which topics.
 *
 * Rules stand in an order, and the first that applies to the client and matches the topic
 * decides. When no rule does, the answer is "no", unless the configuration says otherwise.
 * Who brings rules of his own (in a token, or from a login hook) gets what they allow and
 * nothing else, and a configured rule that denies still takes away from it.
 *
 * A struct acl is all configured rules, copied into one block and never changed: all cores
 * share it. What of it concerns one client, with his names filled in, is his grant (grant.h).
 *
 * Owner: whoever made it (the access snapshot); read on every core. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum acl_action { ACL_READ = 1, ACL_WRITE = 2, ACL_ALL = ACL_READ | ACL_WRITE };

enum {
    ACL_RULES_MAX = 10000,
    ACL_LIST_MAX = 256,    /* addresses, or topics, of one rule */
    ACL_PATTERN_MAX = 256, /* bytes of a user, client id or listener */
    ACL_TOPIC_MAX = 1024,  /* bytes of a topic filter */
    ACL_ERROR = 256,
    ACL_NET_TEXT = 64,
};

/* Addresses that agree in their first bits. IPv4 is ::ffff:a.b.c.d, with 96 bits more; all
 * zeros with 128 bits stand for a client without an address (a Unix socket). */
struct acl_net {
    uint8_t ip[16];
    uint8_t bits;
};

/* A rule as it is written; borrows all it points to. What is empty does not narrow it.
 * `user` is a name, a pattern in which '*' stands for any text, "$anonymous" or
 * "$authenticated"; `client` and `listener` are texts or such patterns. In a topic filter a
 * level "%u" is the user's name and "%c" the client's id. */
struct acl_rule {
    bool allow;
    uint8_t actions; /* ACL_READ, ACL_WRITE or both */
    uint32_t place;  /* where it is written, for people: a line, or a number from 1 */
    struct bytes user, client, listener;
    const struct acl_net *nets;
    uint32_t nnets;
    const struct bytes *topics; /* none: every topic; of one that denies, '$' topics too */
    uint32_t ntopics;
};

/* Who asks; borrowed. */
struct acl_subject {
    struct bytes user; /* as it was proven; empty: anonymous */
    struct bytes client_id;
    uint8_t ip[16];             /* as in struct peer */
    struct bytes listener;      /* its address, "127.0.0.1:1883" */
    struct bytes listener_name; /* empty: it has none */
    const struct acl_rule *own; /* checked rules, with has_own */
    unsigned nown;
    bool has_own;   /* a token or hook brought rules, be there any or not */
    bool superuser; /* may do everything */
};

struct acl_options {
    bool allow_rest; /* what no rule matches is allowed ('$' topics still need a rule) */
    bool strict;     /* a filter is refused unless all that it matches may be read */
};

struct acl;

/* Is the rule well-formed? 0, or -ERR_INVALID with a sentence in error[ACL_ERROR]. */
int acl_rule_check(const struct acl_rule *r, char *error);

/* Reads "10.0.0.0/8", "::1", "fd00::/8" or "unix". -ERR_INVALID. */
int acl_net_parse(struct acl_net *net, struct bytes text);

/* Writes it back into out[ACL_NET_TEXT]; returns out. */
const char *acl_net_text(const struct acl_net *net, char *out);

/* Copies `n` checked rules. NULL: no memory. */
struct acl *acl_new(const struct acl_rule *rules, unsigned n, const struct acl_options *o);
void acl_free(struct acl **a);

const struct acl_rule *acl_rules(const struct acl *a, unsigned *n);
const struct acl_options *acl_options(const struct acl *a);

/* Do the rule's selectors (all but action and topics) fit this client? */
bool acl_applies(const struct acl_rule *r, const struct acl_subject *who);

/* Topics that the broker alone writes: no rule opens them to a client. */
static inline bool acl_reserved(struct bytes topic)
{
    return topic.n > 0 && topic.p[0] == '$' &&
           (bytes_starts(topic, BYTES("$SYS/")) || bytes_eq(topic, BYTES("$SYS")));
}
