/* SPDX-License-Identifier: BSD-3-Clause */
/* client.h -- a simulated MQTT client: keeps the protocol to the letter, but takes every
 * liberty it leaves: late answers, slow reading, lost connections, a second connection while
 * the first still lives.
 *
 * What it does comes from the machine's luck (client_act); what it gets goes to the oracle. */
#pragma once

#include "machine.h"
#include "oracle.h"
#include "wire.h"

enum role { ROLE_WITNESS, ROLE_PLAIN, ROLE_MEMBER, ROLE_CHECKER };

enum { FLIGHTS_MAX = 24, ASKED_MAX = 4, GHOSTS_MAX = 8, IDS = 65536, EXPIRY_NEVER = -1 };

/* A message of ours above QoS 0 that the broker has not finished with. */
struct flight {
    uint32_t number;
    uint16_t id;
    uint8_t qos;
    bool released; /* PUBREC came */
    bool resent;
    uint8_t here; /* PUBLISHes on this connection less the answers to them */
};

/* SUBSCRIBE or UNSUBSCRIBE without an answer. */
struct asked {
    uint16_t id;
    struct subscribed *sub;
    bool un;
};

/* Packet ids to be answered, in order. */
struct ids {
    uint16_t at[IDS / 64];
    uint32_t head, tail;
};

enum have { HAVE_NONE, HAVE_MAYBE, HAVE_SESSION };

/* The life of a connection. */
enum phase {
    AWAY,
    CONNECTING, /* CONNECT is on its way */
    ONLINE,     /* CONNACK has come */
    LEAVING,    /* DISCONNECT is on its way; the broker closes */
};

struct client {
    struct trace *t;
    struct oracle *o;
    unsigned index;
    char name[8];
    enum role role;
    bool v5;
    bool lasting; /* by habit */
    bool low_ids; /* takes the lowest free packet id, not the next */

    /* This connection. */
    struct end *end;
    enum phase phase;
    bool clean, resumed, ends; /* as said in CONNECT; CONNACK; the session ends with it */
    bool slow;
    bool harmed;  /* the network broke it */
    bool crashed; /* the broker did */
    struct buf out, in;
    uint32_t will; /* its number; 0: none */
    uint32_t will_delay_s;
    uint8_t goodbye; /* the reason in DISCONNECT */
    uint16_t receive_max, broker_receive_max;
    uint32_t unanswered;
    bool pinged;
    struct ids puback, pubrec, pubrel, pubcomp;
    uint8_t held[IDS / 8]; /* ids of messages that we still owe an answer */
    struct asked asked[ASKED_MAX];
    unsigned nasked;

    /* The session, as far as we know. */
    enum have have;
    bool renew; /* the next CONNECT must be clean: that of the last one got lost */
    struct seat *seat;
    uint8_t got2[IDS / 8]; /* QoS 2 ids that came and are not released */
    struct flight flight[FLIGHTS_MAX];
    unsigned nflight;
    uint16_t next_id;

    /* Old connections that nobody reads any more; the broker must close them. */
    struct end *ghost[GHOSTS_MAX];
    unsigned nghosts;
    struct end *stale; /* a lost connection whose CONNECT may still be read */
};

void client_init(struct client *c, unsigned index, struct trace *t, struct oracle *o);
void client_fini(struct client *c);

/* Reads, writes, answers; in storm also does things of its own. True if anything happened. */
bool client_act(struct client *c, bool storm);

/* Is it waiting for anything? */
bool client_busy(const struct client *c);

/* ---- on command (world.c) -------------------------------------------------------------------- */

void client_connect(struct client *c, bool clean, bool plain); /* plain: without will or haste */
void client_leave(struct client *c);
bool client_subscribe(struct client *c, unsigned filter, bool shared, uint8_t qos);
bool client_publish(struct client *c, unsigned topic, uint8_t qos, bool retain, bool clear);

/* Retains something on topics that nobody asks for by name, so that walks through what is retained
 * take many turns. What comes of it is not looked at. */
#define FILL_PREFIX "fill-"
void client_fill(struct client *c, unsigned from, unsigned to, bool clear);
void client_harm(struct client *c);  /* the network breaks its connection */
void client_crash(struct client *c); /* the broker has crashed */

/* ---- between its files --------------------------------------------------------------------------
 */

void client_hear(struct client *c); /* all whole packets in `in` */
void client_resend(struct client *c);
bool client_answer(struct client *c, bool all);
void client_deed(struct client *c);
uint16_t client_free_id(struct client *c);
void client_lost(struct client *c, bool abrupt);

uint32_t ids_len(const struct ids *q);
void ids_push(struct ids *q, uint16_t id);
uint16_t ids_pop(struct ids *q);
bool ids_has(const struct ids *q, uint16_t id);
void ids_drop(struct ids *q, uint16_t id);

static inline bool bit_at(const uint8_t *bits, uint16_t id)
{
    return (bits[id / 8] >> (id % 8) & 1) != 0;
}
static inline void bit_set(uint8_t *bits, uint16_t id, bool on)
{
    uint8_t bit = (uint8_t)(1u << (id % 8));
    bits[id / 8] = (uint8_t)(on ? bits[id / 8] | bit : bits[id / 8] & ~bit);
}

/* Luck: true once in n; a number below n. */
bool once_in(unsigned n);
unsigned any_below(unsigned n);
