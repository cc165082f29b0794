/* SPDX-License-Identifier: BSD-3-Clause */
/* mqtt.h -- the MQTT codec: pure functions between bytes and structs, for versions
 * 3.1, 3.1.1 and 5.0, both directions (the broker decodes what clients send, the
 * command line's clients decode what brokers send).
 *
 * A decoder borrows from the frame: every `struct bytes` it fills points into the
 * input. It returns 0, or the reason code (>= 0x80) that names what is wrong; the
 * caller decides how to tell the peer in its version. Structs are not zeroed:
 * only what a comment calls always set, and what `have` says, is valid.
 *
 * An encoder writes into room the caller provides through a `struct writer`, and
 * sets w->bad if it does not fit. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum mqtt_version { MQTT_V31 = 3, MQTT_V311 = 4, MQTT_V5 = 5 };

enum mqtt_type {
    MQTT_CONNECT = 1,
    MQTT_CONNACK,
    MQTT_PUBLISH,
    MQTT_PUBACK,
    MQTT_PUBREC,
    MQTT_PUBREL,
    MQTT_PUBCOMP,
    MQTT_SUBSCRIBE,
    MQTT_SUBACK,
    MQTT_UNSUBSCRIBE,
    MQTT_UNSUBACK,
    MQTT_PINGREQ,
    MQTT_PINGRESP,
    MQTT_DISCONNECT,
    MQTT_AUTH,
};

enum mqtt_reason {
#define REASON(code, name, text) MQTT_RC_##name = code,
#include "proto/mqtt/reasons.def"
#undef REASON
};

const char *mqtt_reason_text(unsigned reason); /* "malformed packet" */
const char *mqtt_type_name(unsigned type);     /* "PUBLISH"; "reserved" for 0 */

enum { MQTT_VARINT_MAX = 268435455, MQTT_LEVELS_MAX = 128, MQTT_HEAD_MAX = 5 };

/* ---- frames ------------------------------------------------------------------------ */

struct mqtt_frame {
    uint8_t type;  /* enum mqtt_type */
    uint8_t flags; /* low four bits of the first byte */
    bool padded;   /* the length took more bytes than it needs: wrong in 5.0 [MQTT-1.5.5-1] */
    struct bytes body;
};

/* Splits the next packet off `in`: returns its whole length and fills *f; 0 if it
 * is incomplete (*need = its whole length once known, else 0); or a negative reason:
 * -MQTT_RC_MALFORMED_PACKET (type 0, flags that the type forbids [MQTT-2.1.3-1], a
 * length of more than four bytes [MQTT-1.5.5]), -MQTT_RC_PACKET_TOO_LARGE if the whole packet
 * exceeds `max`. Never looks further than the fixed header, and does not know the version:
 * what only some versions forbid (padded lengths, CONNECT's flags, DUP on SUBSCRIBE) is
 * left to the packet's decoder. */
long mqtt_frame_next(struct bytes in, uint32_t max, struct mqtt_frame *f, uint32_t *need);

/* ---- properties ---------------------------------------------------------------------- */

enum mqtt_prop {
#define PROP(id, name, type, where) MQTT_P_##name,
#include "proto/mqtt/props.def"
#undef PROP
    MQTT_PROPS
};

#define MQTT_HAS(props, name) (((props)->have >> MQTT_P_##name & 1u) != 0)

enum { MQTT_SUB_IDS_MAX = 16, MQTT_USER_PROPERTIES_MAX = 64 };

/* `have` and `raw` are always set (to nothing below 5.0). A value is valid if its bit is set
 * in `have`. */
struct mqtt_props {
    uint32_t have;
    struct bytes raw; /* the whole block without its length; user properties are in here */
    uint16_t users;   /* how many user properties */
    uint8_t nsub_ids; /* how many subscription_id */
    uint8_t payload_format, request_problem_info, request_response_info;
    uint8_t maximum_qos, retain_available, wildcard_available;
    uint8_t subscription_ids_available, shared_available;
    uint16_t server_keep_alive, receive_maximum, topic_alias_maximum, topic_alias;
    uint32_t message_expiry, session_expiry, will_delay, maximum_packet_size;
    uint32_t subscription_id[MQTT_SUB_IDS_MAX];
    struct bytes content_type, response_topic, correlation_data, assigned_client_id;
    struct bytes auth_method, auth_data, response_info, server_reference, reason_string;
};

/* Reads a property block (length and all) for a packet of `type`, or of a will if
 * type is MQTT_PROPS_WILL. 0 or a reason code: unknown or misplaced property 0x81
 * ([MQTT-2.2.2.2]), twice what may stand once 0x82, values out of range 0x82 (a topic alias of
 * 0: 0x94), broken encoding 0x81, more than the two limits above 0x97. */
enum { MQTT_PROPS_WILL = 16 };
int mqtt_decode_props(struct reader *r, unsigned type, struct mqtt_props *p);

/* Iterates user properties: *pos starts at 0. False at the end. `raw` was decoded before. */
bool mqtt_user_property_next(struct bytes raw, size_t *pos, struct bytes *name,
                             struct bytes *value);

/* What of a PUBLISH's or will's properties goes on to subscribers unchanged
 * (payload format, content type, response topic, correlation data, user properties in
 * their order [MQTT-3.3.2-17]): written to `out`, which has room for raw.n. Returns the length.
 * This is the form in which a message keeps its properties. `raw` was decoded before. */
size_t mqtt_props_forward(struct bytes raw, uint8_t *out);

/* ---- packets, client to server ------------------------------------------------------ */

struct mqtt_will {
    struct bytes topic, payload;
    uint8_t qos;
    bool retain;
    struct mqtt_props props; /* have = 0 below 5.0 */
};

struct mqtt_connect {
    enum mqtt_version version;
    bool clean;  /* clean session, or clean start in 5.0 */
    bool bridge; /* 3.x: top bit of the version, set by bridges */
    bool has_will, has_user, has_password;
    uint16_t keep_alive_s;
    struct bytes client_id, user, password;
    struct mqtt_will will;
    struct mqtt_props props; /* have = 0 below 5.0 */
};

/* Reasons: those of properties; 0x81; 0x84 for a version we don't know (3.x answers it with
 * return code 1); 0x85 for a client id that the version forbids (3.1: empty; 3.1.1: empty
 * without clean session); 0x90 for a will topic that is none; 0x99 for a will that is not the
 * text it claims to be. `version` is set as soon as it was read, else 0. */
int mqtt_decode_connect(const struct mqtt_frame *f, struct mqtt_connect *c);

/* Always set: all but props' values. */
struct mqtt_publish {
    struct bytes topic; /* empty only with an alias (5.0) */
    struct bytes payload;
    uint8_t qos;
    bool retain, dup;
    uint16_t packet_id; /* 0 at QoS 0 */
    struct mqtt_props props;
};

/* `from_client`: the ban on subscription ids applies. Checks the topic: UTF-8 (0x81), no
 * wildcard [MQTT-3.3.2-2] and not too many levels (0x90), not empty without alias (0x82);
 * QoS 3; dup at QoS 0; packet id 0; payload format 1 is checked against the payload (0x99). */
int mqtt_decode_publish(const struct mqtt_frame *f, enum mqtt_version v, bool from_client,
                        struct mqtt_publish *p);

/* PUBACK, PUBREC, PUBREL, PUBCOMP. reason and props.have always set. */
struct mqtt_ack {
    uint16_t packet_id;
    uint8_t reason;
    struct mqtt_props props;
};
int mqtt_decode_ack(const struct mqtt_frame *f, enum mqtt_version v, struct mqtt_ack *a);

struct mqtt_filter {
    struct bytes filter;
    uint8_t qos;
    bool no_local, retain_as_published;
    uint8_t retain_handling;
};

/* SUBSCRIBE and UNSUBSCRIBE: the list is walked with mqtt_next_filter(); decoding has
 * checked all of it (at least one filter, UTF-8, option bits), but not whether filters
 * are valid filters (mqtt_filter_valid), since that is answered one by one. */
struct mqtt_subscribe {
    uint16_t packet_id;
    unsigned count;
    struct bytes list;
    struct mqtt_props props;
};
int mqtt_decode_subscribe(const struct mqtt_frame *f, enum mqtt_version v,
                          struct mqtt_subscribe *s);
int mqtt_decode_unsubscribe(const struct mqtt_frame *f, enum mqtt_version v,
                            struct mqtt_subscribe *s);
/* Takes the next filter off s->list; `type` is MQTT_SUBSCRIBE or MQTT_UNSUBSCRIBE. */
bool mqtt_next_filter(struct mqtt_subscribe *s, unsigned type, enum mqtt_version v,
                      struct mqtt_filter *f);

struct mqtt_disconnect {
    uint8_t reason; /* 0 below 5.0 */
    struct mqtt_props props;
};
int mqtt_decode_disconnect(const struct mqtt_frame *f, enum mqtt_version v,
                           struct mqtt_disconnect *d);
int mqtt_decode_auth(const struct mqtt_frame *f, struct mqtt_disconnect *d); /* same shape */
int mqtt_decode_empty(const struct mqtt_frame *f);                           /* PINGREQ, PINGRESP */

/* ---- packets, server to client (for our own clients) ---------------------------------- */

struct mqtt_connack {
    bool session_present;
    uint8_t reason; /* return code below 5.0 */
    struct mqtt_props props;
};
int mqtt_decode_connack(const struct mqtt_frame *f, enum mqtt_version v, struct mqtt_connack *c);

struct mqtt_suback { /* and UNSUBACK, whose codes are empty below 5.0 */
    uint16_t packet_id;
    struct bytes codes;
    struct mqtt_props props;
};
int mqtt_decode_suback(const struct mqtt_frame *f, enum mqtt_version v, struct mqtt_suback *s);

/* ---- encoders ------------------------------------------------------------------------ */

/* Writes props of `have` (and user properties from raw, if its bit is set) as a block with
 * its length. */
void mqtt_encode_props(struct writer *w, const struct mqtt_props *p);

void mqtt_encode_connect(struct writer *w, const struct mqtt_connect *c);
void mqtt_encode_connack(struct writer *w, enum mqtt_version v, const struct mqtt_connack *c);
void mqtt_encode_ack(struct writer *w, enum mqtt_version v, unsigned type,
                     const struct mqtt_ack *a);

/* The shortest form: four bytes, no reason, no properties. Room for 4. */
static inline void mqtt_encode_short_ack(uint8_t *out, unsigned type, uint16_t packet_id)
{
    out[0] = (uint8_t)(type << 4 | (type == MQTT_PUBREL ? 2 : 0)); /* [MQTT-3.6.1-1] */
    out[1] = 2;
    out[2] = (uint8_t)(packet_id >> 8);
    out[3] = (uint8_t)packet_id;
}

void mqtt_encode_subscribe(struct writer *w, enum mqtt_version v, uint16_t packet_id,
                           const struct mqtt_filter *f, unsigned n);
void mqtt_encode_unsubscribe(struct writer *w, enum mqtt_version v, uint16_t packet_id,
                             const struct mqtt_filter *f, unsigned n);
void mqtt_encode_suback(struct writer *w, enum mqtt_version v, unsigned type,
                        const struct mqtt_suback *s);
void mqtt_encode_disconnect(struct writer *w, enum mqtt_version v, const struct mqtt_disconnect *d);
void mqtt_encode_auth(struct writer *w, const struct mqtt_disconnect *d);
void mqtt_encode_ping(struct writer *w, unsigned type); /* PINGREQ or PINGRESP */

/* A PUBLISH on its way to a subscriber (or from our own client). */
struct mqtt_publish_out {
    struct bytes topic; /* empty if the alias alone says it */
    struct bytes payload;
    struct bytes props; /* as mqtt_props_forward made them; ignored below 5.0 */
    const uint32_t *sub_ids;
    uint8_t nsub_ids;
    uint8_t qos;
    bool retain, dup, has_expiry;
    uint16_t packet_id;
    uint16_t topic_alias; /* 0: none */
    uint32_t expiry_s;
};

/* Length of the whole packet. One of more than MQTT_VARINT_MAX + MQTT_HEAD_MAX can't be sent: the
 * caller, who has a maximum packet size to keep, does not encode it. */
size_t mqtt_publish_size(enum mqtt_version v, const struct mqtt_publish_out *p);

/* Writes everything before the payload into `out`, which has room for
 * mqtt_publish_size() - payload.n; returns that length. If `id_at` is not NULL it gets the offset
 * of the packet id, so that a frame that was encoded once can be patched. */
size_t mqtt_encode_publish_head(uint8_t *out, enum mqtt_version v, const struct mqtt_publish_out *p,
                                size_t *id_at);

/* ---- names ---------------------------------------------------------------------------- */

/* 4.7: not empty, UTF-8 is checked elsewhere, no wildcard, at most MQTT_LEVELS_MAX levels. */
bool mqtt_topic_valid(struct bytes topic);
/* Wildcards stand alone in their level, '#' only last [MQTT-4.7.1]; $share/NAME/FILTER is
 * well-formed [MQTT-4.8.2]. */
bool mqtt_filter_valid(struct bytes filter);
bool mqtt_filter_has_wildcard(struct bytes filter);
/* Splits "$share/group/filter"; false if it is not shared. */
bool mqtt_filter_shared(struct bytes filter, struct bytes *group, struct bytes *rest);
