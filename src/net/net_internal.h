/* SPDX-License-Identifier: BSD-3-Clause */
/* net_internal.h -- what the files of net share, and nobody else sees. */
#pragma once

#include "net/net.h"

enum {
    NET_HEADROOM = 4096,   /* up to this much unread input is copied in front of the next read */
    NET_ACCEPT_MAX = 8,    /* connections accepted per listener and turn: some 25 us each */
    NET_BACKLOG = 4096,    /* the kernel cuts it to net.core.somaxconn */
    NET_LIFT_CHUNK = 1024, /* table slots looked at per turn for debts to lift */
};

/* One row of the table of connections. A connection's id is its row's number
 * with the row's generation in the top 8 bits, so that mail that is late finds
 * nobody, rather than the next client. Row 0 is never used: no id is 0. */
struct conn_row {
    struct conn *conn;  /* NULL: free */
    uint32_t next_free; /* 0: none */
    uint8_t generation;
};

enum { CONN_ROW_BITS = 24, CONN_ROWS_MAX = 1 << CONN_ROW_BITS };

struct conn_table {
    struct conn_row *row;
    uint32_t rows;
    uint32_t used;
    uint32_t free_first; /* oldest first, so that generations last */
    uint32_t free_last;
};

int conn_table_add(struct conn_table *t, struct conn *c); /* sets c->id; -ERR_NOMEM, -ERR_FULL */
void conn_table_del(struct conn_table *t, struct conn *c);
struct conn *conn_table_find(const struct conn_table *t, uint32_t id);

/* A listening socket of this core. */
struct door {
    struct watch watch;
    struct timer reopen; /* armed while it is shut because file descriptors ran out */
    struct listener *listener;
    struct net *net;
};

/* Connections that may be closed to make room; rows of the table, 0: none. */
struct strangers {
    uint32_t n, oldest, newest;
    size_t bytes; /* that they have room for, unread */
};

struct net {
    struct core *core;
    void *ctx;
    struct net_options options;
    uint8_t *in_buf;             /* NET_HEADROOM, options.read_bytes, and what TLS may have kept */
    struct transport_room *room; /* buffers of TLS and WebSocket; NULL until one is used */
    struct zip_room *zip_room;   /* the same of compressed WebSockets */
    unsigned handshakes;         /* under way */
    unsigned steps;              /* of handshakes in this turn */

    /* Work for net_flush; last in, first out. */
    struct conn *flush;
    struct conn *again;
    struct conn *dead;

    struct hold *holds;    /* of connections whose output waits for the log */
    uint64_t durable_seen; /* core->durable when they were last looked at */
    bool log_ended;        /* it will not rise again */

    struct conn_table conns;
    struct strangers strangers;
    struct leaver *leavers; /* sockets of the dead whose last words are under way */
    unsigned nleavers;

    bool core_over;     /* outboxes of the core hold too much; debts are not lifted */
    uint32_t lift_next; /* row at which to go on lifting debts; 0: none to lift */

    int reserve_fd; /* given up to refuse a connection when there is no other; -1 if gone */
    unsigned ndoors;
    struct door door[NET_LISTENERS_MAX];
};

/* ---- conn.c: birth, control, death ------------------------------------------- */

/* What a connection begins with. */
struct conn_origin {
    struct listener *listener;
    int fd; /* taken: closed if this fails */
    struct peer peer;
    bool moved;
    uint64_t note;
    struct transport *transport; /* of one that has moved; taken */
};

/* Makes a connection and opens its protocol, unless a proxy has yet to say whose it is. NULL with
 * *err if it could not be made; it may also be closing already. */
struct conn *conn_new(struct net *n, const struct conn_origin *o, int *err);
unsigned conn_bury_dead(struct net *n);

/* Opens its protocol: at birth, or once it is known who the peer is. */
void conn_begin(struct conn *c, bool moved, uint64_t note);

/* Tells the reactor what the connection's flags say. */
void conn_rearm(struct conn *c);

/* The socket is no longer ours to watch or close. */
int conn_take_fd(struct conn *c);

/* ---- conn_in.c: bytes in ------------------------------------------------------ */

void conn_read(struct conn *c);

/* One recv into `to`: bytes read, or 0 if there are none now or the connection has gone. */
long conn_recv(struct conn *c, uint8_t *to, size_t room);

/* Hands over the `n` new bytes at `at`, which lie in net->in_buf behind NET_HEADROOM, after
 * those that are unread. */
void conn_take(struct conn *c, uint8_t *at, size_t n);

/* Hands `in` to the protocol and keeps what it leaves. */
void conn_feed(struct conn *c, struct bytes in);
void conn_drop_input(struct conn *c);

/* Calls again those that asked for it. Returns how many. */
unsigned conn_again_run(struct net *n);

/* ---- hold.c: output that waits for the log ----------------------------------------- */

size_t hold_released(const struct conn *c);
void hold_sent(struct conn *c, size_t n); /* before: n <= hold_released() */
void hold_free(struct conn *c);

/* Visits those that hold something, as core->durable has risen. Returns how many there are. */
unsigned hold_lift(struct net *n);

/* Closes all that hold something; nothing waits for the log from now on. */
void hold_end_all(struct net *n, int why);

/* A dead connection that holds something: does it stay until the disk has answered? It is put
 * among the dead again then. Its socket is not read meanwhile; hangs its peer up, nobody waits. */
bool hold_keeps(struct conn *c);
void hold_on_hangup(struct conn *c);

/* Bytes of the out-queue that may leave. */
static inline size_t conn_released(const struct conn *c)
{
    return LIKELY(!c->hold) ? c->out.bytes : hold_released(c);
}

/* ---- conn_out.c: bytes out ---------------------------------------------------- */

unsigned conn_flush_run(struct net *n);

/* `n` bytes of the out-queue have left it. */
static inline void conn_sent(struct conn *c, size_t n)
{
    outq_sent(&c->out, c->net->core->pool, n);
    if (UNLIKELY(c->hold)) hold_sent(c, n);
}

/* Offers what is left to the socket of a dying connection once, and shuts our side. True if
 * the socket should linger until the peer has read it. */
bool conn_say_last_words(struct conn *c);

/* ---- transport_zip.c ------------------------------------------------------------- */

enum { TRANSPORT_GATHER_MAX = 64 << 10 }; /* bytes of the protocol sealed in one go */

struct zip_room {
    struct zip *zip;
    struct zip_out out; /* what was opened, behind NET_HEADROOM bytes */
    uint8_t plain[TRANSPORT_GATHER_MAX];
};

struct zip_room *zip_room_of(struct net *n); /* NULL: no memory */
void zip_room_free(struct net *n);

/* Opens frames of which some may be compressed, at `p`, which it changes. */
void transport_unzip(struct conn *c, uint8_t *p, size_t n);

/* Goes on with what was left of that. */
void transport_again(struct conn *c);

/* ---- stranger.c ------------------------------------------------------------------------------ */

void stranger_add(struct conn *c);   /* a new connection; the oldest may have to go for it */
void stranger_judge(struct conn *c); /* it has kept bytes: one may have to go, perhaps itself */

/* ---- linger.c ----------------------------------------------------------------- */

void linger_start(struct net *n, int fd); /* takes the socket */
void linger_end_all(struct net *n);

/* ---- debt.c ------------------------------------------------------------------- */

/* Lifts debts that the core as a whole held up. Returns how many rows were looked at. */
unsigned debt_lift(struct net *n);

/* ---- answers.c ---------------------------------------------------------------- */

/* So many answers may always wait: those to a whole window of PUBLISH, 65535 of 4 bytes. Else a
 * client that reads only when it has sent its window would never read. */
enum { ANSWERS_MIN = 256 << 10 };

void answers_judge(struct conn *c); /* is it to be read, with so many unsent? */
void answers_lift(struct conn *c);  /* its socket has taken some; CONN_ANSWERS is set */

/* ---- listener.c ----------------------------------------------------------------- */

void refuse(struct net *n, const struct peer *peer, int why);
void doors_reopen(struct net *n); /* a file descriptor has become free */
