/* SPDX-License-Identifier: BSD-3-Clause */
/* journal.h -- what a core's broker writes to its log, and who hears when it is on disk.
 *
 * Everything durable of the core's sessions and topics goes through here: each verb says what has
 * changed, and appends a record. Two things wait for the disk. Output of a connection waits in its
 * out-queue (session_hold). Mail to other cores, and word to publishers here, waits as a notice
 * (journal_tell). So no state of the broker or of a protocol knows that there is a disk.
 *
 * A broker without a data directory has no journal: b->journal is NULL, no session has a number
 * (session->sid), no message is logged, and none of these verbs is called.
 *
 * Owner: the broker of the core. None of this blocks but journal_recover() and journal_close(). */
#pragma once

#include "broker/broker.h"
#include "broker/journal/durability.h"
#include "store/store.h"

struct journal;
struct pending;
struct record_message;
struct stored;
struct sub;

struct journal_options {
    uint64_t queue_memory_max; /* bytes of waiting messages in memory; beyond it: on disk only */
    /* Once: the log has failed, and what waits for it will wait for ever. For who is above the
     * broker and holds output back. May be NULL. */
    void (*failed)(void *ctx, const char *why);
    /* Each second, while there has been no room for one for what was written last: what waits for
     * it may wait long. For who holds output back, as above: better no connection than one that
     * says nothing. May be NULL. */
    void (*full)(void *ctx);
    void *ctx;
};

/* ---- life ---------------------------------------------------------------------------- */

/* Makes the journal of `b` and puts it in (b->journal). NULL: no memory. In this order:
 * journal_new, store_new with journal_owner(), journal_recover, turns; at the end journal_close,
 * broker_free, journal_free. */
struct journal *journal_new(struct broker *b, const struct journal_options *o);
struct store_owner journal_owner(struct journal *j);
void journal_free(struct journal **j);

/* What came back, for the log and the banner. */
struct journal_found {
    uint64_t sessions, subscriptions, messages, retained;
    uint64_t lost; /* messages whose bodies were in a part that is lost (salvage) */
};

/* Reads the log, gives the broker back what it had, opens the log for appending. Blocks.
 * `watch` may be NULL. What store_recover() answered, or -ERR_NOMEM: then the store stays the
 * caller's, else it is the journal's until journal_close(). */
int journal_recover(struct journal *j, struct store *s, const struct store_replay *watch,
                    struct journal_found *found);

/* Commits what there is and closes the log; nothing is written any more. Blocks. */
int journal_close(struct journal *j);

/* ---- the turn (struct turn_ops) -------------------------------------------------------- */

unsigned journal_commit(void *journal);
uint64_t journal_due_ns(void *journal);

/* May arrivals be delivered, or is the disk too far behind? */
bool journal_has_room(const struct journal *j);

/* Has the log failed? Then nothing durable is taken any more: -ERR_STORAGE everywhere. */
bool journal_failed(const struct journal *j);
struct store *journal_store_of(const struct journal *j);
uint64_t journal_queue_memory_max(const struct journal *j);

/* ---- what waits for the disk ------------------------------------------------------------ */

/* Positions count what was written, one for each record: core->durable says how many are on disk.
 * This is the position of what was written last; UINT64_MAX, which never will be on disk, once the
 * log has failed: the connection of who waits for it is closed. */
uint64_t journal_tail(const struct journal *j);

/* `mail` goes to core `to` (this one: its handler is called) when all that was appended so far is
 * on disk, with flags = ERR_STORAGE if it never will be, ERR_FULL if there has been no room for a
 * second. At once, from here, if there is nothing to
 * wait for. In the order of the calls. -ERR_NOMEM. */
int journal_tell(struct journal *j, unsigned to, struct mail mail);

/* ---- sessions ----------------------------------------------------------------------------- */

/* Writes what the session is now. One that is to be durable and was not gets its number, and its
 * subscriptions are written too. One without a number that is not to be durable: nothing. 0,
 * -ERR_FULL, -ERR_STORAGE, -ERR_NOMEM: nothing has changed. */
int journal_session(struct session *s);
void journal_session_end(struct session *s); /* its entries go with it, but for orphans */

/* The position of the end of the last session of that name (session->hash): before it is on disk
 * its client may not hear that there is none, nor ever if the log has failed before. 0: it had
 * none. */
uint64_t journal_ended(const struct journal *j, uint64_t hash);

int journal_subscribed(const struct sub *sub); /* or options of it changed */
void journal_unsubscribed(const struct sub *sub);

/* ---- messages on their way to a durable session -------------------------------------------- */

/* A message's body in this core's log, counted by the entries that refer to it. */
struct stored {
    struct store_ref ref;
    uint32_t users;
};

/* Writes that `p` waits (flight: NULL) or is sent as number *flight of the window. Gives it
 * p->stored and p->seq. The body is written once for all entries of one delivery (`serial`). */
int journal_entry(struct session *s, struct pending *p, uint64_t serial, const uint32_t *flight);
/* It leaves the queue as number `flight` of the window, or has been confirmed there (`p->state`).
 */
int journal_flight(const struct session *s, const struct pending *p, uint32_t flight);
/* It is done with, or dropped; p->stored is given back. */
void journal_done(const struct session *s, struct pending *p);
/* p->stored is given back and set to NULL; the log hears nothing: the session has ended, or the
 * entry goes on without its body. */
void journal_forget(struct journal *j, struct pending *p);

/* It leaves this session for another core or member by its share group, and is done with when that
 * has kept it: returns the number by which journal_orphan_kept() knows it, 0 when memory ran out.
 * Takes p->stored: `p` is no entry any more. If the session ends before that, the message stays
 * in the log without it, and after a restart it waits for a member of the group: for an hour, as
 * the log does not know how long those live that are away. */
uint32_t journal_orphan(const struct session *s, struct pending *p);
/* With an error nobody has kept it: it stays in the log, for the restart. */
void journal_orphan_kept(struct journal *j, uint32_t number, int status);

/* ---- QoS 2 messages of a durable session ------------------------------------------------------
 */

int journal_received(const struct session *s, uint16_t packet_id, uint64_t serial, bool accepted);
int journal_released(const struct session *s, uint16_t packet_id);

/* A message with a serial is about to be offered to up to `n` durable sessions, and has been. What
 * is written in between goes to the disk as one, and then the log knows the message. */
void journal_deliver(struct journal *j, const struct message *m, uint32_t n);
void journal_delivered(struct journal *j);

/* Did the log have this message before the restart? Only asked for one in doubt. A group, what is
 * retained and the sessions know it each for themselves (origin.h). */
bool journal_knows(const struct journal *j, uint64_t origin, uint64_t serial);

/* A message of this core with one user, as a record has it; NULL when memory ran out. And the
 * record of a message, which it borrows. */
struct message *journal_message(struct broker *b, const struct record_message *r);
struct record_message journal_message_record(const struct broker *b, struct message *m);

/* ---- retained ------------------------------------------------------------------------------- */

int journal_retained(struct journal *j, struct message *m);
int journal_cleared(struct journal *j, struct bytes topic);

/* Writes that a message that carries an origin has changed what is retained, or asks whether one in
 * doubt had: it must not take the place of what came after it. */
int journal_retained_by(struct journal *j, const struct message_logged *l);
bool journal_was_retained(const struct journal *j, const struct message_logged *l);

/* ---- what can be asked ----------------------------------------------------------------------- */

struct journal_stats {
    uint64_t records; /* handed to the store since the start; */
    uint64_t bytes;   /* the bytes of its log since then, with those of its own records */
    uint64_t refused; /* records that the store had no room for, since the start */
    uint32_t notices; /* word that waits for the disk */
    uint32_t late;    /* records that wait for room in the log (journal_put.c) */
    uint64_t stored;  /* messages whose bodies entries refer to */
    uint64_t origins; /* serials of QoS 2 messages that are remembered */
};

struct journal_stats journal_stats(const struct journal *j);
