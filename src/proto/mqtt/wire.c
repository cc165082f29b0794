/* SPDX-License-Identifier: BSD-3-Clause */
#include "proto/mqtt/wire.h"

#include "base/utf8.h"
#include "proto/mqtt/varint.h"

struct bytes rd_text(struct reader *r)
{
    struct bytes text = rd_binary(r);
    if (!utf8_valid(text)) r->bad = true; /* [MQTT-1.5.4-1] [MQTT-1.5.4-2] [MQTT311-1.5.3-1] */
    return text;
}

uint32_t rd_varint(struct reader *r)
{
    uint32_t value = 0;
    int used = varint_decode(bytes_of(r->p, rd_left(r)), &value);
    if (used <= 0 || (size_t)used > varint_size(value)) { /* [MQTT-1.5.5-1] */
        r->bad = true;
        return 0;
    }
    r->p += used;
    return value;
}

void wr_binary(struct writer *w, struct bytes b)
{
    if (b.n > UINT16_MAX) w->bad = true; /* [MQTT-4.7.3-3] and [MQTT-1.5.6] */
    wr_u16be(w, (uint16_t)b.n);
    wr_bytes(w, b);
}

void wr_varint(struct writer *w, uint32_t v)
{
    if (v > MQTT_VARINT_MAX) w->bad = true;
    if (!wr_room(w, varint_size(v))) return;
    w->p += varint_encode(w->p, v);
}

void wr_close(struct writer *w, size_t at)
{
    if (w->bad) return;
    size_t length = wr_len(w) - at - 1;
    if (length > MQTT_VARINT_MAX) {
        w->bad = true;
        return;
    }
    size_t head = varint_size((uint32_t)length);
    if (!wr_room(w, head - 1)) return;
    memmove(w->start + at + head, w->start + at + 1, length);
    varint_encode(w->start + at, (uint32_t)length);
    w->p += head - 1;
}

/* The flags that sections [MQTT-2.1.3] and 3.x.1 prescribe. */
static uint8_t first_byte(unsigned type)
{
    bool two = type == MQTT_PUBREL || type == MQTT_SUBSCRIBE || type == MQTT_UNSUBSCRIBE;
    return (uint8_t)(type << 4 | (two ? 2 : 0)); /* [MQTT-2.1.3-1] */
}

size_t wr_packet(struct writer *w, unsigned type)
{
    size_t at = wr_len(w);
    wr_u8(w, first_byte(type));
    wr_open(w);
    return at;
}

void wr_packet_end(struct writer *w, size_t at)
{
    wr_close(w, at + 1);
    if (w->bad) w->p = w->start + at;
}
