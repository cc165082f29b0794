/* SPDX-License-Identifier: BSD-3-Clause */
/* oracle.c -- the record, and what can be judged the moment a message comes. */
#include "oracle.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

void oracle_init(struct oracle *o, struct trace *t)
{
    *o = (struct oracle){.t = t};
}

void oracle_fini(struct oracle *o)
{
    while (o->seats) {
        struct seat *s = o->seats;
        o->seats = s->next;
        for (unsigned i = 0; i < TOPICS; i++) {
            free(s->live[i].at);
            free(s->retained[i].at);
            free(s->again[i].at);
        }
        free(s->last);
        free(s);
    }
    free(o->note);
    *o = (struct oracle){.t = o->t};
}

uint32_t oracle_note(struct oracle *o, const struct note *n)
{
    if (o->notes == o->notes_cap) {
        o->notes_cap = o->notes_cap ? o->notes_cap * 2 : 256;
        o->note = realloc(o->note, o->notes_cap * sizeof *o->note);
        ASSERT(o->note);
    }
    o->note[o->notes] = *n;
    o->note[o->notes].sent_at = o->note[o->notes].acked_at = NEVER;
    return ++o->notes;
}

struct note *note_at(struct oracle *o, uint32_t number)
{
    ASSERT(number > 0 && number <= o->notes);
    return &o->note[number - 1];
}

struct seat *oracle_seat(struct oracle *o, unsigned client)
{
    struct seat *s = calloc(1, sizeof *s);
    ASSERT(s);
    s->client = client;
    s->online_since = NEVER;
    s->next = o->seats;
    o->seats = s;
    return s;
}

struct subscribed *seat_sub(struct seat *s)
{
    if (s->nsubs == SUBS_MAX) return NULL;
    struct subscribed *x = &s->sub[s->nsubs++];
    *x = (struct subscribed){.granted_at = NEVER, .dropped_at = NEVER, .gone_at = NEVER};
    return x;
}

/* ---- payloads ------------------------------------------------------------------------------ */

static uint8_t filler(uint32_t number, uint32_t i)
{
    return (uint8_t)(number * 31 + i * 7 + (i >> 8));
}

uint32_t payload_make(uint8_t *out, uint32_t number, uint32_t n)
{
    for (uint32_t i = 0; i < 4; i++) {
        out[i] = (uint8_t)(number >> 8 * i);
        out[4 + i] = (uint8_t)(n >> 8 * i);
    }
    for (uint32_t i = PAYLOAD_MIN; i < n; i++)
        out[i] = filler(number, i);
    return n;
}

int64_t payload_number(const uint8_t *p, uint32_t n)
{
    uint32_t number = 0, len = 0;
    if (n == 0) return CLEAR;
    if (n < PAYLOAD_MIN) return -1;
    for (uint32_t i = 4; i-- > 0;) {
        number = number << 8 | p[i];
        len = len << 8 | p[4 + i];
    }
    if (len != n) return -1;
    for (uint32_t i = PAYLOAD_MIN; i < n; i++)
        if (p[i] != filler(number, i)) return -1;
    return number;
}

/* ---- a message comes --------------------------------------------------------------------------
 */

bool seat_takes(const struct subscribed *x, unsigned topic)
{
    return x->shared ? share_takes(x->filter, topic) : filter_takes(x->filter, topic);
}

/* May a message that was published at `sent` still come by this subscription? */
static bool may_come(const struct subscribed *x, unsigned topic, uint64_t sent)
{
    return seat_takes(x, topic) && (x->gone_at == NEVER || sent < x->gone_at);
}

static void check_subscribed(struct oracle *o, const struct seat *s, const struct arrived *a)
{
    if (s->strange) return;
    uint64_t sent = a->number ? note_at(o, a->number)->sent_at : 0;
    bool any = false;
    int max_qos = -1;
    for (unsigned i = 0; i < s->nsubs; i++) {
        const struct subscribed *x = &s->sub[i];
        if (!may_come(x, a->topic, sent)) continue;
        any = true;
        if (x->qos > max_qos) max_qos = x->qos;
    }
    if (!any)
        broken(o->t, "client %u got message %u on %s, to which it does not subscribe", s->client,
               a->number, topic_name(a->topic));
    else if (a->qos > max_qos)
        broken(o->t, "client %u got message %u at QoS %u, above what was granted", s->client,
               a->number, a->qos);
    for (unsigned i = 0; i < a->nids; i++) {
        bool ours = a->ids[i] >= 1 && a->ids[i] <= s->nsubs;
        if (!ours || !may_come(&s->sub[a->ids[i] - 1], a->topic, sent))
            broken(o->t, "client %u got message %u with the identifier %u of another subscription",
                   s->client, a->number, a->ids[i]);
    }
}

static void check_message(struct oracle *o, const struct seat *s, const struct arrived *a)
{
    if (a->number > o->notes) {
        broken(o->t, "client %u got message %u, which nobody sent", s->client, a->number);
        return;
    }
    if (a->number == CLEAR) return;
    const struct note *n = note_at(o, a->number);
    if (n->topic != a->topic)
        broken(o->t, "client %u got message %u on %s instead of %s", s->client, a->number,
               topic_name(a->topic), topic_name(n->topic));
    if (a->qos > n->qos)
        broken(o->t, "client %u got message %u at QoS %u, but it was published at %u", s->client,
               a->number, a->qos, n->qos);
    if (a->retain && !n->retain)
        broken(o->t, "client %u got message %u as retained, which it was not", s->client,
               a->number);
    if (n->will && n->fate < 0)
        broken(o->t, "client %u got will %u of client %u, who had said goodbye", s->client,
               a->number, n->by);
}

void receipts_add(struct receipts *r, const struct receipt *x)
{
    if (r->n == r->cap) {
        r->cap = r->cap ? r->cap * 2 : 16;
        r->at = realloc(r->at, r->cap * sizeof *r->at);
        ASSERT(r->at);
    }
    r->at[r->n++] = *x;
}

void oracle_arrived(struct oracle *o, struct seat *s, const struct arrived *a)
{
    check_message(o, s, a);
    if (o->t->broken[0]) return;
    check_subscribed(o, s, a);
    if (a->again) return;
    if (a->retain && a->number == CLEAR)
        broken(o->t, "client %u got an empty retained message on %s", s->client,
               topic_name(a->topic));
    if (came_in_former_life(o, s, a)) return;
    struct receipt x = {.number = a->number, .qos = a->qos, .life = s->life, .at = o->t->n};
    receipts_add(a->retain ? &s->retained[a->topic] : &s->live[a->topic], &x);
}
