/* SPDX-License-Identifier: BSD-3-Clause */
/* options_rules.h -- what `pinion check` says about access rules. */
#pragma once

#include <stdio.h>

#include "app/options/options.h"

/* The rules as they were understood. `a` is what options_acl() has made. */
void rules_print(const struct options *o, const struct acl *a, FILE *out);

/* What would happen to this client? */
struct rules_question {
    struct acl_subject who;
    enum acl_action action;
    const char *topic; /* or a filter, to read */
};

/* Prints the answer and the rule that gave it. 1 allowed, 0 denied, or -ERR_NOMEM. */
int rules_try(const struct options *o, const struct acl *a, const struct rules_question *q,
              FILE *out);
