/* SPDX-License-Identifier: BSD-3-Clause */
/* mqtt_session_name.c -- topics and filters that are good, but longer or deeper than is wanted. */
#include "proto/mqtt/mqtt_session_internal.h"

static bool is_too_deep(struct bytes name, unsigned levels_max)
{
    unsigned levels = 1;

    for (size_t i = 0; i < name.n && levels <= levels_max; i++)
        levels += name.p[i] == '/';
    return levels > levels_max;
}

bool mqtt_name_judge(const struct mqtt *m, struct bytes name)
{
    struct core *core = m->core->core;
    const struct mqtt_options *o = &m->core->options;
    bool too_long = name.n > o->topic_bytes_max;
    struct bytes client = m->session ? session_client_id(m->session) : m->core->connecting;

    if (!too_long && !is_too_deep(name, o->topic_levels_max)) return true;
    count(&core->counters, C_limited_topic);
    LOG(&core->log, LOG_WARN, "topic_refused", F_TEXT("client", client), F_U64("bytes", name.n),
        F_STR("setting", too_long ? "mqtt.topic_bytes" : "mqtt.topic_levels"));
    return false;
}
