/* SPDX-License-Identifier: BSD-3-Clause */
/* image_text.h -- finished images as sorted lines, to compare them. */
#pragma once

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "broker/journal/image.h"

enum { IMAGE_LINES = 8192, IMAGE_LINE = 200 };

struct image_text {
    char line[IMAGE_LINES][IMAGE_LINE];
    unsigned n;
    bool no_places; /* of bodies */
    bool by_client; /* sessions have no numbers, and everything of theirs its client's name */
    bool no_origins;
};

#define IMAGE_SAY(t, ...)                                                                          \
    do {                                                                                           \
        ASSERT((t)->n < IMAGE_LINES);                                                              \
        snprintf((t)->line[(t)->n++], IMAGE_LINE, __VA_ARGS__);                                    \
    } while (0)

static inline int image_line_order(const void *a, const void *b)
{
    return strcmp(a, b);
}

static inline uint64_t image_print_of(struct bytes b)
{
    return hash_bytes(1, b.p ? b : bytes_of("", 0));
}

static inline void image_say_session(struct image_text *t, const struct image_session *s)
{
    const struct record_session *r = &s->r;
    unsigned order = 0;
    char who[40];
    if (t->by_client)
        snprintf(who, sizeof who, "%.*s", (int)r->client_id.n, (const char *)r->client_id.p);
    else
        snprintf(who, sizeof who, "%" PRIu64, r->sid);
    IMAGE_SAY(t,
              "session %s %.*s.%u serial %" PRIu64 " flight %u expiry %u gone %" PRIu64
              " user %d%.*s will %d %016" PRIx64 " n %u %u %u",
              who, (int)r->client_id.n, (const char *)r->client_id.p, r->tenant, r->serial,
              r->flight, r->expiry_s, r->gone_ms, r->named, (int)r->user.n,
              r->user.n ? (const char *)r->user.p : "", r->has_will,
              r->has_will ? image_print_of(r->will.payload) : 0, s->nsubs, s->nentries,
              s->nreceived);
    for (const struct image_sub *x = s->subs; x; x = x->next)
        IMAGE_SAY(t, "sub %s %.*s %u %d %d %u", who, (int)x->r.filter.n,
                  (const char *)x->r.filter.p, x->r.qos, x->r.no_local, x->r.retain_as_published,
                  x->r.sub_id);
    for (const struct image_entry *e = s->entries; e; e = e->next)
        IMAGE_SAY(t,
                  "entry %s #%u seq %" PRIu64 " at %" PRIx64 "+%u %u qos %u %d state %u "
                  "as %u ids %016" PRIx64 " group %.*s",
                  who, order++, e->seq, t->no_places ? 0 : e->body_pos,
                  t->no_places ? 0 : e->body_bytes, e->message_bytes, e->qos, e->retain, e->state,
                  e->state ? e->flight : 0,
                  image_print_of(bytes_of(image_entry_ids(e), e->nsub_ids * sizeof(uint32_t))),
                  e->group ? e->group->n : 0, e->group ? (const char *)e->group->at : "");
    for (const struct image_received *x = s->received; x; x = x->next)
        IMAGE_SAY(t, "received %s %u %" PRIu64 " %d", who, x->packet_id, x->serial, x->accepted);
}

static inline void image_text_add(struct image_text *t, const struct image *im)
{
    for (const struct image_session *s = im->sessions; s; s = s->next)
        image_say_session(t, s);
    for (const struct image_retained *x = im->retained; x; x = x->next)
        IMAGE_SAY(t, "retained %.*s %016" PRIx64, (int)x->copy->record.key.n,
                  (const char *)x->copy->record.key.p, image_print_of(x->copy->record.body));
    for (const struct image_origin *x = im->origins; x && !t->no_origins; x = x->next)
        for (uint32_t i = 0; i < x->n; i++)
            IMAGE_SAY(t, "origin %" PRIx64 " %" PRIu64, x->origin, x->serial[i]);
    qsort(t->line, t->n, IMAGE_LINE, image_line_order);
}

static inline struct image_text *image_text_new(const struct image *im, bool no_places)
{
    struct image_text *t = calloc(1, sizeof *t);
    ASSERT(t);
    t->no_places = no_places;
    image_text_add(t, im);
    return t;
}

/* Prints the first line in which they differ. */
static inline bool image_text_same(const struct image_text *a, const struct image_text *b)
{
    for (unsigned i = 0; i < a->n || i < b->n; i++) {
        const char *x = i < a->n ? a->line[i] : "(none)", *y = i < b->n ? b->line[i] : "(none)";
        if (strcmp(x, y) == 0) continue;
        fprintf(stderr, "one: %s\ntwo: %s\n", x, y);
        return false;
    }
    return true;
}
