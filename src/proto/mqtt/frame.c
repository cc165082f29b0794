/* SPDX-License-Identifier: BSD-3-Clause */
/* frame.c -- the fixed header, section 2.1.
 *
 * The version of a connection is not known here, so what one version allows passes
 * and mqtt_head_fits() judges it later: a padded length below 5.0, and in 3.1 the bits
 * of CONNECT, which are unused, and DUP where 3.1 repeats packets. */
#include "proto/mqtt/varint.h"
#include "proto/mqtt/wire.h"

enum { FLAG_DUP = 8 };

/* Table 2-2: the one value of the flags. PUBLISH's have a meaning of their own. */
static const uint8_t flags_of[16] = {
    [MQTT_PUBREL] = 2,      /* [MQTT-3.6.1-1] */
    [MQTT_SUBSCRIBE] = 2,   /* [MQTT-3.8.1-1] */
    [MQTT_UNSUBSCRIBE] = 2, /* [MQTT-3.10.1-1] */
};

static bool flags_possible(unsigned type, unsigned flags)
{
    if (type == MQTT_CONNECT || type == MQTT_PUBLISH) return true;
    if (flags_of[type] == 2) flags &= ~(unsigned)FLAG_DUP;
    return flags == flags_of[type]; /* [MQTT-2.1.3-1] [MQTT311-2.2.2-2] */
}

bool mqtt_head_fits(const struct mqtt_frame *f, enum mqtt_version v)
{
    if (v == MQTT_V31) return true;
    if (v == MQTT_V5 && f->padded) return false; /* [MQTT-1.5.5-1] */
    return f->flags == flags_of[f->type];        /* [MQTT-2.1.3-1] [MQTT311-2.2.2-2] */
}

long mqtt_frame_next(struct bytes in, uint32_t max, struct mqtt_frame *f, uint32_t *need)
{
    *need = 0;
    if (in.n == 0) return 0;

    unsigned type = in.p[0] >> 4, flags = in.p[0] & 15;
    if (type == 0 || !flags_possible(type, flags))
        return -MQTT_RC_MALFORMED_PACKET; /* [MQTT-2.1.2] */

    uint32_t length = 0;
    int used = varint_decode(bytes_skip(in, 1), &length);
    if (used < 0) return -MQTT_RC_MALFORMED_PACKET; /* [MQTT-1.5.5], [MQTT-2.1.4] */
    if (used == 0) return 0;

    uint32_t whole = 1 + (uint32_t)used + length;
    if (whole > max) return -MQTT_RC_PACKET_TOO_LARGE; /* [MQTT-3.1.2.11.4], [MQTT-3.2.2.3.6] */
    if (whole > in.n) {
        *need = whole;
        return 0;
    }
    f->type = (uint8_t)type;
    f->flags = (uint8_t)flags;
    f->padded = (size_t)used > varint_size(length);
    f->body = bytes_of(in.p + 1 + used, length);
    return (long)whole;
}
