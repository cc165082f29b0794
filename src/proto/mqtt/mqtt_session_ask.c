/* SPDX-License-Identifier: BSD-3-Clause */
/* mqtt_session_ask.c -- a web service decides what a client may do (session_ask.h): its PUBLISH
 * or SUBSCRIBE is left where it is, and the connection is not read, until the answer is there. */
#include "broker/session_ask.h"

#include "proto/mqtt/mqtt_session_internal.h"

/* The topic of a PUBLISH, also if only its alias was sent. False: the packet is wrong, which its
 * handler will say. */
static bool topic_of(struct mqtt *m, const struct mqtt_frame *f, struct bytes *topic)
{
    struct mqtt_publish p;
    struct publication by_alias = {.qos = 0};

    if (mqtt_decode_publish(f, (enum mqtt_version)m->version, true, &p)) return false;
    *topic = p.topic;
    if (p.topic.n > 0) return true;
    bool has_alias = p.props.have && MQTT_HAS(&p.props, topic_alias);
    if (!has_alias || mqtt_alias_in(m, &p, &by_alias)) return false;
    *topic = by_alias.topic;
    return true;
}

/* The first filter of a SUBSCRIBE whose right is not known, of those that are not too many. */
static bool filter_of(struct mqtt *m, const struct mqtt_frame *f, struct bytes *filter)
{
    struct mqtt_subscribe s;
    struct mqtt_filter one;
    struct bytes group;

    if (mqtt_decode_subscribe(f, (enum mqtt_version)m->version, &s)) return false;
    for (unsigned n = 0; n < m->core->options.filters_max; n++) {
        if (!mqtt_next_filter(&s, MQTT_SUBSCRIBE, (enum mqtt_version)m->version, &one)) break;
        if (!mqtt_filter_valid(one.filter)) continue;
        *filter = one.filter;
        mqtt_filter_shared(one.filter, &group, filter);
        if (session_asked(m->session, HOOK_SUBSCRIBE, *filter) == ASKED_UNKNOWN) return true;
    }
    return false;
}

/* What of this packet has to be asked? */
static bool question_of(struct mqtt *m, const struct mqtt_frame *f, struct hook_text *q)
{
    if (f->type == MQTT_SUBSCRIBE) {
        q->action = HOOK_SUBSCRIBE;
        return filter_of(m, f, &q->topic);
    }
    q->action = HOOK_PUBLISH;
    return f->type == MQTT_PUBLISH && topic_of(m, f, &q->topic) &&
           session_asked(m->session, HOOK_PUBLISH, q->topic) == ASKED_UNKNOWN;
}

bool mqtt_must_ask(struct mqtt *m, const struct mqtt_frame *f)
{
    struct hook_text q = {.action = HOOK_PUBLISH};

    if (!question_of(m, f, &q)) return false;
    if (!mqtt_login_ask(m, &q)) return false; /* unknown is denied */
    mqtt_pause(m, MQTT_ASKING);
    return true;
}
