/* SPDX-License-Identifier: BSD-3-Clause */
/* rewrite_put.c -- what is live goes to the new logs: sessions first, since what belongs to them
 * must come behind; then bodies as they are met, each with the entries that refer to it. */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/hash.h"
#include "broker/journal/rewrite_internal.h"
#include "broker/name.h"

/* ---- one record ------------------------------------------------------------------------- */

enum { TRIES = 64 };

/* It is behind with writing or with segments, or it is full. */
static int put_slowly(struct store *s, const struct record_buf *b, struct store_ref *ref)
{
    int err = -ERR_AGAIN;
    for (unsigned i = 0; i < TRIES && (err == -ERR_AGAIN || err == -ERR_FULL); i++) {
        store_commit(s); /* begins to make a segment */
        err = store_flush(s);
        if (err == 0) err = store_append(s, &b->put, ref);
    }
    return err;
}

int rewrite_put(struct rewriting *w, unsigned core, const struct record_buf *b,
                struct store_ref *ref)
{
    struct store *s = w->new[core].store;
    int err = store_append(s, &b->put, ref);
    if (err == -ERR_AGAIN || err == -ERR_FULL) err = put_slowly(s, b, ref);
    if (err == -ERR_TOO_LARGE)
        snprintf(w->r->why, sizeof w->r->why, "a record is too large for data.segment");
    if (err == -ERR_STORAGE) snprintf(w->r->why, sizeof w->r->why, "%s", store_why(s));
    if (err == -ERR_FULL)
        snprintf(w->r->why, sizeof w->r->why,
                 "no room to write the logs anew: the disk, or data.bytes, is full");
    return err;
}

static unsigned core_of(const struct rewriting *w, uint64_t hash)
{
    unsigned core = w->r->core_of(w->r->ctx, hash);
    ASSERT(core < w->r->cores);
    return core;
}

/* ---- entries and their bodies -------------------------------------------------------------- */

static int put_entry(struct rewriting *w, const struct image_entry *e, struct store_ref body)
{
    struct record_buf b;
    struct record_entry r = {.sid = e->session->new_sid,
                             .seq = e->seq,
                             .body = body,
                             .qos = e->qos,
                             .retain = e->retain,
                             .state = e->state,
                             .flight = e->flight,
                             .message_bytes = e->message_bytes,
                             .nsub_ids = e->nsub_ids};
    if (e->group) r.group = bytes_of(e->group->at, e->group->n);
    memcpy(r.sub_id, image_entry_ids(e), e->nsub_ids * sizeof r.sub_id[0]);
    record_put_entry(&b, &r);
    int err = rewrite_put(w, e->session->home, &b, NULL);
    if (err == 0) w->found->messages++;
    return err;
}

/* By the old place of the body, then by the new core. */
static int by_body(const void *a, const void *b)
{
    const struct image_entry *x = *(struct image_entry *const *)a;
    const struct image_entry *y = *(struct image_entry *const *)b;
    if (x->body_pos != y->body_pos) return x->body_pos < y->body_pos ? -1 : 1;
    if (x->session->home != y->session->home) return x->session->home < y->session->home ? -1 : 1;
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* The first entry whose body is not before `pos`. */
static uint64_t first_at(const struct rewrite_old *old, uint64_t pos)
{
    uint64_t low = 0, high = old->nby_body;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (old->by_body[middle]->body_pos < pos)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int rewrite_body(struct rewriting *w, struct rewrite_old *old, const struct store_record *s)
{
    struct record_message m;
    struct record_buf b;
    struct store_ref ref = {0};
    int err = 0;
    if (s->snapshot) return 0;
    for (uint64_t i = first_at(old, s->ref.pos); i < old->nby_body && err == 0; i++) {
        const struct image_entry *e = old->by_body[i];
        if (e->body_pos != s->ref.pos) break;
        bool first = ref.pos == 0 || e->session->home != old->by_body[i - 1]->session->home;
        if (first) {
            err = record_get_message(s, &m);
            if (err < 0) break;
            m.origin = m.serial = m.low_water = 0; /* delivered: nothing to be taken back */
            record_put_body(&b, &m);
            err = rewrite_put(w, e->session->home, &b, &ref);
        }
        if (err == 0) err = put_entry(w, e, ref);
        if (err == 0) old->nplaced++;
    }
    return err;
}

/* ---- sessions ---------------------------------------------------------------------------------
 */

static int put_session(struct rewriting *w, struct rewrite_old *old, struct image_session *s)
{
    struct record_session r = s->r;
    struct record_buf b;
    int err = rewrite_cohort(w, old, s->r.cohort, &r.cohort);
    if (err < 0) return err;
    uint64_t hash = hash_pair(name_hash(w->r->seed, r.client_id), r.tenant);
    s->home = core_of(w, hash);
    s->new_sid = r.sid = ++w->new[s->home].sid;
    w->new[s->home].has_session = true;
    record_put_session(&b, &r);
    w->found->sessions++;
    return rewrite_put(w, s->home, &b, NULL);
}

static int put_subs(struct rewriting *w, const struct image_session *s)
{
    int err = 0;
    for (const struct image_sub *x = s->subs; x && err == 0; x = x->next) {
        struct record_subscription r = x->r;
        struct record_buf b;
        r.sid = s->new_sid;
        record_put_subscribed(&b, &r);
        err = rewrite_put(w, s->home, &b, NULL);
        w->found->subscriptions++;
    }
    return err;
}

static int put_received(struct rewriting *w, const struct image_session *s)
{
    int err = 0;
    for (const struct image_received *x = s->received; x && err == 0; x = x->next) {
        const struct record_received r = {.sid = s->new_sid,
                                          .packet_id = x->packet_id,
                                          .accepted = x->accepted,
                                          .serial = x->serial};
        struct record_buf b;
        record_put_received(&b, &r);
        err = rewrite_put(w, s->home, &b, NULL);
    }
    return err;
}

/* Only packet ids: nothing is sent any more. */
static int put_confirmed(struct rewriting *w, const struct image_session *s)
{
    int err = 0;
    for (const struct image_entry *e = s->entries; e && err == 0; e = e->next)
        if (e->state == RECORD_CONFIRMED) err = put_entry(w, e, (struct store_ref){0});
    return err;
}

static int put_sessions(struct rewriting *w, struct rewrite_old *old)
{
    int err = 0;
    for (struct image_session *s = old->image.sessions; s && err == 0; s = s->next) {
        err = put_session(w, old, s);
        if (err == 0) err = put_subs(w, s);
        if (err == 0) err = put_received(w, s);
        if (err == 0) err = put_confirmed(w, s);
    }
    return err;
}

/* ---- what is of no session ----------------------------------------------------------------------
 */

static int put_retained(struct rewriting *w, const struct image_retained *x)
{
    struct record_message r;
    struct record_buf b;
    int err = record_get_message(&x->copy->record, &r);
    ASSERT(err == 0); /* it was read before */
    record_put_retained(&b, &r);
    w->found->retained++;
    return rewrite_put(w, core_of(w, name_hash(w->r->seed, r.topic)), &b, NULL);
}

static int list_bodies(struct rewrite_old *old)
{
    old->by_body = malloc((old->image.nentries + 1) * sizeof(struct image_entry *));
    if (!old->by_body) return -ERR_NOMEM;
    for (struct image_session *s = old->image.sessions; s; s = s->next)
        for (struct image_entry *e = s->entries; e; e = e->next)
            if (e->state != RECORD_CONFIRMED) old->by_body[old->nby_body++] = e;
    qsort(old->by_body, old->nby_body, sizeof(struct image_entry *), by_body);
    return 0;
}

int rewrite_place(struct rewriting *w, struct rewrite_old *old)
{
    for (unsigned i = 0; i < w->r->cores; i++)
        w->new[i].has_session = false;
    int err = put_sessions(w, old);
    if (err == 0) err = list_bodies(old);
    for (const struct image_retained *x = old->image.retained; x && err == 0; x = x->next)
        err = put_retained(w, x);
    return err == 0 ? rewrite_known(w, old) : err;
}
