/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/outbox.h"

#include <stdlib.h>

#include "base/assert.h"

enum {
    CHUNK_ENTRIES = 170, /* with the link, just under a page */
    STOCK_MAX = 64,      /* empty chunks kept; a quarter of a megabyte per core */
};

struct chunk {
    struct chunk *next;
    struct waiting entry[CHUNK_ENTRIES];
};

static_assert(sizeof(struct chunk) <= 4096, "a chunk fits a page");

static struct chunk *chunk_get(struct chunks *stock)
{
    struct chunk *c = stock->free;
    if (!c) return malloc(sizeof *c);
    stock->free = c->next;
    stock->n--;
    return c;
}

static void chunk_put(struct chunks *stock, struct chunk *c)
{
    if (stock->n == STOCK_MAX) {
        free(c);
        return;
    }
    c->next = stock->free;
    stock->free = c;
    stock->n++;
}

static bool grow(struct outbox *o, struct chunks *stock)
{
    struct chunk *c = chunk_get(stock);
    if (!c) return false;
    c->next = NULL;
    if (o->last)
        o->last->next = c;
    else
        o->first = c;
    o->last = c;
    o->tail = 0;
    return true;
}

bool outbox_push(struct outbox *o, struct chunks *stock, const struct waiting *w)
{
    bool full = !o->last || o->tail == CHUNK_ENTRIES;
    if (full && !grow(o, stock)) return false;
    o->last->entry[o->tail++] = *w;
    o->n++;
    return true;
}

/* An emptied outbox gives its last chunk back too: of 255 of them, most are empty. */
struct waiting outbox_pop(struct outbox *o, struct chunks *stock)
{
    ASSERT(o->n > 0);
    struct chunk *c = o->first;
    struct waiting w = c->entry[o->head++];
    o->n--;
    if (o->n > 0 && o->head < CHUNK_ENTRIES) return w;

    o->first = c->next;
    if (!o->first) o->last = NULL;
    o->head = 0;
    chunk_put(stock, c);
    return w;
}

void outbox_clear(struct outbox *o, struct chunks *stock)
{
    while (o->first) {
        struct chunk *c = o->first;
        o->first = c->next;
        chunk_put(stock, c);
    }
    *o = (struct outbox){0};
}

void chunks_fini(struct chunks *stock)
{
    while (stock->free) {
        struct chunk *c = stock->free;
        stock->free = c->next;
        free(c);
    }
    stock->n = 0;
}
