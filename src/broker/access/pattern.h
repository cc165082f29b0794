/* SPDX-License-Identifier: BSD-3-Clause */
/* pattern.h -- topic filters as sets of topics: what do two of them have in common?
 *
 * Level by level the answer is exact, and it is again one such set. There are endlessly many
 * names for a level, so of each length a set has a sample in which every '+' is a name
 * that no filter speaks of: a filter that matches the sample matches all topics of
 * this length in the set. So whether rules leave anything of a set can be told from its samples
 * alone, one per length. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"
#include "broker/name.h"

struct pattern {
    struct bytes level[NAME_LEVELS_MAX]; /* "+" is any; borrowed */
    unsigned n;
    bool deep;  /* and any levels below ("#") */
    bool whole; /* with n 0 and deep: topics that begin with '$' too */
};

/* False if the filter has too many levels. */
bool pattern_init(struct pattern *p, struct bytes filter);

/* *out is what both have in common. False: nothing. */
bool pattern_meet(struct pattern *out, const struct pattern *a, const struct pattern *b);

/* The sample of `p` that has `levels` levels, at least one and at least p->n. */
struct pattern_sample {
    const struct pattern *p;
    unsigned levels;
};

bool pattern_sample_matches(struct bytes filter, const struct pattern_sample *s);
bool pattern_sample_dollar(const struct pattern_sample *s); /* does it begin with '$'? */
