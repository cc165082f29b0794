/* SPDX-License-Identifier: BSD-3-Clause */
/* image.c -- sessions and their subscriptions, and which record goes where. */
#include <stdlib.h>

#include "broker/journal/image_internal.h"

void image_init(struct image *im, uint64_t seed)
{
    *im = (struct image){
        .seed = seed,
        .entry_slab.item_bytes = sizeof(struct image_entry),
        .received_slab.item_bytes = sizeof(struct image_received),
        .moved_slab.item_bytes = sizeof(struct image_moved),
    };
    im->sessions_end = &im->sessions;
}

struct image_copy *image_copy_of(const struct store_record *s)
{
    struct image_copy *copy = malloc(sizeof *copy + s->key.n + s->body.n);
    if (!copy) return NULL;
    struct writer w = wr_of(copy->bytes, s->key.n + s->body.n);
    wr_bytes(&w, s->key);
    wr_bytes(&w, s->body);
    copy->record = *s;
    copy->record.key = bytes_of(copy->bytes, s->key.n);
    copy->record.body = bytes_of(copy->bytes + s->key.n, s->body.n);
    return copy;
}

/* ---- sessions ------------------------------------------------------------------------ */

struct image_session *image_session_find(const struct image *im, uint64_t sid)
{
    struct table_iter it = table_seek(&im->by_sid, hash_mix(sid));
    for (struct image_session *s; (s = table_next(&im->by_sid, &it)) != NULL;)
        if (s->r.sid == sid) return s;
    return NULL;
}

static uint64_t filter_hash(const struct image *im, uint64_t sid, struct bytes filter)
{
    return hash_pair(hash_bytes(im->seed, filter), sid);
}

static void drop_sub(struct image *im, struct image_session *s, struct image_sub *sub)
{
    IMAGE_UNLINK(sub);
    table_del(&im->by_filter, filter_hash(im, s->r.sid, sub->r.filter), sub);
    s->nsubs--;
    im->nsubs--;
    free(sub);
}

void image_session_drop(struct image *im, struct image_session *s)
{
    while (s->subs)
        drop_sub(im, s, s->subs);
    image_drop_entries(im, s);
    image_drop_received(im, s);
    if (im->sessions_end == &s->next) im->sessions_end = s->link;
    IMAGE_UNLINK(s);
    table_del(&im->by_sid, hash_mix(s->r.sid), s);
    im->nsessions--;
    free(s->copy);
    free(s);
}

static struct image_session *session_new(struct image *im, uint64_t sid)
{
    struct image_session *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->r.sid = sid;
    s->entries_end = &s->entries;
    if (table_add(&im->by_sid, hash_mix(sid), s) < 0) {
        free(s);
        return NULL;
    }
    s->link = im->sessions_end; /* in the order of their coming */
    *s->link = s;
    im->sessions_end = &s->next;
    im->nsessions++;
    return s;
}

/* Serials and places in the window only rise: an older word does not take them back. */
static void keep_highest(struct record_session *now, const struct record_session *was)
{
    if (was->serial > now->serial) now->serial = was->serial;
    if ((int32_t)(was->flight - now->flight) > 0) now->flight = was->flight;
}

static int on_session(struct image *im, const struct store_record *rec)
{
    struct record_session r;
    int err = record_get_session(rec, &r);
    if (err < 0) return err;
    struct image_copy *copy = image_copy_of(rec);
    if (!copy) return -ERR_NOMEM;
    err = record_get_session(&copy->record, &r);
    ASSERT(err == 0);

    struct image_session *s = image_session_find(im, r.sid);
    if (s)
        keep_highest(&r, &s->r);
    else
        s = session_new(im, r.sid);
    if (!s) {
        free(copy);
        return -ERR_NOMEM;
    }
    if (r.sid > im->sid) im->sid = r.sid;
    free(s->copy);
    s->copy = copy;
    s->r = r;
    return 0;
}

static int on_session_end(struct image *im, const struct store_record *rec)
{
    struct record_session r;
    int err = record_get_session(rec, &r);
    if (err < 0) return err;
    if (r.sid > im->sid) im->sid = r.sid;
    struct image_session *s = image_session_find(im, r.sid);
    if (s) image_session_drop(im, s);
    return 0;
}

/* ---- subscriptions ------------------------------------------------------------------- */

static struct image_sub *sub_find(const struct image *im, const struct image_session *s,
                                  uint64_t hash, struct bytes filter)
{
    struct table_iter it = table_seek(&im->by_filter, hash);
    for (struct image_sub *sub; (sub = table_next(&im->by_filter, &it)) != NULL;)
        if (sub->r.sid == s->r.sid && bytes_eq(sub->r.filter, filter)) return sub;
    return NULL;
}

static struct image_sub *sub_new(struct image *im, struct image_session *s, uint64_t hash,
                                 struct bytes filter)
{
    struct image_sub *sub = calloc(1, sizeof *sub + filter.n);
    if (!sub) return NULL;
    if (table_add(&im->by_filter, hash, sub) < 0) {
        free(sub);
        return NULL;
    }
    memcpy(sub->name, filter.p, filter.n);
    IMAGE_LINK(s->subs, sub);
    s->nsubs++;
    im->nsubs++;
    return sub;
}

static int on_subscription(struct image *im, const struct store_record *rec)
{
    struct record_subscription r;
    int err = record_get_subscription(rec, &r);
    if (err < 0) return err;
    struct image_session *s = image_session_find(im, r.sid);
    if (!s) return 0; /* it has ended */
    uint64_t hash = filter_hash(im, r.sid, r.filter);
    struct image_sub *sub = sub_find(im, s, hash, r.filter);
    if (rec->type == RECORD_UNSUBSCRIBED) {
        if (sub) drop_sub(im, s, sub);
        return 0;
    }
    if (!sub) sub = sub_new(im, s, hash, r.filter);
    if (!sub) return -ERR_NOMEM;
    sub->r = r;
    sub->r.filter = bytes_of(sub->name, r.filter.n);
    return 0;
}

/* ---- all ------------------------------------------------------------------------------- */

int image_apply(struct image *im, const struct store_record *s)
{
    if (s->old) return 0;
    switch ((enum record_type)s->type) {
    case RECORD_SESSION: return on_session(im, s);
    case RECORD_SESSION_END: return on_session_end(im, s);
    case RECORD_SUBSCRIBED:
    case RECORD_UNSUBSCRIBED: return on_subscription(im, s);
    case RECORD_BODY: return image_on_body(im, s);
    case RECORD_ENTRY: return image_on_entry(im, s);
    case RECORD_FLIGHT:
    case RECORD_DONE: return image_on_flight(im, s);
    case RECORD_RECEIVED:
    case RECORD_RELEASED: return image_on_received(im, s);
    case RECORD_RETAINED:
    case RECORD_CLEARED: return image_on_retained(im, s);
    case RECORD_ORIGIN: return image_on_origin(im, s);
    }
    return -ERR_UNSUPPORTED;
}

void image_fini(struct image *im)
{
    while (im->sessions)
        image_session_drop(im, im->sessions);
    image_message_fini(im);
    table_fini(&im->by_sid);
    table_fini(&im->by_filter);
    table_fini(&im->by_seq);
    table_fini(&im->by_packet);
    slab_fini(&im->entry_slab);
    slab_fini(&im->received_slab);
}
