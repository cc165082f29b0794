/* SPDX-License-Identifier: BSD-3-Clause */
/* flow.h -- what the files share that bring messages to one client. Home's.
 *
 *   session_flow.c      what it is offered; queue, backlog, and the order in which they are sent
 *   session_window.c    what is in flight: packet ids, sending again, confirmation
 *   session_load.c      what is on disk only and must be read first
 *   session_restore.c   what a restart finds in the log
 *   session_return.c    what goes back to a share group */
#pragma once

#include "broker/journal/journal.h"
#include "broker/pendings.h"
#include "broker/share.h"

/* ---- the window ---------------------------------------------------------------------------- */

/* May another message enter it? The span of ids is bounded too, so that a client that never
 * confirms the oldest cannot make the ring grow. */
bool window_open(const struct session *s);

/* Sends a message above QoS 0; it is in the window from now on. `from`: where it has waited; if
 * that is an entry of the log, it moves along. NULL: nowhere. What send() or the log answers, or
 * -ERR_NOMEM. */
int flight_send(struct session *s, struct delivery *d, uint32_t group, struct pending *from);

/* Takes a pending out of the window; flight_trim() follows. */
void flight_drop(struct session *s, struct pending *p);

/* Lets the window begin with one that is not confirmed: a gap at its head would count for ever. */
void flight_trim(struct session *s);

/* Sends again what the last connection left in flight, in order and before anything new
 * [MQTT-4.4.0-1], but no more than the window of this one [MQTT-3.3.4-9]. False when it must wait.
 */
bool pump_resend(struct session *s);

/* ---- entries of the log -------------------------------------------------------------------- */

/* Is this delivery to be an entry of the log? What a durable session gets at QoS 2 is one always:
 * a packet id that its client knows must not name another message after a restart. */
static inline bool is_entry(const struct session *s, const struct delivery *d)
{
    return UNLIKELY(s->sid != 0) && d->qos > 0 && (d->qos == 2 || (d->m->flags & MESSAGE_LOGGED));
}

/* Nobody waits for it to be on disk, and it may come twice: rather than be lost it is in memory
 * only, if the log does not take it. */
static inline bool is_good_without_log(const struct delivery *d)
{
    return d->qos == 1 && !(d->m->flags & MESSAGE_COMMIT);
}

/* Is the pending's message on disk only? */
static inline bool is_on_disk(const struct pending *p)
{
    return UNLIKELY(!p->m) && p->stored;
}

/* The end of a pending: its message is given back, and if it was an entry, the log hears of it. */
void pending_end(struct session *s, struct pending *p);

/* Lets go of the message of an entry; it is read again when it is needed. */
void pending_to_disk(struct session *s, struct pending *p);

/* Starts to read what is on disk of the next pendings of ring `r` from `from` on. True: pending
 * `from` is in memory; else it must wait, and the session is made ready when it has come. */
bool load_ahead(struct session *s, struct pendings *r, uint32_t from);
/* The same for those that are `leaving`. */
void load_leaving(struct session *s);
void load_forget(struct session *s); /* the session ends: nobody waits any more */

/* ---- the rest -------------------------------------------------------------------------------- */

/* Is there anything that goes before what is new? */
bool has_waiting(const struct session *s);

/* A message could not be sent: counts why, and the log names whom and the setting. */
void count_drop(struct session *s, int why);
