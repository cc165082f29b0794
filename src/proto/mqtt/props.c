/* SPDX-License-Identifier: BSD-3-Clause */
/* props.c -- properties, section 2.2.2: one table (props.def) drives reading and writing.
 *
 * A bit per property finds repeated ones, so a block costs time linear in its length
 * whatever it holds; user properties and subscription identifiers, which may repeat,
 * are capped. User properties stay where they are, in the borrowed block. */
#include <stddef.h>

#include "base/assert.h"
#include "base/utf8.h"
#include "proto/mqtt/varint.h"
#include "proto/mqtt/wire.h"

#define IN_WILL (1u << MQTT_PROPS_WILL)

enum prop_type { PROP_U8, PROP_U16, PROP_U32, PROP_VARINT, PROP_TEXT, PROP_BINARY, PROP_PAIR };

/* Where in struct mqtt_props a value of this type is kept. */
#define KEPT_U8(name) offsetof(struct mqtt_props, name)
#define KEPT_U16(name) offsetof(struct mqtt_props, name)
#define KEPT_U32(name) offsetof(struct mqtt_props, name)
#define KEPT_VARINT(name) offsetof(struct mqtt_props, name)
#define KEPT_TEXT(name) offsetof(struct mqtt_props, name)
#define KEPT_BINARY(name) offsetof(struct mqtt_props, name)
#define KEPT_PAIR(name) 0 /* nowhere: see mqtt_user_property_next() */

static const struct prop {
    uint32_t where; /* a bit per packet type, and one for wills */
    uint16_t offset;
    uint8_t id;
    uint8_t type;
} props[MQTT_PROPS] = {
#define PROP(id, name, type, where) {where, (uint16_t)KEPT_##type(name), id, PROP_##type},
#include "proto/mqtt/props.def"
#undef PROP
};

/* From an identifier to its row + 1; 0 for what is no property. */
static const uint8_t row_of[128] = {
#define PROP(id, name, type, where) [id] = MQTT_P_##name + 1,
#include "proto/mqtt/props.def"
#undef PROP
};

#define FORWARDED                                                                                  \
    (1u << MQTT_P_payload_format | 1u << MQTT_P_content_type | 1u << MQTT_P_response_topic |       \
     1u << MQTT_P_correlation_data | 1u << MQTT_P_user_property)

/* Takes the next identifier: its row, or MQTT_PROPS for none that 5.0 knows. All of
 * them take one byte, and a longer form of them is padded [MQTT-1.5.5-1]. */
static unsigned take_id(struct reader *r)
{
    uint8_t id = rd_u8(r);
    return id < ARRAY_LEN(row_of) && row_of[id] ? row_of[id] - 1u : MQTT_PROPS;
}

static void *slot(struct mqtt_props *p, unsigned row)
{
    return (uint8_t *)p + props[row].offset;
}

static const uint8_t *value_of(const struct mqtt_props *p, unsigned row)
{
    return (const uint8_t *)p + props[row].offset;
}

/* ---- reading ------------------------------------------------------------------- */

static void take_number(struct reader *r, unsigned row, struct mqtt_props *p)
{
    switch (props[row].type) {
    case PROP_U8: *(uint8_t *)slot(p, row) = rd_u8(r); break;
    case PROP_U16: *(uint16_t *)slot(p, row) = rd_u16be(r); break;
    default: *(uint32_t *)slot(p, row) = rd_u32be(r); break;
    }
}

/* Reads the value of a row. 0 or the reason why there is one too many. */
static int take_value(struct reader *r, unsigned row, struct mqtt_props *p)
{
    switch (props[row].type) {
    case PROP_TEXT: *(struct bytes *)slot(p, row) = rd_text(r); return 0;
    case PROP_BINARY: *(struct bytes *)slot(p, row) = rd_binary(r); return 0;
    case PROP_PAIR:
        if (p->users == MQTT_USER_PROPERTIES_MAX) return MQTT_RC_QUOTA_EXCEEDED;
        p->users++;
        rd_text(r); /* [MQTT-1.5.7-1] */
        rd_text(r);
        return 0;
    case PROP_VARINT:
        if (p->nsub_ids == MQTT_SUB_IDS_MAX) return MQTT_RC_QUOTA_EXCEEDED;
        p->subscription_id[p->nsub_ids++] = rd_varint(r);
        return 0;
    default: take_number(r, row, p); return 0;
    }
}

/* Values that their type allows and their meaning forbids. */
static int judge_value(unsigned row, const struct mqtt_props *p)
{
    bool good = true;
    if (row == MQTT_P_topic_alias && p->topic_alias == 0)
        return MQTT_RC_TOPIC_ALIAS_INVALID; /* [MQTT-3.3.2-8] */
    if (row == MQTT_P_receive_maximum)
        good = p->receive_maximum > 0; /* [MQTT-3.1.2.11.3] [MQTT-3.2.2.3.3] */
    else if (row == MQTT_P_maximum_packet_size)
        good = p->maximum_packet_size > 0; /* [MQTT-3.1.2.11.4] [MQTT-3.2.2.3.6] */
    else if (row == MQTT_P_subscription_id)
        good = p->subscription_id[p->nsub_ids - 1] > 0; /* [MQTT-3.3.2.3.8] [MQTT-3.8.2.1.2] */
    else if (row == MQTT_P_response_topic)
        good = !mqtt_filter_has_wildcard(p->response_topic); /* [MQTT-3.3.2-14] */
    else if (props[row].type == PROP_U8)
        good = *value_of(p, row) <= 1; /* all of one byte are yes or no, as [MQTT-3.1.2.11.6] */
    return good ? 0 : MQTT_RC_PROTOCOL_ERROR;
}

/* May it stand here, and once more? */
static int judge_place(unsigned row, unsigned type, const struct mqtt_props *p)
{
    if (row == MQTT_PROPS) return MQTT_RC_MALFORMED_PACKET;                /* [MQTT-2.2.2.2] */
    if (!(props[row].where >> type & 1u)) return MQTT_RC_MALFORMED_PACKET; /* [MQTT-2.2.2.2] */
    if (!(p->have >> row & 1u)) return 0;
    if (row == MQTT_P_user_property) return 0;                           /* [MQTT-3.1.2.11.8] */
    if (row == MQTT_P_subscription_id && type == MQTT_PUBLISH) return 0; /* [MQTT-3.3.2.3.8] */
    return MQTT_RC_PROTOCOL_ERROR; /* "it is a Protocol Error to include ... more than once" */
}

int mqtt_decode_props(struct reader *r, unsigned type, struct mqtt_props *p)
{
    p->have = 0;
    p->users = 0;
    p->nsub_ids = 0;
    p->raw = rd_take(r, rd_varint(r)); /* [MQTT-2.2.2.1] */
    if (r->bad) return MQTT_RC_MALFORMED_PACKET;

    struct reader block = rd_of(p->raw);
    while (rd_left(&block)) {
        unsigned row = take_id(&block);
        int rc = judge_place(row, type, p);
        if (rc) return rc;
        rc = take_value(&block, row, p);
        if (rc) return rc;
        if (block.bad) return MQTT_RC_MALFORMED_PACKET;
        rc = judge_value(row, p);
        if (rc) return rc;
        p->have |= 1u << row;
    }
    if (MQTT_HAS(p, auth_data) && !MQTT_HAS(p, auth_method))
        return MQTT_RC_PROTOCOL_ERROR; /* [MQTT-3.1.2.11.10] */
    return 0;
}

/* ---- walking a block that was decoded before ------------------------------------- */

/* Passes over the next property: its row, with all its bytes in *whole; MQTT_PROPS at
 * the end. */
static unsigned next_property(struct reader *r, struct bytes *whole)
{
    const uint8_t *start = r->p;
    if (!rd_left(r)) return MQTT_PROPS;
    unsigned row = take_id(r);
    if (row == MQTT_PROPS) return MQTT_PROPS;
    switch (props[row].type) {
    case PROP_U8: rd_take(r, 1); break;
    case PROP_U16: rd_take(r, 2); break;
    case PROP_U32: rd_take(r, 4); break;
    case PROP_VARINT: rd_varint(r); break;
    case PROP_PAIR: rd_binary(r); /* fall through */
    default: rd_binary(r); break;
    }
    if (r->bad) return MQTT_PROPS;
    *whole = bytes_of(start, (size_t)(r->p - start));
    return row;
}

bool mqtt_user_property_next(struct bytes raw, size_t *pos, struct bytes *name, struct bytes *value)
{
    struct reader r = rd_of(bytes_skip(raw, *pos));
    struct bytes whole;
    unsigned row;
    do
        row = next_property(&r, &whole);
    while (row != MQTT_PROPS && row != MQTT_P_user_property);
    if (row == MQTT_PROPS) return false;

    *pos = raw.n - rd_left(&r);
    struct reader pair = rd_of(bytes_skip(whole, 1));
    *name = rd_binary(&pair);
    *value = rd_binary(&pair);
    return true;
}

size_t mqtt_props_forward(struct bytes raw, uint8_t *out)
{
    struct reader r = rd_of(raw);
    struct bytes whole;
    size_t n = 0;
    /* In the order in which they came [MQTT-3.3.2-18], every byte as it came [MQTT-3.3.2-4]
     * [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-20] [MQTT-3.1.3-10]. */
    for (unsigned row; (row = next_property(&r, &whole)) != MQTT_PROPS;) {
        if (!(FORWARDED >> row & 1u)) continue;
        memcpy(out + n, whole.p, whole.n);
        n += whole.n;
    }
    return n;
}

/* ---- writing --------------------------------------------------------------------- */

static void put_users(struct writer *w, struct bytes raw)
{
    struct reader r = rd_of(raw);
    struct bytes whole;
    for (unsigned row; (row = next_property(&r, &whole)) != MQTT_PROPS;)
        if (row == MQTT_P_user_property) wr_bytes(w, whole);
}

static void put_sub_ids(struct writer *w, const struct mqtt_props *p)
{
    for (unsigned i = 0; i < p->nsub_ids; i++) {
        wr_u8(w, props[MQTT_P_subscription_id].id);
        wr_varint(w, p->subscription_id[i]);
    }
}

static void put_property(struct writer *w, unsigned row, const struct mqtt_props *p)
{
    const void *value = value_of(p, row);
    if (props[row].type == PROP_PAIR) {
        put_users(w, p->raw);
        return;
    }
    if (props[row].type == PROP_VARINT) {
        put_sub_ids(w, p);
        return;
    }
    wr_u8(w, props[row].id);
    switch (props[row].type) {
    case PROP_U8: wr_u8(w, *(const uint8_t *)value); break;
    case PROP_U16: wr_u16be(w, *(const uint16_t *)value); break;
    case PROP_U32: wr_u32be(w, *(const uint32_t *)value); break;
    default: wr_binary(w, *(const struct bytes *)value); break;
    }
}

void mqtt_encode_props(struct writer *w, const struct mqtt_props *p)
{
    size_t at = wr_open(w); /* a length of zero too is written [MQTT-2.2.2-1] */
    for (unsigned row = 0; row < MQTT_PROPS; row++)
        if (p->have >> row & 1u) put_property(w, row, p);
    wr_close(w, at);
}
