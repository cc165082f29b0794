/* SPDX-License-Identifier: BSD-3-Clause */
/* mqtt_session_trace.c -- a log line for each packet of a client whom the operator looks at, for a
 * time that was set (session_trace). The log's own limit of lines per second holds here too. */
#include "proto/mqtt/mqtt_session_internal.h"

static const char *const names[16] = {
    [MQTT_CONNECT] = "CONNECT",   [MQTT_CONNACK] = "CONNACK",
    [MQTT_PUBLISH] = "PUBLISH",   [MQTT_PUBACK] = "PUBACK",
    [MQTT_PUBREC] = "PUBREC",     [MQTT_PUBREL] = "PUBREL",
    [MQTT_PUBCOMP] = "PUBCOMP",   [MQTT_SUBSCRIBE] = "SUBSCRIBE",
    [MQTT_SUBACK] = "SUBACK",     [MQTT_UNSUBSCRIBE] = "UNSUBSCRIBE",
    [MQTT_UNSUBACK] = "UNSUBACK", [MQTT_PINGREQ] = "PINGREQ",
    [MQTT_PINGRESP] = "PINGRESP", [MQTT_DISCONNECT] = "DISCONNECT",
    [MQTT_AUTH] = "AUTH",
};

/* Is it still time? */
static bool is_on(const struct mqtt *m)
{
    struct session *s = m->session;

    if (core_now_s(m->core->core) < s->trace_until_s) return true;
    s->trace_until_s = 0;
    LOG(&m->core->core->log, LOG_INFO, "trace_over", F_TEXT("client", session_client_id(s)));
    return false;
}

void mqtt_trace_packet(const struct mqtt *m, enum mqtt_way way, unsigned type, uint32_t n)
{
    const char *name = names[type & 15];

    if (!is_on(m)) return;
    LOG(&m->core->core->log, LOG_INFO, way == MQTT_IN ? "trace_in" : "trace_out",
        F_TEXT("client", session_client_id(m->session)), F_STR("packet", name ? name : "reserved"),
        F_U64(way == MQTT_IN ? "bytes" : "packet_id", n));
}

void mqtt_trace_publish(const struct mqtt *m, enum mqtt_way way, const struct mqtt_traced *p)
{
    if (!is_on(m)) return;
    LOG(&m->core->core->log, LOG_INFO, way == MQTT_IN ? "trace_in" : "trace_out",
        F_TEXT("client", session_client_id(m->session)), F_STR("packet", "PUBLISH"),
        F_TEXT("topic", p->topic), F_U64("qos", p->qos), F_U64("retain", p->retain),
        F_U64("packet_id", p->packet_id), F_U64("payload_bytes", p->payload_bytes));
}
