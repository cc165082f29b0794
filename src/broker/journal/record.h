/* SPDX-License-Identifier: BSD-3-Clause */
/* record.h -- what the broker writes into its log: one struct per record, and its bytes.
 *
 * Pure functions. Numbers are big-endian. Every record says what is now, with the key of what it is
 * about, so that applying it twice does no harm. RECORDS.md describes every byte.
 *
 * Putting borrows all bytes of the struct until the record has been appended; getting borrows from
 * the record. */
#pragma once

#include "base/bytes.h"
#include "store/store.h"

enum record_type {
    RECORD_SESSION = 1,
    RECORD_SESSION_END,
    RECORD_SUBSCRIBED,
    RECORD_UNSUBSCRIBED,
    RECORD_BODY,
    RECORD_ENTRY,
    RECORD_FLIGHT,
    RECORD_DONE,
    RECORD_RECEIVED,
    RECORD_RELEASED,
    RECORD_RETAINED,
    RECORD_CLEARED,
    RECORD_ORIGIN,
};

enum {
    RECORD_SUB_IDS = 16,    /* of one entry, at most */
    RECORD_PARTS = 8,       /* pieces of one record's body */
    RECORD_HEAD = 256,      /* bytes of its fixed fields */
    RECORD_SERIALS = 65535, /* of one origin */
};

/* A message, as BODY and RETAINED hold it, and SESSION for a will. */
struct record_message {
    uint8_t qos;
    bool retain;
    uint64_t expires_ms;     /* wall clock; of a will: how long it lives; 0: never */
    uint64_t origin, serial; /* of a QoS 2 publish by a durable session; serial 0: none */
    uint16_t low_water;      /* serial - low_water: the lowest that is not released */
    struct bytes topic, props, payload;
};

/* The first byte of the names of sessions that nobody can come back to: no client's begins so. */
enum { RECORD_NOBODY = 0 };

struct record_session {
    uint8_t tenant;
    struct bytes client_id;
    uint64_t sid;
    uint64_t serial; /* the last one given to an incoming QoS 2 message */
    uint32_t flight; /* the next place in its window: packet ids go on from there */
    uint32_t expiry_s;
    uint64_t gone_ms;   /* when its connection ended, wall clock; 0: it is connected */
    uint32_t cohort;    /* what it knew before the cores were others (origin.h); 0: nothing */
    uint8_t durability; /* enum durability: of the listener by which it came */
    bool named;         /* it is a user's; else anonymous */
    struct bytes user;
    bool has_will;
    uint32_t will_delay_s;
    struct record_message will;
};

static inline bool record_session_is_nobodys(const struct record_session *r)
{
    return r->client_id.n > 0 && r->client_id.p[0] == RECORD_NOBODY;
}

struct record_subscription {
    uint64_t sid;
    struct bytes filter; /* as the client wrote it: "$share/..." too */
    uint8_t qos;
    bool no_local, retain_as_published;
    uint32_t sub_id; /* 0: none */
};

enum record_flight {
    RECORD_WAITING,  /* in the queue */
    RECORD_SENT,     /* in flight; `flight` is its place in the window */
    RECORD_CONFIRMED /* PUBREC has come; only the packet id lives on */
};

struct record_entry {
    uint64_t sid, seq;
    struct store_ref body; /* where the BODY is */
    uint8_t qos;
    bool retain;
    uint8_t state;   /* enum record_flight */
    uint32_t flight; /* place in the window; packet id = flight % 65535 + 1 */
    uint32_t message_bytes;
    uint8_t nsub_ids;
    uint32_t sub_id[RECORD_SUB_IDS];
    struct bytes group; /* the shared filter by which it came; empty: none */
};

struct record_flight_change { /* FLIGHT, DONE (sid and seq alone) */
    uint64_t sid, seq;
    uint8_t state;
    uint32_t flight;
};

struct record_received { /* RECEIVED, RELEASED (sid and packet id alone) */
    uint64_t sid;
    uint16_t packet_id;
    bool accepted; /* PUBREC may have left */
    uint64_t serial;
};

struct record_origin {
    uint64_t origin;
    uint32_t nserials;
    const uint8_t *serials; /* nserials big-endian numbers of 8 bytes; record_serial() */
};

/* Bytes of a record on their way to the store. Keep it until the append has returned. */
struct record_buf {
    uint8_t head[RECORD_HEAD];
    struct bytes part[RECORD_PARTS];
    struct store_put put; /* give this to store_append() or store_snapshot_put() */
};

/* Each fills b->put (type, version, flags as the type wants them, key, parts). */
void record_put_session(struct record_buf *b, const struct record_session *r);
void record_put_session_end(struct record_buf *b, const struct record_session *r);
void record_put_subscribed(struct record_buf *b, const struct record_subscription *r);
void record_put_unsubscribed(struct record_buf *b, const struct record_subscription *r);
void record_put_body(struct record_buf *b, const struct record_message *r);
void record_put_entry(struct record_buf *b, const struct record_entry *r);
void record_put_flight(struct record_buf *b, const struct record_flight_change *r);
void record_put_done(struct record_buf *b, const struct record_flight_change *r);
void record_put_received(struct record_buf *b, const struct record_received *r);
void record_put_released(struct record_buf *b, const struct record_received *r);
void record_put_retained(struct record_buf *b, const struct record_message *r);
void record_put_cleared(struct record_buf *b, struct bytes topic);
void record_put_origin(struct record_buf *b, const struct record_origin *r);

/* 0, -ERR_CORRUPT, or -ERR_UNSUPPORTED: a version that this program does not know. */
int record_get_session(const struct store_record *s, struct record_session *r); /* END too */
int record_get_subscription(const struct store_record *s, struct record_subscription *r);
int record_get_message(const struct store_record *s, struct record_message *r); /* BODY, RETAINED */
int record_get_entry(const struct store_record *s, struct record_entry *r);
int record_get_flight(const struct store_record *s, struct record_flight_change *r); /* DONE too */
int record_get_received(const struct store_record *s, struct record_received *r); /* RELEASED too */
int record_get_cleared(const struct store_record *s, struct bytes *topic);
int record_get_origin(const struct store_record *s, struct record_origin *r);
uint64_t record_serial(const struct record_origin *r, uint32_t i);

const char *record_name(uint8_t type); /* "SESSION", ...; "unknown" */
