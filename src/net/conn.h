/* SPDX-License-Identifier: BSD-3-Clause */
/* conn.h -- one client's connection, on the core that has it now.
 *
 * net reads and writes; a protocol (struct proto, filled from above) makes sense
 * of the bytes. A turn costs a connection at most one recv and one send: what a
 * handler sends is gathered in the out-queue, and net_flush() writes it. Input is
 * read into one buffer per core; a connection owns memory only for an incomplete
 * packet and for output that the peer has not taken, so an idle one is small.
 *
 * Owner: net of the core. A connection may move once to another core
 * (conn_hand_over): then it ceases to exist here and is born there. conn_close()
 * only marks; the memory goes at the end of the turn, after proto->on_close. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "core/reactor.h"
#include "core/wheel.h"
#include "net/outq.h"
#include "net/peer.h"

struct conn;
struct hold;
struct net;
struct listener;
struct transport;

/* What a protocol does with a connection. All run on the connection's core. */
struct proto {
    const char *name;

    /* A new connection whose peer is known, or one that was handed over (`moved`: `note` is what
     * conn_hand_over was given; its unread bytes follow through on_bytes).
     * Sets conn->state. -ERR_X closes, and then on_close is not called. */
    int (*on_open)(struct conn *c, bool moved, uint64_t note);

    /* Bytes from the peer, borrowed. Returns how many it has consumed (0: needs
     * more; may set conn->in_need), or -ERR_X to close. To bound its work it may
     * stop early and call conn_again(); to stop reading, conn_pause(). */
    long (*on_bytes)(struct conn *c, struct bytes in);

    /* The out-queue fell below conn_drain_at(). Called whenever conn_unsent() was at that or more
     * before, so that a protocol which held something back at the limit always hears of it. May
     * be NULL. */
    void (*on_drain)(struct conn *c);

    /* The broker ends: tells the peer, if there are words for it, and calls conn_close(). NULL:
     * only that. */
    void (*on_farewell)(struct conn *c);

    /* The connection is going: `why` is 0 (we closed), or -ERR_CLOSED, -ERR_RESET,
     * or what on_bytes returned. Frees conn->state; must not send. */
    void (*on_close)(struct conn *c, int why);
};

struct conn {
    struct watch watch;
    struct net *net;
    const struct proto *proto;
    void *state; /* the protocol's */
    struct listener *listener;
    struct transport *transport; /* TLS, WebSocket; NULL: the protocol is next to the socket */
    struct outq out;
    struct hold *hold; /* what of it waits for the log (hold.c); NULL: nothing */

    uint8_t *in;      /* unread input, ours (malloc); NULL most of the time */
    uint32_t in_from; /* where in `in` it begins */
    uint32_t in_len;
    uint32_t in_cap;
    uint32_t in_need; /* on_bytes wants to see this many bytes before it is called again; 0: any */
    uint32_t in_max;  /* most bytes of an incomplete packet; the protocol sets it (at first
                       * net_options.read_bytes); more closes with -ERR_TOO_LARGE */

    uint32_t drain_at; /* the protocol wants on_drain earlier (conn_drain_at); 0: it does not */

    uint32_t id;   /* number on this core, also the mesh account; never 0 */
    uint32_t debt; /* bytes of ours that wait in mesh outboxes */
    uint32_t last_rx_s;
    int16_t close_why; /* with CONN_CLOSING */
    uint16_t flags;    /* CONN_* */

    struct conn *flush_next; /* on net's list of connections with output */
    struct conn *again_next; /* on net's list of those to be called again */
    union {
        struct {
            uint32_t older, newer; /* rows of its neighbours among the strangers; 0: none */
        };
        struct conn *dead_next; /* with CONN_CLOSING, when it is no stranger */
    };
    struct peer peer;
};

enum conn_flag {
    CONN_FLUSH = 1 << 0,      /* on the flush list */
    CONN_AGAIN = 1 << 1,      /* on the again list; not read meanwhile */
    CONN_CLOSING = 1 << 2,    /* on the dead list; ignored from now on */
    CONN_PAUSED = 1 << 3,     /* the protocol does not want input */
    CONN_INDEBTED = 1 << 4,   /* its mail waits in outboxes; not read until half has gone */
    CONN_WANT_WRITE = 1 << 5, /* the socket was full; waiting until it is writable */
    CONN_OVER = 1 << 6,       /* the out-queue was at drain_at or more; on_drain is due */
    CONN_LAST_WORDS = 1 << 7, /* closing, but output still goes first */
    CONN_IN_BYTES = 1 << 8,   /* on_bytes is on the stack */
    CONN_OPEN = 1 << 9,       /* on_open succeeded; on_close is owed */
    CONN_STRANGER = 1 << 10,  /* the protocol has not called conn_known() */
    CONN_ENDED = 1 << 11,     /* closing, and the protocol has been told */
    CONN_ANSWERS = 1 << 12,   /* too many answers are unsent; not read until half have gone */

    CONN_NOT_READ = CONN_PAUSED | CONN_INDEBTED | CONN_ANSWERS,
};

/* ---- output ------------------------------------------------------------------ */

/* The slow halves of the two below: another chunk, and onto the flush list. */
uint8_t *conn_grow(struct conn *c, size_t n);
void conn_flush_later(struct conn *c);

/* Room for `n` contiguous bytes at the end of the out-queue, to be filled and then
 * given with conn_commit (up to n). NULL when memory ran out (the connection is
 * then marked to be closed) or when it is closing. n <= OUTQ_COPY_MAX. */
static inline uint8_t *conn_reserve(struct conn *c, size_t n)
{
    uint8_t *at = outq_room(&c->out, n);
    return LIKELY(at) ? at : conn_grow(c, n);
}

static inline void conn_commit(struct conn *c, size_t n)
{
    outq_commit(&c->out, n);
    if (!(c->flags & (CONN_FLUSH | CONN_WANT_WRITE))) conn_flush_later(c);
}

/* The same for bytes that answer what the peer itself has sent. A peer that sends and does not read
 * makes as many of them as it likes, so there is a bound to them (answers.c), and not to what
 * comes from others, which the peer cannot help. */
static inline void conn_commit_answer(struct conn *c, size_t n)
{
    conn_commit(c, n);
    outq_note_answer(&c->out, n);
}

/* Copies `b` to the out-queue; any length. -ERR_NOMEM (the connection is then
 * closing), -ERR_CLOSED if it is closing already. */
int conn_send(struct conn *c, struct bytes b);
int conn_answer(struct conn *c, struct bytes b); /* the same for an answer */

/* Queues `b` without copying; `release(owner)` is called on this core when it has been
 * sent or the connection dies. On -ERR_NOMEM and -ERR_CLOSED it has been called already. */
int conn_send_shared(struct conn *c, struct bytes b, void (*release)(void *ctx, void *owner),
                     void *ctx, void *owner);

/* Bytes that wait to be sent, those that are held included. */
static inline size_t conn_unsent(const struct conn *c)
{
    return c->out.bytes;
}

/* What is put into the out-queue from now on does not leave before core->durable >= pos; nor does
 * what comes later, as the order never changes. Nothing happens if it is so already. A second
 * position may be before or behind the first: the higher counts. On -ERR_NOMEM, and when the
 * log has failed (net_drop_held), the connection is closed.
 *
 * What is closed while it holds leaves in good order: the protocol hears of it in the same turn,
 * but the socket stays, for two seconds at most, until the disk has answered, and then says its
 * last words. What is not on disk by then is never said. */
void conn_hold(struct conn *c, uint64_t pos);

/* Unsent bytes below which on_drain is due: half of out_bytes_max as it is now, or less if the
 * protocol says so. */
size_t conn_drain_at(const struct conn *c);

/* ---- control ------------------------------------------------------------------ */

/* Ends the connection: no further callback but on_close. What is in the
 * out-queue is offered to the socket once more (an error answer goes out), then
 * closed. Harmless if it is closing already. */
void conn_close(struct conn *c, int why);

/* The protocol knows who it is. Until then it may be closed to make room for others. */
void conn_known(struct conn *c);

/* Stops reading; reads again, and hands over what is unread this turn or the next. */
void conn_pause(struct conn *c);
void conn_resume(struct conn *c);

/* Is it our doing that nothing comes from it? Not if the answers for which it is not read are there
 * for it to take; then last_rx_s says when it took some. */
static inline bool conn_is_excused(const struct conn *c)
{
    if (c->flags & (CONN_PAUSED | CONN_INDEBTED)) return true;
    return (c->flags & (CONN_ANSWERS | CONN_WANT_WRITE)) == CONN_ANSWERS;
}

/* Calls on_bytes with what is left, before more is read, after this turn's output was sent. */
void conn_again(struct conn *c);

/* Notes that `bytes` of this connection wait in a mesh outbox (mesh_send said so). */
void conn_charge(struct conn *c, uint32_t bytes);

/* Moves the connection with `unread` input (borrowed) to core `to`; `note` goes to
 * on_open there. Afterwards `c` is closing here and on_close is called with
 * why = -ERR_AGAIN, which means "moved". Call from on_bytes only, return unread.n from it.
 * -ERR_NOMEM. */
int conn_hand_over(struct conn *c, unsigned to, uint64_t note, struct bytes unread);

/* The common name in the peer's certificate into out[n]; returns its length, 0 if the connection
 * has no certificate that was verified. */
size_t conn_certificate_name(const struct conn *c, char *out, size_t n);

/* "tcp", "unix", "tls", "ws", "wss". */
const char *conn_transport_text(const struct conn *c);

/* "127.0.0.1:50123" into out[SOCK_ADDR_TEXT]. */
const char *conn_peer_text(const struct conn *c, char *out);
