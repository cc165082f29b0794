/* SPDX-License-Identifier: BSD-3-Clause */
/* received.h -- packet ids that a client has used at QoS 2 and not released: so that what it
 * publishes again is not published twice [MQTT-4.3.3-10].
 *
 * What a restart forgets is a bit for each id. A durable session's id is in the log before its
 * message is routed (held.h), with a serial that names the message for good: when the client
 * publishes it again after a restart, and the log does not say that it was accepted, it is routed
 * again under the same name, in doubt, and cores that have it pass it by. In the order of their
 * serials the ids are linked, so that the lowest one is known.
 *
 * The verbs for protocols are in session.h. Home's. */
#pragma once

#include "broker/internal.h"

enum received_state {
    RECEIVED_UNKNOWN, /* to the log */
    RECEIVED_FRESH,   /* new: the log may not have it on disk yet */
    RECEIVED_IN_DOUBT,
};

/* Fills what a publish with this packet id carries. */
enum received_state received_name(const struct session *s, uint16_t packet_id,
                                  struct message_logged *l);

/* Is it in the log, and not accepted? */
bool received_is_open(const struct session *s, uint16_t packet_id);

/* The broker has taken it: when it comes again, it is only answered. */
void received_accepted(struct session *s, uint16_t packet_id);

/* Frees all if there is none; frees all. */
void received_rest(struct session *s);
void received_free(struct session *s);

/* ---- for the log ------------------------------------------------------------------------------
 */

struct received_fact {
    uint16_t packet_id;
    uint64_t serial;
    bool accepted;
};

/* The first of them with id `from` or above that is in the log. False: there is none. */
bool received_next(const struct session *s, uint32_t from, struct received_fact *f);

/* As it was before the restart. -ERR_NOMEM, or -ERR_CORRUPT: no such id, or no serial. */
int session_restore_received(struct session *s, uint16_t id, uint64_t serial, bool accepted);
