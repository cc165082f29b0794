/* SPDX-License-Identifier: BSD-3-Clause */
/* slots.h -- numbers for things that come and go, and the way back from number to thing.
 *
 * A free slot holds the number of the next free one, marked by an odd value, so the free
 * slots are a queue without memory of its own: taking and giving back cost the same however
 * many there are, and a number is used again as late as possible. Owner: whoever embeds it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slots {
    uintptr_t *at; /* NULL while empty; slot 0 is never used */
    uint32_t cap;
    uint32_t first, last; /* free slots; 0: none */
};

/* A number for `item` (a pointer to something aligned), below `max`, a power of two; 0 when there
 * is none left or memory ran out. */
uint32_t slots_add(struct slots *s, void *item, uint32_t max);

void slots_del(struct slots *s, uint32_t number);
void slots_fini(struct slots *s); /* items are the caller's */

/* The item, or NULL. */
static inline void *slots_find(const struct slots *s, uint32_t number)
{
    if (number >= s->cap || s->at[number] & 1) return NULL;
    return (void *)s->at[number];
}
