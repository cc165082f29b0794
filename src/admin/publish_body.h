/* SPDX-License-Identifier: BSD-3-Clause */
/* publish_body.h -- the JSON object that describes a message to be published.
 *
 *     {"topic": "a/b", "payload": "text", "qos": 1, "retain": true, "expiry_seconds": 60,
 *      "properties": {"content_type": "text/plain", "user": [["name", "value"]]}}
 *
 * payload_base64 stands for a payload that is no text. Members that are not known are refused. */
#pragma once

#include <jansson.h>

#include "broker/message.h"

enum { PUBLISH_DEPTH_MAX = 32, PUBLISH_PROPERTIES_MAX = 64 << 10 };

struct publish_body {
    struct publication publication; /* all but topic_hash; borrows from what follows */
    json_t *json;
    uint8_t *payload, *properties; /* malloc'd; NULL: none */
};

/* NULL, or what is wrong, with the member it is about in *field, which is NULL for the whole.
 * Zeroed before; publish_body_fini() afterwards in both cases. */
const char *publish_body_read(struct publish_body *p, struct bytes text, const char **field);
void publish_body_fini(struct publish_body *p);
