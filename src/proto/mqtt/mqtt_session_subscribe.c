/* SPDX-License-Identifier: BSD-3-Clause */
/* mqtt_session_subscribe.c -- SUBSCRIBE and UNSUBSCRIBE.
 *
 * One SUBSCRIBE is one batch of the broker, embedded in the answer that is growing:
 * SUBACK leaves when every filter is in force. */
#include <stdlib.h>

#include "proto/mqtt/mqtt_session_internal.h"

enum { FAILURE_311 = 0x80, SUBACK_ROOM = 16 };

struct suback {
    struct sub_batch batch;
    uint16_t packet_id;
    uint32_t n;
    int16_t status[]; /* per filter: its code, or -ERR_X, which the broker may still write */
};

/* Our reasons, as 3.x says them [MQTT311-3.9.3-2]. */
static uint8_t code_of(const struct mqtt *m, unsigned reason)
{
    return (uint8_t)(mqtt_is_v5(m) ? reason : FAILURE_311);
}

/* Sends SUBACK or UNSUBACK; one the client cannot take ends the connection. */
static void answer(struct mqtt *m, unsigned type, uint16_t packet_id, struct bytes codes)
{
    struct mqtt_suback s = {.packet_id = packet_id, .codes = codes};
    struct writer w = wr_of(m->core->scratch, m->core->scratch_bytes);

    mqtt_encode_suback(&w, (enum mqtt_version)m->version, type, &s);
    if (!mqtt_put(m, &w)) mqtt_drop(m, MQTT_RC_PACKET_TOO_LARGE);
}

static unsigned refusal(int status)
{
    switch (-status) {
    case ERR_DENIED: return MQTT_RC_NOT_AUTHORIZED;
    case ERR_STORAGE: return MQTT_RC_IMPLEMENTATION_SPECIFIC_ERROR;
    default: return MQTT_RC_QUOTA_EXCEEDED;
    }
}

/* Turns each status into its code, in place: code i lies in front of status i. */
static struct bytes codes_of(const struct mqtt *m, struct suback *a)
{
    uint8_t *codes = (uint8_t *)a->status;

    for (uint32_t i = 0; i < a->n; i++) {
        int status = a->status[i];
        codes[i] = status < 0 ? code_of(m, refusal(status)) : (uint8_t)status;
    }
    return bytes_of(codes, a->n);
}

static void on_done(struct sub_batch *b)
{
    struct suback *a = CONTAINER_OF(b, struct suback, batch);

    if (b->session) { /* else nobody waits any more */
        struct mqtt *m = b->session->sink;
        answer(m, MQTT_SUBACK, a->packet_id, codes_of(m, a));
    }
    free(a);
}

/* May this filter be subscribed to? 0 or the reason why not. */
static unsigned judge(const struct mqtt *m, const struct mqtt_filter *f, uint32_t number)
{
    const struct mqtt_options *o = &m->core->options;
    struct bytes group, rest = f->filter;

    if (number >= o->filters_max) return MQTT_RC_QUOTA_EXCEEDED;
    if (!mqtt_filter_valid(f->filter)) return MQTT_RC_TOPIC_FILTER_INVALID; /* [MQTT-4.7.1-1] */
    bool shared = mqtt_filter_shared(f->filter, &group, &rest);
    if (!mqtt_name_fits(m, rest)) return MQTT_RC_TOPIC_FILTER_INVALID;
    if (o->no_shared && shared) return MQTT_RC_SHARED_SUBSCRIPTIONS_NOT_SUPPORTED;
    if (o->no_wildcards && mqtt_filter_has_wildcard(rest))
        return MQTT_RC_WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED;
    return 0;
}

static void subscribe(struct mqtt *m, const struct mqtt_filter *f, uint32_t sub_id,
                      struct suback *a)
{
    uint8_t max_qos = m->core->options.max_qos;
    int16_t *status = &a->status[a->n];
    struct sub_request r = {
        .filter = f->filter,
        .sub_id = sub_id,
        .qos = f->qos < max_qos ? f->qos : max_qos, /* [MQTT-3.8.4-7] [MQTT-3.2.2-10] */
        .no_local = f->no_local,
        .retain_as_published = f->retain_as_published,
        .retain_handling = f->retain_handling,
        .status = status,
    };
    *status = 0;
    int granted = broker_subscribe(m->session, &r, &a->batch);
    if (granted < 0 || *status == 0) *status = (int16_t)granted;
}

int mqtt_on_subscribe(struct mqtt *m, const struct mqtt_frame *f)
{
    struct mqtt_subscribe s;
    struct mqtt_filter filter;
    int bad = mqtt_decode_subscribe(f, (enum mqtt_version)m->version, &s);

    if (bad) return bad;
    uint32_t sub_id = MQTT_HAS(&s.props, subscription_id) ? s.props.subscription_id[0] : 0;
    if (sub_id && m->core->options.no_subscription_ids)
        return MQTT_RC_SUBSCRIPTION_IDS_NOT_SUPPORTED; /* [MQTT-3.2.2.3.12] */
    struct suback *a = malloc(sizeof *a + s.count * sizeof a->status[0]);
    if (!a) return MQTT_RC_QUOTA_EXCEEDED;
    *a = (struct suback){.batch = {.session = m->session, .done = on_done},
                         .packet_id = s.packet_id};

    /* As many codes as filters, in their order [MQTT-3.8.4-6] [MQTT-3.9.3-1]. */
    for (; mqtt_next_filter(&s, MQTT_SUBSCRIBE, (enum mqtt_version)m->version, &filter); a->n++) {
        unsigned reason = judge(m, &filter, a->n);
        if (reason)
            a->status[a->n] = code_of(m, reason);
        else
            subscribe(m, &filter, sub_id, a);
    }
    broker_subscribe_end(&a->batch);
    return 0;
}

int mqtt_on_unsubscribe(struct mqtt *m, const struct mqtt_frame *f)
{
    struct mqtt_subscribe s;
    struct mqtt_filter filter;
    int bad = mqtt_decode_unsubscribe(f, (enum mqtt_version)m->version, &s);

    if (bad) return bad;
    uint8_t *codes = malloc(s.count);
    if (!codes) return MQTT_RC_QUOTA_EXCEEDED;
    uint32_t n = 0;
    while (mqtt_next_filter(&s, MQTT_UNSUBSCRIBE, (enum mqtt_version)m->version, &filter)) {
        unsigned reason = MQTT_RC_TOPIC_FILTER_INVALID;
        if (mqtt_filter_valid(filter.filter))
            reason = broker_unsubscribe(m->session, filter.filter) < 0
                         ? MQTT_RC_NO_SUBSCRIPTION_EXISTED
                         : 0;
        codes[n++] = (uint8_t)reason; /* [MQTT-3.11.3-1] */
    }
    answer(m, MQTT_UNSUBACK, s.packet_id, bytes_of(codes, n)); /* [MQTT-3.10.4-4] [MQTT-3.10.4-5] */
    free(codes);
    return 0;
}
