/* SPDX-License-Identifier: BSD-3-Clause */
/* mqtt_session_alias.c -- topic aliases, section [MQTT-3.3.2.3.4]: numbers for topics, one table
 * per direction and connection [MQTT-3.3.2-7].
 *
 * Towards a client the first topics get the numbers, and keep them: a table that
 * replaces would send the topic again each time it is wrong. */
#include <stdlib.h>

#include "proto/mqtt/mqtt_session_internal.h"

static struct mqtt_aliases *aliases_new(uint16_t max)
{
    struct mqtt_aliases *a = calloc(1, sizeof *a + max * sizeof(struct mqtt_alias *));

    if (a) a->max = max;
    return a;
}

void mqtt_aliases_free(struct mqtt_aliases **ap)
{
    struct mqtt_aliases *a = *ap;

    if (!a) return;
    *ap = NULL;
    for (unsigned i = 0; i < a->max; i++)
        free(a->at[i]);
    free(a);
}

static struct mqtt_alias *alias_new(struct bytes topic, uint64_t hash)
{
    struct mqtt_alias *a = malloc(sizeof *a + topic.n);

    if (!a) return NULL;
    a->hash = hash;
    a->len = (uint16_t)topic.n; /* a topic in a packet has two bytes for its length */
    memcpy(a->topic, topic.p, topic.n);
    return a;
}

static bool alias_is(const struct mqtt_alias *a, struct bytes topic)
{
    return a && bytes_eq(bytes_of(a->topic, a->len), topic);
}

/* ---- from the client ---------------------------------------------------------------------- */

static int define(struct mqtt *m, uint16_t number, const struct publication *pub)
{
    if (!m->in) m->in = aliases_new(m->in_max);
    if (!m->in) return MQTT_RC_QUOTA_EXCEEDED;

    struct mqtt_alias **at = &m->in->at[number - 1];
    if (alias_is(*at, pub->topic)) return 0;
    struct mqtt_alias *a = alias_new(pub->topic, pub->topic_hash);
    if (!a) return MQTT_RC_QUOTA_EXCEEDED;
    free(*at);
    *at = a;
    return 0;
}

int mqtt_alias_in(struct mqtt *m, const struct mqtt_publish *p, struct publication *pub)
{
    uint16_t number = p->props.topic_alias;

    if (number == 0 || number > m->in_max)
        return MQTT_RC_TOPIC_ALIAS_INVALID; /* [MQTT-3.3.2-8] [MQTT-3.3.2-9] */
    if (p->topic.n > 0) {
        pub->topic_hash = broker_topic_hash(m->core->broker, p->topic);
        return define(m, number, pub);
    }
    const struct mqtt_alias *a = m->in ? m->in->at[number - 1] : NULL;
    if (!a) return MQTT_RC_PROTOCOL_ERROR; /* [MQTT-3.3.2.3.4]: no topic, and no mapping */
    pub->topic = bytes_of(a->topic, a->len);
    pub->topic_hash = a->hash;
    return 0;
}

/* ---- towards the client ------------------------------------------------------------------------
 */

/* The slot in which a topic is, or would be: never more than half are taken. */
static unsigned slot_of(const struct mqtt_aliases *a, const struct message *msg)
{
    unsigned i = (unsigned)msg->topic_hash % MQTT_ALIAS_SLOTS;

    for (; a->slot[i]; i = (i + 1) % MQTT_ALIAS_SLOTS) {
        const struct mqtt_alias *x = a->at[a->slot[i] - 1];
        if (x->hash == msg->topic_hash && alias_is(x, message_topic(msg))) break;
    }
    return i;
}

uint16_t mqtt_alias_out_find(const struct mqtt *m, const struct message *msg)
{
    return m->out ? m->out->slot[slot_of(m->out, msg)] : 0;
}

uint16_t mqtt_alias_out_next(const struct mqtt *m, const struct message *msg)
{
    unsigned used = m->out ? m->out->used : 0;

    if (msg->topic_len > MQTT_ALIAS_TOPIC_MAX) return 0;
    return used < m->out_max ? (uint16_t)(used + 1) : 0; /* [MQTT-3.1.2-26] [MQTT-3.1.2-27] */
}

bool mqtt_alias_out_add(struct mqtt *m, const struct message *msg, uint16_t number)
{
    if (!m->out) m->out = aliases_new(m->out_max);
    if (!m->out) return false;
    struct mqtt_alias *a = alias_new(message_topic(msg), msg->topic_hash);
    if (!a) return false;

    unsigned slot = slot_of(m->out, msg);
    m->out->at[number - 1] = a;
    m->out->slot[slot] = (uint8_t)number;
    m->out->used = number;
    return true;
}
