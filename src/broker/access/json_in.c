/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/access/json_in.h"

/* jansson's own bound is 2048 levels, each of them a call deeper on our stack. */
static bool is_shallow(struct bytes text, unsigned depth_max)
{
    unsigned depth = 0;
    bool quoted = false;

    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        if (c == '"') quoted = !quoted;
        if (quoted && c == '\\') i++; /* what is escaped ends no text */
        if (quoted) continue;
        if ((c == '{' || c == '[') && ++depth > depth_max) return false;
        if ((c == '}' || c == ']') && depth > 0) depth--;
    }
    return true;
}

json_t *json_in(struct bytes text, unsigned depth_max)
{
    if (!text.n || !is_shallow(text, depth_max)) return NULL;
    return json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
}

struct bytes json_in_text(const json_t *v)
{
    if (!json_is_string(v)) return bytes_of(NULL, 0);
    return bytes_of(json_string_value(v), json_string_length(v));
}
