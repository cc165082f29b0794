/* SPDX-License-Identifier: BSD-3-Clause */
/* client.c -- a client's connections: how they begin, move bytes, and end. */
#include "client.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"

enum { READ_MAX = 16384, PIPE_MIN_BITS = 6, PIPE_MAX_BITS = 16, WILL_DELAY_S = 3 };

unsigned any_below(unsigned n)
{
    return (unsigned)rng_below(&machine()->rng, n);
}

bool once_in(unsigned n)
{
    return any_below(n) == 0;
}

uint32_t ids_len(const struct ids *q)
{
    return q->tail - q->head;
}

void ids_push(struct ids *q, uint16_t id)
{
    ASSERT(ids_len(q) < ARRAY_LEN(q->at));
    q->at[q->tail++ % ARRAY_LEN(q->at)] = id;
}

uint16_t ids_pop(struct ids *q)
{
    return q->at[q->head++ % ARRAY_LEN(q->at)];
}

bool ids_has(const struct ids *q, uint16_t id)
{
    for (uint32_t i = q->head; i != q->tail; i++)
        if (q->at[i % ARRAY_LEN(q->at)] == id) return true;
    return false;
}

void ids_drop(struct ids *q, uint16_t id)
{
    for (uint32_t n = ids_len(q); n > 0; n--) {
        uint16_t x = ids_pop(q);
        if (x != id) ids_push(q, x);
    }
}

void client_init(struct client *c, unsigned index, struct trace *t, struct oracle *o)
{
    memset(c, 0, sizeof *c);
    c->t = t;
    c->o = o;
    c->index = index;
    c->role = ROLE_PLAIN;
    c->v5 = once_in(2);
    c->lasting = !once_in(3);
    c->low_ids = once_in(2);
    snprintf(c->name, sizeof c->name, "c%u", index % 100000);
}

void client_fini(struct client *c)
{
    for (unsigned i = 0; i < c->nghosts; i++)
        end_close(c->ghost[i], true);
    if (c->stale) end_close(c->stale, true);
    if (c->end) end_close(c->end, true);
    buf_free(&c->out);
    buf_free(&c->in);
}

/* ---- begin ----------------------------------------------------------------------------------- */

static void make_will(struct client *c, struct say_publish *w, uint8_t *payload)
{
    struct note n = {.topic = once_in(2) ? TOPIC_WILL : (uint8_t)any_below(TOPICS),
                     .qos = (uint8_t)any_below(3),
                     .retain = once_in(4),
                     .will = true,
                     .by = (uint16_t)c->index};
    if (!c->o->qos0_sure && n.qos == 0) n.qos = 1;
    c->will = oracle_note(c->o, &n);
    note_at(c->o, c->will)->sent_at = c->t->n;
    c->will_delay_s = c->v5 && once_in(3) ? 1 + any_below(WILL_DELAY_S) : 0;
    *w = (struct say_publish){.topic = topic_name(n.topic),
                              .payload = payload,
                              .n = payload_make(payload, c->will, 16),
                              .qos = n.qos,
                              .retain = n.retain};
}

static void forget_connection(struct client *c)
{
    c->out.n = c->in.n = 0;
    c->puback = c->pubrec = c->pubrel = c->pubcomp = (struct ids){0};
    memset(c->held, 0, sizeof c->held);
    c->nasked = 0;
    c->unanswered = 0;
    c->slow = c->harmed = c->crashed = c->pinged = false;
    c->will = 0;
    for (unsigned i = 0; i < c->nflight; i++)
        c->flight[i].here = 0;
}

void client_connect(struct client *c, bool clean, bool plain)
{
    uint8_t payload[16];
    struct say_publish will;
    ASSERT(c->phase == AWAY);
    unsigned bits = PIPE_MIN_BITS + any_below(PIPE_MAX_BITS - PIPE_MIN_BITS + 1);
    c->end = net_connect(plain ? 1u << PIPE_MAX_BITS : 1u << bits);
    if (!c->end) return;
    forget_connection(c);
    c->clean = clean;
    c->ends = c->v5 ? !c->lasting || (clean && plain) : clean;
    c->phase = CONNECTING;
    c->receive_max = c->v5 && !plain && once_in(2) ? (uint16_t)(1 + any_below(20)) : 65535;
    if (!plain && once_in(3)) make_will(c, &will, payload);
    struct say_connect s = {.id = c->name,
                            .v5 = c->v5,
                            .clean = clean,
                            .expiry_s = c->v5 && !c->ends ? (uint32_t)EXPIRY_NEVER : 0,
                            .receive_max = c->receive_max == 65535 ? 0 : c->receive_max,
                            .will = c->will ? &will : NULL,
                            .will_delay_s = c->will_delay_s};
    say_connect(&c->out, &s);
    trace(c->t, "%s connects v%d clean=%d ends=%d receive_max=%u will=%u delay=%u", c->name,
          c->v5 ? 5 : 4, clean, c->ends, c->receive_max, c->will, c->will ? c->will_delay_s : 0);
}

/* ---- end ----------------------------------------------------------------------------------------
 */

/* What has become of the will, as far as a client can tell. */
static void settle_will(struct client *c)
{
    if (!c->will) return;
    struct note *n = note_at(c->o, c->will);
    if (c->crashed) return; /* client_crash */
    n->fate_ns = machine()->now_ns;
    if (c->phase == ONLINE)
        n->fate = c->will_delay_s == 0 || c->ends;
    else if (c->phase == LEAVING && !c->harmed && c->out.n == 0 && !c->o->trouble)
        n->fate = c->goodbye == 0 ? -1 : c->will_delay_s == 0 || c->ends;
    else
        n->fate = 0;
}

static void settle_session(struct client *c)
{
    if (c->phase != CONNECTING) {
        c->have = c->ends ? HAVE_NONE : HAVE_SESSION;
    } else if (c->clean || c->have == HAVE_NONE) {
        c->renew = c->have != HAVE_NONE; /* whatever there is, it is not to be used */
        c->have = c->ends && c->have == HAVE_NONE ? HAVE_NONE : HAVE_MAYBE;
    }
    if (!c->seat) return;
    c->seat->online_since = NEVER;
    c->seat->broke_at = c->t->n;
    if (c->have != HAVE_SESSION) c->seat->ended = true;
}

/* The connection is no longer ours. What to do with its end is the caller's matter. */
static void part(struct client *c)
{
    settle_will(c);
    settle_session(c);
    forget_connection(c);
    c->end = NULL;
    c->phase = AWAY;
}

void client_lost(struct client *c, bool abrupt)
{
    struct end *e = c->end;
    bool unread = c->phase == CONNECTING;
    trace(c->t, "%s %s", c->name, abrupt ? "breaks off" : "is disconnected");
    c->harmed |= abrupt;
    part(c);
    if (!unread) {
        end_close(e, abrupt);
        return;
    }
    end_break(e); /* a core that is slow may still find CONNECT in there */
    c->stale = e;
    while (c->nghosts) /* which the CONNECT was to replace */
        end_close(c->ghost[--c->nghosts], true);
}

void client_harm(struct client *c)
{
    if (!c->end || c->role == ROLE_WITNESS) return;
    trace(c->t, "the network breaks the connection of %s", c->name);
    c->harmed = true;
    end_break(c->end);
}

/* The broker has promised the will of a session that was new: CONNACK came, so it is on disk. After
 * the restart it is due at once, if it has no delay. */
void client_crash(struct client *c)
{
    if (!c->end) return;
    c->crashed = c->harmed = true;
    if (!c->will) return;
    bool promised = c->phase == ONLINE && !c->resumed && !c->ends && c->will_delay_s == 0;
    note_at(c->o, c->will)->fate = promised;
}

static void become_two(struct client *c)
{
    if (c->phase != ONLINE || c->nghosts == GHOSTS_MAX) return;
    trace(c->t, "%s connects once more", c->name);
    c->ghost[c->nghosts++] = c->end;
    part(c);
    client_connect(c, false, false);
}

void client_leave(struct client *c)
{
    if (c->phase != ONLINE) return;
    c->goodbye = c->v5 && c->will && once_in(4) ? 4 : 0;
    say_disconnect(&c->out, c->v5, c->goodbye);
    c->phase = LEAVING;
    trace(c->t, "%s leaves, reason %u", c->name, c->goodbye);
}

/* Old connections are done with when the broker has closed them. */
static bool bury_ghosts(struct client *c)
{
    bool any = false;
    if (c->stale && !c->stale->peer->open) {
        end_close(c->stale, true);
        c->stale = NULL;
        any = true;
    }
    for (unsigned i = 0; i < c->nghosts;) {
        if (c->ghost[i]->peer->open && !c->ghost[i]->broken) {
            i++;
            continue;
        }
        end_close(c->ghost[i], true);
        c->ghost[i] = c->ghost[--c->nghosts];
        any = true;
    }
    return any;
}

/* ---- bytes
 * ------------------------------------------------------------------------------------------ */

static bool flush(struct client *c)
{
    uint32_t n = c->out.n ? end_write(c->end, c->out.at, c->out.n) : 0;
    buf_skip(&c->out, n);
    return n > 0;
}

static bool read_some(struct client *c)
{
    uint8_t bytes[READ_MAX];
    uint32_t n = end_read(c->end, bytes, sizeof bytes);
    buf_put(&c->in, bytes, n);
    return n > 0;
}

static bool move_bytes(struct client *c)
{
    bool any = flush(c);
    if (c->slow && !machine()->calm) return any;
    if (read_some(c)) {
        any = true;
        client_hear(c);
    }
    if (c->phase != AWAY && end_over(c->end)) {
        client_lost(c, false);
        any = true;
    }
    return any;
}

/* ---- what it does
 * ------------------------------------------------------------------------------------ */

static void storm_deed(struct client *c)
{
    if (c->phase == AWAY && c->role == ROLE_WITNESS) {
        client_connect(c, false, true);
        return;
    }
    if (c->phase == AWAY) {
        if (!c->stale && once_in(8))
            client_connect(c, c->renew || !c->lasting || once_in(12), false);
        return;
    }
    if (c->role == ROLE_WITNESS) return;
    if (once_in(300)) client_lost(c, true);
    if (once_in(400)) become_two(c);
    if (once_in(300)) client_leave(c);
    if (once_in(c->slow ? 20 : 200)) c->slow = !c->slow;
    if (c->phase == ONLINE && once_in(2)) client_deed(c);
}

bool client_act(struct client *c, bool storm)
{
    bool any = bury_ghosts(c);
    if (c->phase != AWAY) any |= move_bytes(c);
    if (c->phase == ONLINE) any |= client_answer(c, !storm || c->role == ROLE_WITNESS);
    if (storm) storm_deed(c);
    return any;
}

bool client_busy(const struct client *c)
{
    if (c->nghosts || c->stale) return true;
    if (c->phase == CONNECTING || c->phase == LEAVING) return true;
    if (c->phase == AWAY) return false;
    return c->out.n || c->nflight || c->nasked || c->pinged || ids_len(&c->puback) ||
           ids_len(&c->pubrec) || ids_len(&c->pubrel) || ids_len(&c->pubcomp);
}
