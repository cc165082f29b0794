/* SPDX-License-Identifier: BSD-3-Clause */
/* machine.h -- the computer that the simulated cores run on: time, network, luck.
 *
 * What the broker gets from Linux comes from here instead (sim_clock.c, sim_sock.c,
 * sim_reactor.c). A connection is two bounded queues of bytes; what is written arrives
 * after a while, is read in pieces of any size, and may be cut off at any moment. In calm
 * weather all arrives at once and nothing breaks.
 *
 * The functions that the broker calls have no context, so there is one machine per process,
 * the only global of the simulator. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/rng.h"

struct fiber;
struct reactor;

enum { FD_FIRST = 100000, FILES_MAX = 512, BACKLOG_MAX = 64 };

/* Bytes on their way to one end of a connection. */
struct pipe {
    uint8_t *at;
    uint32_t cap; /* a power of two */
    uint32_t head, tail;
    uint64_t due_ns; /* before this moment none of them has arrived, except in calm weather */
    bool end;        /* nothing follows them */
};

/* One end of a connection: the broker's has a descriptor, the client's a pointer. */
struct end {
    struct end *peer;
    struct pipe in;
    bool open;
    bool broken;
};

enum file_kind { FILE_FREE, FILE_DOOR, FILE_CONNECTION, FILE_RESERVE };

struct file {
    enum file_kind kind;
    struct end *end;
    struct end *waiting[BACKLOG_MAX]; /* of a door: connections to accept, oldest first */
    unsigned nwaiting;
};

struct machine {
    struct rng rng;
    uint64_t now_ns;
    bool calm;
    struct fiber *running; /* the core that has the word; NULL: the scheduler */
    struct file file[FILES_MAX];
};

struct machine *machine(void);
void machine_init(uint64_t seed);
void machine_fini(void);

/* True once in `n` times, and never in calm weather. */
bool mishap(unsigned n);

/* ---- the clients' side of the network (sim_net.c) ------------------------------------------- */

/* Knocks at one of the doors; NULL if all are crowded. */
struct end *net_connect(uint32_t cap);
uint32_t end_write(struct end *e, const uint8_t *p, uint32_t n);
uint32_t end_read(struct end *e, uint8_t *p, uint32_t n);

/* Has the stream ended, or broken? Only when all that arrived was read. */
bool end_over(const struct end *e);

/* Ends the stream after what was sent (`abrupt`: breaks it, and loses what is under way). */
void end_close(struct end *e, bool abrupt);
void end_break(struct end *e); /* the network's doing, both sides lose */
void net_break_all(void);      /* the broker's machine stops */

/* ---- shared by the broker's side ---------------------------------------------------------------
 */

uint32_t pipe_len(const struct pipe *p);
uint32_t pipe_arrived(const struct pipe *p);
uint32_t pipe_room(const struct pipe *p);
uint32_t pipe_put(struct pipe *p, const uint8_t *from, uint32_t n);
uint32_t pipe_take(struct pipe *p, uint8_t *to, uint32_t n);
bool end_readable(const struct end *e);
bool end_writable(const struct end *e);

/* What epoll would say of the descriptor: READY_*. */
unsigned file_ready(int fd);
struct file *file_at(int fd);

bool net_quiet(void); /* no bytes are under way to the broker */

/* ---- sim_reactor.c: sleep
 * ------------------------------------------------------------------------- */

/* Is its core in reactor_wait, with nothing to wake it? */
bool reactor_asleep(struct reactor *r);
uint64_t reactor_wake_ns(const struct reactor *r); /* UINT64_MAX: no time limit */
