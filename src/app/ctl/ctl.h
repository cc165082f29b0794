/* SPDX-License-Identifier: BSD-3-Clause */
/* ctl.h -- what `pinion ctl` was asked to do, and the table of what it can. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "app/ctl/ctl_http.h"

enum { CTL_OPERANDS_MAX = 2 };

struct ctl {
    struct ctl_where where;
    struct ctl_http http;
    const char *action;
    const char *operand[CTL_OPERANDS_MAX];
    unsigned noperands;
    const char *prefix, *connected; /* NULL: any */
    size_t limit;
    int qos;
    bool json, end_session, retain;
    bool bad; /* it was answered, but with what a script should take for a failure */
};

struct ctl_action {
    const char *name, *operands;
    unsigned least, most;
    bool (*act)(struct ctl *k); /* false: k->http.error tells why */
};

const struct ctl_action *ctl_actions(unsigned *n);
