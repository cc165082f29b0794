/* SPDX-License-Identifier: BSD-3-Clause */
/* vectors.h -- the packets of good.def and bad.def as tables, and one judge for them all.
 *
 * Bytes are handed out in a block of exactly their length from malloc, so that a
 * sanitizer sees a decoder that reads one byte too far. */
#pragma once

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "proto/mqtt/mqtt.h"

enum sender { SERVER, CLIENT };

struct vector {
    const char *name;
    enum mqtt_version version;
    enum sender sender;
    int reason; /* 0: good */
    const char *text;
    const char *clause; /* that it breaks */
};

static const struct vector good_vectors[] = {
#define GOOD(name, version, sender, text) {#name, version, sender, 0, text, ""},
#include "vectors/mqtt/good.def"
#undef GOOD
};

static const struct vector bad_vectors[] = {
#define BAD(name, version, sender, reason, text, clause)                                           \
    {#name, version, sender, reason, text, clause},
#include "vectors/mqtt/bad.def"
#undef BAD
};

/* Bytes of one's own, of exactly this length. */
static inline struct bytes exact_copy(struct bytes b)
{
    uint8_t *p = malloc(b.n ? b.n : 1);
    ASSERT(p);
    if (b.n) memcpy(p, b.p, b.n);
    return bytes_of(p, b.n);
}

static inline void exact_free(struct bytes b)
{
    free((void *)(uintptr_t)b.p);
}

static inline unsigned hex_digit(char c)
{
    ASSERT(isxdigit((unsigned char)c));
    return c <= '9' ? (unsigned)(c - '0') : (unsigned)(toupper((unsigned char)c) - 'A' + 10);
}

/* Hex digits and 'quoted text' to bytes; the caller gives them to exact_free(). */
static inline struct bytes bytes_from(const char *text)
{
    uint8_t buf[512];
    size_t n = 0;
    bool quoted = false;
    for (const char *c = text; *c; c++) {
        ASSERT(n < sizeof buf);
        if (*c == '\'')
            quoted = !quoted;
        else if (quoted)
            buf[n++] = (uint8_t)*c;
        else if (*c != ' ') {
            buf[n++] = (uint8_t)(hex_digit(c[0]) << 4 | hex_digit(c[1]));
            c++;
        }
    }
    return exact_copy(bytes_of(buf, n));
}

/* The bytes of the good packet of this name. */
static inline struct bytes good_bytes(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(good_vectors); i++)
        if (strcmp(good_vectors[i].name, name) == 0) return bytes_from(good_vectors[i].text);
    assert_fail(name, __FILE__, __LINE__);
}

/* Puts any packet to the decoder of its type. 0 or the reason. */
static inline int judge_frame(const struct mqtt_frame *f, enum mqtt_version v, enum sender sender)
{
    union {
        struct mqtt_connect connect;
        struct mqtt_connack connack;
        struct mqtt_publish publish;
        struct mqtt_ack ack;
        struct mqtt_subscribe subscribe;
        struct mqtt_suback suback;
        struct mqtt_disconnect disconnect;
    } x;
    switch (f->type) {
    case MQTT_CONNECT: return mqtt_decode_connect(f, &x.connect);
    case MQTT_CONNACK: return mqtt_decode_connack(f, v, &x.connack);
    case MQTT_PUBLISH: return mqtt_decode_publish(f, v, sender == CLIENT, &x.publish);
    case MQTT_PUBACK:
    case MQTT_PUBREC:
    case MQTT_PUBREL:
    case MQTT_PUBCOMP: return mqtt_decode_ack(f, v, &x.ack);
    case MQTT_SUBSCRIBE: return mqtt_decode_subscribe(f, v, &x.subscribe);
    case MQTT_UNSUBSCRIBE: return mqtt_decode_unsubscribe(f, v, &x.subscribe);
    case MQTT_SUBACK:
    case MQTT_UNSUBACK: return mqtt_decode_suback(f, v, &x.suback);
    case MQTT_DISCONNECT: return mqtt_decode_disconnect(f, v, &x.disconnect);
    case MQTT_AUTH: return mqtt_decode_auth(f, &x.disconnect);
    default: return mqtt_decode_empty(f);
    }
}

/* The same from the first byte on; -1 if the packet is not complete. */
static inline int judge_packet(struct bytes in, enum mqtt_version v, enum sender sender)
{
    struct mqtt_frame f;
    uint32_t need;
    long n = mqtt_frame_next(in, UINT32_MAX, &f, &need);
    if (n < 0) return (int)-n;
    return n == 0 ? -1 : judge_frame(&f, v, sender);
}
