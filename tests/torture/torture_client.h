/* SPDX-License-Identifier: BSD-3-Clause */
/* torture_client.h -- a small client of MQTT 3.1.1 on a loopback socket, written by hand so that
 * the broker's codec is never tested against itself.
 *
 * It never waits: what it says goes through a buffer, what it hears comes packet by packet. */
#pragma once

#include <errno.h>

#include "torture_cores.h"

enum {
    CLIENT_BUFFER = 64 << 10,
    BODY_MAX = 2048,
    TYPE_CONNACK = 2,
    TYPE_PUBLISH = 3,
    TYPE_PUBACK = 4,
    TYPE_PUBREC = 5,
    TYPE_PUBREL = 6,
    TYPE_PUBCOMP = 7,
    TYPE_SUBACK = 9,
    TYPE_UNSUBACK = 11,
    TYPE_PINGRESP = 13,
};

struct client {
    int fd; /* -1: none */
    char id[24];
    size_t nin, nout; /* bytes heard but not understood yet, bytes not yet sent */
    uint8_t in[CLIENT_BUFFER], out[CLIENT_BUFFER];
};

/* What it says next, byte by byte. */
struct body {
    size_t n;
    uint8_t at[BODY_MAX];
};

/* What it has heard; borrows from the client's buffer. */
struct packet {
    unsigned type, flags;
    unsigned qos;       /* of a PUBLISH, as the next three */
    bool dup, retained; /* */
    const uint8_t *topic;
    size_t topic_n;
    uint16_t id; /* 0: has none */
    const uint8_t *rest;
    size_t nrest;
};

/* ---- saying ------------------------------------------------------------------------------ */

static inline void put_u8(struct body *b, unsigned v)
{
    REQUIRE(b->n < sizeof b->at);
    b->at[b->n++] = (uint8_t)v;
}

static inline void put_u16(struct body *b, unsigned v)
{
    put_u8(b, v >> 8);
    put_u8(b, v & 0xFF);
}

static inline void put_bytes(struct body *b, const void *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        put_u8(b, ((const uint8_t *)p)[i]);
}

static inline void put_text(struct body *b, const char *text)
{
    put_u16(b, (unsigned)strlen(text));
    put_bytes(b, text, strlen(text));
}

static inline bool client_has_room(const struct client *c)
{
    return c->nout < CLIENT_BUFFER / 2;
}

/* `first` is the packet's first byte: type and flags. */
static inline void client_say(struct client *c, unsigned first, const struct body *b)
{
    uint8_t *at = c->out + c->nout;

    REQUIRE(c->nout + b->n + 3 <= CLIENT_BUFFER && b->n < 128 * 128);
    *at++ = (uint8_t)first;
    if (b->n > 127) *at++ = (uint8_t)(b->n & 127) | 128;
    *at++ = (uint8_t)(b->n > 127 ? b->n >> 7 : b->n);
    memcpy(at, b->at, b->n);
    c->nout = (size_t)(at - c->out) + b->n;
}

static inline void client_say_id(struct client *c, unsigned first, unsigned id)
{
    struct body b = {0};
    put_u16(&b, id);
    client_say(c, first, &b);
}

/* A new connection; what was under way on the last one is forgotten. False: nobody listens. */
static inline bool client_connect(struct client *c, const struct sock_addr *to, bool clean,
                                  const char *will_topic)
{
    struct body b = {0};

    c->nin = c->nout = 0;
    c->fd = torture_connect(to);
    if (c->fd < 0) return false;
    put_text(&b, "MQTT");
    put_u8(&b, 4);
    put_u8(&b, (clean ? 2u : 0u) | (will_topic ? 4u | 8u : 0u)); /* the will has QoS 1 */
    put_u16(&b, 0);
    put_text(&b, c->id);
    if (will_topic) {
        put_text(&b, will_topic);
        put_text(&b, "gone");
    }
    client_say(c, 0x10, &b);
    return true;
}

static inline void client_subscribe(struct client *c, unsigned id, const char *filter, unsigned qos)
{
    struct body b = {0};
    put_u16(&b, id);
    put_text(&b, filter);
    put_u8(&b, qos);
    client_say(c, 0x82, &b);
}

static inline void client_unsubscribe(struct client *c, unsigned id, const char *filter)
{
    struct body b = {0};
    put_u16(&b, id);
    put_text(&b, filter);
    client_say(c, 0xA2, &b);
}

/* Offers to the socket what is to be said. False: the connection is broken. */
static inline bool client_flush(struct client *c)
{
    if (c->nout == 0) return true;
    ssize_t n = send(c->fd, c->out, c->nout, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0) return errno == EAGAIN;
    c->nout -= (size_t)n;
    memmove(c->out, c->out + n, c->nout);
    return true;
}

static inline void client_close(struct client *c, bool reset)
{
    if (c->fd < 0) return;
    if (reset)
        torture_reset(c->fd);
    else
        close(c->fd);
    c->fd = -1;
}

/* ---- hearing ----------------------------------------------------------------------------- */

/* Reads what has come. False: the connection is over. */
static inline bool client_read(struct client *c)
{
    REQUIRE(c->nin < CLIENT_BUFFER);
    ssize_t n = recv(c->fd, c->in + c->nin, CLIENT_BUFFER - c->nin, MSG_DONTWAIT);
    if (n == 0) return false;
    if (n < 0) return errno == EAGAIN;
    c->nin += (size_t)n;
    return true;
}

static inline uint16_t packet_u16(struct packet *p)
{
    REQUIRE(p->nrest >= 2);
    uint16_t v = (uint16_t)(p->rest[0] << 8 | p->rest[1]);
    p->rest += 2;
    p->nrest -= 2;
    return v;
}

static inline void packet_parse(struct packet *p, unsigned first)
{
    p->type = first >> 4;
    p->flags = first & 15;
    if (p->type == TYPE_PUBLISH) {
        p->dup = p->flags & 8;
        p->qos = p->flags >> 1 & 3;
        p->retained = p->flags & 1;
        p->topic_n = packet_u16(p);
        REQUIRE(p->topic_n <= p->nrest && p->qos <= 2);
        p->topic = p->rest;
        p->rest += p->topic_n;
        p->nrest -= p->topic_n;
        if (p->qos) p->id = packet_u16(p);
    } else if (p->type >= TYPE_PUBACK && p->type <= TYPE_UNSUBACK) {
        p->id = packet_u16(p);
    }
}

/* The packet at `*from` in what was heard, and moves on. False: none is complete. */
static inline bool client_next(const struct client *c, size_t *from, struct packet *p)
{
    const uint8_t *at = c->in + *from;
    size_t n = c->nin - *from, head = 2;

    if (n < 2) return false;
    size_t length = at[1] & 127;
    if (at[1] & 128) {
        if (n < 3) return false;
        REQUIRE(!(at[2] & 128));
        length |= (size_t)at[2] << 7;
        head = 3;
    }
    if (n < head + length) return false;
    *p = (struct packet){.rest = at + head, .nrest = length};
    packet_parse(p, at[0]);
    *from += head + length;
    return true;
}

static inline void client_forget(struct client *c, size_t heard)
{
    c->nin -= heard;
    memmove(c->in, c->in + heard, c->nin);
}
