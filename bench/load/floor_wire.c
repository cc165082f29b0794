/* SPDX-License-Identifier: BSD-3-Clause */
/* floor_wire.c -- packets: where they end, whose they are, and the shortest right answer. */
#include <stdlib.h>
#include <string.h>

#include "floor.h"

enum packet_type {
    CONNECT = 1,
    PUBLISH = 3,
    PUBACK = 4,
    PUBREC = 5,
    PUBREL = 6,
    PUBCOMP = 7,
    SUBSCRIBE = 8,
    PINGREQ = 12,
    DISCONNECT = 14,
};

struct packet {
    const uint8_t *at, *body;
    size_t head, len; /* `len`: of the body */
    unsigned type, qos;
};

/* 1: a packet; 0: not all of it is here; -1: not MQTT. */
static int packet_find(struct packet *k, const uint8_t *p, size_t n)
{
    size_t len = 0;
    size_t i = 1;

    for (unsigned shift = 0;; shift += 7) {
        if (i >= n) return i > 4 ? -1 : 0;
        if (shift > 21) return -1;
        len |= (size_t)(p[i] & 0x7f) << shift;
        if (!(p[i++] & 0x80)) break;
    }
    *k = (struct packet){
        .at = p, .body = p + i, .head = i, .len = len, .type = p[0] >> 4, .qos = p[0] >> 1 & 3u};
    return n - i >= len;
}

/* ---- topics -------------------------------------------------------------------------------- */

/* Group of a topic or filter: the number in its last level. */
static int group_of(const uint8_t *p, size_t n)
{
    size_t from = n;
    unsigned number = 0;

    while (from > 0 && p[from - 1] != '/')
        from--;
    if (from < n && (p[from] == '+' || p[from] == '#')) return FLOOR_EVERY;
    for (; from < n && p[from] >= '0' && p[from] <= '9'; from++)
        number = (number * 10 + (unsigned)(p[from] - '0')) % FLOOR_TOPICS;
    return (int)number;
}

int group_add(struct group *g, struct conn *c)
{
    if (g->n == g->room) {
        unsigned room = g->room ? g->room * 2 : 4;
        struct conn **more = realloc(g->member, room * sizeof(struct conn *));
        if (!more) return -1;
        g->member = more;
        g->room = room;
    }
    g->member[g->n++] = c;
    return 0;
}

void group_remove(struct group *g, const struct conn *c)
{
    for (unsigned i = 0; i < g->n; i++) {
        if (g->member[i] != c) continue;
        g->member[i] = g->member[--g->n];
        return;
    }
}

/* ---- messages ------------------------------------------------------------------------------ */

/* A run of whole packets goes to everyone as it is. */
static void forward(struct floor *f, const struct conn *c, const uint8_t *p, size_t n)
{
    if (c->publishes_to < 0 || n == 0) return;
    const struct group *own = &f->group[c->publishes_to];
    const struct group *every = &f->group[FLOOR_EVERY];

    for (unsigned i = 0; i < own->n; i++)
        conn_put(f, own->member[i], p, n);
    for (unsigned i = 0; i < every->n; i++)
        conn_put(f, every->member[i], p, n);
}

static size_t answer_id(uint8_t *to, unsigned type, const uint8_t *id)
{
    to[0] = (uint8_t)(type << 4 | (type == PUBREL ? 2 : 0));
    to[1] = 2;
    to[2] = id[0];
    to[3] = id[1];
    return 4;
}

/* Returns the bytes of its answer, or -1. */
static long on_publish(struct conn *c, const struct packet *k, uint8_t *answer)
{
    if (k->len < 2) return -1;
    size_t topic = (size_t)k->body[0] << 8 | k->body[1];
    if (k->len < 2 + topic + (k->qos ? 2 : 0)) return -1;
    if (c->publishes_to < 0) c->publishes_to = group_of(k->body + 2, topic) % FLOOR_TOPICS;
    if (k->qos == 0) return 0;
    return (long)answer_id(answer, k->qos == 1 ? PUBACK : PUBREC, k->body + 2 + topic);
}

static long on_subscribe(struct floor *f, struct conn *c, const struct packet *k, uint8_t *answer)
{
    if (k->len < 6) return -1;
    size_t filter = (size_t)k->body[2] << 8 | k->body[3];
    if (k->len != 2 + 2 + filter + 1 || c->subscribes >= 0) return -1; /* one filter, once */
    int group = group_of(k->body + 4, filter);
    if (group_add(&f->group[group], c) < 0) return -1;
    c->subscribes = group;
    const uint8_t suback[] = {0x90, 3, k->body[0], k->body[1], k->body[k->len - 1]};
    memcpy(answer, suback, sizeof suback);
    return (long)sizeof suback;
}

/* Returns the bytes of its answer, or -1 if the connection ends. */
static long answer_packet(struct floor *f, struct conn *c, const struct packet *k, uint8_t *answer)
{
    static const uint8_t connack[] = {0x20, 2, 0, 0};
    static const uint8_t pingresp[] = {0xd0, 0};

    switch (k->type) {
    case CONNECT:
        if (k->len < 10) return -1;
        memcpy(answer, connack, sizeof connack);
        return (long)sizeof connack;
    case PUBLISH: return on_publish(c, k, answer);
    case SUBSCRIBE: return on_subscribe(f, c, k, answer);
    case PUBREC: return k->len >= 2 ? (long)answer_id(answer, PUBREL, k->body) : -1;
    case PUBREL: return k->len >= 2 ? (long)answer_id(answer, PUBCOMP, k->body) : -1;
    case PUBACK:
    case PUBCOMP: return 0;
    case PINGREQ: memcpy(answer, pingresp, sizeof pingresp); return (long)sizeof pingresp;
    default: return -1; /* DISCONNECT, and what we don't speak */
    }
}

long wire_take(struct floor *f, struct conn *c, const uint8_t *p, size_t n, uint8_t *answer)
{
    size_t taken = 0, run = 0, answered = 0;
    struct packet k;
    int found;

    /* `run` is where messages began that have not been forwarded. */
    while ((found = packet_find(&k, p + taken, n - taken)) > 0) {
        if (k.type != PUBLISH) {
            forward(f, c, p + run, taken - run);
            run = taken + k.head + k.len;
        }
        long m = answer_packet(f, c, &k, answer + answered);
        if (m < 0) return -1;
        answered += (size_t)m;
        taken += k.head + k.len;
    }
    forward(f, c, p + run, taken - run);
    conn_put(f, c, answer, answered);
    f->used += n + answered;
    return found < 0 ? -1 : (long)taken;
}
