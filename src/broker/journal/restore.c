/* SPDX-License-Identifier: BSD-3-Clause */
/* restore.c -- sessions, their subscriptions and messages, and what is retained come back to the
 * broker of the core on which they were.
 *
 * Nobody is connected yet. Messages that wait stay on disk till they are sent; what a session may
 * read is judged when its client has come, by the rules of that moment. Mail tells the other cores
 * who subscribes to what. */
#include "broker/journal/restore.h"

#include <stdlib.h>

#include "broker/journal/image_internal.h"
#include "broker/journal/journal_internal.h"
#include "broker/received.h"
#include "broker/share.h"

enum { IDS = 65535 }; /* packet ids: no window is wider */

struct restore {
    struct broker *broker;
    struct journal *journal;
    struct store *store;
    struct journal_found *found;
};

/* ---- subscriptions ------------------------------------------------------------------------ */

static int restore_subs(const struct restore *to, struct session *s, const struct image_session *is)
{
    for (const struct image_sub *x = is->subs; x; x = x->next) {
        const struct sub_request r = {.filter = x->r.filter,
                                      .sub_id = x->r.sub_id,
                                      .qos = x->r.qos,
                                      .no_local = x->r.no_local,
                                      .retain_as_published = x->r.retain_as_published};
        if (sub_restore(s, &r) < 0) return -ERR_NOMEM;
        to->found->subscriptions++;
    }
    return 0;
}

/* What is left of a session that has ended is for members of the groups by which it came. */
static bool is_for_group(const struct image_entry *e)
{
    return e->group && (e->state == RECORD_WAITING || (e->state == RECORD_SENT && e->qos == 1));
}

static void drop_the_rest(struct image *im, struct image_session *is)
{
    for (struct image_entry *next, *e = is->entries; e; e = next) {
        next = e->next;
        if (!is_for_group(e)) image_drop_entry(im, e);
    }
    image_drop_received(im, is);
}

static int restore_groups(struct session *s, const struct image_session *is)
{
    for (const struct image_entry *e = is->entries; e; e = e->next) {
        const struct sub_request r = {.filter = bytes_of(e->group->at, e->group->n), .qos = 2};
        if (!sub_of(s, r.filter) && sub_restore(s, &r) < 0) return -ERR_NOMEM;
    }
    return 0;
}

/* ---- entries -------------------------------------------------------------------------------- */

/* Its body, with one more user. -ERR_ABSENT: it is lost. */
static int find_body(const struct restore *to, const struct image_entry *e, struct stored **out)
{
    const struct store_ref ref = {.pos = e->body_pos, .bytes = e->body_bytes};
    *out = NULL;
    if (e->state == RECORD_CONFIRMED) return 0; /* it will not be sent again */
    struct stored *known = journal_stored_find(to->journal, ref.pos);
    if (known) {
        known->users++;
        *out = known;
        return 0;
    }
    int err = store_claim(to->store, ref);
    if (err < 0) return err;
    *out = journal_stored_new(to->journal, ref);
    return *out ? 0 : -ERR_NOMEM;
}

/* The group by which it came, if the session is still a member. */
static uint32_t group_of(const struct session *s, const struct image_entry *e)
{
    if (!e->group) return 0;
    struct sub *sub = sub_of(s, bytes_of(e->group->at, e->group->n));
    return sub && sub->filter->group ? group_restore(sub) : 0;
}

/* That a message of QoS 1 was sent is written without haste: if its client was connected, one that
 * waits, as far as the log knows, may have been sent all the same [MQTT-3.3.1-1]. */
static bool may_be_repeated(const struct image_entry *e)
{
    return e->qos == 1 && e->state == RECORD_WAITING && e->session->r.gone_ms == 0;
}

static struct pending pending_of(const struct session *s, struct image_entry *e)
{
    static const uint8_t states[] = {[RECORD_WAITING] = FLIGHT_FREE,
                                     [RECORD_SENT] = FLIGHT_SENT,
                                     [RECORD_CONFIRMED] = FLIGHT_RECEIVED};
    struct pending p = {.seq = e->seq,
                        .bytes = e->message_bytes,
                        .nsub_ids = e->nsub_ids,
                        .qos = e->qos,
                        .state = states[e->state],
                        .retain = e->retain,
                        .dup = may_be_repeated(e),
                        .group = group_of(s, e)};
    if (e->nsub_ids > 1) {
        p.more_ids = e->more_ids; /* takes */
        e->nsub_ids = 0;
    } else {
        p.sub_id = e->sub_id;
    }
    return p;
}

static int restore_entry(const struct restore *to, struct session *s, struct image_entry *e)
{
    struct stored *body;
    int err = find_body(to, e, &body);
    if (err == -ERR_ABSENT) {
        to->found->lost++;
        return 0;
    }
    if (err < 0) return err;
    struct pending p = pending_of(s, e);
    p.stored = body;
    err = session_restore_pending(s, &p, e->flight);
    if (err == 0) {
        to->found->messages++;
        return 0;
    }
    journal_forget(to->journal, &p);
    free(p.more_ids);
    if (err == -ERR_CORRUPT) to->found->lost++;
    return err == -ERR_CORRUPT ? 0 : err;
}

static int by_flight(const void *a, const void *b)
{
    const struct image_entry *const *x = a, *const *y = b;
    return (*x)->flight < (*y)->flight ? -1 : (*x)->flight > (*y)->flight;
}

/* Numbers of the window start anew now and then, with the same packet ids. If a crash came in the
 * middle of that, some have not been written anew: all are brought to where the highest are. */
static void align(struct image_entry **at, uint32_t n)
{
    uint32_t top = 0;
    for (uint32_t i = 0; i < n; i++)
        if (at[i]->flight > top) top = at[i]->flight;
    for (uint32_t i = 0; i < n; i++)
        at[i]->flight += (top - at[i]->flight) / IDS * IDS;
}

/* What is in flight, in the order of the window. */
static int restore_window(const struct restore *to, struct session *s, struct image_session *is)
{
    uint32_t n = 0;
    int err = 0;
    for (struct image_entry *e = is->entries; e; e = e->next)
        n += e->state != RECORD_WAITING;
    if (n == 0) return 0;
    struct image_entry **at = malloc(n * sizeof(struct image_entry *)), **put = at;
    if (!at) return -ERR_NOMEM;
    for (struct image_entry *e = is->entries; e; e = e->next)
        if (e->state != RECORD_WAITING) *put++ = e;
    align(at, n);
    qsort(at, n, sizeof(struct image_entry *), by_flight);
    for (uint32_t i = 0; i < n && err == 0; i++)
        err = restore_entry(to, s, at[i]);
    free(at);
    return err;
}

static int restore_entries(const struct restore *to, struct session *s, struct image_session *is)
{
    int err = restore_window(to, s, is);
    for (struct image_entry *e = is->entries; e && err == 0; e = e->next)
        if (e->state == RECORD_WAITING) err = restore_entry(to, s, e);
    session_restore_flight(s, is->r.flight);
    return err;
}

/* ---- all ------------------------------------------------------------------------------------ */

static int restore_received(struct session *s, const struct image_session *is)
{
    int err = 0;
    for (const struct image_received *x = is->received; x && err == 0; x = x->next)
        err = session_restore_received(s, x->packet_id, x->serial, x->accepted);
    return err;
}

static int restore_session(const struct restore *to, struct image *im, struct image_session *is)
{
    bool nobodys = record_session_is_nobodys(&is->r);
    if (nobodys) drop_the_rest(im, is);
    if (nobodys && !is->entries) return 0;
    struct session *s = session_restore(to->broker, &is->r);
    if (!s) return -ERR_NOMEM;
    if (!nobodys) to->found->sessions++;
    int err = nobodys ? restore_groups(s, is) : restore_subs(to, s, is);
    if (err == 0) err = restore_received(s, is);
    return err == 0 ? restore_entries(to, s, is) : err;
}

static int restore_retained(const struct restore *to, const struct image_retained *x)
{
    struct record_message r;
    int err = record_get_message(&x->copy->record, &r);
    ASSERT(err == 0); /* it was read before */
    if (r.expires_ms && r.expires_ms <= to->broker->core->clock.wall_ms) return 0;
    struct message *m = journal_message(to->broker, &r);
    if (!m) return -ERR_NOMEM;
    err = retain_restore(&to->broker->retain, m);
    message_unref(to->broker->core, m);
    if (err == 0) to->found->retained++;
    return err == -ERR_NOMEM ? err : 0;
}

static int restore_origin(const struct restore *to, const struct image_origin *x)
{
    for (uint32_t i = 0; i < x->n; i++)
        if (origins_restore(&to->journal->origins, x->origin, x->serial[i]) < 0) return -ERR_NOMEM;
    return 0;
}

int journal_restore(struct journal *j, struct store *s, struct image *im,
                    struct journal_found *found)
{
    const struct restore to = {.broker = j->broker, .journal = j, .store = s, .found = found};
    int err = 0;

    j->sid = im->sid;
    for (struct image_session *x = im->sessions; x && err == 0; x = x->next)
        err = restore_session(&to, im, x);
    for (struct image_retained *x = im->retained; x && err == 0; x = x->next)
        err = restore_retained(&to, x);
    for (struct image_origin *x = im->origins; x && err == 0; x = x->next)
        err = restore_origin(&to, x);
    return err;
}
