/* SPDX-License-Identifier: BSD-3-Clause */
/* connack.c -- CONNACK, section 3.2: session present, and a reason (5.0) or a return code. */
#include "proto/mqtt/wire.h"

enum { SESSION_PRESENT = 1, RETURN_CODE_MAX = 5 };

static bool reason_fits(enum mqtt_version v, uint8_t reason)
{
    if (v == MQTT_V5) return mqtt_reason_fits(MQTT_CONNACK, reason); /* [MQTT-3.2.2-8] */
    return reason <= RETURN_CODE_MAX; /* 3.1.1, table 3.1: the others are reserved */
}

int mqtt_decode_connack(const struct mqtt_frame *f, enum mqtt_version v, struct mqtt_connack *c)
{
    mqtt_props_none(&c->props);
    if (!mqtt_head_fits(f, v)) return MQTT_RC_MALFORMED_PACKET;
    struct reader r = rd_of(f->body);
    uint8_t flags = rd_u8(&r);
    if (v == MQTT_V31) flags = 0; /* a byte without a use [MQTT31-3.2] */
    c->session_present = flags & SESSION_PRESENT;
    c->reason = rd_u8(&r);
    if (r.bad || flags & ~SESSION_PRESENT) return MQTT_RC_MALFORMED_PACKET; /* [MQTT-3.2.2-1] */
    if (!reason_fits(v, c->reason)) return MQTT_RC_PROTOCOL_ERROR;
    if (c->reason && c->session_present) return MQTT_RC_PROTOCOL_ERROR; /* [MQTT-3.2.2-6] */
    if (v == MQTT_V5) {
        int rc = mqtt_decode_props(&r, MQTT_CONNACK, &c->props);
        if (rc) return rc;
    }
    return rd_left(&r) ? MQTT_RC_MALFORMED_PACKET : 0;
}

void mqtt_encode_connack(struct writer *w, enum mqtt_version v, const struct mqtt_connack *c)
{
    size_t at = wr_packet(w, MQTT_CONNACK);
    wr_u8(w, v != MQTT_V31 && c->session_present ? SESSION_PRESENT : 0);
    wr_u8(w, c->reason);
    if (v == MQTT_V5) mqtt_encode_props(w, &c->props);
    wr_packet_end(w, at);
}
