/* SPDX-License-Identifier: BSD-3-Clause */
/* image_entry.c -- what waits for a session or is in flight to it, and the QoS 2 messages that its
 * client has sent. */
#include <stdlib.h>

#include "broker/journal/image_internal.h"

/* ---- entries -------------------------------------------------------------------------- */

static struct image_entry *entry_find(const struct image *im, uint64_t sid, uint64_t seq)
{
    struct table_iter it = table_seek(&im->by_seq, hash_pair(sid, seq));
    for (struct image_entry *e; (e = table_next(&im->by_seq, &it)) != NULL;)
        if (e->seq == seq && e->session->r.sid == sid) return e;
    return NULL;
}

static void forget_ids(struct image_entry *e)
{
    if (e->nsub_ids > 1) free(e->more_ids);
    e->nsub_ids = 0;
    e->sub_id = 0;
}

void image_drop_entry(struct image *im, struct image_entry *e)
{
    struct image_session *s = e->session;
    if (s->entries_end == &e->next) s->entries_end = e->link;
    IMAGE_UNLINK(e);
    table_del(&im->by_seq, hash_pair(s->r.sid, e->seq), e);
    s->nentries--;
    im->nentries--;
    forget_ids(e);
    slab_put(&im->entry_slab, e);
}

void image_drop_entries(struct image *im, struct image_session *s)
{
    while (s->entries)
        image_drop_entry(im, s->entries);
}

static struct image_entry *entry_new(struct image *im, struct image_session *s, uint64_t seq)
{
    struct image_entry *e = slab_get(&im->entry_slab);
    if (!e) return NULL;
    e->session = s;
    e->seq = seq;
    if (table_add(&im->by_seq, hash_pair(s->r.sid, seq), e) < 0) {
        slab_put(&im->entry_slab, e);
        return NULL;
    }
    e->link = s->entries_end; /* they come in order, but for those that come again */
    *e->link = e;
    s->entries_end = &e->next;
    s->nentries++;
    im->nentries++;
    return e;
}

/* The one copy of a group's name. */
static int name_of(struct image *im, struct bytes text, const struct image_name **name)
{
    uint64_t hash = hash_bytes(im->seed, text);
    struct table_iter it = table_seek(&im->names, hash);

    *name = NULL;
    if (text.n == 0) return 0;
    for (struct image_name *n; (n = table_next(&im->names, &it)) != NULL;) {
        if (!bytes_eq(bytes_of(n->at, n->n), text)) continue;
        *name = n;
        return 0;
    }
    struct image_name *n = malloc(sizeof *n + text.n);
    if (!n || table_add(&im->names, hash, n) < 0) {
        free(n);
        return -ERR_NOMEM;
    }
    n->n = (uint16_t)text.n;
    memcpy(n->at, text.p, text.n);
    *name = n;
    return 0;
}

static int set_ids(struct image_entry *e, const struct record_entry *r)
{
    uint32_t *more = NULL;
    if (r->nsub_ids > 1) {
        more = malloc(r->nsub_ids * sizeof more[0]);
        if (!more) return -ERR_NOMEM;
        memcpy(more, r->sub_id, r->nsub_ids * sizeof more[0]);
    }
    forget_ids(e);
    e->nsub_ids = r->nsub_ids;
    if (more)
        e->more_ids = more;
    else
        e->sub_id = r->nsub_ids ? r->sub_id[0] : 0;
    return 0;
}

static void set_flight(struct image_entry *e, uint8_t state, uint32_t flight)
{
    struct record_session *s = &e->session->r;
    e->state = state;
    e->flight = flight;
    if (state != RECORD_WAITING && (int32_t)(flight + 1 - s->flight) > 0) s->flight = flight + 1;
}

int image_on_entry(struct image *im, const struct store_record *rec)
{
    struct record_entry r;
    int err = record_get_entry(rec, &r);
    if (err < 0) return err;
    struct image_session *s = image_session_find(im, r.sid);
    if (!s) return 0; /* it has ended */
    const struct image_name *group;
    struct image_entry *e = entry_find(im, r.sid, r.seq);
    if (!e) e = entry_new(im, s, r.seq);
    if (!e || name_of(im, r.group, &group) < 0 || set_ids(e, &r) < 0) return -ERR_NOMEM;
    e->body_pos = r.body.pos;
    e->body_bytes = r.body.bytes;
    e->message_bytes = r.message_bytes;
    e->qos = r.qos;
    e->retain = r.retain;
    e->group = group;
    set_flight(e, r.state, r.flight);
    return 0;
}

int image_on_flight(struct image *im, const struct store_record *rec)
{
    struct record_flight_change r;
    int err = record_get_flight(rec, &r);
    if (err < 0) return err;
    struct image_entry *e = entry_find(im, r.sid, r.seq);
    if (e && rec->type == RECORD_DONE) image_drop_entry(im, e);
    if (e && rec->type == RECORD_FLIGHT) set_flight(e, r.state, r.flight);
    return 0;
}

/* ---- received at QoS 2 ------------------------------------------------------------------ */

static uint64_t packet_hash(uint64_t sid, uint16_t packet_id)
{
    return hash_pair(sid, packet_id);
}

static struct image_received *received_find(const struct image *im, uint64_t sid,
                                            uint16_t packet_id)
{
    struct table_iter it = table_seek(&im->by_packet, packet_hash(sid, packet_id));
    for (struct image_received *x; (x = table_next(&im->by_packet, &it)) != NULL;)
        if (x->packet_id == packet_id && x->session->r.sid == sid) return x;
    return NULL;
}

static void drop_received(struct image *im, struct image_received *x)
{
    IMAGE_UNLINK(x);
    table_del(&im->by_packet, packet_hash(x->session->r.sid, x->packet_id), x);
    x->session->nreceived--;
    im->nreceived--;
    slab_put(&im->received_slab, x);
}

void image_drop_received(struct image *im, struct image_session *s)
{
    while (s->received)
        drop_received(im, s->received);
}

static struct image_received *received_new(struct image *im, struct image_session *s,
                                           uint16_t packet_id)
{
    struct image_received *x = slab_get(&im->received_slab);
    if (!x) return NULL;
    if (table_add(&im->by_packet, packet_hash(s->r.sid, packet_id), x) < 0) {
        slab_put(&im->received_slab, x);
        return NULL;
    }
    x->session = s;
    x->packet_id = packet_id;
    IMAGE_LINK(s->received, x);
    s->nreceived++;
    im->nreceived++;
    return x;
}

int image_on_received(struct image *im, const struct store_record *rec)
{
    struct record_received r;
    int err = record_get_received(rec, &r);
    if (err < 0) return err;
    struct image_session *s = image_session_find(im, r.sid);
    if (!s) return 0; /* it has ended */
    struct image_received *x = received_find(im, r.sid, r.packet_id);
    if (rec->type == RECORD_RELEASED) {
        if (x) drop_received(im, x);
        return 0;
    }
    if (!x) x = received_new(im, s, r.packet_id);
    if (!x) return -ERR_NOMEM;
    x->serial = r.serial;
    x->accepted = r.accepted;
    if (r.serial > s->r.serial) s->r.serial = r.serial;
    return 0;
}
