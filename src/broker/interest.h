/* SPDX-License-Identifier: BSD-3-Clause */
/* interest.h -- which cores have subscribers for a filter, as its owner knows it. Owner's. */
#pragma once

#include "broker/internal.h"

enum { INTEREST_FEW = 4 };

struct interest {
    struct filter_entry entry; /* in broker->interest */
    uint16_t ncores;
    uint16_t few[INTEREST_FEW]; /* the cores, while they are few */
    struct cores *many;         /* all of them, once they are not; NULL before */
    struct share *share;        /* of a share group; then the cores are in there */
    char name[];
};

/* Adds the interest's cores to a set. */
void interest_add_cores(const struct interest *i, struct cores *out);
