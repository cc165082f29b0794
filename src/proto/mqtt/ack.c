/* SPDX-License-Identifier: BSD-3-Clause */
/* ack.c -- PUBACK, PUBREC, PUBREL, PUBCOMP, sections 3.4 to 3.7: a packet identifier and,
 * in 5.0, a reason and properties that may both be left out. */
#include "proto/mqtt/wire.h"

int mqtt_decode_ack(const struct mqtt_frame *f, enum mqtt_version v, struct mqtt_ack *a)
{
    a->reason = MQTT_RC_SUCCESS;
    mqtt_props_none(&a->props);
    if (!mqtt_head_fits(f, v)) return MQTT_RC_MALFORMED_PACKET;

    struct reader r = rd_of(f->body);
    a->packet_id = rd_u16be(&r);
    if (r.bad || a->packet_id == 0) return MQTT_RC_MALFORMED_PACKET; /* [MQTT-2.2.1] */
    if (v == MQTT_V5 && rd_left(&r)) {                               /* [MQTT-3.4.2.1] */
        a->reason = rd_u8(&r);
        if (!mqtt_reason_fits(f->type, a->reason)) return MQTT_RC_PROTOCOL_ERROR;
        /* [MQTT-3.4.2-1] [MQTT-3.5.2-1] [MQTT-3.6.2-1] [MQTT-3.7.2-1] */
        int rc = rd_left(&r) ? mqtt_decode_props(&r, f->type, &a->props) : 0; /* [MQTT-3.4.2.2.1] */
        if (rc) return rc;
    }
    return rd_left(&r) ? MQTT_RC_MALFORMED_PACKET : 0;
}

void mqtt_encode_ack(struct writer *w, enum mqtt_version v, unsigned type, const struct mqtt_ack *a)
{
    size_t at = wr_packet(w, type);
    wr_u16be(w, a->packet_id); /* [MQTT-2.2.1-5] */
    if (v == MQTT_V5 && (a->reason || a->props.have)) {
        wr_u8(w, a->reason);
        if (a->props.have) mqtt_encode_props(w, &a->props);
    }
    wr_packet_end(w, at);
}
