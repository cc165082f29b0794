/* SPDX-License-Identifier: BSD-3-Clause */
/* mqtt_session_close.c -- how a connection ends: by the client's DISCONNECT, by a mistake
 * of the client, or because the broker takes the session away. */
#include "proto/mqtt/mqtt_session_internal.h"

enum { DISCONNECT_ROOM = 512 };

bool mqtt_put(struct mqtt *m, const struct writer *w)
{
    if (w->bad || wr_len(w) > m->packet_max) return false; /* [MQTT-3.1.2-24] */
    conn_answer(m->conn, bytes_of(w->start, wr_len(w)));   /* fails only as the connection does */
    return true;
}

static bool put_disconnect(struct mqtt *m, const struct mqtt_disconnect *d)
{
    uint8_t room[DISCONNECT_ROOM];
    struct writer w = wr_of(room, sizeof room);

    mqtt_encode_disconnect(&w, MQTT_V5, d);
    return mqtt_put(m, &w);
}

/* Only 5.0 has a DISCONNECT for servers, and only after CONNACK [MQTT-3.14.0-1]. */
static void say_disconnect(struct mqtt *m, unsigned reason)
{
    struct mqtt_disconnect d = {.reason = (uint8_t)reason};
    const char *reference = m->core->options.farewell_reference;

    if (!mqtt_is_v5(m)) return;
    if (reference && reason == m->core->options.farewell_reason) { /* [MQTT-4.11] */
        d.props.have = 1u << MQTT_P_server_reference;
        d.props.server_reference = bytes_str(reference);
    }
    struct mqtt_disconnect brief = d;
    if (!(m->flags & MQTT_NO_PROBLEMS)) {
        d.props.have |= 1u << MQTT_P_reason_string;
        d.props.reason_string = bytes_str(mqtt_reason_text(reason));
    }
    if (put_disconnect(m, &d) || put_disconnect(m, &brief)) return; /* [MQTT-3.14.2-3] */
    brief.props.have = 0;
    put_disconnect(m, &brief);
}

static void log_refused(const struct mqtt *m, const char *why)
{
    struct mqtt_core *core = m->core;
    char peer[SOCK_ADDR_TEXT];

    conn_peer_text(m->conn, peer);
    if (core->why) why = core->why;
    if (core->setting)
        LOG(&core->core->log, LOG_WARN, "client_refused", F_TEXT("client", core->connecting),
            F_STR("peer", peer), F_STR("reason", why), F_STR("setting", core->setting));
    else
        LOG(&core->core->log, LOG_INFO, "client_refused", F_TEXT("client", core->connecting),
            F_STR("peer", peer), F_STR("reason", why));
    core->connecting = bytes_of(NULL, 0);
    core->why = core->setting = NULL;
}

void mqtt_leave(struct mqtt *m, bool with_will, const char *why)
{
    struct session *s = m->session;
    char peer[SOCK_ADDR_TEXT];

    if (!s) return;
    mqtt_login_unask(m);
    m->session = NULL;
    LOG(&m->core->core->log, LOG_INFO, "client_disconnected",
        F_TEXT("client", session_client_id(s)), F_STR("peer", conn_peer_text(m->conn, peer)),
        F_STR("reason", why));
    session_detach(s, with_will);
}

static int error_of(unsigned reason)
{
    switch (reason) {
    case MQTT_RC_MALFORMED_PACKET: return -ERR_MALFORMED;
    case MQTT_RC_PACKET_TOO_LARGE: return -ERR_TOO_LARGE;
    case MQTT_RC_KEEP_ALIVE_TIMEOUT:
    case MQTT_RC_MAXIMUM_CONNECT_TIME: return -ERR_TIMEOUT;
    case MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION: return -ERR_UNSUPPORTED;
    case MQTT_RC_SERVER_BUSY:
    case MQTT_RC_SERVER_UNAVAILABLE:
    case MQTT_RC_MESSAGE_RATE_TOO_HIGH:
    case MQTT_RC_QUOTA_EXCEEDED: return -ERR_FULL;
    default: return -ERR_PROTOCOL;
    }
}

int mqtt_fail(struct mqtt *m, unsigned reason)
{
    const char *why = mqtt_reason_text(reason);

    if (m->state == MQTT_ONLINE) {
        say_disconnect(m, reason);
    } else {
        mqtt_refuse(m, reason);
        log_refused(m, why);
    }
    mqtt_leave(m, true, why); /* [MQTT-3.1.2-8] */
    mqtt_set_state(m, MQTT_GONE);
    return error_of(reason); /* [MQTT-4.13.1-1] [MQTT-4.13.2-1] */
}

void mqtt_end(struct mqtt *m, unsigned reason)
{
    conn_close(m->conn, mqtt_fail(m, reason));
}

void mqtt_drop(struct mqtt *m, unsigned reason)
{
    if (m->conn->flags & CONN_CLOSING) return;
    say_disconnect(m, reason);
    conn_close(m->conn, error_of(reason));
}

static unsigned kick_reason(const struct mqtt_options *o, enum kick why)
{
    static const uint8_t reasons[] = {
        [KICK_TAKEN_OVER] = MQTT_RC_SESSION_TAKEN_OVER, /* [MQTT-3.1.4-3] */
        [KICK_SHUTTING_DOWN] = MQTT_RC_SERVER_SHUTTING_DOWN,
        [KICK_ADMIN] = MQTT_RC_ADMINISTRATIVE_ACTION,
        [KICK_NO_MEMORY] = MQTT_RC_QUOTA_EXCEEDED,
        [KICK_IDENTITY_ENDED] = MQTT_RC_MAXIMUM_CONNECT_TIME,
    };

    return why == KICK_SHUTTING_DOWN && o->farewell_reason ? o->farewell_reason : reasons[why];
}

void mqtt_kick(void *sink, enum kick why)
{
    struct mqtt *m = sink;
    unsigned reason = kick_reason(&m->core->options, why);
    char peer[SOCK_ADDR_TEXT];

    LOG(&m->core->core->log, LOG_INFO, "client_disconnected",
        F_TEXT("client", session_client_id(m->session)),
        F_STR("peer", conn_peer_text(m->conn, peer)), F_STR("reason", mqtt_reason_text(reason)));
    mqtt_login_unask(m);
    m->session = NULL; /* it is no longer ours to leave */
    if (m->conn->flags & CONN_CLOSING) return;
    say_disconnect(m, reason);
    mqtt_set_state(m, MQTT_GONE);
    conn_close(m->conn, 0);
}

void mqtt_on_farewell(struct conn *c)
{
    struct mqtt *m = c->state;

    if (m->session)
        session_kick(m->session, KICK_SHUTTING_DOWN);
    else
        conn_close(c, 0);
}

/* ---- DISCONNECT from the client ----------------------------------------------------------- */

int mqtt_on_disconnect(struct mqtt *m, const struct mqtt_frame *f)
{
    struct mqtt_disconnect d;
    int bad = mqtt_decode_disconnect(f, (enum mqtt_version)m->version, &d);

    if (bad) return bad;
    if (MQTT_HAS(&d.props, session_expiry)) {
        if (m->flags & MQTT_ENDS_AT_ONCE && d.props.session_expiry)
            return MQTT_RC_PROTOCOL_ERROR; /* [MQTT-3.14.2.2.2] */
        session_set_expiry(m->session, d.props.session_expiry);
    }
    /* Now, and not when the connection is buried: the client may be back before. */
    mqtt_leave(m, d.reason != 0, mqtt_reason_text(d.reason)); /* [MQTT-3.14.4-3] */
    mqtt_set_state(m, MQTT_GONE);
    conn_close(m->conn, 0);
    return 0;
}
