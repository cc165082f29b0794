/* SPDX-License-Identifier: BSD-3-Clause */
/* session_restore.c -- a session gets back from the log what it had before a restart: its entries,
 * without their messages, which stay on disk until they are sent. Home's. */
#include "broker/flow.h"

enum { IDS = 65535 }; /* packet ids: a window is no wider */

/* Leaves a gap in the window up to number `flight`: what was there has been confirmed. */
static int leave_gap(struct pendings *r, uint32_t flight)
{
    if (r->head == r->tail) {
        r->head = r->tail = flight;
        return 0;
    }
    if (flight < r->tail || flight - r->head >= IDS) return -ERR_CORRUPT;
    while (r->tail != flight) {
        struct pending *gap = ring_push(r);
        if (!gap) return -ERR_NOMEM;
        *gap = (struct pending){.state = FLIGHT_FREE};
    }
    return 0;
}

static int put(struct session *s, struct pendings *r, const struct pending *p)
{
    struct pending *place = ring_push(r);
    if (!place) return -ERR_NOMEM;
    *place = *p;
    if (is_on_disk(p)) s->on_disk++;
    return 0;
}

int session_restore_pending(struct session *s, const struct pending *p, uint32_t flight)
{
    bool waits = p->state == FLIGHT_FREE;
    int err = waits ? 0 : leave_gap(&s->flight, flight);
    if (err == 0) err = put(s, waits ? &s->queue : &s->flight, p);
    if (err < 0) return err;
    if (p->seq > s->seq) s->seq = p->seq;
    if (waits) {
        s->queue_bytes += p->bytes;
        count(&s->broker->core->counters, C_queued);
    } else {
        s->in_flight++;
    }
    return 0;
}

void session_restore_flight(struct session *s, uint32_t next)
{
    if (s->flight.head == s->flight.tail) {
        s->flight.head = s->flight.tail = next;
    } else if (next > s->flight.tail) {
        leave_gap(&s->flight, next);
    }
}
