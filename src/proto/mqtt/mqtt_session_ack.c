/* SPDX-License-Identifier: BSD-3-Clause */
/* mqtt_session_ack.c -- PUBACK, PUBREC, PUBREL, PUBCOMP both ways, and the ping. */
#include "proto/mqtt/mqtt_session_internal.h"

enum { SHORT_ACK = 4, ACK_WITH_REASON = 5 };

void mqtt_ack(struct mqtt *m, unsigned type, uint16_t packet_id, unsigned reason)
{
    bool plain = reason == 0 || !mqtt_is_v5(m);
    uint8_t *at = conn_reserve(m->conn, ACK_WITH_REASON);

    if (!at) return; /* the connection is going; the client will ask again */
    if (mqtt_is_traced(m)) mqtt_trace_packet(m, MQTT_OUT, type, packet_id);
    if (plain) {
        mqtt_encode_short_ack(at, type, packet_id);
        conn_commit_answer(m->conn, SHORT_ACK);
        return;
    }
    struct mqtt_ack ack = {.packet_id = packet_id, .reason = (uint8_t)reason};
    struct writer w = wr_of(at, ACK_WITH_REASON);
    mqtt_encode_ack(&w, MQTT_V5, type, &ack);
    conn_commit_answer(m->conn, wr_len(&w));
}

void mqtt_release(struct session *s, uint16_t packet_id)
{
    mqtt_ack(s->sink, MQTT_PUBREL, packet_id, 0);
}

int mqtt_on_puback(struct mqtt *m, const struct mqtt_frame *f)
{
    struct mqtt_ack a;
    int bad = mqtt_decode_ack(f, (enum mqtt_version)m->version, &a);

    if (bad) return bad;
    session_on_puback(m->session, a.packet_id); /* of an id that is not in flight: no matter */
    return 0;
}

int mqtt_on_pubrec(struct mqtt *m, const struct mqtt_frame *f)
{
    struct mqtt_ack a;
    int bad = mqtt_decode_ack(f, (enum mqtt_version)m->version, &a);

    if (bad) return bad;
    bool failed = a.reason >= MQTT_RC_UNSPECIFIED_ERROR;
    int err = session_on_pubrec(m->session, a.packet_id, failed);
    if (failed) return 0; /* the id is free again [MQTT-4.3.3-4] */
    mqtt_ack(m, MQTT_PUBREL, a.packet_id,
             err ? MQTT_RC_PACKET_ID_NOT_FOUND : 0); /* [MQTT-3.6.2.1] */
    return 0;
}

int mqtt_on_pubrel(struct mqtt *m, const struct mqtt_frame *f)
{
    struct mqtt_ack a;
    int bad = mqtt_decode_ack(f, (enum mqtt_version)m->version, &a);

    if (bad) return bad;
    int err = session_on_pubrel(m->session, a.packet_id);
    if (err == -ERR_STORAGE) return 0; /* no answer: it asks again */
    if (!err && m->unacked) m->unacked--;
    /* [MQTT-4.3.3-11]; below 5.0 there is no word for an id that is not known [MQTT-3.7.2.1]. */
    mqtt_ack(m, MQTT_PUBCOMP, a.packet_id, err ? MQTT_RC_PACKET_ID_NOT_FOUND : 0);
    return 0;
}

int mqtt_on_pubcomp(struct mqtt *m, const struct mqtt_frame *f)
{
    struct mqtt_ack a;
    int bad = mqtt_decode_ack(f, (enum mqtt_version)m->version, &a);

    if (bad) return bad;
    session_on_pubcomp(m->session, a.packet_id);
    return 0;
}

int mqtt_on_pingreq(struct mqtt *m, const struct mqtt_frame *f)
{
    int bad = mqtt_decode_empty(f);
    uint8_t *at = bad ? NULL : conn_reserve(m->conn, 2);

    if (!at) return bad;
    struct writer w = wr_of(at, 2);
    mqtt_encode_ping(&w, MQTT_PINGRESP); /* [MQTT-3.12.4-1] */
    conn_commit_answer(m->conn, wr_len(&w));
    return 0;
}
