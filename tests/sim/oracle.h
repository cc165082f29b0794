/* SPDX-License-Identifier: BSD-3-Clause */
/* oracle.h -- what was promised, and whether it was kept.
 *
 * It sees only what clients send and get. One client, the witness, is subscribed to "#"
 * from the first moment and never harmed: what it gets on a topic is that topic's order, and
 * every other session's messages are held against it. What can be judged at once is
 * judged at once; the rest when all has come to rest (oracle_judge). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "names.h"
#include "trace.h"

enum { SUBS_MAX = 64, CLEAR = 0 /* number of a message without payload */ };

#define NEVER UINT64_MAX

/* A message that a client made up, by its number from 1 on, which is in the payload. */
struct note {
    uint8_t topic, qos;
    bool retain;
    bool clear; /* empty payload: it arrives without its number */
    bool will;
    int8_t fate; /* of a will: 1 must come, 0 may, -1 must not */
    uint16_t by;
    uint32_t sends;
    uint64_t sent_at;  /* first */
    uint64_t again_at; /* last */
    uint64_t fate_ns;  /* of a will: since when its fate is known */
    uint64_t acked_at; /* PUBACK or PUBREC */
    uint64_t doubt_at; /* the last crash that may have lost it; 0: none */
    bool troubled;     /* under way while the disk failed: refused, perhaps, when some had it */
};

/* One SUBSCRIBE of a session. Moments are event numbers. */
struct subscribed {
    bool shared;
    uint8_t filter; /* or share */
    uint8_t qos, retain_handling;
    uint64_t asked_at, granted_at, dropped_at, gone_at; /* SUBSCRIBE, SUBACK, UNSUB.., UNSUBACK */
};

/* What a session got on one topic, in order. */
struct receipt {
    uint32_t number;
    uint8_t qos;
    uint16_t life; /* of the broker, in which it came */
    uint64_t at;
};

struct receipts {
    struct receipt *at;
    uint32_t n, cap;
};

/* A session, as its client knows it. */
struct seat {
    struct seat *next;
    unsigned client;
    bool ended;
    uint64_t online_since; /* NEVER: it is not connected */
    bool member;           /* only has shared subscriptions */
    bool strange;          /* its end was not written by a disk that failed: nothing is known */
    uint64_t broke_at;     /* when it last lost a connection: QoS 0 may be missing; 0: never */
    struct receipts live[TOPICS], retained[TOPICS];
    struct receipts again[TOPICS]; /* QoS 1 that came once more after a crash */
    uint16_t life;                 /* of the broker, that its last connection belongs to */
    uint64_t crashed_at;           /* the last crash it has lived through; 0: none */
    struct subscribed sub[SUBS_MAX];
    unsigned nsubs;
    uint32_t *last; /* packet id -> number of the message that last came with it */
    uint32_t nlast;
};

struct oracle {
    struct trace *t;
    struct note *note;
    uint32_t notes, notes_cap;
    struct seat *seats;
    struct seat *witness;
    uint16_t crashes;
    bool trouble;   /* the disk fails or is full: the broker may refuse things */
    bool troubled;  /* it did so in an earlier life, whose last words were not written */
    bool qos0_sure; /* no out-queue is so small that QoS 0 is dropped */
};

void oracle_init(struct oracle *o, struct trace *t);
void oracle_fini(struct oracle *o);

uint32_t oracle_note(struct oracle *o, const struct note *n); /* its number */
struct note *note_at(struct oracle *o, uint32_t number);
struct seat *oracle_seat(struct oracle *o, unsigned client);

struct subscribed *seat_sub(struct seat *s); /* a new one; NULL: enough */

/* A PUBLISH came. `again`: the same message with the same packet id, marked as a duplicate. */
struct arrived {
    unsigned topic;
    uint32_t number; /* CLEAR: no payload */
    uint8_t qos;
    bool retain, again;
    const uint32_t *ids;
    unsigned nids;
};

void oracle_arrived(struct oracle *o, struct seat *s, const struct arrived *a);

/* The number in a payload, which fills the rest by rule; -1: it is damaged. */
enum { PAYLOAD_MIN = 8, PAYLOAD_MAX = 8192 };
uint32_t payload_make(uint8_t *out, uint32_t number, uint32_t n);
int64_t payload_number(const uint8_t *p, uint32_t n);

/* How often it may have been routed. */
uint32_t oracle_most(const struct note *n);

/* The disk begins to fail. */
void oracle_trouble(struct oracle *o);

/* The broker has crashed: whatever was not acknowledged is in doubt. */
void oracle_crash(struct oracle *o);

/* Can't be held against an order: it was in doubt when the broker crashed, or it may have been
 * routed on both sides of a crash. */
bool is_loose(const struct oracle *o, uint32_t number);

/* When all has come to rest. */
void oracle_judge(struct oracle *o);
void oracle_judge_seat(struct oracle *o, const struct seat *s);
void oracle_judge_loose(struct oracle *o, const struct seat *s); /* oracle_crash.c */

/* What is owed on a topic: by which subscription, and from and up to when. */
struct claim {
    const struct subscribed *first; /* the only one; NULL: there are several */
    uint64_t granted_at;            /* the earliest */
    uint8_t qos;                    /* the highest */
    bool qos0;                      /* QoS 0 is owed too */
};

/* False if nothing precise can be said. */
bool claim_of(const struct oracle *o, const struct seat *s, unsigned topic, struct claim *c);
void receipts_add(struct receipts *r, const struct receipt *x);

/* It came before, to the same session, in an earlier life of the broker: at QoS 1 it may. */
bool came_in_former_life(struct oracle *o, struct seat *s, const struct arrived *a);

/* `strict`: some members may be away. What was sent while another was online, who still is, may
 * not wait for them, unless it is theirs alone, as QoS 2 in flight is. */
void oracle_judge_shares(struct oracle *o, bool strict);

/* What must be retained on a topic now: a number, or CLEAR for nothing. */
uint32_t oracle_retained(const struct oracle *o, unsigned topic);

/* May this be retained instead, after a crash? */
bool oracle_may_be_retained(struct oracle *o, unsigned topic, uint32_t number);
bool seat_takes(const struct subscribed *x, unsigned topic);
