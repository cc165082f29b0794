/* SPDX-License-Identifier: BSD-3-Clause */
/* image.h -- what a log says, in memory: replay fills it, restore and rewrite read it.
 *
 * Each record sets or ends one thing, and nothing else: so the last word about a thing counts,
 * however often earlier ones come again. That is what makes a snapshot, which shows each thing at a
 * moment of its own, and the log from its beginning on add up to the truth. Words about what is not
 * there, or not there any more, are ignored; of a session that has ended nothing is left. All that
 * is asked of the order is that a SESSION comes before what belongs to it.
 *
 * Owner: who restarts a core. Nothing of the broker is touched. Entries, of which there are
 * millions, lie in slabs. */
#pragma once

#include "base/table.h"
#include "broker/journal/record.h"
#include "broker/journal/slab.h"

/* A record that was copied. malloc'd. */
struct image_copy {
    struct store_record record; /* key and body point behind it */
    uint8_t bytes[];
};

struct image_sub {
    struct image_sub *next, **link; /* of the session */
    struct record_subscription r;   /* borrows from `name` */
    uint8_t name[];
};

/* The filter of a share group, as long as the image lives. */
struct image_name {
    uint16_t n;
    uint8_t at[];
};

struct image_entry {
    struct image_entry *next, **link; /* of the session; by seq once the image is finished */
    struct image_session *session;
    uint64_t seq;
    uint64_t body_pos;
    uint32_t body_bytes;
    uint32_t message_bytes;
    uint32_t flight;
    uint8_t qos, state, nsub_ids;
    bool retain;
    union {
        uint32_t sub_id;    /* the only one; 0: none */
        uint32_t *more_ids; /* malloc'd, if there are several */
    };
    const struct image_name *group; /* NULL: none */
};

struct image_received {
    struct image_received *next, **link; /* of the session */
    struct image_session *session;
    uint64_t serial;
    uint16_t packet_id;
    bool accepted;
};

struct image_session {
    struct image_session *next, **link; /* of the image */
    struct record_session r;            /* borrows from `copy` */
    struct image_copy *copy;
    struct image_sub *subs;
    struct image_entry *entries, **entries_end;
    struct image_received *received;
    uint32_t nsubs, nentries, nreceived;

    /* Whoever reads the image: where it goes, and under which number (rewrite.c). */
    uint32_t home;
    uint64_t new_sid;
};

struct image_retained {
    struct image_retained *next, **link; /* of the image */
    struct image_copy *copy;             /* a RETAINED record */
};

struct image_origin {
    struct image_origin *next; /* of the image */
    uint64_t origin;
    uint64_t low;     /* smaller serials are released */
    uint64_t *serial; /* rising, without gaps in the array; malloc'd */
    uint32_t n, room;
};

/* A QoS 2 message that may come again: some of a delivery's entries may have been cut off the end
 * of the log with what says that all were there. Nobody has been told of any of them. */
struct image_unfinished {
    uint64_t body_pos; /* 0: there is none */
    uint64_t origin, serial;
    struct record_flight_change *entry; /* those that were there; malloc'd */
    uint32_t n;
};

struct image {
    uint64_t seed; /* of the tables */
    struct image_session *sessions, **sessions_end;
    struct image_retained *retained;
    struct image_origin *origins;
    uint64_t sid; /* the largest number of a session that occurs */
    uint64_t nsessions, nsubs, nentries, nreceived, nretained;

    struct table by_sid, by_filter, by_seq, by_packet, by_topic, by_origin;
    struct table moved, names;
    struct slab entry_slab, received_slab, moved_slab;
    struct image_unfinished unfinished;
};

void image_init(struct image *im, uint64_t seed);
void image_fini(struct image *im);

/* 0, -ERR_NOMEM, -ERR_CORRUPT, or -ERR_UNSUPPORTED: a later program's. Records that a snapshot has
 * superseded are ignored. */
int image_apply(struct image *im, const struct store_record *s);

/* After the last: the entries of an unfinished delivery are taken out, bodies are where they were
 * moved to, entries in the order of their numbers, and of two sessions of one client only the later
 * is left. -ERR_NOMEM. */
int image_finish(struct image *im);

struct image_session *image_session_find(const struct image *im, uint64_t sid);
void image_session_drop(struct image *im, struct image_session *s);

/* ids of an entry: e->nsub_ids of them. */
static inline const uint32_t *image_entry_ids(const struct image_entry *e)
{
    return e->nsub_ids > 1 ? e->more_ids : &e->sub_id;
}
