/* SPDX-License-Identifier: BSD-3-Clause */
#include "names.h"

#include <string.h>

#include "base/assert.h"

static const char *const topics[TOPICS] = {"a",         "a/b",   "a/b/c", "a/c",  "b",    "b/c",
                                           "b/b/c",     "c/x",   "c/y",   "/a",   "c//x", "d",
                                           "d/e/f/g/h", "c/x/y", "e",     "w/ill"};

static const char *const filters[FILTERS] = {
    "#",   "+",   "a/#", "+/b",  "+/+", "a/+/c", "b/+",   "+/b/#", "c/#", "+/+/+",
    "c/+", "/+",  "d/#", "a",    "a/b", "a/b/c", "a/c",   "b",     "b/c", "b/b/c",
    "c/x", "c/y", "/a",  "c//x", "d",   "e",     "w/ill", "+/x/#"};

static const char *const shares[SHARES] = {"$share/g/a/#", "$share/g/#", "$share/h/+/b",
                                           "$share/h/c/x", "$share/i/+/+"};

const char *topic_name(unsigned topic)
{
    ASSERT(topic < TOPICS);
    return topics[topic];
}

int topic_find(const uint8_t *name, uint32_t n)
{
    for (int i = 0; i < TOPICS; i++)
        if (strlen(topics[i]) == n && memcmp(topics[i], name, n) == 0) return i;
    return -1;
}

const char *filter_name(unsigned filter)
{
    ASSERT(filter < FILTERS);
    return filters[filter];
}

const char *share_name(unsigned share)
{
    ASSERT(share < SHARES);
    return shares[share];
}

/* Level by level, as section 4.7 tells it; shares no code with the broker. */
static bool takes(const char *f, const char *t)
{
    for (;;) {
        if (strcmp(f, "#") == 0) return true;
        size_t fn = strcspn(f, "/"), tn = strcspn(t, "/");
        bool plus = fn == 1 && *f == '+';
        if (!plus && (fn != tn || memcmp(f, t, fn) != 0)) return false;
        f += fn;
        t += tn;
        if (!*t) return !*f || strcmp(f, "/#") == 0; /* "a/#" takes "a" too */
        if (!*f) return false;
        f++;
        t++;
    }
}

bool filter_takes(unsigned filter, unsigned topic)
{
    return takes(filter_name(filter), topic_name(topic));
}

bool share_takes(unsigned share, unsigned topic)
{
    return takes(share_name(share) + strlen("$share/g/"), topic_name(topic));
}
