/* SPDX-License-Identifier: BSD-3-Clause */
/* journal_internal.h -- the journal's inside, shared by its files and by nobody else.
 *
 *     journal.c          life, the turn, failure      journal_put.c      records, on their way
 *     journal_notice.c   word that waits              journal_session.c  sessions, subscriptions
 *     journal_message.c  bodies, entries, retained    journal_origin.c   QoS 2 messages, once known
 *     journal_orphan.c   what changes its session     journal_recover.c  what a restart finds
 *     journal_snapshot.c the state, a bit per turn
 *
 * Positions. What waits for the disk names a number of records: j->written counts each record when
 * it is handed in, j->durable those that are on disk. The store has positions of its own; `mark`
 * remembers which of those belongs to which number. So a record may be promised a place before it
 * has one in the store (`late`). */
#pragma once

#include "base/table.h"
#include "broker/internal.h"
#include "broker/journal/journal.h"
#include "broker/journal/record.h"
#include "broker/slots.h"

enum {
    MARKS = 64, /* a power of two */
    ORPHANS_MAX = 1 << 24,
    ORPHANS_WAIT_S = 3600, /* how long they wait for a member after a restart */
    LEFT_NAME = 17,        /* bytes */
};

/* All records up to number `written` lie before `pos` in the store. */
struct mark {
    uint64_t pos, written;
};

/* Word that waits until so many records are on disk. */
struct notice {
    uint64_t written;
    struct mail mail;
    uint32_t to;
};

/* A record that must not be lost, and for which the store had no room: journal_put.c. */
struct late {
    struct late *next;
    uint32_t session; /* not 0: no bytes but "what this session is now" (slot and sid) */
    uint64_t sid;
    uint8_t type, version, flags;
    uint32_t key_bytes, body_bytes;
    uint8_t bytes[];
};

/* A body in the log; journal.h shows its beginning. malloc'd. */
struct kept {
    struct stored stored;
    struct kept *next; /* on j->unreleased */
};

/* The session that orphans have left, until the last of them is kept. malloc'd. */
struct left {
    uint64_t sid;
    uint64_t ended_ms; /* wall clock */
    uint32_t orphans;
    bool ended;
    uint8_t tenant;
    uint8_t name[LEFT_NAME]; /* once it has ended */
};

/* An entry that has left its session and is not kept elsewhere yet: what is written of it, but for
 * its place. malloc'd. */
struct orphan {
    struct left *left;
    uint64_t seq;
    struct stored *stored;
    uint32_t bytes, sub_id;
    uint16_t group_bytes;
    uint8_t qos;
    bool retain;
    uint8_t group[]; /* its filter: the group may be gone by then */
};

/* Serials of the QoS 2 messages of one publisher that are in the log, rising. malloc'd. */
struct origin {
    uint64_t origin;
    uint64_t *serial; /* shifted left by one; the last bit: it was there at the restart */
    uint32_t n, room;
    struct origin *newer, *older; /* by their last message */
};

struct origins {
    struct table by_origin;
    struct origin *newest, *oldest;
    uint64_t serials; /* of all */
};

/* Sessions whose end may not be on disk. */
struct ended_sessions {
    struct table by_hash; /* struct ended */
    struct ended *first, **end;
    uint64_t unknown; /* the end of one that could not be noted */
};

/* How far the snapshot is: journal_snapshot.c. */
struct snapshot_cursor {
    unsigned phase; /* index of its parts */
    uint64_t place; /* in the table or the slots that are walked; 0: at their beginning */
    uint64_t sid;   /* not 0: this session has been put, but not all of its messages */
    uint64_t seq;   /* of the last entry of its queue that was put */
    uint32_t at;    /* where to go on in its queue, or its window */
    bool in_flight; /* its window */
    uint32_t id;    /* the next packet id that its client may have used at QoS 2 */
};

/* A message on its way to this core's sessions: journal_deliver(). */
struct journal_delivery {
    bool open;
    uint64_t origin, serial; /* once its body has been written */
};

struct journal {
    struct broker *broker;
    struct journal_options options;
    struct store *store; /* NULL before recovery, and after the end */
    bool failed, told;   /* `told`: all who waited have heard of it */
    char why[STORE_WHY];
    mail_fn *handler[BROKER_MAIL_KINDS];

    uint64_t written, durable; /* records handed in, and on disk */
    struct ended_sessions ended;
    struct mark mark[MARKS];
    uint32_t mark_head, mark_tail;
    struct store_wait hurry; /* somebody waits: no more laziness */
    bool hurrying;

    struct notice *notice; /* a ring */
    uint32_t notice_head, notice_tail, notice_mask;

    struct late *late, **late_end;
    uint32_t nlate;
    uint64_t full_ns;        /* since when there has been no room for them; 0: there is */
    struct kept *unreleased; /* bodies that `late` records free */

    uint64_t sid; /* the last that was given; above all in the log */

    struct table kept;          /* struct kept, by position */
    uint64_t last_serial;       /* the last body written is that of this delivery, ... */
    struct stored *last_stored; /* ... if anybody still has it */
    struct slots orphans;
    struct table left; /* struct left, by sid */

    struct journal_delivery delivery;
    struct origins origins;
    struct snapshot_cursor snapshot;
    struct journal_stats stats;
};

/* ---- journal_put.c */

/* Appends. An error of the store that only says "not now" is -ERR_FULL: nothing has changed. */
int journal_put(struct journal *j, const struct store_put *p, struct store_ref *ref);
/* The same for what must not be refused, because it frees something: what does not fit now is kept
 * in memory, and everything waits behind it. */
void journal_put_surely(struct journal *j, const struct store_put *p);
void journal_put_done(struct journal *j, const struct record_flight_change *r);
/* The session's state must reach the log, whatever it is by then. */
void journal_put_later(struct journal *j, struct session *s);
/* Appends what is late, as far as there is room. Returns how many. */
unsigned journal_put_late(struct journal *j);
void journal_put_fini(struct journal *j);

/* ---- journal_notice.c */
void journal_mark(struct journal *j);          /* before the store's commit phase */
unsigned journal_notify(struct journal *j);    /* after it */
void journal_notify_failed(struct journal *j); /* all that wait */
void journal_notify_full(struct journal *j);
/* Somebody waits. Haste helps only what the store has; what is late waits for room. */
bool journal_is_to_hurry(const struct journal *j);
void journal_notice_fini(struct journal *j);

/* ---- journal.c */
void journal_fail(struct journal *j, const char *why);

/* ---- journal_session.c */

/* What the session is now, as a record; borrows from it. */
void journal_session_record(const struct session *s, struct record_session *r);
void journal_sub_record(const struct sub *sub, struct record_subscription *r);

/* ---- journal_message.c */
void journal_entry_record(const struct session *s, const struct pending *p, uint8_t state,
                          uint32_t flight, struct record_entry *r);

/* A body that recovery has found: what entries refer to. One user, the caller. NULL: no memory. */
struct stored *journal_stored_new(struct journal *j, struct store_ref ref);
struct stored *journal_stored_find(const struct journal *j, uint64_t pos);
void journal_stored_unref(struct journal *j, struct stored *s);
void journal_message_fini(struct journal *j);
bool journal_is_live(void *journal, const struct store_record *r);
void journal_moved(void *journal, struct store_ref from, struct store_ref to);

/* The filter of a share group; empty for 0 and for one that is gone. */
struct bytes journal_group_filter(const struct broker *b, uint32_t group);

/* ---- journal_orphan.c */
void journal_orphan_record(const struct orphan *o, struct record_entry *r);
/* Session `s` ends: writes what is left of it, if there are orphans of it; else false. */
bool journal_left_end(struct journal *j, const struct session *s);
void journal_left_record(const struct left *l, struct record_session *r);
void journal_orphan_fini(struct journal *j);

/* ---- journal_origin.c */

/* Remembers a message; forgets those of its origin that are below its low water. */
void origins_add(struct origins *o, uint64_t origin, uint64_t serial, uint16_t low_water);
/* What the log had at the restart; `serial` rising for each origin. -ERR_NOMEM. */
int origins_restore(struct origins *o, uint64_t origin, uint64_t serial);
bool origins_know(const struct origins *o, uint64_t origin, uint64_t serial);
void origins_fini(struct origins *o);

/* ---- journal_ended.c */
void ended_add(struct journal *j, uint64_t hash); /* of what was just written */
void ended_fini(struct ended_sessions *e);

/* ---- journal_snapshot.c */
int journal_snapshot(void *journal, struct store *s, bool first, size_t budget);
