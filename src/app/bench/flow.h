/* SPDX-License-Identifier: BSD-3-Clause */
/* flow.h -- publishers and subscribers, for the scenarios in which messages flow.
 *
 * Links 0 to P-1 publish, the others subscribe. Closed loop: a publisher has at most
 * `window` messages that are not delivered to all who should have them (and not
 * acknowledged, above QoS 0); half a window must be free before it sends again, so that it
 * sends in batches. Open loop: messages leave at a fixed rate, and latency counts from the
 * moment at which each should have left.
 *
 * The payload begins with a stamp, by which subscribers measure time and count what is
 * missing, double or out of order. */
#pragma once

#include "app/bench/bench.h"

struct stamp {
    uint64_t sent_ns;
    uint32_t publisher, seq;
};

enum { STAMP_BYTES = sizeof(struct stamp), RECENT = 64 };

/* A publisher. */
struct flow {
    struct link *link;
    struct flow *dirty_next; /* of those that may send again */
    bool dirty;
    uint8_t *frame; /* the packet, to be copied and stamped */
    size_t frame_len, id_at;
    uint32_t seq;
    uint64_t sent, acked, forgiven;
    uint64_t progress_ns; /* when something was delivered or acknowledged last */
    uint64_t progress_seen;
    _Atomic uint64_t delivered; /* by subscribers, on any worker */
};

/* What a subscriber has seen of one publisher. */
struct seen {
    uint32_t next;
    uint64_t recent; /* bit n: next - 1 - n was seen */
};

enum verdict { SEEN_IN_ORDER, SEEN_LATE, SEEN_TWICE };

/* Notes a sequence number. What is older than RECENT counts as late. */
enum verdict seen_add(struct seen *s, uint32_t seq);

struct flows {
    struct flow *flow; /* one per publisher */
    struct seen *seen; /* subscribers x publishers, or one per subscriber with pairs */
    uint32_t fan;      /* deliveries of one message */
    bool paired;       /* subscriber n takes from publisher n alone */
};

/* A worker's part. */
struct flow_turn {
    struct flow *dirty;
    uint64_t checked_ns; /* for stalls, last time */
    uint64_t began_ns;   /* open loop: since when, and how many have left since */
    uint64_t left;
    uint32_t next; /* open loop: whose turn it is */
};

/* ---- flow.c ------------------------------------------------------------------------------ */

void flow_mark(struct worker *w, struct flow *f);
uint64_t flow_on_turn(struct worker *w);
int flow_frame_new(struct flow *f, const struct bench *b, uint32_t publisher);
/* A PUBLISH of that topic, to be copied and stamped, with its length and where the packet id
 * stands; NULL without memory. The caller frees it. */
uint8_t *flow_packet_new(const struct bench *b, struct bytes topic, size_t *len, size_t *id_at);

/* ---- flow_receive.c ---------------------------------------------------------------------- */

void flow_on_up(struct link *l);
void flow_on_packet(struct link *l, const struct mqtt_frame *f);
void flow_on_drain(struct link *l);
