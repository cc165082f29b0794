/* SPDX-License-Identifier: BSD-3-Clause */
/* subscribe.c -- SUBSCRIBE, UNSUBSCRIBE and their answers, sections 3.8 to 3.11.
 *
 * The list is checked once, whole, and stays in the frame: the session walks it again
 * with mqtt_next_filter() and needs no array of a size that a client chooses. */
#include "base/utf8.h"
#include "proto/mqtt/wire.h"

/* [MQTT-3.8.3.1]: the byte of subscription options. */
enum { OPT_QOS = 0x03, OPT_NO_LOCAL = 0x04, OPT_AS_PUBLISHED = 0x08, OPT_RESERVED = 0xC0 };

static bool is_shared(struct bytes filter)
{
    return bytes_starts(filter, BYTES("$share/"));
}

static int judge_options(enum mqtt_version v, uint8_t options, struct bytes filter)
{
    unsigned qos = options & OPT_QOS, handling = options >> 4 & 3;
    if (v != MQTT_V5) return options <= 2 ? 0 : MQTT_RC_MALFORMED_PACKET; /* [MQTT311-3.8.3-4] */
    if (options & OPT_RESERVED) return MQTT_RC_MALFORMED_PACKET;          /* [MQTT-3.8.3-5] */
    if (qos == 3 || handling == 3) return MQTT_RC_PROTOCOL_ERROR;         /* [MQTT-3.8.3.1] */
    if (options & OPT_NO_LOCAL && is_shared(filter))
        return MQTT_RC_PROTOCOL_ERROR; /* [MQTT-3.8.3-4] */
    return 0;
}

/* Walks a list of filters, with options if it is SUBSCRIBE's, and counts them. */
static int judge_list(struct mqtt_subscribe *s, unsigned type, enum mqtt_version v)
{
    struct reader r = rd_of(s->list);
    s->count = 0;
    while (rd_left(&r)) {
        struct bytes filter = rd_text(&r); /* [MQTT-3.8.3-1] [MQTT-3.10.3-1] */
        uint8_t options = type == MQTT_SUBSCRIBE ? rd_u8(&r) : 0;
        if (r.bad) return MQTT_RC_MALFORMED_PACKET;
        int rc = judge_options(v, options, filter);
        if (rc) return rc;
        s->count++;
    }
    return s->count ? 0 : MQTT_RC_PROTOCOL_ERROR; /* [MQTT-3.8.3-2] [MQTT-3.10.3-2] */
}

static int decode_list(const struct mqtt_frame *f, unsigned type, enum mqtt_version v,
                       struct mqtt_subscribe *s)
{
    mqtt_props_none(&s->props);
    if (!mqtt_head_fits(f, v)) return MQTT_RC_MALFORMED_PACKET; /* [MQTT-3.8.1-1] [MQTT-3.10.1-1] */
    struct reader r = rd_of(f->body);
    s->packet_id = rd_u16be(&r);
    if (s->packet_id == 0) return MQTT_RC_MALFORMED_PACKET; /* [MQTT-2.2.1-3] [MQTT311-2.3.1-1] */
    if (v == MQTT_V5) {
        int rc = mqtt_decode_props(&r, type, &s->props);
        if (rc) return rc;
    }
    s->list = rd_rest(&r);
    return judge_list(s, type, v);
}

int mqtt_decode_subscribe(const struct mqtt_frame *f, enum mqtt_version v, struct mqtt_subscribe *s)
{
    return decode_list(f, MQTT_SUBSCRIBE, v, s);
}

int mqtt_decode_unsubscribe(const struct mqtt_frame *f, enum mqtt_version v,
                            struct mqtt_subscribe *s)
{
    return decode_list(f, MQTT_UNSUBSCRIBE, v, s);
}

bool mqtt_next_filter(struct mqtt_subscribe *s, unsigned type, enum mqtt_version v,
                      struct mqtt_filter *f)
{
    struct reader r = rd_of(s->list);
    if (!rd_left(&r)) return false;
    f->filter = rd_binary(&r);
    uint8_t options = type == MQTT_SUBSCRIBE ? rd_u8(&r) : 0;
    if (v != MQTT_V5) options &= OPT_QOS;
    f->qos = options & OPT_QOS;
    f->no_local = options & OPT_NO_LOCAL;
    f->retain_as_published = options & OPT_AS_PUBLISHED;
    f->retain_handling = options >> 4 & 3;
    s->list = rd_rest(&r);
    return !r.bad;
}

/* Codes that may answer a filter: table 3-8 and [MQTT-3.11.3] of 5.0, [MQTT311-3.9.3-2] below. */
static bool code_fits(unsigned type, enum mqtt_version v, uint8_t code)
{
    if (v == MQTT_V5) return mqtt_reason_fits(type, code); /* [MQTT-3.9.3-2] [MQTT-3.11.3-2] */
    return code <= 2 || code == 0x80;
}

int mqtt_decode_suback(const struct mqtt_frame *f, enum mqtt_version v, struct mqtt_suback *s)
{
    mqtt_props_none(&s->props);
    if (!mqtt_head_fits(f, v)) return MQTT_RC_MALFORMED_PACKET;
    struct reader r = rd_of(f->body);
    s->packet_id = rd_u16be(&r);
    if (s->packet_id == 0) return MQTT_RC_MALFORMED_PACKET; /* [MQTT-2.2.1-6] */
    if (v == MQTT_V5) {
        int rc = mqtt_decode_props(&r, f->type, &s->props);
        if (rc) return rc;
    }
    s->codes = rd_rest(&r);
    bool wants_codes = v == MQTT_V5 || f->type == MQTT_SUBACK;
    if (r.bad || wants_codes != (s->codes.n > 0)) return MQTT_RC_MALFORMED_PACKET;
    for (size_t i = 0; i < s->codes.n; i++)
        if (!code_fits(f->type, v, s->codes.p[i])) return MQTT_RC_PROTOCOL_ERROR;
    return 0;
}

/* ---- writing --------------------------------------------------------------------- */

static size_t open_list(struct writer *w, enum mqtt_version v, unsigned type, uint16_t packet_id)
{
    size_t at = wr_packet(w, type);
    wr_u16be(w, packet_id);
    if (v == MQTT_V5) wr_u8(w, 0); /* [MQTT-2.2.2-1] */
    return at;
}

static uint8_t options_of(enum mqtt_version v, const struct mqtt_filter *f)
{
    if (v != MQTT_V5) return f->qos;
    unsigned options = f->qos | (unsigned)f->retain_handling << 4;
    if (f->no_local) options |= OPT_NO_LOCAL;
    if (f->retain_as_published) options |= OPT_AS_PUBLISHED;
    return (uint8_t)options;
}

void mqtt_encode_subscribe(struct writer *w, enum mqtt_version v, uint16_t packet_id,
                           const struct mqtt_filter *f, unsigned n)
{
    size_t at = open_list(w, v, MQTT_SUBSCRIBE, packet_id);
    for (unsigned i = 0; i < n; i++) {
        wr_binary(w, f[i].filter);
        wr_u8(w, options_of(v, &f[i]));
    }
    wr_packet_end(w, at);
}

void mqtt_encode_unsubscribe(struct writer *w, enum mqtt_version v, uint16_t packet_id,
                             const struct mqtt_filter *f, unsigned n)
{
    size_t at = open_list(w, v, MQTT_UNSUBSCRIBE, packet_id);
    for (unsigned i = 0; i < n; i++)
        wr_binary(w, f[i].filter);
    wr_packet_end(w, at);
}

void mqtt_encode_suback(struct writer *w, enum mqtt_version v, unsigned type,
                        const struct mqtt_suback *s)
{
    size_t at = wr_packet(w, type);
    wr_u16be(w, s->packet_id);                                      /* [MQTT-2.2.1-6] */
    if (v == MQTT_V5) mqtt_encode_props(w, &s->props);              /* [MQTT-2.2.2-1] */
    if (v == MQTT_V5 || type == MQTT_SUBACK) wr_bytes(w, s->codes); /* 3.1.1: UNSUBACK has none */
    wr_packet_end(w, at);
}
