/* SPDX-License-Identifier: BSD-3-Clause */
/* mqtt_session_publish.c -- PUBLISH from a client, and what becomes of it: PUBACK or PUBREC
 * leave when the topic's owner has accepted the message, in the order of publishing. */
#include "proto/mqtt/mqtt_session_internal.h"

/* Properties that every subscriber gets as they are; others are meant for us. */
#define FORWARDED                                                                                  \
    (1u << MQTT_P_payload_format | 1u << MQTT_P_content_type | 1u << MQTT_P_response_topic |       \
     1u << MQTT_P_correlation_data | 1u << MQTT_P_user_property)

static int take_props(struct mqtt *m, const struct mqtt_publish *p, struct publication *pub)
{
    const struct mqtt_props *props = &p->props;

    if (MQTT_HAS(props, topic_alias)) {
        int bad = mqtt_alias_in(m, p, pub);
        if (bad) return bad;
    }
    pub->has_expiry = MQTT_HAS(props, message_expiry);
    if (pub->has_expiry) pub->expiry_s = props->message_expiry;
    pub->props = props->raw;
    if (props->have & ~FORWARDED) /* raw fits: it came in a packet */
        pub->props = bytes_of(m->core->scratch, mqtt_props_forward(props->raw, m->core->scratch));
    return 0;
}

/* ---- waiting for acceptance --------------------------------------------------------------- */

static bool is_full(const struct mqtt *m)
{
    const struct session *s = m->session;
    return s->await_tail - s->await_head >= m->core->receive_max ||
           session_held(s) >= m->core->receive_max;
}

void mqtt_hold_if_full(struct mqtt *m)
{
    if (LIKELY(!is_full(m))) return;
    mqtt_pause(m, MQTT_HELD);
}

static unsigned refusal(int status)
{
    switch (-status) {
    case ERR_FULL:
    case ERR_NOMEM: return MQTT_RC_QUOTA_EXCEEDED;
    case ERR_DENIED: return MQTT_RC_NOT_AUTHORIZED;
    case ERR_INVALID: return MQTT_RC_TOPIC_NAME_INVALID;
    case ERR_STORAGE: return MQTT_RC_IMPLEMENTATION_SPECIFIC_ERROR;
    default: return MQTT_RC_UNSPECIFIED_ERROR;
    }
}

static void taken(struct mqtt *m, uint16_t packet_id, uint8_t qos)
{
    if (qos == 2) {
        mqtt_ack(m, MQTT_PUBREC, packet_id, 0); /* [MQTT-4.3.3-8] */
        return;
    }
    if (m->unacked) m->unacked--;
    mqtt_ack(m, MQTT_PUBACK, packet_id, 0); /* [MQTT-4.3.2-4] */
}

/* Once the client is told of an error, the id is a new message's [MQTT-4.3.3-9]: false if the log
 * cannot take that. */
static bool is_freed(struct mqtt *m, uint16_t packet_id)
{
    return session_release(m->session, packet_id) != -ERR_STORAGE;
}

/* The broker would not have it. 5.0 has words for that; 3.x either lies or closes
 * [MQTT311-3.3.5-2]. Where another try can help we close. What is not allowed will not be next
 * time either, and the client would send it again with each connection: there we
 * acknowledge what is thrown away, as the clause allows. */
static void refused(struct mqtt *m, uint16_t packet_id, uint8_t qos, int status)
{
    bool v5 = mqtt_is_v5(m);
    bool lie = !v5 && status == -ERR_DENIED;

    if (lie) {
        taken(m, packet_id, qos);
        return;
    }
    if (!v5 && qos == 2) session_unreceive(m->session, packet_id, status);
    if (!v5 || (qos == 2 && !is_freed(m, packet_id))) {
        mqtt_drop(m, refusal(status));
        return;
    }
    if (m->unacked) m->unacked--;
    mqtt_ack(m, qos == 2 ? MQTT_PUBREC : MQTT_PUBACK, packet_id, refusal(status));
}

void mqtt_accepted(struct session *s, uint16_t packet_id, uint8_t qos, int status)
{
    struct mqtt *m = s->sink;

    if (UNLIKELY(packet_id == 0)) {
        /* of an earlier connection: it made room, no more */
    } else if (UNLIKELY(status < 0)) {
        refused(m, packet_id, qos, status);
    } else {
        taken(m, packet_id, qos);
    }
    if (UNLIKELY(m->flags & MQTT_HELD) && !is_full(m)) mqtt_go_on(m, MQTT_HELD);
}

/* ---- PUBLISH ------------------------------------------------------------------------------ */

static int publish(struct mqtt *m, const struct publication *pub, uint16_t packet_id)
{
    uint32_t mailed = 0;
    if (mqtt_is_traced(m))
        mqtt_trace_publish(m, MQTT_IN,
                           &(struct mqtt_traced){.topic = pub->topic,
                                                 .payload_bytes = pub->payload.n,
                                                 .packet_id = packet_id,
                                                 .qos = pub->qos,
                                                 .retain = pub->retain});
    int err = broker_publish(m->session, pub, packet_id, m->conn->id, &mailed);

    if (UNLIKELY(mailed)) conn_charge(m->conn, mailed);
    return err;
}

/* In 5.0 a client that sends more than we announced breaks a rule; one of 3.x is not
 * read for a while instead. `refused`: what the broker has said already. */
static int publish_counted(struct mqtt *m, const struct publication *pub, uint16_t packet_id,
                           int refused)
{
    if (mqtt_is_v5(m) && m->unacked >= m->core->receive_max)
        return MQTT_RC_RECEIVE_MAXIMUM_EXCEEDED; /* [MQTT-3.3.4-7] */
    if (m->unacked < UINT16_MAX) m->unacked++;
    int err = refused ? broker_refuse(m->session, packet_id, pub->qos, refused)
                      : publish(m, pub, packet_id);
    if (err < 0) return MQTT_RC_QUOTA_EXCEEDED;
    mqtt_hold_if_full(m);
    return 0;
}

static int publish_qos2(struct mqtt *m, const struct publication *pub, uint16_t packet_id)
{
    int err = session_receive(m->session, packet_id);

    if (err == -ERR_EXISTS) { /* not published again [MQTT-4.3.3-10] */
        if (session_accepted(m->session, packet_id)) mqtt_ack(m, MQTT_PUBREC, packet_id, 0);
        return 0;
    }
    if (err == -ERR_NOMEM) return MQTT_RC_QUOTA_EXCEEDED;
    int bad = publish_counted(m, pub, packet_id, err);
    if (bad && !err) session_unreceive(m->session, packet_id, 0);
    return bad;
}

int mqtt_on_publish(struct mqtt *m, const struct mqtt_frame *f)
{
    struct mqtt_core *core = m->core;
    struct mqtt_publish p;
    int bad = mqtt_decode_publish(f, (enum mqtt_version)m->version, true, &p);

    if (UNLIKELY(bad)) return bad;
    if (UNLIKELY(p.qos > core->options.max_qos))
        return MQTT_RC_QOS_NOT_SUPPORTED; /* [MQTT-3.2.2-11] */
    if (UNLIKELY(p.retain && core->options.no_retain))
        return MQTT_RC_RETAIN_NOT_SUPPORTED; /* [MQTT-3.2.2-14] */

    if (UNLIKELY(!mqtt_name_fits(m, p.topic))) return MQTT_RC_TOPIC_NAME_INVALID;

    struct publication pub = {
        .topic = p.topic, .payload = p.payload, .qos = p.qos, .retain = p.retain};
    if (p.props.have) {
        bad = take_props(m, &p, &pub);
        if (UNLIKELY(bad)) return bad;
    }
    if (UNLIKELY(m->session->allowance != NULL)) {
        bad = mqtt_spend(m, (uint32_t)f->body.n);
        if (bad) return bad;
    }
    if (!pub.topic_hash) pub.topic_hash = broker_topic_hash(core->broker, pub.topic);
    count(&core->core->counters, C_messages_received);

    if (p.qos == 2 && !p.dup) session_is_new(m->session, p.packet_id);
    if (p.qos == 2) return publish_qos2(m, &pub, p.packet_id);
    if (p.qos == 1) return publish_counted(m, &pub, p.packet_id, 0);
    publish(m, &pub, 0); /* without memory, or leave, it is lost [MQTT-4.3.1-1] */
    if (UNLIKELY(session_held(m->session))) mqtt_hold_if_full(m);
    return 0;
}
