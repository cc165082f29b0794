/* SPDX-License-Identifier: BSD-3-Clause */
/* client_say.c -- what a client sends of its own accord, and its answers when it likes. */
#include <assert.h>
#include <stdio.h>

#include "base/assert.h"
#include "client.h"

enum { SMALL = 60, OUT_MAX = 65536, FILL_NAME_MAX = 32 };

/* ---- packet ids -------------------------------------------------------------------------------
 */

static bool id_taken(const struct client *c, uint16_t id)
{
    for (unsigned i = 0; i < c->nflight; i++)
        if (c->flight[i].id == id) return true;
    for (unsigned i = 0; i < c->nasked; i++)
        if (c->asked[i].id == id) return true;
    return false;
}

uint16_t client_free_id(struct client *c)
{
    uint16_t id = c->low_ids ? 1 : c->next_id;
    while (id == 0 || id_taken(c, id))
        id++;
    c->next_id = (uint16_t)(id + 1);
    return id;
}

/* ---- PUBLISH ----------------------------------------------------------------------------------
 */

static uint32_t length_of(uint32_t number)
{
    switch (number % 16) {
    case 0: return 2048 + number % 5000; /* pinned, not copied */
    case 1: return 500 + number % 1000;
    case 2: return PAYLOAD_MIN;
    default: return PAYLOAD_MIN + number % SMALL;
    }
}

static void send_publish(struct client *c, uint32_t number, uint16_t id, bool dup)
{
    static_assert(PAYLOAD_MAX >= 2048 + 5000, "the longest that length_of gives");
    uint8_t payload[PAYLOAD_MAX];
    struct note *n = note_at(c->o, number);
    struct say_publish p = {.topic = topic_name(n->topic),
                            .payload = payload,
                            .n = n->clear ? 0 : payload_make(payload, number, length_of(number)),
                            .qos = n->qos,
                            .retain = n->retain,
                            .dup = dup,
                            .id = id};
    n->sends++;
    n->troubled |= c->o->trouble;
    if (n->sent_at == NEVER) n->sent_at = c->t->n;
    n->again_at = c->t->n;
    say_publish(&c->out, c->v5, &p);
    trace(c->t, "%s publishes %u on %s qos=%u retain=%d id=%u dup=%d%s", c->name, number, p.topic,
          p.qos, p.retain, id, dup, n->clear ? " clear" : "");
}

static bool window_full(const struct client *c)
{
    unsigned max =
        c->v5 && c->broker_receive_max < FLIGHTS_MAX ? c->broker_receive_max : FLIGHTS_MAX;
    return c->nflight >= max;
}

bool client_publish(struct client *c, unsigned topic, uint8_t qos, bool retain, bool clear)
{
    if (c->phase != ONLINE || (qos && window_full(c)) || c->out.n > OUT_MAX) return false;
    struct note n = {.topic = (uint8_t)topic,
                     .qos = qos,
                     .retain = retain,
                     .clear = clear,
                     .by = (uint16_t)c->index};
    uint32_t number = oracle_note(c->o, &n);
    uint16_t id = qos ? client_free_id(c) : 0;
    if (qos)
        c->flight[c->nflight++] =
            (struct flight){.number = number, .id = id, .qos = qos, .here = 1};
    send_publish(c, number, id, false);
    return true;
}

void client_fill(struct client *c, unsigned from, unsigned to, bool clear)
{
    for (unsigned i = from; i < to; i++) {
        char topic[FILL_NAME_MAX];
        snprintf(topic, sizeof topic, FILL_PREFIX "%u/z/z/z", i);
        struct say_publish p = {
            .topic = topic, .payload = (const uint8_t *)"", .n = clear ? 0 : 1, .retain = true};
        say_publish(&c->out, c->v5, &p);
    }
}

/* What was in flight goes out again, in its first order [MQTT-4.4.0-1]. */
void client_resend(struct client *c)
{
    for (unsigned i = 0; i < c->nflight; i++) {
        struct flight *f = &c->flight[i];
        if (f->released) {
            ids_push(&c->pubrel, f->id);
            continue;
        }
        f->here = 1;
        f->resent = true;
        send_publish(c, f->number, f->id, true);
    }
}

/* ---- SUBSCRIBE ----------------------------------------------------------------------------------
 */

bool client_subscribe(struct client *c, unsigned filter, bool shared, uint8_t qos)
{
    struct subscribed *x = c->phase == ONLINE && c->nasked < ASKED_MAX ? seat_sub(c->seat) : NULL;
    if (!x) return false;
    x->shared = shared;
    x->filter = (uint8_t)filter;
    x->qos = qos;
    x->retain_handling = c->role == ROLE_PLAIN && c->v5 && once_in(5) ? 2 : 0;
    x->asked_at = c->t->n;
    struct say_subscribe s = {.filter = shared ? share_name(filter) : filter_name(filter),
                              .id = client_free_id(c),
                              .sub_id = c->v5 ? c->seat->nsubs : 0,
                              .qos = qos,
                              .retain_handling = x->retain_handling};
    c->asked[c->nasked++] = (struct asked){.id = s.id, .sub = x};
    say_subscribe(&c->out, c->v5, &s);
    trace(c->t, "%s subscribes to %s qos=%u id=%u", c->name, s.filter, qos, s.id);
    return true;
}

static bool same_filter(const struct subscribed *a, const struct subscribed *b)
{
    return a->shared == b->shared && a->filter == b->filter;
}

static void unsubscribe(struct client *c)
{
    struct seat *s = c->seat;
    if (s->nsubs == 0 || c->nasked == ASKED_MAX) return;
    struct subscribed *x = &s->sub[any_below(s->nsubs)];
    if (x->granted_at == NEVER || x->dropped_at != NEVER) return;
    for (unsigned i = 0; i < s->nsubs; i++)
        if (same_filter(&s->sub[i], x) && s->sub[i].dropped_at == NEVER)
            s->sub[i].dropped_at = c->t->n;
    uint16_t id = client_free_id(c);
    const char *name = x->shared ? share_name(x->filter) : filter_name(x->filter);
    c->asked[c->nasked++] = (struct asked){.id = id, .sub = x, .un = true};
    say_unsubscribe(&c->out, c->v5, name, id);
    trace(c->t, "%s unsubscribes from %s id=%u", c->name, name, id);
}

static void subscribe(struct client *c)
{
    uint8_t qos = (uint8_t)any_below(3);
    if (c->role == ROLE_MEMBER) {
        if (c->seat->nsubs == 0) client_subscribe(c, c->index % SHARES, true, qos ? qos : 1);
        return;
    }
    client_subscribe(c, any_below(FILTERS), false, qos);
}

/* ---- deeds
 * ------------------------------------------------------------------------------------------ */

static void publish(struct client *c)
{
    uint8_t qos = (uint8_t)any_below(3);
    bool retain = once_in(4);
    if (!c->o->qos0_sure && retain && qos == 0) qos = 1; /* else nobody knew what is retained */
    client_publish(c, any_below(TOPICS), qos, retain, retain && once_in(4));
}

void client_deed(struct client *c)
{
    switch (any_below(24)) {
    case 0:
    case 1: subscribe(c); break;
    case 2:
        if (once_in(4)) unsubscribe(c);
        break;
    case 3:
        if (!c->pinged) say_ping(&c->out);
        c->pinged = true;
        break;
    default: publish(c);
    }
}

/* ---- answers
 * ------------------------------------------------------------------------------------------ */

/* The oldest of a queue; each kind keeps its order, the kinds among each other don't. */
static bool answer_one(struct client *c, struct ids *q, enum packet_type type)
{
    if (ids_len(q) == 0) return false;
    uint16_t id = ids_pop(q);
    say_ack(&c->out, type, id);
    trace(c->t, "%s answers %u with %d", c->name, id, type);
    if ((type == P_PUBACK || type == P_PUBCOMP) && bit_at(c->held, id)) {
        bit_set(c->held, id, false);
        c->unanswered--;
    }
    return true;
}

bool client_answer(struct client *c, bool all)
{
    struct ids *const queue[] = {&c->puback, &c->pubrec, &c->pubrel, &c->pubcomp};
    bool any = false, more = true;
    while (more) {
        more = false;
        for (unsigned i = 0; i < ARRAY_LEN(queue); i++)
            if (all || once_in(3)) more |= answer_one(c, queue[i], P_PUBACK + i);
        any |= more;
        more &= all;
    }
    return any;
}
