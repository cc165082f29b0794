/* SPDX-License-Identifier: BSD-3-Clause */
/* publish.c -- PUBLISH, section 3.3: the packet that everything else waits for.
 *
 * Reading touches each byte of the topic once and none of the payload; a 5.0 packet
 * without properties costs one comparison more than a 3.1.1 packet. Writing is done
 * by hand, since the caller has asked for the size already and brought room. */
#include "base/assert.h"
#include "base/utf8.h"
#include "proto/mqtt/varint.h"
#include "proto/mqtt/wire.h"

enum { ID_SUBSCRIPTION_ID = 0x0B, ID_MESSAGE_EXPIRY = 0x02, ID_TOPIC_ALIAS = 0x23 };

/* An empty block, which nearly every packet has. */
static bool no_props(struct reader *r)
{
    if (!rd_left(r) || *r->p != 0) return false;
    r->p++;
    return true;
}

static int judge_topic(const struct mqtt_publish *p)
{
    if (LIKELY(p->topic.n > 0)) return mqtt_topic_check(p->topic); /* [MQTT-3.3.2-2] */
    if (MQTT_HAS(&p->props, topic_alias)) return 0;                /* [MQTT-3.3.2.3.4] */
    return MQTT_RC_PROTOCOL_ERROR; /* [MQTT-3.3.2.1], [MQTT-4.7.3-1] */
}

static int judge_props(const struct mqtt_publish *p, bool from_client)
{
    if (from_client && MQTT_HAS(&p->props, subscription_id))
        return MQTT_RC_PROTOCOL_ERROR; /* [MQTT-3.3.4-6] */
    bool text = MQTT_HAS(&p->props, payload_format) && p->props.payload_format == 1;
    if (text && !utf8_valid(p->payload))
        return MQTT_RC_PAYLOAD_FORMAT_INVALID; /* [MQTT-3.3.2.3.2] */
    return 0;
}

int mqtt_decode_publish(const struct mqtt_frame *f, enum mqtt_version v, bool from_client,
                        struct mqtt_publish *p)
{
    if (v == MQTT_V5 && f->padded) return MQTT_RC_MALFORMED_PACKET; /* [MQTT-1.5.5-1] */
    p->retain = f->flags & 1;
    p->qos = f->flags >> 1 & 3;
    p->dup = f->flags >> 3;
    if (p->qos == 3) return MQTT_RC_MALFORMED_PACKET;           /* [MQTT-3.3.1-4] */
    if (p->dup && p->qos == 0) return MQTT_RC_MALFORMED_PACKET; /* [MQTT-3.3.1-2] */

    struct reader r = rd_of(f->body);
    p->topic = rd_binary(&r); /* [MQTT-3.3.2-1] */
    p->packet_id = 0;         /* [MQTT-2.2.1-2] */
    if (p->qos > 0) {
        p->packet_id = rd_u16be(&r);
        if (p->packet_id == 0) return MQTT_RC_MALFORMED_PACKET; /* [MQTT-2.2.1-3] */
    }
    mqtt_props_none(&p->props);
    if (v == MQTT_V5 && !no_props(&r)) {
        int rc = mqtt_decode_props(&r, MQTT_PUBLISH, &p->props);
        if (rc) return rc;
    }
    p->payload = rd_rest(&r);
    if (r.bad) return MQTT_RC_MALFORMED_PACKET;

    int rc = judge_topic(p);
    if (rc == 0 && p->props.have) rc = judge_props(p, from_client);
    return rc;
}

/* ---- writing --------------------------------------------------------------------- */

static uint32_t props_length(const struct mqtt_publish_out *p)
{
    size_t n = p->props.n;
    if (p->has_expiry) n += 5;
    if (p->topic_alias) n += 3;
    for (unsigned i = 0; i < p->nsub_ids; i++)
        n += 1 + varint_size(p->sub_ids[i]);
    return (uint32_t)n;
}

/* What stands before the payload, without the fixed header. */
static size_t variable_header(enum mqtt_version v, const struct mqtt_publish_out *p, uint32_t props)
{
    size_t n = 2 + p->topic.n + (p->qos ? 2 : 0);
    return v == MQTT_V5 ? n + varint_size(props) + props : n;
}

size_t mqtt_publish_size(enum mqtt_version v, const struct mqtt_publish_out *p)
{
    uint32_t props = v == MQTT_V5 ? props_length(p) : 0;
    size_t remaining = variable_header(v, p, props) + p->payload.n;
    return 1 + varint_size((uint32_t)remaining) + remaining;
}

static uint8_t *put_u16(uint8_t *at, uint16_t v)
{
    at[0] = (uint8_t)(v >> 8);
    at[1] = (uint8_t)v;
    return at + 2;
}

static uint8_t *put_bytes(uint8_t *at, struct bytes b)
{
    if (b.n) memcpy(at, b.p, b.n);
    return at + b.n;
}

static uint8_t *put_props(uint8_t *at, const struct mqtt_publish_out *p, uint32_t length)
{
    at += varint_encode(at, length);
    if (p->has_expiry) { /* [MQTT-3.3.2-6] */
        *at++ = ID_MESSAGE_EXPIRY;
        at = put_u16(at, (uint16_t)(p->expiry_s >> 16));
        at = put_u16(at, (uint16_t)p->expiry_s);
    }
    if (p->topic_alias) {
        *at++ = ID_TOPIC_ALIAS;
        at = put_u16(at, p->topic_alias);
    }
    for (unsigned i = 0; i < p->nsub_ids; i++) { /* [MQTT-3.3.4-3] [MQTT-3.3.4-4] */
        *at++ = ID_SUBSCRIPTION_ID;
        at += varint_encode(at, p->sub_ids[i]);
    }
    return put_bytes(at, p->props);
}

size_t mqtt_encode_publish_head(uint8_t *out, enum mqtt_version v, const struct mqtt_publish_out *p,
                                size_t *id_at)
{
    uint32_t props = v == MQTT_V5 ? props_length(p) : 0;
    size_t remaining = variable_header(v, p, props) + p->payload.n;
    uint8_t *at = out;
    *at++ = (uint8_t)(MQTT_PUBLISH << 4 | p->dup << 3 | p->qos << 1 | p->retain);
    at += varint_encode(at, (uint32_t)remaining);
    at = put_u16(at, (uint16_t)p->topic.n);
    at = put_bytes(at, p->topic);
    if (id_at) *id_at = (size_t)(at - out);
    if (p->qos) at = put_u16(at, p->packet_id); /* [MQTT-2.2.1-2] [MQTT-2.2.1-4] */
    if (v == MQTT_V5) at = put_props(at, p, props);
    return (size_t)(at - out);
}
