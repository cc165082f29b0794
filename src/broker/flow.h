/* SPDX-License-Identifier: BSD-3-Clause */
/* flow.h -- what the files share that bring messages to one client. Home's.
 *
 *   session_flow.c      what it is offered; queue, backlog, and the order in which they are sent
 *   session_window.c    what is in flight: packet ids, sending again, confirmation
 *   session_return.c    what goes back to a share group */
#pragma once

#include "broker/pendings.h"
#include "broker/share.h"

/* ---- the window ---------------------------------------------------------------------------- */

/* May another message enter it? The span of ids is bounded too, so that a client that never
 * confirms the oldest cannot make the ring grow. */
bool window_open(const struct session *s);

/* Sends a message above QoS 0; it is in the window from now on. What send() answers, or
 * -ERR_NOMEM. */
int flight_send(struct session *s, struct delivery *d, uint32_t group);

/* Takes a pending out of the window; flight_trim() follows. */
void flight_drop(struct session *s, struct pending *p);

/* Lets the window begin with one that is not confirmed: a gap at its head would count for ever. */
void flight_trim(struct session *s);

/* Sends again what the last connection left in flight, in order and before anything new
 * [MQTT-4.4.0-1], but no more than the window of this one [MQTT-3.3.4-9]. False when it must wait.
 */
bool pump_resend(struct session *s);

/* ---- the rest -------------------------------------------------------------------------------- */

/* Is there anything that goes before what is new? */
bool has_waiting(const struct session *s);

/* A message could not be sent: counts why, and the log names whom and the setting. */
void count_drop(struct session *s, int why);
