/* SPDX-License-Identifier: BSD-3-Clause */
/* client_verbs.c -- publish and subscribe, each to its answer. */
#include <stdlib.h>
#include <string.h>

#include "app/client/client.h"
#include "base/err.h"

enum { ANSWER_MS = 30000 };

/* Waits for the acknowledgement `type` of `id`. */
static int wait_ack(struct client *c, unsigned type, uint16_t id)
{
    uint64_t until = client_now_ms() + ANSWER_MS;

    for (;;) {
        struct mqtt_frame f;
        struct mqtt_ack a;
        int err = client_receive(c, &f, until);
        if (err < 0) return err;
        if (err == 0)
            return client_refuse(c, -ERR_TIMEOUT, "no %s from the broker", mqtt_type_name(type));
        bool failed_early = type == MQTT_PUBCOMP && f.type == MQTT_PUBREC;
        if (f.type != type && !failed_early) continue;
        if (mqtt_decode_ack(&f, c->version, &a) != 0)
            return client_refuse(c, -ERR_MALFORMED, "%s is not understood", mqtt_type_name(type));
        if (a.packet_id != id) continue;
        if (a.reason >= 0x80)
            return client_refuse(c, -ERR_DENIED, "the broker refused the message: %s",
                                 mqtt_reason_text(a.reason));
        if (f.type == type) return 0;
    }
}

int client_publish(struct client *c, struct mqtt_publish_out *p)
{
    p->packet_id = p->qos ? client_next_id(c) : 0;
    if (p->topic.n > UINT16_MAX || p->payload.n > MQTT_VARINT_MAX - UINT16_MAX - 16)
        return client_refuse(c, -ERR_TOO_LARGE, "the message is too large for MQTT");
    size_t room = mqtt_publish_size(c->version, p) - p->payload.n;
    uint8_t *head = malloc(room);
    if (!head) return client_refuse(c, -ERR_NOMEM, "out of memory");
    size_t n = mqtt_encode_publish_head(head, c->version, p, NULL);
    int err = client_send(c, bytes_of(head, n));
    free(head);
    if (err == 0) err = client_send(c, p->payload);
    if (err < 0 || p->qos == 0) return err;
    if (p->qos == 1) return wait_ack(c, MQTT_PUBACK, p->packet_id);
    err = wait_ack(c, MQTT_PUBREC, p->packet_id);
    if (err == 0) err = client_ack(c, MQTT_PUBREL, p->packet_id);
    return err < 0 ? err : wait_ack(c, MQTT_PUBCOMP, p->packet_id);
}

static int send_subscribe(struct client *c, uint16_t id, const struct mqtt_filter *filters,
                          unsigned n)
{
    size_t room = 16;
    for (unsigned i = 0; i < n; i++)
        room += 3 + filters[i].filter.n;
    uint8_t *packet = malloc(room);
    if (!packet) return client_refuse(c, -ERR_NOMEM, "out of memory");
    struct writer w = wr_of(packet, room);
    mqtt_encode_subscribe(&w, c->version, id, filters, n);
    int err = w.bad ? client_refuse(c, -ERR_TOO_LARGE, "the filters are too long")
                    : client_send(c, bytes_of(packet, wr_len(&w)));
    free(packet);
    return err;
}

static int take_suback(struct client *c, const struct mqtt_frame *f,
                       const struct mqtt_filter *filters, unsigned n)
{
    struct mqtt_suback s;

    if (mqtt_decode_suback(f, c->version, &s) != 0 || s.codes.n != n)
        return client_refuse(c, -ERR_PROTOCOL, "SUBACK is not understood");
    for (unsigned i = 0; i < n; i++) {
        if (s.codes.p[i] < 0x80) continue;
        return client_refuse(c, -ERR_DENIED, "the broker refused the filter \"%.*s\": %s",
                             (int)filters[i].filter.n, (const char *)filters[i].filter.p,
                             mqtt_reason_text(s.codes.p[i]));
    }
    return 0;
}

int client_subscribe(struct client *c, const struct mqtt_filter *filters, unsigned n,
                     client_message_fn *on_message, void *ctx)
{
    uint64_t until = client_now_ms() + ANSWER_MS;
    int err = send_subscribe(c, client_next_id(c), filters, n);

    while (err >= 0) {
        struct mqtt_frame f;
        err = client_receive(c, &f, until);
        if (err == 0) return client_refuse(c, -ERR_TIMEOUT, "no answer to SUBSCRIBE");
        if (err < 0) break;
        if (f.type == MQTT_SUBACK) return take_suback(c, &f, filters, n);
        err = on_message(ctx, &f);
    }
    return err;
}
