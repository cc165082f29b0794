/* SPDX-License-Identifier: BSD-3-Clause */
/* session_load.c -- entries whose messages are on disk only are read before they are sent.
 *
 * A few are read ahead, so that the disk works while the client takes what came before; the core
 * never waits for it. The order is the ring's, whatever the disk answers first. Home's. */
#include <stdlib.h>

#include "broker/flow.h"
#include "broker/journal/record.h"

enum {
    AHEAD = 32,            /* reads under way for one session */
    AHEAD_BYTES = 1 << 20, /* their bytes, but one is always read */
};

/* A message that is being read. */
struct load {
    struct store_read read;
    struct session *session; /* NULL: it has ended */
    struct load *next, **link;
    uint64_t seq; /* of the entry */
    uint8_t room[];
};

void pending_end(struct session *s, struct pending *p)
{
    if (is_on_disk(p)) s->on_disk--;
    if (p->seq) journal_done(s, p);
    p->seq = 0;
    pending_drop(s->broker, p);
}

void pending_to_disk(struct session *s, struct pending *p)
{
    message_unref(s->broker->core, p->m);
    p->m = NULL;
    s->on_disk++;
}

/* ---- the message comes --------------------------------------------------------------------- */

static struct pending *find(const struct pendings *r, uint64_t seq)
{
    for (uint32_t i = r->head; i != r->tail; i++)
        if (ring_at(r, i)->seq == seq) return ring_at(r, i);
    return NULL;
}

static void unlink_load(struct load *l)
{
    *l->link = l->next;
    if (l->next) l->next->link = l->link;
    l->session->nloads--;
}

/* It is gone for good: the operator is told, and the client goes on with what comes next. */
static void note_unread(struct session *s, const struct load *l)
{
    LOG(&s->broker->core->log, LOG_ERROR, "message_unreadable",
        F_TEXT("client", session_client_id(s)), F_U64("position", l->read.ref.pos),
        F_STR("reason", "the log is damaged there; run pinion log check"));
    count(&s->broker->core->counters, C_dropped_queue);
}

static void put_in(struct session *s, struct load *l, struct message *m, int err)
{
    struct pending *p = find(&s->queue, l->seq);
    bool queued = p != NULL;
    if (!p) p = find(&s->flight, l->seq);
    if (!p || p->m || !p->stored) { /* it has ended meanwhile */
        if (m) message_unref(s->broker->core, m);
        return;
    }
    p->loading = false;
    p->m = m;
    p->unread = err == -ERR_CORRUPT;
    if (p->unread) note_unread(s, l);
    if (!m) return;
    s->on_disk--;
    if (queued) s->broker->queue_memory += p->bytes;
    if (p->leaving) session_give_back(s, p->group);
}

static void on_read(struct store_read *r, int err, const struct store_record *record)
{
    struct load *l = CONTAINER_OF(r, struct load, read);
    struct session *s = l->session;
    struct record_message what;
    struct message *m = NULL;

    if (s) {
        unlink_load(l);
        if (err == 0) err = record_get_message(record, &what);
        if (err == 0) m = journal_message(s->broker, &what);
        put_in(s, l, m, err);
        if (m || err == -ERR_CORRUPT)
            session_mark_ready(s); /* else the disk refused: at the next connection */
    }
    free(l);
}

/* ---- reading ------------------------------------------------------------------------------- */

static bool start(struct session *s, struct pending *p)
{
    struct load *l = malloc(sizeof *l + p->stored->ref.bytes);
    if (!l) return false;
    *l = (struct load){.read = {.ref = p->stored->ref, .room = l->room, .done = on_read},
                       .session = s,
                       .seq = p->seq,
                       .next = s->loads,
                       .link = &s->loads};
    if (l->next) l->next->link = &l->next;
    s->loads = l;
    s->nloads++;
    p->loading = true;
    store_read(journal_store_of(s->broker->journal), &l->read);
    return true;
}

/* The bytes that are being read. */
static uint64_t bytes_under_way(const struct session *s)
{
    uint64_t n = 0;
    for (const struct load *l = s->loads; l; l = l->next)
        n += l->read.ref.bytes;
    return n;
}

static bool has_room(const struct session *s, uint64_t bytes)
{
    return s->nloads == 0 || (s->nloads < AHEAD && bytes < AHEAD_BYTES);
}

bool load_ahead(struct session *s, struct pendings *r, uint32_t from)
{
    const struct pending *first = ring_at(r, from);
    bool here = !is_on_disk(first) || first->unread;
    if (here && s->nloads > AHEAD / 2) return true;

    uint64_t bytes = bytes_under_way(s);
    for (uint32_t i = from; i != r->tail && i - from < AHEAD && has_room(s, bytes); i++) {
        struct pending *p = ring_at(r, i);
        if (!is_on_disk(p) || p->loading || p->unread) continue;
        if (!start(s, p)) break;
        bytes += p->stored->ref.bytes;
    }
    return here;
}

void load_leaving(struct session *s)
{
    struct pendings *const ring[] = {&s->flight, &s->queue};
    uint64_t bytes = bytes_under_way(s);

    for (unsigned k = 0; k < 2; k++)
        for (uint32_t i = ring[k]->head; i != ring[k]->tail && has_room(s, bytes); i++) {
            struct pending *p = ring_at(ring[k], i);
            if (!p->leaving || !is_on_disk(p) || p->loading || p->unread) continue;
            if (!start(s, p)) return;
            bytes += p->stored->ref.bytes;
        }
}

void load_forget(struct session *s)
{
    for (struct load *l = s->loads; l; l = l->next)
        l->session = NULL;
    s->loads = NULL;
    s->nloads = 0;
}
