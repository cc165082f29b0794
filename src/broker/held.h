/* SPDX-License-Identifier: BSD-3-Clause */
/* held.h -- publishes of a session that wait until the log has a packet id.
 *
 * A QoS 2 message of a durable session is routed when its id is on disk, else a restart would not
 * know it again. What the client publishes after it waits behind it, at any QoS, so that the
 * order stays. The journal says by mail to this core (ROUTE) when one may go. Home's. */
#pragma once

#include "broker/internal.h"

struct held_publish {
    struct message *m; /* one use */
    uint16_t number;   /* of its awaited acceptance, above QoS 0 */
    bool waits;        /* for the disk; else only for those before it */
};

/* Must a publish of the session wait? `fresh`: its id was appended just now. */
static inline bool held_must_wait(const struct session *s, bool fresh)
{
    return s->held_head != s->held_tail || (fresh && s->sid);
}

/* Makes a place for one more. -ERR_FULL: so many wait; -ERR_NOMEM. */
int held_reserve(struct session *s);

/* `h` waits; takes its message. Comes after held_reserve(). */
void held_add(struct session *s, struct held_publish h);

/* Routes all at once: the session ends, or the broker, which routes nothing any more. */
void held_flush(struct session *s);
