/* SPDX-License-Identifier: BSD-3-Clause */
/* mqtt_session_connack.c -- CONNACK: what the client was granted, or why it is refused.
 * Properties are sent only where they differ from what their absence means. */
#include "proto/mqtt/mqtt_session_internal.h"

enum { CONNACK_ROOM = 2048, DEFAULT_RECEIVE_MAX = 65535 };

#define SAY(props, name, value)                                                                    \
    ((props)->name = (value), (props)->have |= 1u << MQTT_P_##name, (void)0)

/* ---- refused ----------------------------------------------------------------------------------
 */

/* The return codes of 3.x; 0 for a reason that has none: then closing says it all. */
static uint8_t return_code(unsigned reason)
{
    switch (reason) {
    case MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION: return 1; /* [MQTT311-3.1.2-2] */
    case MQTT_RC_CLIENT_ID_NOT_VALID: return 2;          /* [MQTT311-3.1.3-8] [MQTT311-3.1.3-9] */
    case MQTT_RC_SERVER_UNAVAILABLE:
    case MQTT_RC_SERVER_BUSY:
    case MQTT_RC_QUOTA_EXCEEDED:
    case MQTT_RC_CONNECTION_RATE_EXCEEDED:
    case MQTT_RC_USE_ANOTHER_SERVER:
    case MQTT_RC_SERVER_MOVED: return 3;
    case MQTT_RC_BAD_USER_NAME_OR_PASSWORD: return 4;
    case MQTT_RC_BANNED:
    case MQTT_RC_NOT_AUTHORIZED: return 5;
    default: return 0;
    }
}

static void refuse_311(struct mqtt *m, unsigned reason)
{
    uint8_t room[8];
    struct writer w = wr_of(room, sizeof room);
    struct mqtt_connack c = {.reason = return_code(reason)};

    if (!c.reason) return;
    mqtt_encode_connack(&w, MQTT_V311, &c); /* what any version that we don't know understands */
    mqtt_put(m, &w);
}

static bool put_connack(struct mqtt *m, const struct mqtt_connack *c)
{
    uint8_t room[CONNACK_ROOM];
    struct writer w = wr_of(room, sizeof room);

    mqtt_encode_connack(&w, (enum mqtt_version)m->version, c);
    return mqtt_put(m, &w);
}

static void refuse_5(struct mqtt *m, unsigned reason)
{
    const struct mqtt_options *o = &m->core->options;
    struct mqtt_connack c = {.reason = (uint8_t)reason};

    if (reason == o->redirect_reason && o->server_reference) /* [MQTT-4.11] */
        SAY(&c.props, server_reference, bytes_str(o->server_reference));
    else if (reason == o->farewell_reason && o->farewell_reference)
        SAY(&c.props, server_reference, bytes_str(o->farewell_reference));
    if (!(m->flags & MQTT_NO_PROBLEMS))
        SAY(&c.props, reason_string, bytes_str(mqtt_reason_text(reason)));
    if (put_connack(m, &c)) return;
    c.props.have &= ~(1u << MQTT_P_reason_string); /* [MQTT-3.2.2-19] */
    if (put_connack(m, &c)) return;
    c.props.have = 0;
    put_connack(m, &c);
}

void mqtt_refuse(struct mqtt *m, unsigned reason)
{
    if (m->version == 0 && reason != MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION)
        return; /* no client that we could talk to */
    if (mqtt_is_v5(m))
        refuse_5(m, reason);
    else
        refuse_311(m, reason);
}

/* ---- welcome -----------------------------------------------------------------------------------
 */

/* What this server does not do. */
static void say_lacks(struct mqtt_props *p, const struct mqtt_options *o)
{
    if (o->max_qos < 2) SAY(p, maximum_qos, o->max_qos); /* [MQTT-3.2.2-9] */
    if (o->no_retain) SAY(p, retain_available, 0);
    if (o->no_wildcards) SAY(p, wildcard_available, 0);
    if (o->no_subscription_ids) SAY(p, subscription_ids_available, 0);
    if (o->no_shared) SAY(p, shared_available, 0);
}

static void say_limits(const struct mqtt *m, struct mqtt_props *p)
{
    const struct mqtt_options *o = &m->core->options;

    if (m->core->receive_max < DEFAULT_RECEIVE_MAX)
        SAY(p, receive_maximum, (uint16_t)m->core->receive_max);
    if (m->in_max) SAY(p, topic_alias_maximum, m->in_max);
    SAY(p, maximum_packet_size, o->packet_bytes_max);
}

/* What the client asked for and got, or got otherwise. */
static void say_grants(const struct mqtt *m, const struct mqtt_connect *c, struct mqtt_props *p)
{
    const char *info = m->core->options.response_info;
    uint32_t asked_s = MQTT_HAS(&c->props, session_expiry) ? c->props.session_expiry : 0;

    if (c->client_id.n == 0) /* [MQTT-3.1.3-7] [MQTT-3.2.2-16] */
        SAY(p, assigned_client_id, session_client_id(m->session));
    if (m->session->expiry_s != asked_s)
        SAY(p, session_expiry, m->session->expiry_s); /* [MQTT-3.2.2.3.2] */
    if (m->keep_alive_s != c->keep_alive_s)
        SAY(p, server_keep_alive, m->keep_alive_s); /* [MQTT-3.1.2-21] */
    if (m->flags & MQTT_ENHANCED) {                 /* [MQTT-4.12.0-5] */
        SAY(p, auth_method, LOGIN_SCRAM);
        SAY(p, auth_data, m->core->auth_data);
    }
    bool wants_info = MQTT_HAS(&c->props, request_response_info) && c->props.request_response_info;
    if (info && wants_info) SAY(p, response_info, bytes_str(info)); /* [MQTT-3.1.2-28] */
}

bool mqtt_welcome(struct mqtt *m, const struct mqtt_connect *c, bool present)
{
    struct mqtt_connack a = {.session_present = present}; /* [MQTT-3.2.2-2] [MQTT-3.2.2-3] */

    if (mqtt_is_v5(m)) {
        say_grants(m, c, &a.props);
        say_limits(m, &a.props);
        say_lacks(&a.props, &m->core->options);
    }
    return put_connack(m, &a); /* [MQTT-3.1.4-5] [MQTT-3.2.0-1] */
}
