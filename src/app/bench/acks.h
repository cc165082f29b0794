/* SPDX-License-Identifier: BSD-3-Clause */
/* acks.h -- publishers that wait for acknowledgements, and sessions that outlive connections.
 *
 * Links 0 to P-1 publish at QoS 1 or 2, each with at most `window` packets that are not
 * acknowledged. The S others own sessions that the broker must keep: each takes the messages of
 * every S-th publisher, so that each message waits for exactly one. With --away they subscribe and
 * leave before the first message comes; `drain`, maybe another process after the broker was
 * started again, comes back for what waits.
 *
 * Names of clients and topics depend on --name alone, and stamps tell messages apart. */
#pragma once

#include "app/bench/flow.h"

struct publisher {
    struct link *link;
    struct publisher *dirty_next; /* of those that may send again */
    bool dirty;
    uint8_t *frame; /* the packet, to be copied and stamped */
    size_t frame_len, id_at;
    uint32_t seq;
    uint32_t first_free, nfree;
    uint16_t *free_ids; /* a ring of window packet ids, oldest first */
    uint64_t *sent_ns;  /* by packet id minus 1; 0: not under way */
};

struct acks {
    struct publisher *publishers; /* NULL in drain */
    struct seen *seen;            /* one per publisher */
    _Atomic bool forget;          /* sessions: come once more, to be forgotten */
};

/* A worker's part. */
struct acks_turn {
    struct publisher *dirty;
    uint64_t sent, sent_max; /* since measuring began, and how many may be */
    uint64_t began_ns, left; /* open loop: since when, and how many have left since */
    uint64_t received_ns;    /* the last message */
    uint32_t next;           /* open loop: whose turn it is */
    bool counts;             /* sent_max holds */
    bool forgets;
};

static inline bool acks_publishes(const struct link *l)
{
    const struct acks *a = l->worker->bench->state;

    return a->publishers && l->index < l->worker->bench->options->publishers;
}

/* The n-th session, of a link that owns one. */
static inline uint32_t acks_session(const struct link *l)
{
    const struct acks *a = l->worker->bench->state;

    return l->index - (a->publishers ? l->worker->bench->options->publishers : 0);
}

/* ---- acks_publish.c ------------------------------------------------------------------------ */

int acks_publisher_init(struct publisher *p, const struct bench *b, uint32_t n);
void acks_publisher_fini(struct publisher *p);
void acks_publisher_up(struct link *l);
void acks_on_ack(struct link *l, const struct mqtt_ack *a, unsigned type);
void acks_on_drain(struct link *l);
uint64_t acks_publish_turn(struct worker *w);

/* ---- acks_session.c ------------------------------------------------------------------------ */

void acks_session_up(struct link *l);
void acks_on_suback(struct link *l, const struct mqtt_frame *f);
void acks_on_message(struct link *l, const struct mqtt_frame *f);
void acks_on_left(struct link *l);
void acks_forget_turn(struct worker *w);
