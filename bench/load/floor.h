/* SPDX-License-Identifier: BSD-3-Clause */
/* floor.h -- a null broker: what the kernel alone costs.
 *
 * It moves the bytes that a broker moves, with the calls that a good broker makes: one receive
 * per readable connection and one send per connection and turn. It finds where packets end and
 * does nothing else: received bytes are sent on from where they lie.
 *
 *   - A topic is the number in its last level: `bench/run/7` is 7. A publisher stays with its
 *     first topic; a subscriber has one filter, whose last level is a number or a wildcard.
 *   - MQTT 3.1.1 only, no retained messages, no sessions, no checks worth the name.
 *   - QoS 1 and 2 are answered at once on either side; the packet identifier that the publisher
 *     chose goes on to the subscriber.
 *
 * Owner: one thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum {
    FLOOR_TOPICS = 4096,          /* numbers of topics */
    FLOOR_EVERY = FLOOR_TOPICS,   /* the group of those with a wildcard */
    FLOOR_EVENTS = 256,           /* connections served per turn */
    FLOOR_PIECES = 64,            /* pieces of output per send */
    FLOOR_READ = 256 << 10,       /* bytes per receive, as much as Pinion takes */
    FLOOR_PACKET_MAX = 256 << 10, /* a larger packet ends its connection */
    FLOOR_UNSENT_MAX = 64 << 20,  /* a reader further behind is dropped */
    FLOOR_ARENA = 16 << 20,       /* what a turn may receive before it sends */
};

struct conn {
    int fd;
    bool dirty;        /* has output of this turn */
    bool waits;        /* for its socket to take more */
    bool closing;      /* freed at the end of the turn */
    struct conn *next; /* among those that are closing */

    int publishes_to; /* topic; -1: has not published */
    int subscribes;   /* group; -1: none */

    struct iovec *piece; /* output of this turn: runs of bytes in the arena */
    unsigned pieces;

    uint8_t *rest; /* the beginning of a packet */
    size_t rest_len;
    uint8_t *unsent; /* what the socket did not take, from `unsent_from` */
    size_t unsent_from, unsent_len;
};

struct group {
    struct conn **member;
    unsigned n, room;
};

struct floor {
    int epoll, listener;
    uint8_t *arena; /* bytes received and answers of this turn */
    size_t used;
    struct conn **dirty; /* connections with output */
    unsigned ndirty, dirty_room;
    struct conn *closing;
    struct group group[FLOOR_TOPICS + 1];
};

/* ---- floor_conn.c -------------------------------------------------------------------------- */

struct conn *conn_new(int fd); /* NULL without memory */
void conn_close(struct floor *f, struct conn *c);
void conn_on_event(struct floor *f, struct conn *c, uint32_t events);

/* Queues bytes of the arena; neighbours become one piece. */
void conn_put(struct floor *f, struct conn *c, const uint8_t *p, size_t n);

/* The end of a turn: one send for each that has output, then the arena is empty. */
void floor_flush(struct floor *f);

/* ---- floor_wire.c -------------------------------------------------------------------------- */

/* Takes the whole packets of p[0..n): forwards messages, answers the rest. Answers are written
 * at `answer`, where there is room for `n` bytes: no answer is longer than its question.
 * Returns the bytes taken, or -1 if the connection has to end. */
long wire_take(struct floor *f, struct conn *c, const uint8_t *p, size_t n, uint8_t *answer);

/* 0, or -1 without memory. */
int group_add(struct group *g, struct conn *c);
void group_remove(struct group *g, const struct conn *c);
