/* SPDX-License-Identifier: BSD-3-Clause */
/* match.h -- which sessions of this core get a message, each once.
 *
 * A session whose subscriptions overlap gets one copy, at the highest QoS of
 * them [MQTT-3.3.4-2], with all their identifiers [MQTT-3.3.4-4]. Receiver's. */
#pragma once

#include "broker/internal.h"

struct target {
    struct session *session;
    uint32_t ids_at; /* first subscription identifier, in targets->ids */
    uint8_t nids;
    uint8_t qos;
    bool no_local; /* not if the session has published it itself */
    bool retain_as_published;
};

/* One block: head, targets, ids, topic. */
struct targets {
    struct cached cached;
    uint32_t n;
    uint32_t denied; /* sessions with a subscription that may not read the topic */
    bool incomplete; /* memory ran out (counted) */
    const uint32_t *ids;
    struct target at[];
};

/* The targets of `m`, which came from owner `from`. Valid until the next call.
 * NULL: memory ran out (counted). */
const struct targets *match_targets(struct broker *b, const struct message *m, unsigned from);
