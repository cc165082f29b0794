/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/pendings.h"

#include <stdlib.h>

enum { RING_FIRST = 8, RING_REST = 256 };

bool ring_move(struct pendings *r, uint32_t slots, uint32_t head)
{
    struct pending *at = malloc(slots * sizeof *at);
    if (!at) return false;
    uint32_t n = ring_len(r);
    for (uint32_t i = 0; i < n; i++)
        at[(head + i) & (slots - 1)] = *ring_at(r, r->head + i);
    free(r->at);
    *r = (struct pendings){.at = at, .mask = slots - 1, .head = head, .tail = head + n};
    return true;
}

static bool ring_grow(struct pendings *r)
{
    return ring_move(r, r->at ? (r->mask + 1) * 2 : RING_FIRST, r->head);
}

struct pending *ring_push(struct pendings *r)
{
    if ((!r->at || ring_len(r) > r->mask) && !ring_grow(r)) return NULL;
    return ring_at(r, r->tail++);
}

void ring_free(struct pendings *r)
{
    free(r->at);
    *r = (struct pendings){0};
}

void ring_rest(struct pendings *r)
{
    if (r->head != r->tail || r->mask < RING_REST) return;
    free(r->at);
    r->at = NULL;
    r->mask = 0;
}

void pending_drop(struct broker *b, struct pending *p)
{
    if (p->m) message_unref(b->core, p->m);
    free(p->more_ids);
    p->m = NULL;
    p->more_ids = NULL;
}

int pending_set(struct broker *b, struct pending *p, const struct delivery *d, uint32_t group)
{
    *p = (struct pending){.bytes = message_bytes(d->m),
                          .qos = d->qos,
                          .retain = d->retain,
                          .dup = d->dup,
                          .group = group,
                          .nsub_ids = d->nsub_ids};
    if (d->nsub_ids == 1) p->sub_id = d->sub_ids[0];
    if (d->nsub_ids > 1) {
        p->more_ids = malloc(d->nsub_ids * sizeof *p->more_ids);
        if (!p->more_ids) return -ERR_NOMEM;
        memcpy(p->more_ids, d->sub_ids, d->nsub_ids * sizeof *p->more_ids);
    }
    p->m = message_keep(b->core, d->m);
    if (p->m) return 0;
    free(p->more_ids);
    p->more_ids = NULL;
    return -ERR_NOMEM;
}

struct delivery pending_delivery(struct broker *b, const struct pending *p)
{
    return (struct delivery){.m = p->m,
                             .serial = ++b->serial,
                             .qos = p->qos,
                             .retain = p->retain,
                             .dup = p->dup,
                             .nsub_ids = p->nsub_ids,
                             .sub_ids = p->more_ids ? p->more_ids : &p->sub_id};
}
