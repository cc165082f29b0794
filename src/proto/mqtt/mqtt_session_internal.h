/* SPDX-License-Identifier: BSD-3-Clause */
/* mqtt_session_internal.h -- what the files of the MQTT session layer share.
 *
 * A packet's way: mqtt_session.c splits it off, looks up what the connection's state makes
 * of its type, and calls one handler. A handler answers 0, or the reason code of what the client
 * did wrong; mqtt_fail() finds the words for it that the client's version has. */
#pragma once

#include "base/assert.h"
#include "base/err.h"
#include "broker/access/login.h"
#include "proto/mqtt/mqtt.h"
#include "proto/mqtt/mqtt_session.h"

enum mqtt_state {
    MQTT_ARRIVED, /* waits for CONNECT; may belong to another core */
    MQTT_AT_HOME, /* was handed over by another core; CONNECT will be decided here */
    MQTT_LOGIN,   /* CONNECT has come; who it is is being found out */
    MQTT_ONLINE,  /* CONNACK has been sent, and there is a session */
    MQTT_GONE,    /* moved, or somebody has said the last word; nothing is read any more */
    MQTT_STATES,
};

enum mqtt_flag {
    MQTT_ENDS_AT_ONCE = 1 << 0, /* CONNECT asked for a session expiry of 0 */
    MQTT_NO_PROBLEMS = 1 << 1,  /* CONNECT asked for no reason strings [MQTT-3.1.2-29] */
    MQTT_HELD = 1 << 2,         /* not read until owners have accepted more */
    MQTT_ENHANCED = 1 << 3,     /* CONNECT named an authentication method */
    MQTT_ASKING = 1 << 4,       /* not read until somebody has answered: a login, or a right */
    MQTT_RATED = 1 << 5,        /* not read until a window of its rates has passed */
};

enum { MQTT_ALIAS_OUT_MAX = 64, MQTT_ALIAS_SLOTS = 128, MQTT_ALIAS_TOPIC_MAX = 512 };

/* A topic that has a number. */
struct mqtt_alias {
    uint64_t hash;
    uint16_t len;
    uint8_t topic[];
};

/* Aliases of one direction; number n is at[n - 1]. malloc'd when the first one is made. */
struct mqtt_aliases {
    uint16_t max;
    uint16_t used;                  /* towards a client: numbers given out */
    uint8_t slot[MQTT_ALIAS_SLOTS]; /* towards a client: hash -> number; 0: free */
    struct mqtt_alias *at[];
};

struct mqtt {
    struct conn *conn;
    struct mqtt_core *core;
    struct session *session;  /* NULL unless online */
    struct mqtt_login *login; /* how it comes in, and its places in counts; NULL: nothing */
    struct mqtt_aliases *in;
    struct mqtt_aliases *out;
    struct timer timer;  /* until CONNECT: the time limit; then keep alive */
    uint32_t packet_max; /* the largest packet the client takes */
    uint16_t keep_alive_s;
    uint16_t out_max; /* aliases the client lets us define */
    uint16_t in_max;  /* aliases we let the client define */
    uint16_t unacked; /* PUBLISH of QoS 1 and 2 from the client that we owe the last answer */
    uint8_t version;  /* enum mqtt_version; 0: not known yet */
    uint8_t state;    /* enum mqtt_state */
    uint8_t flags;    /* enum mqtt_flag */
};

/* A PUBLISH as it goes to every subscriber who has no property of his own. */
struct encoded {
    uint64_t serial; /* of the delivery */
    uint32_t len;    /* 0: it came by once and was not kept */
    uint32_t id_at;
    uint8_t bytes[OUTQ_COPY_MAX];
};

struct mqtt_core {
    struct core *core;
    struct broker *broker;
    struct mqtt_options options;
    uint32_t receive_max;         /* the broker's, as far as a u16 goes */
    size_t out_bytes_max;         /* the net's */
    struct bytes unread;          /* while a handler runs: input that begins with its packet */
    struct bytes connecting;      /* while a CONNECT is handled or refused: its client id */
    struct bytes auth_data;       /* while CONNACK is made: the end of an exchange */
    const char *why, *setting;    /* of a refusal: more than its reason says; NULL: nothing */
    struct encoded encoded[2][2]; /* [5.0][with packet id] */
    size_t scratch_bytes;
    uint8_t *scratch; /* for what is too long for the out-queue in one piece */
};

static inline bool mqtt_is_v5(const struct mqtt *m)
{
    return m->version == MQTT_V5;
}

/* A handler of a packet: 0 or a reason code. */
typedef int mqtt_handler(struct mqtt *m, const struct mqtt_frame *f);

/* ---- mqtt_session.c ----------------------------------------------------------------------- */

void mqtt_set_state(struct mqtt *m, enum mqtt_state to);

/* Not to be read for this reason (MQTT_HELD, _ASKING, _RATED), and no longer for this one: it is
 * read when there is none left. */
void mqtt_pause(struct mqtt *m, enum mqtt_flag why);
void mqtt_go_on(struct mqtt *m, enum mqtt_flag why);

/* ---- mqtt_session_connect.c --------------------------------------------------------------- */

mqtt_handler mqtt_on_connect;

/* Attaches the session and answers: 0, or a reason. Takes `*who` (NULL: anonymous) if it is 0. */
int mqtt_come_in(struct mqtt *m, const struct mqtt_connect *c, struct identity **who);

/* ---- mqtt_session_login.c ----------------------------------------------------------------- */

/* Finds out who it is, and lets it come in: now, or when that is known. 0, or a reason. */
int mqtt_log_in(struct mqtt *m, const struct mqtt_frame *f, const struct mqtt_connect *c);
mqtt_handler mqtt_on_auth, mqtt_on_goodbye;
struct hook_text;
/* Asks whether it may do this; the connection goes on being read when that is known. */
bool mqtt_login_ask(struct mqtt *m, const struct hook_text *q);
void mqtt_login_unask(struct mqtt *m);  /* it leaves its session: that answer is not for it */
void mqtt_login_forget(struct mqtt *m); /* the connection goes */

/* ---- mqtt_session_ask.c ------------------------------------------------------------------- */

/* Has somebody to be asked before this packet may be handled? Then it is not to be consumed: it is
 * handled when the connection is read again. Only of a session that asks. */
bool mqtt_must_ask(struct mqtt *m, const struct mqtt_frame *f);

/* ---- mqtt_session_connack.c --------------------------------------------------------------- */

/* Answers a CONNECT that was taken. `asked_expiry_s` is what the client wanted. False if the client
 * does not take a packet of that size. */
bool mqtt_welcome(struct mqtt *m, const struct mqtt_connect *c, bool present);

/* Answers one that was not, if the version has words for it. */
void mqtt_refuse(struct mqtt *m, unsigned reason);

/* ---- mqtt_session_timer.c ----------------------------------------------------------------- */

void mqtt_timer_start(struct mqtt *m);      /* the time limit for CONNECT */
void mqtt_keep_alive_start(struct mqtt *m); /* keep_alive_s is set */

/* ---- mqtt_session_publish.c --------------------------------------------------------------- */

mqtt_handler mqtt_on_publish;

/* Stops reading while the session waits for as many acceptances as the broker allows. */
void mqtt_hold_if_full(struct mqtt *m);

/* struct sink_ops. */
void mqtt_accepted(struct session *s, uint16_t packet_id, uint8_t qos, int status);

/* ---- mqtt_session_name.c ------------------------------------------------------------------ */

/* Is this topic or filter no longer and no deeper than is wanted? If not it is counted and logged.
 */
bool mqtt_name_judge(const struct mqtt *m, struct bytes name);
static inline bool mqtt_name_fits(const struct mqtt *m, struct bytes name)
{
    const struct mqtt_options *o = &m->core->options;

    return LIKELY(name.n < o->topic_levels_max && name.n <= o->topic_bytes_max) ||
           mqtt_name_judge(m, name);
}

/* ---- mqtt_session_rate.c ------------------------------------------------------------------ */

/* Counts a PUBLISH of a session with rates: 0, or the reason why it is not taken. */
int mqtt_spend(struct mqtt *m, uint32_t bytes);
void mqtt_rate_over(struct mqtt *m); /* its window has passed: it is read again */

/* ---- mqtt_session_ack.c ------------------------------------------------------------------- */

mqtt_handler mqtt_on_puback, mqtt_on_pubrec, mqtt_on_pubrel, mqtt_on_pubcomp, mqtt_on_pingreq;

/* Sends PUBACK, PUBREC, PUBREL or PUBCOMP; `reason` is left out below 5.0. */
void mqtt_ack(struct mqtt *m, unsigned type, uint16_t packet_id, unsigned reason);
void mqtt_release(struct session *s, uint16_t packet_id); /* struct sink_ops */

/* ---- mqtt_session_subscribe.c ------------------------------------------------------------------
 */

mqtt_handler mqtt_on_subscribe, mqtt_on_unsubscribe;

/* ---- mqtt_session_deliver.c --------------------------------------------------------------- */

extern const struct sink_ops mqtt_sink_ops;

/* ---- mqtt_session_alias.c ----------------------------------------------------------------- */

/* Applies the alias of a PUBLISH from the client: fills topic and hash. 0 or a reason. */
int mqtt_alias_in(struct mqtt *m, const struct mqtt_publish *p, struct publication *pub);

/* The number of a topic towards the client; 0: it has none. */
uint16_t mqtt_alias_out_find(const struct mqtt *m, const struct message *msg);

/* The number a new topic would get; 0: the table is full. */
uint16_t mqtt_alias_out_next(const struct mqtt *m, const struct message *msg);

/* Gives the topic that number. False when memory ran out. */
bool mqtt_alias_out_add(struct mqtt *m, const struct message *msg, uint16_t number);
void mqtt_aliases_free(struct mqtt_aliases **a);

/* ---- mqtt_session_trace.c ----------------------------------------------------------------- */

enum mqtt_way { MQTT_IN, MQTT_OUT };

/* Is the operator looking at this client? */
static inline bool mqtt_is_traced(const struct mqtt *m)
{
    return UNLIKELY(m->session && m->session->trace_until_s);
}

/* Logs a packet that is no PUBLISH: `n` is its length on its way in, its packet id on the way out.
 */
void mqtt_trace_packet(const struct mqtt *m, enum mqtt_way way, unsigned type, uint32_t n);

struct mqtt_traced {
    struct bytes topic;
    size_t payload_bytes;
    uint16_t packet_id;
    uint8_t qos;
    bool retain;
};
void mqtt_trace_publish(const struct mqtt *m, enum mqtt_way way, const struct mqtt_traced *p);

/* ---- mqtt_session_close.c ----------------------------------------------------------------- */

mqtt_handler mqtt_on_disconnect;

/* Sends a packet that lies in `w`. False if it was not encoded or the client takes none so large
 * [MQTT-3.1.2-24]. */
bool mqtt_put(struct mqtt *m, const struct writer *w);

/* Tells the client what is wrong and leaves its session, with the will. Returns the -ERR_X
 * for on_bytes to close with. */
int mqtt_fail(struct mqtt *m, unsigned reason);

/* The same from outside on_bytes: closes the connection itself. */
void mqtt_end(struct mqtt *m, unsigned reason);

/* The same in the broker's hands, which still hold the session: on_close leaves it. */
void mqtt_drop(struct mqtt *m, unsigned reason);

/* Leaves the session, if there is one. `why` is logged. */
void mqtt_leave(struct mqtt *m, bool with_will, const char *why);
void mqtt_kick(void *sink, enum kick why); /* struct sink_ops */
void mqtt_on_farewell(struct conn *c);     /* struct proto */
