/* SPDX-License-Identifier: BSD-3-Clause */
#include "admin/topic.h"

#include "admin/problem.h"
#include "base/utf8.h"
#include "broker/name.h"

static const char *name_fault(struct bytes name)
{
    struct level_iter it = level_iter(name);
    unsigned levels = 0;

    if (name.n == 0) return "it is empty"; /* [MQTT-4.7.3-1] */
    if (name.n > UINT16_MAX) return "it is longer than 65535 bytes";
    if (!utf8_valid(name)) return "it is not UTF-8, or has U+0000"; /* [MQTT-4.7.3-2] */
    for (struct bytes level; level_next(&it, &level);)
        levels++;
    return levels > NAME_LEVELS_MAX ? "it has more than 128 levels" : NULL;
}

const char *topic_fault(struct bytes topic)
{
    const char *fault = name_fault(topic);

    if (fault) return fault;
    bool wild = memchr(topic.p, '+', topic.n) || memchr(topic.p, '#', topic.n);
    return wild ? "a topic has no wildcards" : NULL; /* [MQTT-3.3.2-2] */
}

const char *topic_filter_fault(struct bytes filter)
{
    struct level_iter it = level_iter(filter);
    const char *fault = name_fault(filter);

    if (fault) return fault;
    for (struct bytes level; level_next(&it, &level);) {
        bool wild = memchr(level.p, '+', level.n) || memchr(level.p, '#', level.n);
        if (wild && level.n > 1) return "+ and # stand alone in their level"; /* [MQTT-4.7.1-2] */
        if (it.more && bytes_eq(level, BYTES("#")))
            return "# is the last level"; /* [MQTT-4.7.1-1] */
    }
    return NULL;
}

bool topic_good(struct http_exchange *x, const char *name, const char *fault)
{
    if (fault) admin_problem(x, 400, name, fault);
    return !fault;
}
