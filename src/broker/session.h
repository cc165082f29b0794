/* SPDX-License-Identifier: BSD-3-Clause */
/* session.h -- a client's lasting state, at its home core.
 *
 * A session has subscriptions, a queue of messages that wait, a window of messages
 * that are in flight to the client, the packet ids it has received at QoS 2, the
 * acceptances it awaits from topic owners, and a will. A connection is only its
 * sink: it comes and goes, and the session stays as long as its expiry says.
 *
 * All of it lives on one core, the home of (tenant, client id), so taking a session
 * over, numbering packets, firing wills are single-threaded code.
 *
 * Owner: the broker of the home core. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "broker/access/identity.h"
#include "broker/message.h"
#include "core/wheel.h"

struct allowance;
struct broker;
struct grant;
struct held_publish;
struct received;
struct session;
struct sub;

enum { SESSION_NEVER_EXPIRES = UINT32_MAX };

/* Why the broker takes the sink away. */
enum kick {
    KICK_TAKEN_OVER,
    KICK_SHUTTING_DOWN,
    KICK_ADMIN,
    KICK_NO_MEMORY,
    KICK_IDENTITY_ENDED,
};

/* What there is to tell about a client's connection. */
enum { SINK_PEER_TEXT = 128 };
struct sink_facts {
    char peer[SINK_PEER_TEXT];
    const char *transport, *protocol; /* "tls", "MQTT 5.0" */
    uint32_t keep_alive_s;
    uint64_t unsent_bytes;
};

/* A message on its way to one client. Borrowed by ops->send. */
struct delivery {
    struct message *m;
    uint64_t serial; /* differs for each message the core delivers: key to encode once */
    const uint32_t *sub_ids;
    uint8_t nsub_ids;
    uint8_t qos;
    bool retain, dup;
    uint16_t packet_id; /* 0 at QoS 0 */
};

/* What a session asks of the connection that is its sink. Filled by src/proto. */
struct sink_ops {
    /* Encodes and sends. 0; -ERR_FULL: a QoS 0 message the peer is too slow for (drop
     * it); -ERR_TOO_LARGE: above what the client accepts (drop it [MQTT-3.1.2-25]). */
    int (*send)(struct session *s, const struct delivery *d);
    /* May the next message be sent? False while the out-queue is over its limit; the sink then
     * calls session_pump() when it has drained. */
    bool (*ready)(struct session *s);
    /* Sends PUBREL again, on resume. */
    void (*release)(struct session *s, uint16_t packet_id);
    /* The broker has taken (status 0) or refused (-ERR_X) a message that was
     * published with this packet id at this QoS: called in the order of publishing
     * [MQTT-4.6.0-2] [MQTT-4.6.0-3]. Packet id 0: one of an earlier connection, which
     * does not count against receive_max any more; there is nobody to tell. */
    void (*accepted)(struct session *s, uint16_t packet_id, uint8_t qos, int status);
    /* The sink must go; it has ceased to be the session's when this is called. */
    void (*kick)(void *sink, enum kick why);
    /* Fills `f`, zeroed, for the operator. May be NULL. */
    void (*describe)(const struct session *s, struct sink_facts *f);
    /* What is sent from now on waits until the core's log is on disk up to `pos`. May be NULL. */
    void (*hold)(struct session *s, uint64_t pos);
};

enum in_flight { FLIGHT_FREE, FLIGHT_SENT, FLIGHT_RECEIVED /* PUBREC seen, PUBREL sent */ };

/* A message that waits or is in flight; holds one use of `m`. */
struct pending {
    struct message *m;     /* NULL once PUBREC has come, or while it is on disk only */
    uint64_t seq;          /* its number as an entry of the log (journal.h); 0: it is none */
    struct stored *stored; /* where that has the message; NULL once PUBREC has come */
    uint32_t bytes;        /* of the message, as the queue counts it */
    uint32_t *more_ids;    /* all subscription ids if there are several (malloc); else NULL */
    uint32_t sub_id;       /* the only one; 0: none */
    uint8_t nsub_ids;
    uint8_t qos;
    uint8_t state; /* enum in_flight */
    bool retain;
    bool dup;
    uint32_t group; /* share group it came by (slot on this core), 0: none */
    bool former;  /* the session has left that group; `group` is the share's number at the owner */
    bool loading; /* it is being read from the disk, ... */
    bool leaving; /* ... and goes back to its group then; */
    bool unread;  /* it could not be */
};

/* A FIFO ring of pendings in malloc'd memory, empty: none. */
struct pendings {
    struct pending *at;
    uint32_t head, tail; /* counts, not positions; at[x & mask] */
    uint32_t mask;
};

/* Retained messages that a new subscription still has to get, before anything later. */
struct backlog {
    struct backlog *next;
    struct session *session;
    struct message **at; /* one use each; entries may be NULL */
    uint32_t n, pos;
    uint32_t sub_id; /* options of the subscription, as they were when it was made */
    uint8_t qos;
};

/* An acceptance that is awaited from a topic's owner, and from all cores that must keep it. */
struct awaited {
    uint16_t packet_id;
    uint8_t qos;
    bool accepted;    /* by the owner */
    bool muted;       /* its connection has ended: the client is told when it has published again */
    int16_t status;   /* the worst so far */
    int32_t kept_due; /* KEPT to come; below 0: they came before ACCEPTED, which says how many */
};

struct session {
    const struct sink_ops *ops; /* NULL: not connected */
    void *sink;                 /* the protocol's connection state */
    struct broker *broker;

    struct pendings queue;   /* waiting */
    struct pendings flight;  /* in flight; packet id of seq x is x % 65535 + 1 */
    uint32_t in_flight;      /* unacknowledged ones among flight */
    uint32_t resend, unsent; /* of them on the last connection only: from where on, and how many */
    uint32_t window;         /* most in flight: the client's receive maximum, and ours */
    struct backlog *backlog, *backlog_tail;
    uint32_t retained_due; /* messages in backlogs, and in those that wait for SUBACK */
    uint64_t queue_bytes;

    struct awaited *await; /* ring of acceptances, oldest first */
    uint32_t await_head, await_tail, await_mask;
    uint32_t await_mail; /* how many the owners still owe: the slot may not be reused before */
    uint32_t await_kept; /* how many cores still owe KEPT, as far as owners have said (modulo 2^32
                            while some owe mail): the slot waits for them, too */
    struct received *received; /* packet ids received at QoS 2, not released; NULL: none */
    struct held_publish *held; /* ring of publishes that wait for the log, oldest first */
    uint32_t held_head, held_tail, held_mask;

    uint64_t sid;       /* its number in the core's log; 0: it is not durable */
    uint64_t made_pos;  /* where that begins to be so: before it is on disk nobody may hear of it */
    uint64_t seq;       /* of its last entry there */
    uint64_t serial;    /* of its last incoming QoS 2 message */
    uint32_t cohort;    /* what it knew before the cores were others (origin.h); 0: nothing */
    struct load *loads; /* what is being read for it (session_load.c) */
    uint32_t nloads;
    uint32_t on_disk;   /* pendings without a message that have one on disk */
    bool restored;      /* from the log; nobody has connected since: it has no grant yet */
    bool will_written;  /* the log has a will of it */
    bool write_due;     /* the log could not take what it is now, and will (journal_put.c) */
    uint8_t durability; /* enum durability, of the listener by which its client came last */

    struct sub *subs; /* list */
    uint32_t nsubs;
    uint32_t nshared;          /* of them in share groups */
    struct sub_batch *batches; /* SUBSCRIBE packets that owners have not answered yet */
    uint32_t holding; /* of them with retained messages already: what follows waits behind those */
    uint64_t match_serial; /* of the look-up that last met this session, ... */
    uint32_t match_at;     /* ... and its place in that result */

    struct identity *identity;      /* who it is; NULL: anonymous, and no matter from where */
    const struct access_door *door; /* by which its client came last; NULL: none, as in tests */
    const struct grant *grant;      /* what it may read and write; NULL: everything */

    struct allowance *allowance; /* what it has used of its rates; NULL: there are none */

    struct hook_question *will_question; /* about `will`; NULL: none is under way */
    struct asked_packet *asked;          /* answers for the packet that waits; NULL: none */
    struct message *will;                /* one use; NULL: none */
    uint32_t will_delay_s;
    uint32_t will_made_s; /* when the connection gave it: its expiry counts from its sending */
    uint32_t expiry_s;    /* after the connection ends; 0: at once */
    struct timer timer;   /* not connected: will delay, then expiry; connected: its identity ends */
    uint32_t gone_s;      /* when the connection ended */
    uint32_t come_s;      /* when the last one began */
    uint32_t trace_until_s; /* its packets are logged till then; 0: they are not */

    struct session *ready_next, **ready_link; /* on the broker's list of sessions to pump */
    bool dead;                                /* ended; only its slot waits for mail */
    bool asks;         /* a web service decides what it may do (session_ask.h) */
    bool will_allowed; /* that has allowed the will, if `asks` */
    bool ask_failed;   /* it did not answer: what is not known of the packet is denied */
    bool recheck;      /* the grant has changed since some of the queue was let in */
    uint8_t tenant;
    uint32_t id;   /* slot on this core; never 0 */
    uint64_t hash; /* of tenant and client id */
    uint16_t client_id_len;
    char client_id[];
};

static inline struct bytes session_client_id(const struct session *s)
{
    return bytes_of(s->client_id, s->client_id_len);
}

/* How many of its publishes wait until the log has a packet id. */
static inline uint32_t session_held(const struct session *s)
{
    return s->held_tail - s->held_head;
}

/* ---- the client's connection comes and goes ------------------------------------------- */

struct attach {
    struct bytes client_id;
    uint8_t tenant;
    bool clean;                     /* throw away what there was [MQTT-3.1.2-4] */
    uint32_t expiry_s;              /* SESSION_NEVER_EXPIRES for "clean session = 0" of 3.x */
    uint16_t receive_max;           /* the client's; 65535 if it did not say */
    struct identity *identity;      /* the session's, if there is one at the end; NULL: anonymous */
    const struct access_door *door; /* NULL: none, as in tests */
    const struct sink_ops *ops;
    void *sink;
    const struct publication *will; /* NULL: none; copied */
    uint32_t will_delay_s;
};

/* Makes or resumes the session. An older connection is kicked first. *present says
 * whether there was state. NULL with *err -ERR_FULL (sessions; at limits.memory a client may only
 * come back to one that there is, to take what waits), -ERR_DENIED (it is another user's),
 * -ERR_NOMEM, or of a new session that must be in the log -ERR_DISK_FULL or -ERR_STORAGE. Nothing
 * is delivered before session_pump(), so that CONNACK can go first. */
struct session *session_attach(struct broker *b, const struct attach *a, bool *present, int *err);

/* The connection ended. `send_will`: it did not say goodbye [MQTT-3.1.2-8]. Applies
 * expiry and will delay; the session may be gone afterwards. */
void session_detach(struct session *s, bool send_will);

/* Takes the connection from a session that has one: the client is told why, in a version that
 * can be; then as session_detach(), with the will. */
void session_kick(struct session *s, enum kick why);

/* The operator sends a client away; with `end` its session ends too, the will being sent. 0, or
 * -ERR_ABSENT: there is no such session here. */
int session_send_away(struct broker *b, uint8_t tenant, struct bytes client_id, bool end);

/* The client's packets are logged for so many seconds from now on; 0: no more. 0, or -ERR_ABSENT.
 */
int session_trace(struct broker *b, uint8_t tenant, struct bytes client_id, uint32_t seconds);

/* What the session may read and write from now on; takes `g` (NULL: everything). Comes
 * between session_attach and session_resume, and whenever the rules have changed:
 * subscriptions stay, but deliver only what may be read, and what waits is judged again. */
void session_set_grant(struct session *s, const struct grant *g);

/* 5.0 DISCONNECT may change the expiry. */
void session_set_expiry(struct session *s, uint32_t expiry_s);

/* Resends what was in flight and sends what waits, as far as window and sink allow. */
void session_resume(struct session *s);
void session_pump(struct session *s);

/* ---- packets of the client ------------------------------------------------------------- */

/* PUBLISH at QoS 2: 0 it is new, or came before a restart and is to be published again;
 * -ERR_EXISTS it came before and was not released [MQTT-4.3.3-10]; -ERR_NOMEM; -ERR_FULL,
 * -ERR_STORAGE: the log does not take it (broker_refuse). */
int session_receive(struct session *s, uint16_t packet_id);
/* A repeated PUBLISH at QoS 2: was it accepted already? (Then it is answered at once.) If not, the
 * acceptance will be told to this connection, or after the restart that a failed log needs. */
bool session_accepted(struct session *s, uint16_t packet_id);
/* PUBREL: 0, or -ERR_ABSENT. Also after a PUBLISH that was refused, if the client is told. What it
 * is sent from now on waits until the log knows. -ERR_STORAGE: the log has failed, and would call
 * the client's next message of that id a repetition after a restart: the client must not be told.
 */
int session_release(struct session *s, uint16_t packet_id);
/* A PUBLISH that is no duplicate is a new message [MQTT-3.3.1-2]: if the log had one in doubt with
 * this id, the client has been refused it, and the id is free. Before session_receive. */
void session_is_new(struct session *s, uint16_t packet_id);
/* After a PUBLISH that was refused (`why`), if it is not told: it will send it again. */
void session_unreceive(struct session *s, uint16_t packet_id, int why);

/* PUBACK, PUBREC, PUBCOMP: 0, or -ERR_ABSENT for an id that is not in that state.
 * session_on_pubrec with an error reason frees the id. */
int session_on_puback(struct session *s, uint16_t packet_id);
int session_on_pubrec(struct session *s, uint16_t packet_id, bool failed);
int session_on_pubcomp(struct session *s, uint16_t packet_id);
/* PUBREL: as session_release(). */
int session_on_pubrel(struct session *s, uint16_t packet_id);
