/* SPDX-License-Identifier: BSD-3-Clause */
/* connect.c -- CONNECT, section 3.1: the packet in which a stranger speaks first.
 *
 * It also says which version the connection has, so its own rules can only be chosen
 * half-way: name and level first, then the rest under the version they name. */
#include "base/utf8.h"
#include "proto/mqtt/wire.h"

enum {
    FLAG_RESERVED = 0x01,
    FLAG_CLEAN = 0x02,
    FLAG_WILL = 0x04,
    FLAG_WILL_QOS = 0x18,
    FLAG_WILL_RETAIN = 0x20,
    FLAG_PASSWORD = 0x40,
    FLAG_USER = 0x80,
    LEVEL_BRIDGE = 0x80, /* set by bridges of 3.x; by custom, in no specification */
};

/* Name and level: [MQTT-3.1.2.1] and [MQTT-3.1.2.2], [MQTT311-3.1.2-1] [MQTT311-3.1.2-2]
 * [MQTT31-3.1]. */
static int take_version(struct reader *r, struct mqtt_connect *c)
{
    struct bytes name = rd_text(r);
    uint8_t level = rd_u8(r);
    if (r->bad || name.n == 0) return MQTT_RC_MALFORMED_PACKET;

    bool mqtt = bytes_eq(name, BYTES("MQTT")); /* [MQTT-3.1.2-1] */
    uint8_t plain = level & (uint8_t)~LEVEL_BRIDGE;
    c->bridge = plain != level;
    if (mqtt && level == MQTT_V5)
        c->version = MQTT_V5;
    else if (mqtt && plain == MQTT_V311)
        c->version = MQTT_V311;
    else if (bytes_eq(name, BYTES("MQIsdp")) && plain == MQTT_V31)
        c->version = MQTT_V31;
    else
        return MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION; /* [MQTT-3.1.2-2] */
    return 0;
}

static int judge_flags(enum mqtt_version v, uint8_t flags)
{
    bool good = !(flags & FLAG_RESERVED);                       /* [MQTT-3.1.2-3] */
    if ((flags & FLAG_WILL_QOS) == FLAG_WILL_QOS) good = false; /* [MQTT-3.1.2-12] */
    if (!(flags & FLAG_WILL) && flags & (FLAG_WILL_QOS | FLAG_WILL_RETAIN))
        good = false; /* [MQTT-3.1.2-11] [MQTT-3.1.2-13] */
    if (v != MQTT_V5 && (flags & (FLAG_USER | FLAG_PASSWORD)) == FLAG_PASSWORD)
        good = false; /* [MQTT311-3.1.2-22] */
    return good ? 0 : MQTT_RC_MALFORMED_PACKET;
}

static void take_flags(struct mqtt_connect *c, uint8_t flags)
{
    c->clean = flags & FLAG_CLEAN;
    c->has_will = flags & FLAG_WILL;
    c->has_user = flags & FLAG_USER;
    c->has_password = flags & FLAG_PASSWORD;
    c->will.qos = flags >> 3 & 3;
    c->will.retain = flags & FLAG_WILL_RETAIN;
}

/* Will properties, topic and payload: [MQTT-3.1.3.2] to [MQTT-3.1.3.4], [MQTT-3.1.2-9]. */
static int take_will(struct reader *r, struct mqtt_connect *c)
{
    if (!c->has_will) return 0;
    if (c->version == MQTT_V5) {
        int rc = mqtt_decode_props(r, MQTT_PROPS_WILL, &c->will.props);
        if (rc) return rc;
    }
    c->will.topic = rd_text(r); /* [MQTT-3.1.3-11] */
    c->will.payload = rd_binary(r);
    if (r->bad) return MQTT_RC_MALFORMED_PACKET;
    if (!mqtt_topic_valid(c->will.topic)) return MQTT_RC_TOPIC_NAME_INVALID; /* [MQTT-4.7.0-1] */
    bool text = MQTT_HAS(&c->will.props, payload_format) && c->will.props.payload_format == 1;
    if (text && !utf8_valid(c->will.payload))
        return MQTT_RC_PAYLOAD_FORMAT_INVALID; /* [MQTT-3.1.3.2.3] */
    return 0;
}

/* In 3.1 the length of the packet goes before its flags: a user name or a password that
 * was announced may be missing at the end [MQTT31-3.1]. */
static void take_credentials(struct reader *r, struct mqtt_connect *c)
{
    bool lenient = c->version == MQTT_V31;
    if (lenient && !rd_left(r) && !r->bad) c->has_user = false;
    c->user = c->has_user ? rd_text(r) : bytes_of(NULL, 0); /* [MQTT-3.1.2-17] [MQTT-3.1.3-12] */
    if (lenient && !rd_left(r) && !r->bad) c->has_password = false;
    c->password = c->has_password ? rd_binary(r) : bytes_of(NULL, 0); /* [MQTT-3.1.2-19] */
}

/* An empty client id asks the server for one, which 3.1 does not know and 3.1.1 grants
 * to clean sessions only. Longer ones than 3.1's 23 characters are taken [MQTT-3.1.3-5]. */
static int judge_client_id(const struct mqtt_connect *c)
{
    if (c->client_id.n > 0 || c->version == MQTT_V5) return 0; /* [MQTT-3.1.3-6] */
    if (c->version == MQTT_V311 && c->clean) return 0;         /* [MQTT311-3.1.3-7] */
    return MQTT_RC_CLIENT_ID_NOT_VALID;                        /* [MQTT311-3.1.3-8] [MQTT31-3.1] */
}

/* The payload, in this order [MQTT-3.1.3-1]. */
static int take_payload(struct reader *r, struct mqtt_connect *c)
{
    c->client_id = rd_text(r); /* [MQTT-3.1.3-3] [MQTT-3.1.3-4] */
    int rc = take_will(r, c);
    if (rc) return rc;
    take_credentials(r, c);
    if (r->bad || rd_left(r)) return MQTT_RC_MALFORMED_PACKET; /* [MQTT-3.1.2-16] [MQTT-3.1.2-18] */
    return judge_client_id(c);
}

int mqtt_decode_connect(const struct mqtt_frame *f, struct mqtt_connect *c)
{
    struct reader r = rd_of(f->body);
    c->version = 0;
    mqtt_props_none(&c->props);
    mqtt_props_none(&c->will.props);
    int rc = take_version(&r, c);
    if (rc) return rc;
    if (!mqtt_head_fits(f, c->version)) return MQTT_RC_MALFORMED_PACKET;

    uint8_t flags = rd_u8(&r);
    c->keep_alive_s = rd_u16be(&r);
    rc = judge_flags(c->version, flags);
    if (rc) return rc;
    take_flags(c, flags);
    if (c->version == MQTT_V5) {
        rc = mqtt_decode_props(&r, MQTT_CONNECT, &c->props);
        if (rc) return rc;
    }
    return take_payload(&r, c);
}

/* ---- writing --------------------------------------------------------------------- */

static uint8_t flags_of(const struct mqtt_connect *c)
{
    unsigned flags = c->clean ? FLAG_CLEAN : 0;
    if (c->has_will) flags |= FLAG_WILL | (unsigned)c->will.qos << 3;
    if (c->has_will && c->will.retain) flags |= FLAG_WILL_RETAIN;
    if (c->has_user) flags |= FLAG_USER;
    if (c->has_password) flags |= FLAG_PASSWORD;
    return (uint8_t)flags;
}

void mqtt_encode_connect(struct writer *w, const struct mqtt_connect *c)
{
    bool v5 = c->version == MQTT_V5;
    size_t at = wr_packet(w, MQTT_CONNECT);
    wr_binary(w, c->version == MQTT_V31 ? BYTES("MQIsdp") : BYTES("MQTT"));
    wr_u8(w, (uint8_t)(c->version | (c->bridge && !v5 ? LEVEL_BRIDGE : 0)));
    wr_u8(w, flags_of(c));
    wr_u16be(w, c->keep_alive_s);
    if (v5) mqtt_encode_props(w, &c->props);
    wr_binary(w, c->client_id);
    if (c->has_will) {
        if (v5) mqtt_encode_props(w, &c->will.props);
        wr_binary(w, c->will.topic);
        wr_binary(w, c->will.payload);
    }
    if (c->has_user) wr_binary(w, c->user);
    if (c->has_password) wr_binary(w, c->password);
    wr_packet_end(w, at);
}
