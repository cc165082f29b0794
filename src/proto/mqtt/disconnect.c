/* SPDX-License-Identifier: BSD-3-Clause */
/* disconnect.c -- DISCONNECT and AUTH, sections 3.14 and 3.15, which have one shape, and
 * the pings, 3.12 and 3.13, which have none. */
#include "proto/mqtt/wire.h"

/* Reason and properties up to the end of the body. */
static int take_reason(struct reader *r, unsigned type, struct mqtt_disconnect *d)
{
    d->reason = rd_u8(r);
    if (!mqtt_reason_fits(type, d->reason))
        return MQTT_RC_PROTOCOL_ERROR;                        /* [MQTT-3.14.2-1] [MQTT-3.15.2-1] */
    bool short_form = type == MQTT_DISCONNECT && !rd_left(r); /* [MQTT-3.14.2.2.1] */
    int rc = short_form ? 0 : mqtt_decode_props(r, type, &d->props);
    if (rc) return rc;
    return rd_left(r) ? MQTT_RC_MALFORMED_PACKET : 0;
}

int mqtt_decode_disconnect(const struct mqtt_frame *f, enum mqtt_version v,
                           struct mqtt_disconnect *d)
{
    d->reason = MQTT_RC_SUCCESS; /* [MQTT-3.14.2.1]: normal, if it is left out */
    mqtt_props_none(&d->props);
    if (!mqtt_head_fits(f, v)) return MQTT_RC_MALFORMED_PACKET; /* [MQTT-3.14.1-1] */
    if (f->body.n == 0) return 0;
    if (v != MQTT_V5) return MQTT_RC_MALFORMED_PACKET; /* 3.1.1: the remaining length is zero */
    struct reader r = rd_of(f->body);
    return take_reason(&r, MQTT_DISCONNECT, d);
}

int mqtt_decode_auth(const struct mqtt_frame *f, struct mqtt_disconnect *d)
{
    d->reason = MQTT_RC_SUCCESS;
    mqtt_props_none(&d->props);
    if (!mqtt_head_fits(f, MQTT_V5)) return MQTT_RC_MALFORMED_PACKET; /* [MQTT-3.15.1-1] */
    if (f->body.n == 0) return 0;                                     /* [MQTT-3.15.2.1] */
    struct reader r = rd_of(f->body);
    int rc = take_reason(&r, MQTT_AUTH, d);
    if (rc) return rc;
    return MQTT_HAS(&d->props, auth_method) ? 0 : MQTT_RC_PROTOCOL_ERROR; /* [MQTT-3.15.2.2.2] */
}

/* No version here: a padded length is refused in all of them. */
int mqtt_decode_empty(const struct mqtt_frame *f)
{
    return f->body.n == 0 && mqtt_head_fits(f, MQTT_V5)
               ? 0
               : MQTT_RC_MALFORMED_PACKET; /* [MQTT-3.12.1] */
}

void mqtt_encode_disconnect(struct writer *w, enum mqtt_version v, const struct mqtt_disconnect *d)
{
    size_t at = wr_packet(w, MQTT_DISCONNECT);
    if (v == MQTT_V5 && (d->reason || d->props.have)) {
        wr_u8(w, d->reason);
        if (d->props.have) mqtt_encode_props(w, &d->props);
    }
    wr_packet_end(w, at);
}

void mqtt_encode_auth(struct writer *w, const struct mqtt_disconnect *d)
{
    size_t at = wr_packet(w, MQTT_AUTH);
    if (d->reason || d->props.have) {
        wr_u8(w, d->reason);
        mqtt_encode_props(w, &d->props);
    }
    wr_packet_end(w, at);
}

void mqtt_encode_ping(struct writer *w, unsigned type)
{
    wr_packet_end(w, wr_packet(w, type));
}
