/* SPDX-License-Identifier: BSD-3-Clause */
/* journal_message.c -- messages in the log: bodies, the entries that refer to them, what is
 * retained.
 *
 * A body is written once for all sessions of a delivery, and lives as long as an entry refers to
 * it: the store keeps it (STORE_KEEP) until the last user is gone. When the store moves one, the
 * table by position follows. */
#include <stdlib.h>

#include "broker/journal/journal_internal.h"
#include "broker/journal/origin.h"
#include "broker/share.h"
#include "store/bytes64.h"

/* ---- bodies -------------------------------------------------------------------------------- */

struct stored *journal_stored_find(const struct journal *j, uint64_t pos)
{
    struct table_iter it = table_seek(&j->kept, hash_mix(pos));
    for (struct kept *k; (k = table_next(&j->kept, &it)) != NULL;)
        if (k->stored.ref.pos == pos) return &k->stored;
    return NULL;
}

struct stored *journal_stored_new(struct journal *j, struct store_ref ref)
{
    struct kept *k = malloc(sizeof *k);
    if (!k) return NULL;
    *k = (struct kept){.stored = {.ref = ref, .users = 1}};
    if (table_add(&j->kept, hash_mix(ref.pos), k) == 0) return &k->stored;
    free(k);
    return NULL;
}

void journal_stored_unref(struct journal *j, struct stored *s)
{
    struct kept *k = CONTAINER_OF(s, struct kept, stored);
    ASSERT(s->users > 0);
    if (--s->users) return;
    table_del(&j->kept, hash_mix(s->ref.pos), k);
    if (j->last_stored == s) j->last_stored = NULL;
    if (j->late) { /* behind the record that frees it */
        k->next = j->unreleased;
        j->unreleased = k;
        return;
    }
    if (j->store) store_release(j->store, s->ref);
    free(k);
}

bool journal_is_live(void *journal, const struct store_record *r)
{
    return journal_stored_find(journal, r->ref.pos) != NULL;
}

/* Cannot fail: the table has just had a place more. */
void journal_moved(void *journal, struct store_ref from, struct store_ref to)
{
    struct journal *j = journal;
    struct stored *s = journal_stored_find(j, from.pos);
    ASSERT(s);
    struct kept *k = CONTAINER_OF(s, struct kept, stored);
    table_del(&j->kept, hash_mix(from.pos), k);
    s->ref = to;
    int err = table_add(&j->kept, hash_mix(to.pos), k);
    ASSERT(err == 0);
}

static void free_kept(void *item, void *arg)
{
    (void)arg;
    free(item);
}

static int put_body(struct journal *j, struct pending *p, struct store_ref *ref)
{
    struct record_message r = journal_message_record(j->broker, p->m);
    const struct local_filter *f = p->group ? group_filter_of(j->broker, p->group) : NULL;
    if (!j->delivery.open) r.serial = 0;
    if (r.serial && f) r.origin = origin_for_group(r.origin, filter_entry_name(&f->entry));
    struct record_buf b;
    record_put_body(&b, &r);
    b.put.flags |= STORE_LAZY; /* its entries say how urgent it is */
    int err = journal_put(j, &b.put, ref);
    if (err == 0 && r.serial) {
        origins_add(&j->origins, r.origin, r.serial, r.low_water);
        j->delivery.origin = r.origin;
        j->delivery.serial = r.serial;
    }
    return err;
}

/* The body of the delivery `serial`, with one more user. */
static int body_of(struct journal *j, struct pending *p, uint64_t serial)
{
    if (j->last_stored && j->last_serial == serial) {
        j->last_stored->users++;
        p->stored = j->last_stored;
        return 0;
    }
    struct store_ref ref;
    int err = put_body(j, p, &ref);
    if (err < 0) return err;
    p->stored = journal_stored_new(j, ref);
    if (!p->stored) {
        store_release(j->store, ref);
        return -ERR_NOMEM;
    }
    j->last_serial = serial;
    j->last_stored = p->stored;
    return 0;
}

/* ---- deliveries that may be known ------------------------------------------------------------ */

enum {
    ENTRY_BYTES = 256, /* of one entry's record, at most, but for a share group's name */
    BODY_BYTES = 128,  /* of a body's, beside the message */
};

/* If that is more than a segment holds, a crash at its end may deliver twice. */
void journal_deliver(struct journal *j, const struct message *m, uint32_t n)
{
    uint64_t bytes = message_bytes(m) + BODY_BYTES + (n + 1ull) * ENTRY_BYTES;

    j->delivery = (struct journal_delivery){.open = true};
    if (j->store && bytes <= UINT32_MAX) (void)store_together(j->store, (uint32_t)bytes, false);
}

/* The log knows this one message; the record lends `bytes`. */
static void record_known(struct record_buf *b, uint8_t bytes[8], uint64_t origin, uint64_t serial)
{
    struct writer w = wr_of(bytes, 8);
    wr_u64be(&w, serial);
    record_put_origin(b,
                      &(struct record_origin){.origin = origin, .nserials = 1, .serials = bytes});
}

void journal_delivered(struct journal *j)
{
    uint8_t serial[8];
    struct record_buf b;

    j->delivery.open = false;
    if (!j->delivery.serial) return; /* nobody here keeps it */
    record_known(&b, serial, j->delivery.origin, j->delivery.serial);
    /* As lazy as the entries before it. It must be there for them to count, and what frees
     * something must not wait behind it for room that only the reserve has. */
    b.put.flags |= STORE_LAZY | STORE_RESERVE;
    journal_put_surely(j, &b.put);
}

/* ---- entries -------------------------------------------------------------------------------- */

struct bytes journal_group_filter(const struct broker *b, uint32_t group)
{
    const struct local_filter *f = group ? group_filter_of(b, group) : NULL;
    return f ? filter_entry_name(&f->entry) : bytes_of("", 0);
}

void journal_entry_record(const struct session *s, const struct pending *p, uint8_t state,
                          uint32_t flight, struct record_entry *r)
{
    *r = (struct record_entry){
        .sid = s->sid,
        .seq = p->seq,
        .qos = p->qos,
        .retain = p->retain,
        .state = state,
        .flight = flight,
        .message_bytes = p->bytes,
        .group = journal_group_filter(s->broker, p->former ? 0 : p->group),
    };
    if (p->stored) r->body = p->stored->ref;
    if (state == RECORD_CONFIRMED) return; /* it will not be sent again */
    const uint32_t *ids = p->more_ids ? p->more_ids : &p->sub_id;
    r->nsub_ids = p->nsub_ids < RECORD_SUB_IDS ? p->nsub_ids : RECORD_SUB_IDS;
    for (unsigned i = 0; i < r->nsub_ids; i++)
        r->sub_id[i] = ids[i];
}

/* Does anybody wait till it is on disk? */
static bool is_urgent(const struct pending *p, const uint32_t *flight)
{
    return (p->m->flags & MESSAGE_COMMIT) || (flight && p->qos == 2);
}

int journal_entry(struct session *s, struct pending *p, uint64_t serial, const uint32_t *flight)
{
    struct journal *j = s->broker->journal;
    struct record_entry r;
    struct record_buf b;
    ASSERT(s->sid && p->m && !p->stored);

    int err = body_of(j, p, serial);
    if (err < 0) return err;
    p->seq = s->seq + 1;
    journal_entry_record(s, p, flight ? RECORD_SENT : RECORD_WAITING, flight ? *flight : 0, &r);
    record_put_entry(&b, &r);
    if (!is_urgent(p, flight)) b.put.flags |= STORE_LAZY;
    err = journal_put(j, &b.put, NULL);
    if (err < 0) {
        journal_stored_unref(j, p->stored);
        p->stored = NULL;
        p->seq = 0;
        return err;
    }
    s->seq++;
    return 0;
}

int journal_flight(const struct session *s, const struct pending *p, uint32_t flight)
{
    struct journal *j = s->broker->journal;
    struct record_buf b;
    const struct record_flight_change r = {
        .sid = s->sid,
        .seq = p->seq,
        .state = p->state == FLIGHT_RECEIVED ? RECORD_CONFIRMED : RECORD_SENT,
        .flight = flight,
    };
    record_put_flight(&b, &r);
    b.put.flags |= STORE_RESERVE;              /* it is on its way out of the log */
    if (p->qos < 2) b.put.flags |= STORE_LAZY; /* sent twice, it is sent twice */
    journal_put_surely(j, &b.put);
    return j->failed ? -ERR_STORAGE : 0;
}

void journal_put_done(struct journal *j, const struct record_flight_change *r)
{
    struct record_buf b;
    record_put_done(&b, r);
    journal_put_surely(j, &b.put);
}

void journal_done(const struct session *s, struct pending *p)
{
    journal_put_done(s->broker->journal,
                     &(struct record_flight_change){.sid = s->sid, .seq = p->seq});
    journal_forget(s->broker->journal, p);
}

void journal_forget(struct journal *j, struct pending *p)
{
    if (p->stored) journal_stored_unref(j, p->stored);
    p->stored = NULL;
}

void journal_message_fini(struct journal *j)
{
    journal_orphan_fini(j);
    table_each(&j->kept, free_kept, NULL);
    table_fini(&j->kept);
}

/* ---- retained -------------------------------------------------------------------------------- */

int journal_retained(struct journal *j, struct message *m)
{
    const struct record_message r = journal_message_record(j->broker, m);
    struct record_buf b;
    record_put_retained(&b, &r);
    if (!(m->flags & MESSAGE_COMMIT)) b.put.flags |= STORE_LAZY;
    return journal_put(j, &b.put, NULL);
}

int journal_retained_by(struct journal *j, const struct message_logged *l)
{
    uint64_t origin = origin_for_retained(l->origin);
    uint8_t serial[8];
    struct record_buf b;
    record_known(&b, serial, origin, l->serial);
    int err = journal_put(j, &b.put, NULL);
    if (err == 0) origins_add(&j->origins, origin, l->serial, l->low_water);
    return err;
}

bool journal_was_retained(const struct journal *j, const struct message_logged *l)
{
    return journal_knows(j, origin_for_retained(l->origin), l->serial);
}

int journal_cleared(struct journal *j, struct bytes topic)
{
    struct record_buf b;
    record_put_cleared(&b, topic);
    journal_put_surely(j, &b.put);
    return j->failed ? -ERR_STORAGE : 0;
}
