/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

#include "broker/journal/journal.h"
#include "broker/journal/origin.h"
#include "broker/received.h"

enum { WORDS = 65536 / 64, PAGE_IDS = 256, PAGES = 65536 / PAGE_IDS };

/* An id that the log knows; serial 0: not in use. */
struct received_id {
    uint64_t serial;
    uint16_t before, after; /* ids with the next lower and higher serial; 0: none */
    bool accepted;
    bool in_doubt; /* from before a restart, not accepted then; ... */
    bool again;    /* ... and published again since, or waiting for a restart */
};

struct received {
    uint64_t *bits;            /* of ids that the log does not know; NULL: none */
    struct received_id **page; /* by id, pages made as needed; NULL: none */
    uint32_t n;                /* in use, of both */
    uint16_t first, last;      /* by serial; 0: none */
};

/* ---- ids that the log does not know --------------------------------------------------------- */

static bool has_bit(const struct received *r, uint16_t id)
{
    return r->bits && (r->bits[id / 64] >> (id % 64) & 1);
}

static int set_bit(struct received *r, uint16_t id)
{
    if (!r->bits) r->bits = calloc(WORDS, sizeof *r->bits);
    if (!r->bits) return -ERR_NOMEM;
    r->bits[id / 64] |= 1ull << (id % 64);
    r->n++;
    return 0;
}

/* ---- ids that it knows ------------------------------------------------------------------------
 */

static struct received_id *find(const struct received *r, uint16_t id)
{
    struct received_id *page = r && r->page ? r->page[id / PAGE_IDS] : NULL;
    return page && page[id % PAGE_IDS].serial ? &page[id % PAGE_IDS] : NULL;
}

/* The place of an id that is not in use. */
static struct received_id *place(struct received *r, uint16_t id)
{
    if (!r->page) r->page = calloc(PAGES, sizeof *r->page);
    if (!r->page) return NULL;
    struct received_id **page = &r->page[id / PAGE_IDS];
    if (!*page) *page = calloc(PAGE_IDS, sizeof **page);
    return *page ? &(*page)[id % PAGE_IDS] : NULL;
}

static void link_id(struct received *r, uint16_t id, const struct received_id *x)
{
    uint16_t before = r->last; /* a new one has the highest serial */
    while (before && find(r, before)->serial > x->serial)
        before = find(r, before)->before;
    uint16_t after = before ? find(r, before)->after : r->first;
    struct received_id *at = place(r, id);
    *at = *x;
    at->before = before;
    at->after = after;
    *(before ? &find(r, before)->after : &r->first) = id;
    *(after ? &find(r, after)->before : &r->last) = id;
    r->n++;
}

static void unlink_id(struct received *r, struct received_id *x)
{
    *(x->before ? &find(r, x->before)->after : &r->first) = x->after;
    *(x->after ? &find(r, x->after)->before : &r->last) = x->before;
    *x = (struct received_id){0};
    r->n--;
}

/* ---- verbs --------------------------------------------------------------------------------------
 */

static struct received *received_of(struct session *s)
{
    if (!s->received) s->received = calloc(1, sizeof *s->received);
    return s->received;
}

/* Serials begin with the time, so that those of an earlier session of the client, which cores may
 * still remember, are lower. */
static uint64_t first_serial(const struct session *s)
{
    return s->broker->core->clock.wall_ms << 20 | 1;
}

static int receive_logged(struct session *s, uint16_t id)
{
    if (!place(s->received, id)) return -ERR_NOMEM;
    if (!s->serial) s->serial = first_serial(s);
    int err = journal_received(s, id, s->serial + 1, false);
    if (err < 0) return err;
    link_id(s->received, id, &(struct received_id){.serial = ++s->serial});
    return 0;
}

int session_receive(struct session *s, uint16_t packet_id)
{
    struct received *r = received_of(s);
    if (!r) return -ERR_NOMEM;
    if (has_bit(r, packet_id)) return -ERR_EXISTS;
    struct received_id *x = find(r, packet_id);
    if (!x) return s->sid ? receive_logged(s, packet_id) : set_bit(r, packet_id);
    if (!x->in_doubt || x->again) return -ERR_EXISTS;
    x->again = true;
    return 0;
}

int session_release(struct session *s, uint16_t packet_id)
{
    struct received *r = s->received;
    struct received_id *x = find(r, packet_id);
    int err = 0;
    if (s->sid && journal_failed(s->broker->journal) && !(r && has_bit(r, packet_id))) {
        /* It is in the log, or may be: that it was released before may not be on disk. Only a
         * restart can tell. */
        if (x) x->in_doubt = x->again = true;
        return -ERR_STORAGE;
    }
    if (x) {
        unlink_id(r, x);
        if (s->sid) err = journal_released(s, packet_id);
    } else if (r && has_bit(r, packet_id)) {
        r->bits[packet_id / 64] &= ~(1ull << (packet_id % 64));
        r->n--;
    } else {
        err = -ERR_ABSENT;
    }
    /* Once the client knows, the id is a new message's; so the log must know before, also when this
     * is not the first time that the client asks. */
    const struct journal *j = s->broker->journal;
    if (s->sid && !journal_failed(j)) session_hold(s, journal_tail(j));
    return err;
}

/* With a failed log, that the id is free may not be on disk even if it is not in use here. */
int session_on_pubrel(struct session *s, uint16_t packet_id)
{
    if (s->sid && journal_failed(s->broker->journal)) return -ERR_STORAGE;
    return session_release(s, packet_id);
}

enum received_state received_name(const struct session *s, uint16_t packet_id,
                                  struct message_logged *l)
{
    const struct received_id *x = find(s->received, packet_id);
    if (!x) return RECEIVED_UNKNOWN;
    uint64_t low = x->serial - find(s->received, s->received->first)->serial;
    l->origin = origin_of(s->tenant, session_client_id(s));
    l->serial = x->serial;
    l->low_water = (uint16_t)(low < UINT16_MAX ? low : UINT16_MAX);
    return x->in_doubt ? RECEIVED_IN_DOUBT : RECEIVED_FRESH;
}

void received_accepted(struct session *s, uint16_t packet_id)
{
    struct received_id *x = find(s->received, packet_id);
    if (!x || x->accepted) return;
    x->accepted = true;
    x->in_doubt = false;
    /* If the log does not take that, the message is in doubt after a restart, no worse. */
    if (s->sid) journal_received(s, packet_id, x->serial, true);
}

void session_is_new(struct session *s, uint16_t packet_id)
{
    struct received *r = s->received;
    struct received_id *x = find(r, packet_id);
    if (LIKELY(!x) || !x->in_doubt || x->again) return;
    unlink_id(r, x);
    if (s->sid) journal_released(s, packet_id);
}

bool received_is_open(const struct session *s, uint16_t packet_id)
{
    const struct received_id *x = find(s->received, packet_id);
    return x && !x->accepted;
}

void session_unreceive(struct session *s, uint16_t packet_id, int why)
{
    struct received_id *x = find(s->received, packet_id);
    if (x && why == -ERR_STORAGE)
        x->in_doubt = x->again = true; /* some cores have it; a restart will tell */
    else if (x && x->in_doubt)
        x->again = false;
    else
        session_release(s, packet_id);
}

void received_rest(struct session *s)
{
    if (s->received && s->received->n == 0) received_free(s);
}

void received_free(struct session *s)
{
    struct received *r = s->received;
    if (!r) return;
    for (unsigned i = 0; r->page && i < PAGES; i++)
        free(r->page[i]);
    free(r->page);
    free(r->bits);
    free(r);
    s->received = NULL;
}

/* ---- for the log --------------------------------------------------------------------------------
 */

bool received_next(const struct session *s, uint32_t from, struct received_fact *f)
{
    const struct received *r = s->received;
    uint32_t id = from;
    while (r && r->page && id < 65536) {
        const struct received_id *x = find(r, (uint16_t)id);
        if (x) {
            *f = (struct received_fact){(uint16_t)id, x->serial, x->accepted};
            return true;
        }
        id = r->page[id / PAGE_IDS] ? id + 1 : (id / PAGE_IDS + 1) * PAGE_IDS;
    }
    return false;
}

int session_restore_received(struct session *s, uint16_t id, uint64_t serial, bool accepted)
{
    struct received *r = received_of(s);
    if (!r || !place(r, id)) return -ERR_NOMEM;
    if (id == 0 || serial == 0 || find(r, id)) return -ERR_CORRUPT;
    struct received_id x = {.serial = serial, .accepted = accepted, .in_doubt = !accepted};
    link_id(r, id, &x);
    if (serial > s->serial) s->serial = serial;
    return 0;
}
