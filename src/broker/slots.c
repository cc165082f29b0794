/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/slots.h"

#include <stdlib.h>

#include "base/assert.h"

enum { SLOTS_FIRST = 64 };

static void give(struct slots *s, uint32_t number)
{
    s->at[number] = 1; /* no next */
    if (s->last)
        s->at[s->last] = (uintptr_t)number << 1 | 1;
    else
        s->first = number;
    s->last = number;
}

static bool grow(struct slots *s, uint32_t max)
{
    uint32_t cap = s->cap ? s->cap * 2 : SLOTS_FIRST;
    uintptr_t *at = cap <= max ? realloc(s->at, cap * sizeof *at) : NULL;
    if (!at) return false;
    if (!s->cap) at[0] = 1;
    s->at = at;
    for (uint32_t i = s->cap ? s->cap : 1; i < cap; i++)
        give(s, i);
    s->cap = cap;
    return true;
}

uint32_t slots_add(struct slots *s, void *item, uint32_t max)
{
    ASSERT(item && ((uintptr_t)item & 1) == 0);
    if (!s->first && !grow(s, max)) return 0;
    uint32_t number = s->first;
    s->first = (uint32_t)(s->at[number] >> 1);
    if (!s->first) s->last = 0;
    s->at[number] = (uintptr_t)item;
    return number;
}

void slots_del(struct slots *s, uint32_t number)
{
    ASSERT(slots_find(s, number));
    give(s, number);
}

void slots_fini(struct slots *s)
{
    free(s->at);
    *s = (struct slots){0};
}
