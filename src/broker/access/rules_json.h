/* SPDX-License-Identifier: BSD-3-Clause */
/* rules_json.h -- rules that came with an identity, in a token's claim or a hook's answer.
 *
 * Two forms. What the client may do, and nothing else:
 *
 *     {"pub": ["up/%u/#"], "sub": ["down/%u/#"], "all": ["chat/+"]}
 *
 * or rules in order, in the words of the configuration's own:
 *
 *     [{"deny": "write", "topics": ["up/secret"]}, {"allow": "all", "topics": ["up/#"]}]
 *
 * Whoever sends something else, a filter that is none or a word too many, gets no rules at
 * all: the caller then refuses the login, since half of what was meant may allow too much.
 *
 * Owner: the identity; one block of memory. Any thread. */
#pragma once

#include <jansson.h>

#include "broker/access/acl.h"

enum { RULES_GIVEN_MAX = 256, RULES_TOPICS_MAX = 1024 };

/* Zero: no rules were given. `given` with none of them: they allow nothing. */
struct rules_given {
    bool given;
    unsigned n;
    struct acl_rule *rule; /* checked; owned, with all their topics */
};

/* 0; -ERR_INVALID if it is neither form; -ERR_FULL; -ERR_NOMEM. `r` is empty after an error. */
int rules_json_read(struct rules_given *r, const json_t *from);
void rules_given_free(struct rules_given *r);
