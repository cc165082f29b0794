/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/suggest.h"

#include <limits.h>
#include <string.h>

#include "base/assert.h"

static unsigned min(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Changes that turn `a` into `b`: three rows of the usual table suffice. */
static unsigned distance(const char *a, const char *b)
{
    unsigned rows[3][SUGGEST_WORD_MAX + 1];
    size_t na = strlen(a), nb = strlen(b);

    ASSERT(na <= SUGGEST_WORD_MAX && nb <= SUGGEST_WORD_MAX);
    for (unsigned j = 0; j <= nb; j++)
        rows[0][j] = j;
    for (unsigned i = 1; i <= na; i++) {
        unsigned *now = rows[i % 3];
        const unsigned *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];
        now[0] = i;
        for (unsigned j = 1; j <= nb; j++) {
            unsigned change = up[j - 1] + (a[i - 1] != b[j - 1]);
            now[j] = min(change, min(up[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = min(now[j], up2[j - 2] + 1);
        }
    }
    return rows[na % 3][nb];
}

struct suggest suggest_start(const char *word)
{
    return (struct suggest){.word = word, .distance = UINT_MAX};
}

void suggest_offer(struct suggest *s, const char *candidate)
{
    if (!candidate || strlen(candidate) > SUGGEST_WORD_MAX || strlen(s->word) > SUGGEST_WORD_MAX)
        return;
    unsigned d = distance(s->word, candidate);
    if (d >= s->distance) return;
    s->distance = d;
    s->best = candidate;
}

const char *suggest_best(const struct suggest *s)
{
    size_t n = strlen(s->word);
    return s->best && s->distance <= (n < 3 ? 1 : (n + 1) / 3) ? s->best : NULL;
}
