/* SPDX-License-Identifier: BSD-3-Clause */
/* Topics and filters against rules written a second time, level by level. */
#include "base/utf8.h"
#include "fuzz/fuzz.h"
#include "proto/mqtt/wire.h"

/* Takes the next level off *s, of `n` levels seen so far. */
static bool next_level(struct bytes *s, bool *more, struct bytes *level)
{
    if (!*more) return false;
    size_t n = 0;
    while (n < s->n && s->p[n] != '/')
        n++;
    *level = bytes_of(s->p, n);
    *more = n < s->n;
    *s = bytes_skip(*s, *more ? n + 1 : n);
    return true;
}

static bool has(struct bytes s, uint8_t byte)
{
    bool found = false;
    for (size_t i = 0; i < s.n; i++)
        found |= s.p[i] == byte;
    return found;
}

static bool plain_filter(struct bytes s)
{
    bool more = s.n > 0, good = s.n > 0;
    unsigned levels = 0;
    struct bytes level;
    while (next_level(&s, &more, &level)) {
        levels++;
        if (has(level, '+') && level.n > 1) good = false;
        if (has(level, '#') && (level.n > 1 || more)) good = false;
    }
    return good && levels <= MQTT_LEVELS_MAX;
}

static bool filter_is_good(struct bytes s)
{
    if (s.n < 7 || memcmp(s.p, "$share/", 7) != 0) return plain_filter(s);
    struct bytes group, rest = bytes_skip(s, 7);
    bool more = true;
    next_level(&rest, &more, &group);
    return more && group.n && !has(group, '+') && !has(group, '#') && plain_filter(rest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes s = fuzz_copy(bytes_of(data, size)), group, rest;
    bool wild = has(s, '+') || has(s, '#');
    bool topic = plain_filter(s) && !wild;
    ASSERT(mqtt_filter_has_wildcard(s) == wild);
    ASSERT(mqtt_topic_valid(s) == topic);
    ASSERT(mqtt_filter_valid(s) == filter_is_good(s));
    if (s.n) {
        int wanted = !utf8_valid(s) ? MQTT_RC_MALFORMED_PACKET
                     : topic        ? 0
                                    : MQTT_RC_TOPIC_NAME_INVALID;
        ASSERT(mqtt_topic_check(s) == wanted);
    }
    if (mqtt_filter_shared(s, &group, &rest)) {
        fuzz_inside(group, s);
        fuzz_inside(rest, s);
        ASSERT(group.n + rest.n + 8 == s.n && mqtt_filter_valid(s) == plain_filter(rest));
    }
    fuzz_free(s);
    return 0;
}
