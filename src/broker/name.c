/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/name.h"

#include "base/hash.h"

uint64_t name_hash(uint64_t seed, struct bytes name)
{
    return hash_bytes(seed, name);
}

bool name_matches(struct bytes filter, struct bytes topic)
{
    const uint8_t *f = filter.p, *f_end = f + filter.n;
    const uint8_t *t = topic.p, *t_end = t + topic.n;

    if (f < f_end && (*f == '+' || *f == '#') && t < t_end && *t == '$')
        return false; /* [MQTT-4.7.2-1] */

    for (; f < f_end; f++) {
        if (*f == '#') return true; /* always the last level [MQTT-4.7.1-1] */
        if (*f == '+') {            /* always a whole level [MQTT-4.7.1-2] */
            while (t < t_end && *t != '/')
                t++;
            continue;
        }
        if (t == t_end) return f_end - f == 2 && f[0] == '/' && f[1] == '#'; /* "a/#" and "a" */
        if (*f != *t++) return false;
    }
    return t == t_end;
}

bool name_has_wildcard(struct bytes filter)
{
    for (size_t i = 0; i < filter.n; i++)
        if (filter.p[i] == '+' || filter.p[i] == '#') return true;
    return false;
}

struct level_iter level_iter(struct bytes name)
{
    return (struct level_iter){.rest = name, .more = name.n > 0};
}

bool level_next(struct level_iter *it, struct bytes *level)
{
    if (!it->more) return false;
    size_t n = 0;
    while (n < it->rest.n && it->rest.p[n] != '/')
        n++;
    *level = bytes_of(it->rest.p, n);
    it->more = n < it->rest.n;
    it->rest = bytes_skip(it->rest, it->more ? n + 1 : n);
    return true;
}
