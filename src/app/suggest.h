/* SPDX-License-Identifier: BSD-3-Clause */
/* suggest.h -- "did you mean": the known word that is closest to a mistyped one.
 *
 * Closest means fewest single-letter changes, swaps of neighbours included (optimal string
 * alignment). More than a third of the word is no suggestion. Runs at start-up only. */
#pragma once

#include <stddef.h>

enum { SUGGEST_WORD_MAX = 64 };

struct suggest {
    const char *word;
    const char *best;
    unsigned distance;
};

struct suggest suggest_start(const char *word);

/* Offers a candidate, which must outlive the suggestion. NULL is ignored. */
void suggest_offer(struct suggest *s, const char *candidate);

/* The closest candidate, or NULL if none is close. */
const char *suggest_best(const struct suggest *s);
