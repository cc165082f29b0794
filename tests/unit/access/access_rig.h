/* SPDX-License-Identifier: BSD-3-Clause */
/* access_rig.h -- rules from short texts, for the tests of acl and grant.
 *
 * "+rw a/#" allows, "-r a/b" denies; a rule may begin with "user=..." or "client=...". */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/err.h"
#include "broker/access/grant.h"

enum { RIG_RULES = 16 };

struct rig_rules {
    struct acl_rule rule[RIG_RULES];
    struct bytes topic[RIG_RULES];
    unsigned n;
};

/* One rule; `text` lives on. */
static inline void rig_add(struct rig_rules *all, const char *text)
{
    char error[ACL_ERROR];
    assert_true(all->n < RIG_RULES);
    struct acl_rule *r = &all->rule[all->n];
    *r = (struct acl_rule){.place = all->n + 1};
    while (*text != '+' && *text != '-') {
        bool user = strncmp(text, "user=", 5) == 0;
        text = strchr(text, '=') + 1;
        struct bytes value = bytes_of(text, strcspn(text, " "));
        if (user)
            r->user = value;
        else
            r->client = value;
        text += value.n + 1;
    }
    r->allow = *text++ == '+';
    for (; *text == 'r' || *text == 'w'; text++)
        r->actions |= *text == 'r' ? ACL_READ : ACL_WRITE;
    if (*text == ' ') {
        all->topic[all->n] = bytes_str(text + 1);
        r->topics = &all->topic[all->n];
        r->ntopics = 1;
    }
    if (acl_rule_check(r, error) < 0) fail_msg("%s: %s", text, error);
    all->n++;
}

/* A grant of rules that end with NULL; `own` may be NULL: the client brought none. */
static inline const struct grant *rig_grant(const char *const *rules, const char *const *own,
                                            struct acl_subject who, struct acl_options o)
{
    struct rig_rules configured = {.n = 0}, brought = {.n = 0};
    const struct grant *g;
    for (; rules && *rules; rules++)
        rig_add(&configured, *rules);
    for (who.has_own = own != NULL; own && *own; own++)
        rig_add(&brought, *own);
    who.own = brought.rule;
    who.nown = brought.n;
    struct acl *a = rules ? acl_new(configured.rule, configured.n, &o) : NULL;
    assert_int_equal(grant_new(&g, a, &who), 0);
    acl_free(&a); /* a grant needs it no more */
    return g;
}

#define RULES(...) ((const char *const[]){__VA_ARGS__, NULL})
