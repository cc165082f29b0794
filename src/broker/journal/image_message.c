/* SPDX-License-Identifier: BSD-3-Clause */
/* image_message.c -- bodies that were moved, retained messages, and what QoS 2 messages the log
 * had.
 */
#include <stdlib.h>

#include "broker/journal/image_internal.h"

/* ---- bodies that were moved ------------------------------------------------------------ */

static struct image_moved *moved_find(const struct image *im, uint64_t from)
{
    struct table_iter it = table_seek(&im->moved, hash_mix(from));
    for (struct image_moved *x; (x = table_next(&im->moved, &it)) != NULL;)
        if (x->from == from) return x;
    return NULL;
}

/* Positions rise, so the way ends. */
struct store_ref image_place(const struct image *im, struct store_ref body)
{
    for (const struct image_moved *x; (x = moved_find(im, body.pos)) != NULL;)
        body = x->to;
    return body;
}

static int on_moved(struct image *im, const struct store_record *rec)
{
    if (rec->moved_from >= rec->ref.pos) return -ERR_CORRUPT;
    struct image_moved *x = moved_find(im, rec->moved_from);
    if (!x) {
        x = slab_get(&im->moved_slab);
        if (!x) return -ERR_NOMEM;
        if (table_add(&im->moved, hash_mix(rec->moved_from), x) < 0) {
            slab_put(&im->moved_slab, x);
            return -ERR_NOMEM;
        }
        x->from = rec->moved_from;
    }
    x->to = rec->ref;
    return 0;
}

/* ---- origins ------------------------------------------------------------------------------ */

static struct image_origin *origin_at(struct image *im, uint64_t origin)
{
    struct table_iter it = table_seek(&im->by_origin, hash_mix(origin));
    for (struct image_origin *x; (x = table_next(&im->by_origin, &it)) != NULL;)
        if (x->origin == origin) return x;
    struct image_origin *x = calloc(1, sizeof *x);
    if (!x || table_add(&im->by_origin, hash_mix(origin), x) < 0) {
        free(x);
        return NULL;
    }
    x->origin = origin;
    x->next = im->origins;
    im->origins = x;
    return x;
}

/* The place of the first that is not below `serial`. They come nearly in order. */
static uint32_t place_of(const struct image_origin *x, uint64_t serial)
{
    uint32_t low = 0, high = x->n;
    if (x->n == 0 || x->serial[x->n - 1] < serial) return x->n;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (x->serial[mid] < serial)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static void forget_first(struct image_origin *x, uint32_t n)
{
    if (n == 0) return;
    x->n -= n;
    memmove(x->serial, x->serial + n, x->n * sizeof x->serial[0]);
}

static int add_serial(struct image_origin *x, uint64_t serial)
{
    uint32_t at = place_of(x, serial);
    if (serial < x->low || (at < x->n && x->serial[at] == serial)) return 0;
    if (x->n == RECORD_SERIALS) {
        if (at == 0) return 0;
        forget_first(x, 1);
        at--;
    }
    if (x->n == x->room) {
        uint32_t room = x->room ? 2 * x->room : 8;
        uint64_t *grown = realloc(x->serial, room * sizeof grown[0]);
        if (!grown) return -ERR_NOMEM;
        x->serial = grown;
        x->room = room;
    }
    memmove(x->serial + at + 1, x->serial + at, (x->n - at) * sizeof x->serial[0]);
    x->serial[at] = serial;
    x->n++;
    return 0;
}

int image_on_origin(struct image *im, const struct store_record *rec)
{
    struct image_unfinished *u = &im->unfinished;
    struct record_origin r;
    int err = record_get_origin(rec, &r);
    if (err < 0) return err;
    struct image_origin *x = origin_at(im, r.origin);
    if (!x) return -ERR_NOMEM;
    for (uint32_t i = 0; i < r.nserials; i++) {
        uint64_t serial = record_serial(&r, i);
        if (add_serial(x, serial) < 0) return -ERR_NOMEM;
        if (u->origin == r.origin && u->serial == serial) u->body_pos = 0;
    }
    return 0;
}

int image_on_body(struct image *im, const struct store_record *rec)
{
    struct record_message r;
    int err = record_get_message(rec, &r);
    if (err < 0) return err;
    if (rec->moved_from) return on_moved(im, rec); /* it was told when it was first written */
    im->unfinished.body_pos = 0;                   /* of an earlier one nothing was cut off */
    if (r.serial == 0 || r.origin == 0) return 0;
    struct image_origin *x = origin_at(im, r.origin);
    if (!x) return -ERR_NOMEM;
    im->unfinished =
        (struct image_unfinished){.body_pos = rec->ref.pos, .origin = r.origin, .serial = r.serial};
    uint64_t low = r.serial > r.low_water ? r.serial - r.low_water : 0;
    if (low > x->low) {
        x->low = low;
        forget_first(x, place_of(x, low));
    }
    return 0; /* ORIGIN says when all have it */
}

/* ---- retained ------------------------------------------------------------------------------- */

static uint64_t topic_hash(const struct image *im, struct bytes topic)
{
    return hash_bytes(im->seed, topic);
}

static struct image_retained *retained_find(const struct image *im, struct bytes topic)
{
    struct table_iter it = table_seek(&im->by_topic, topic_hash(im, topic));
    for (struct image_retained *x; (x = table_next(&im->by_topic, &it)) != NULL;)
        if (bytes_eq(x->copy->record.key, topic)) return x;
    return NULL;
}

static void drop_retained(struct image *im, struct image_retained *x)
{
    IMAGE_UNLINK(x);
    table_del(&im->by_topic, topic_hash(im, x->copy->record.key), x);
    im->nretained--;
    free(x->copy);
    free(x);
}

static int set_retained(struct image *im, struct image_retained *x, const struct store_record *rec)
{
    struct image_copy *copy = image_copy_of(rec);
    if (!copy) return -ERR_NOMEM;
    if (x) {
        free(x->copy);
        x->copy = copy;
        return 0;
    }
    x = calloc(1, sizeof *x);
    if (!x || table_add(&im->by_topic, topic_hash(im, rec->key), x) < 0) {
        free(copy);
        free(x);
        return -ERR_NOMEM;
    }
    x->copy = copy;
    IMAGE_LINK(im->retained, x);
    im->nretained++;
    return 0;
}

int image_on_retained(struct image *im, const struct store_record *rec)
{
    struct record_message r;
    struct bytes topic;
    bool sets = rec->type == RECORD_RETAINED;
    int err = sets ? record_get_message(rec, &r) : record_get_cleared(rec, &topic);
    if (err < 0) return err;
    struct image_retained *x = retained_find(im, rec->key);
    if (sets) return set_retained(im, x, rec);
    if (x) drop_retained(im, x);
    return 0;
}

/* ---- the end ----------------------------------------------------------------------------------
 */

static void free_name(void *item, void *arg)
{
    (void)arg;
    free(item);
}

void image_message_fini(struct image *im)
{
    free(im->unfinished.entry);
    while (im->retained)
        drop_retained(im, im->retained);
    for (struct image_origin *next, *x = im->origins; x; x = next) {
        next = x->next;
        free(x->serial);
        free(x);
    }
    table_each(&im->names, free_name, NULL);
    table_fini(&im->names);
    table_fini(&im->by_topic);
    table_fini(&im->by_origin);
    table_fini(&im->moved);
    slab_fini(&im->moved_slab);
}
