/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

/* ---- buffers ----------------------------------------------------------------------------- */

void buf_put(struct buf *b, const void *p, uint32_t n)
{
    while (b->cap < b->n + n) {
        b->cap = b->cap ? b->cap * 2 : 256;
        b->at = realloc(b->at, b->cap);
        ASSERT(b->at);
    }
    if (n) memcpy(b->at + b->n, p, n);
    b->n += n;
}

void buf_skip(struct buf *b, uint32_t n)
{
    if (n) memmove(b->at, b->at + n, b->n - n);
    b->n -= n;
}

void buf_free(struct buf *b)
{
    free(b->at);
    *b = (struct buf){0};
}

static void u8(struct buf *b, unsigned v)
{
    uint8_t byte = (uint8_t)v;
    buf_put(b, &byte, 1);
}

static void u16(struct buf *b, unsigned v)
{
    u8(b, v >> 8);
    u8(b, v & 0xFF);
}

static void u32(struct buf *b, uint32_t v)
{
    u16(b, v >> 16);
    u16(b, v & 0xFFFF);
}

static void varint(struct buf *b, uint32_t v)
{
    do {
        u8(b, (v & 0x7F) | (v > 0x7F ? 0x80 : 0));
        v >>= 7;
    } while (v);
}

static void text(struct buf *b, const char *s)
{
    uint32_t n = (uint32_t)strlen(s);
    u16(b, n);
    buf_put(b, s, n);
}

/* Puts `first`, the length and the body; frees the body. */
static void finish(struct buf *b, unsigned first, struct buf *body)
{
    u8(b, first);
    varint(b, body->n);
    buf_put(b, body->at, body->n);
    buf_free(body);
}

static void props(struct buf *b, struct buf *p)
{
    varint(b, p->n);
    buf_put(b, p->at, p->n);
    buf_free(p);
}

/* ---- what clients say ------------------------------------------------------------------------ */

static void put_will(struct buf *b, const struct say_connect *c)
{
    const struct say_publish *w = c->will;
    struct buf p = {0};
    if (c->will_delay_s) {
        u8(&p, 0x18);
        u32(&p, c->will_delay_s);
    }
    if (c->v5) props(b, &p);
    text(b, w->topic);
    u16(b, w->n);
    buf_put(b, w->payload, w->n);
}

void say_connect(struct buf *b, const struct say_connect *c)
{
    struct buf body = {0}, p = {0};
    unsigned flags = c->clean ? 2 : 0;
    if (c->will) flags |= 4u | (unsigned)c->will->qos << 3 | (unsigned)c->will->retain << 5;
    text(&body, "MQTT");
    u8(&body, c->v5 ? 5 : 4);
    u8(&body, flags);
    u16(&body, 0);
    if (c->expiry_s) {
        u8(&p, 0x11);
        u32(&p, c->expiry_s);
    }
    if (c->receive_max) {
        u8(&p, 0x21);
        u16(&p, c->receive_max);
    }
    if (c->v5) props(&body, &p);
    text(&body, c->id);
    if (c->will) put_will(&body, c);
    buf_free(&p);
    finish(b, P_CONNECT << 4, &body);
}

void say_publish(struct buf *b, bool v5, const struct say_publish *p)
{
    struct buf body = {0};
    text(&body, p->topic);
    if (p->qos) u16(&body, p->id);
    if (v5) u8(&body, 0);
    buf_put(&body, p->payload, p->n);
    unsigned flags = (unsigned)p->dup << 3 | (unsigned)p->qos << 1 | p->retain;
    finish(b, P_PUBLISH << 4 | flags, &body);
}

void say_ack(struct buf *b, enum packet_type type, uint16_t id)
{
    u8(b, (unsigned)type << 4 | (type == P_PUBREL ? 2 : 0));
    u8(b, 2);
    u16(b, id);
}

void say_subscribe(struct buf *b, bool v5, const struct say_subscribe *s)
{
    struct buf body = {0}, p = {0};
    u16(&body, s->id);
    if (s->sub_id) {
        u8(&p, 0x0B);
        varint(&p, s->sub_id);
    }
    if (v5) props(&body, &p);
    text(&body, s->filter);
    u8(&body, s->qos | (v5 ? (unsigned)s->retain_handling << 4 : 0));
    buf_free(&p);
    finish(b, P_SUBSCRIBE << 4 | 2, &body);
}

void say_unsubscribe(struct buf *b, bool v5, const char *filter, uint16_t id)
{
    struct buf body = {0};
    u16(&body, id);
    if (v5) u8(&body, 0);
    text(&body, filter);
    finish(b, P_UNSUBSCRIBE << 4 | 2, &body);
}

void say_ping(struct buf *b)
{
    u16(b, P_PINGREQ << 12);
}

void say_disconnect(struct buf *b, bool v5, uint8_t reason)
{
    u8(b, P_DISCONNECT << 4);
    if (!v5 || reason == 0) {
        u8(b, 0);
        return;
    }
    u8(b, 1);
    u8(b, reason);
}

/* ---- what the broker says ----------------------------------------------------------------------
 */

/* Reads forward; `bad` once it went too far. */
struct in {
    const uint8_t *p;
    uint32_t n;
    bool bad;
};

static const uint8_t *take(struct in *in, uint32_t n)
{
    if (in->bad || n > in->n) {
        in->bad = true;
        return NULL;
    }
    const uint8_t *p = in->p;
    in->p += n;
    in->n -= n;
    return p;
}

static uint32_t number(struct in *in, unsigned bytes)
{
    const uint8_t *p = take(in, bytes);
    uint32_t v = 0;
    for (unsigned i = 0; p && i < bytes; i++)
        v = v << 8 | p[i];
    return v;
}

static uint32_t get_varint(struct in *in)
{
    uint32_t v = 0;
    for (unsigned i = 0; i < 4; i++) {
        uint32_t byte = number(in, 1);
        v |= (byte & 0x7F) << 7 * i;
        if (!(byte & 0x80)) return v;
    }
    in->bad = true;
    return 0;
}

static void skip_texts(struct in *in, unsigned n)
{
    while (n--)
        take(in, number(in, 2));
}

static void get_prop(struct in *in, struct heard *h)
{
    switch (get_varint(in)) {
    case 0x0B: {
        uint32_t id = get_varint(in);
        if (h->nids < SUB_IDS_MAX) h->ids[h->nids++] = id;
        break;
    }
    case 0x21: h->receive_max = (uint16_t)number(in, 2); break;
    case 0x01:
    case 0x24:
    case 0x25:
    case 0x28:
    case 0x29:
    case 0x2A: take(in, 1); break;
    case 0x13:
    case 0x22: take(in, 2); break; /* a topic alias we have not allowed: 0x23 is not here */
    case 0x02:
    case 0x11:
    case 0x27: take(in, 4); break;
    case 0x03:
    case 0x08:
    case 0x09:
    case 0x12:
    case 0x1A:
    case 0x1C:
    case 0x1F: skip_texts(in, 1); break;
    case 0x26: skip_texts(in, 2); break;
    default: in->bad = true;
    }
}

static void get_props(struct in *in, bool v5, struct heard *h)
{
    if (!v5) return;
    uint32_t n = get_varint(in);
    struct in p = {.n = n};
    p.p = take(in, n);
    while (p.p && p.n && !p.bad)
        get_prop(&p, h);
    in->bad |= p.bad;
}

static void get_publish(struct in *in, bool v5, struct heard *h)
{
    h->qos = h->flags >> 1 & 3;
    h->dup = h->flags >> 3 & 1;
    h->retain = h->flags & 1;
    h->topic_n = number(in, 2);
    h->topic = take(in, h->topic_n);
    if (h->qos) h->id = (uint16_t)number(in, 2);
    if (h->qos == 3 || (h->qos && !h->id) || (!h->qos && h->dup)) in->bad = true;
    get_props(in, v5, h);
    h->payload_n = in->n;
    h->payload = take(in, in->n);
}

static void get_ack(struct in *in, bool v5, struct heard *h)
{
    h->id = (uint16_t)number(in, 2);
    if (v5 && in->n) h->reason = (uint8_t)number(in, 1);
    if (v5 && in->n) get_props(in, true, h);
}

static void get_body(struct in *in, bool v5, struct heard *h)
{
    switch (h->type) {
    case P_CONNACK:
        h->session_present = number(in, 1) & 1;
        h->reason = (uint8_t)number(in, 1);
        get_props(in, v5, h);
        break;
    case P_PUBLISH: get_publish(in, v5, h); break;
    case P_PUBACK:
    case P_PUBREC:
    case P_PUBREL:
    case P_PUBCOMP: get_ack(in, v5, h); break;
    case P_SUBACK:
    case P_UNSUBACK:
        h->id = (uint16_t)number(in, 2);
        get_props(in, v5, h);
        if (h->type == P_SUBACK || v5) h->reason = (uint8_t)number(in, 1);
        break;
    case P_PINGRESP: break;
    case P_DISCONNECT:
        if (!v5) in->bad = true;
        if (in->n) h->reason = (uint8_t)number(in, 1);
        if (in->n) get_props(in, v5, h);
        break;
    default: in->bad = true;
    }
    in->bad |= in->n > 0;
}

static bool flags_are_right(const struct heard *h)
{
    return h->type == P_PUBLISH || h->flags == (h->type == P_PUBREL ? 2 : 0);
}

long hear(const uint8_t *p, uint32_t n, bool v5, struct heard *h)
{
    uint32_t len = 0, at = 1;
    for (unsigned shift = 0;; shift += 7) {
        if (at >= n) return at > 4 ? -1 : 0;
        if (shift > 21) return -1;
        uint8_t byte = p[at++];
        len |= (byte & 0x7Fu) << shift;
        if (!(byte & 0x80)) break;
    }
    if (n - at < len) return 0;
    *h = (struct heard){.type = p[0] >> 4, .flags = p[0] & 15, .receive_max = 65535};
    struct in in = {.p = p + at, .n = len};
    get_body(&in, v5, h);
    return in.bad || !flags_are_right(h) ? -1 : (long)(at + len);
}
