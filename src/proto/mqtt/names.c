/* SPDX-License-Identifier: BSD-3-Clause */
/* names.c -- topic names and topic filters, section 4.7, and shared filters, [MQTT-4.8.2].
 *
 * Every PUBLISH brings a topic to be checked, and nearly all of them are plain ASCII:
 * eight bytes are judged at once, and only what is not plainly good is looked at byte
 * by byte. */
#include "base/utf8.h"
#include "proto/mqtt/wire.h"

#define EACH(byte) (0x0101010101010101ull * (byte))

static uint64_t load64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static uint32_t load32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* Not zero if one of eight bytes is above 0x7F, zero, '+' or '#'. The wildcards differ in
 * bit 3 alone, so with that bit set one comparison finds both; subtracting 1 from bytes
 * below 0x80 sets a high bit only if one of them was zero. */
static uint64_t odd_bytes(uint64_t v)
{
    uint64_t wild = (v | EACH(0x08)) ^ EACH('+');
    return (v | (v - EACH(1)) | (wild - EACH(1))) & EACH(0x80);
}

static bool plain(struct bytes s)
{
    if (s.n >= 8) {
        uint64_t odd = odd_bytes(load64(s.p + s.n - 8)); /* the last eight, overlapping */
        for (size_t i = 0; i + 8 < s.n; i += 8)
            odd |= odd_bytes(load64(s.p + i));
        return odd == 0;
    }
    if (s.n >= 4) return odd_bytes(load32(s.p) | (uint64_t)load32(s.p + s.n - 4) << 32) == 0;
    if (s.n == 0) return true;
    uint64_t three = s.p[0] | (uint64_t)s.p[s.n / 2] << 8 | (uint64_t)s.p[s.n - 1] << 16;
    return odd_bytes(three | EACH('a') << 24) == 0;
}

/* Our limit, not the specification's: matching walks levels, so their number is bounded. */
static bool levels_fit(struct bytes s)
{
    if (s.n < MQTT_LEVELS_MAX) return true;
    size_t levels = 1;
    for (size_t i = 0; i < s.n; i++)
        levels += s.p[i] == '/';
    return levels <= MQTT_LEVELS_MAX;
}

bool mqtt_filter_has_wildcard(struct bytes filter)
{
    return filter.n &&
           (memchr(filter.p, '+', filter.n) != NULL || memchr(filter.p, '#', filter.n) != NULL);
}

int mqtt_topic_check(struct bytes topic)
{
    if (!plain(topic)) {
        if (!utf8_valid(topic)) return MQTT_RC_MALFORMED_PACKET; /* [MQTT-3.3.2-1] [MQTT-4.7.3-2] */
        if (mqtt_filter_has_wildcard(topic)) return MQTT_RC_TOPIC_NAME_INVALID;
    }
    return levels_fit(topic) ? 0 : MQTT_RC_TOPIC_NAME_INVALID;
}

bool mqtt_topic_valid(struct bytes topic)
{
    return topic.n > 0 &&                      /* [MQTT-4.7.3-1] */
           !mqtt_filter_has_wildcard(topic) && /* [MQTT-4.7.0-1] [MQTT-3.3.2-2] */
           levels_fit(topic);
}

/* Each wildcard fills its level, and '#' is the last byte. */
static bool wildcards_placed(struct bytes s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '+' && s.p[i] != '#') continue;
        bool first = i == 0 || s.p[i - 1] == '/', last = i + 1 == s.n;
        if (!first) return false;
        if (last) continue;
        if (s.p[i] == '#') return false;     /* [MQTT-4.7.1-1] */
        if (s.p[i + 1] != '/') return false; /* [MQTT-4.7.1-2] */
    }
    return true;
}

bool mqtt_filter_shared(struct bytes filter, struct bytes *group, struct bytes *rest)
{
    struct bytes prefix = BYTES("$share/"); /* [MQTT-4.8.2-1] */
    if (!bytes_starts(filter, prefix)) return false;
    struct bytes tail = bytes_skip(filter, prefix.n);
    const uint8_t *slash = tail.n ? memchr(tail.p, '/', tail.n) : NULL;
    if (!slash) return false; /* [MQTT-4.8.2-2] */
    *group = bytes_of(tail.p, (size_t)(slash - tail.p));
    *rest = bytes_skip(tail, group->n + 1);
    return group->n > 0 && rest->n > 0 && !mqtt_filter_has_wildcard(*group);
}

bool mqtt_filter_valid(struct bytes filter)
{
    struct bytes group;
    if (bytes_starts(filter, BYTES("$share/")) && !mqtt_filter_shared(filter, &group, &filter))
        return false;
    return filter.n > 0 && wildcards_placed(filter) && levels_fit(filter); /* [MQTT-4.7.3-1] */
}
