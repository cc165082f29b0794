/* SPDX-License-Identifier: BSD-3-Clause */
/* broker.h -- the verbs: attach, publish, subscribe. One broker per core.
 *
 * A publish is only marked here; delivery has its own phase in the turn
 * (broker_deliver), so no verb ever calls back into the session that used it, except
 * ops->accepted, which may come before broker_publish returns.
 *
 * Which core runs what: verbs run on the session's home; what concerns order
 * (route.c, retain.c) runs on the topic's owner; delivery on each subscriber's
 * home. mail.def lists all that passes between them. */
#pragma once

#include "broker/access/access.h"
#include "broker/access/guard.h"
#include "broker/allowance.h"
#include "broker/retain.h"
#include "broker/session.h"

struct durability_rules;

struct broker_options {
    uint32_t sessions_max;      /* per core */
    uint32_t subscriptions_max; /* per session */
    uint32_t subscriptions_core_max;
    uint32_t queue_messages_max; /* waiting per session */
    uint64_t queue_bytes_max;    /* and their bytes */
    uint32_t backlog_max;        /* retained messages that a session has yet to get */
    uint32_t window_max;         /* in flight to one client */
    uint32_t receive_max;        /* in flight from one client; announced in 5.0 */
    uint64_t retained_max;       /* per core */
    uint64_t retained_bytes_max;
    uint32_t expiry_max_s; /* longest session expiry that is granted */
    uint32_t match_cache;  /* slots of the result caches, a power of two */
    struct guard_limits guard;
    struct allowance_limits rates; /* per client; all 0: none */
    bool takeover_by_anybody;      /* a client id of one user may be taken by another */
    uint32_t password_cache_s;     /* a password that was right is not hashed again for so long */
    uint8_t durability; /* enum durability, of what comes by no listener; memory without a log */
    const struct durability_rules *durability_rules; /* in force; NULL: none */
};

#define BROKER_OPTIONS_DEFAULT                                                                     \
    {                                                                                              \
        .sessions_max = 1u << 22, .subscriptions_max = 10000, .subscriptions_core_max = 1u << 22,  \
        .queue_messages_max = 100000, .queue_bytes_max = 64u << 20, .backlog_max = 1u << 22,       \
        .window_max = 1000, .receive_max = 1000, .retained_max = 1000000,                          \
        .retained_bytes_max = 1u << 30, .expiry_max_s = SESSION_NEVER_EXPIRES,                     \
        .match_cache = 4096, .guard = GUARD_LIMITS_DEFAULT, .password_cache_s = 300,               \
    }

/* Makes the broker of one core. All cores are given the same `seed`. NULL: no memory. */
struct broker *broker_new(struct core *c, const struct broker_options *o, uint64_t seed);
void broker_free(struct broker **b);

/* Puts other limits in force; what exceeds them already stays. receive_max, which clients have
 * been told, and match_cache stay as they are. */
void broker_set_options(struct broker *b, const struct broker_options *o);

/* Takes all connections from their sessions, which go on as their expiry says; each client is
 * told why, in a version that can. */
void broker_kick_all(struct broker *b, enum kick why);

/* Turn phase; `broker` is a struct broker. */
unsigned broker_deliver(void *broker);

/* Handlers for mesh_port_bind, indexed by mail kind; ctx is the struct broker. The kinds
 * that are not the broker's (hand-over) are NULL: fill them in a copy. */
#define BROKER_MAIL_KINDS 32
void broker_mail_handlers(mail_fn *handlers[BROKER_MAIL_KINDS]);
enum mail_kind {
    MAIL_NONE,
#define MAIL(name, handler, meaning) MAIL_##name,
#include "broker/mail.def"
#undef MAIL
    MAIL_KINDS
};
const char *mail_name(unsigned kind);

/* ---- placement ----------------------------------------------------------------------- */

/* The home core of a client, the owner core of a topic. */
unsigned broker_home(const struct broker *b, uint8_t tenant, struct bytes client_id);
unsigned broker_owner(const struct broker *b, uint64_t topic_hash);
uint64_t broker_topic_hash(const struct broker *b, struct bytes topic);

/* The same without a broker, if there are so many cores. Hashes are those of name.h, of a client
 * hash_pair() of that of its id and the tenant. */
unsigned broker_core_of(uint64_t hash, unsigned cores);

/* A fresh client id whose home is this core: writes up to `room` (at least 24) bytes; returns its
 * length. */
unsigned broker_assign_client_id(struct broker *b, char *out, unsigned room);

/* Who may come in and do what, from now on. Takes one use of `a`, which may be NULL. */
void broker_set_access(struct broker *b, struct access *a);
const struct access *broker_access(const struct broker *b);

struct core *broker_core(const struct broker *b);
const struct broker_options *broker_options(const struct broker *b);

/* ---- publish ---------------------------------------------------------------------------- */

/* Publishes for `from`. At QoS 0 `packet_id` is 0; above, ops->accepted tells later (or
 * at once) what became of it, and the message counts against receive_max till then.
 * 0, -ERR_NOMEM, -ERR_FULL (too many unaccepted: the caller should have paused),
 * -ERR_DENIED (the session may not write the topic; above QoS 0 ops->accepted tells); at
 * limits.memory -ERR_FULL at QoS 0, and above it ops->accepted tells.
 * `*mailed` grows by the bytes that wait in a mesh outbox (see conn_charge); `account` is
 * the connection's. */
int broker_publish(struct session *from, const struct publication *p, uint16_t packet_id,
                   uint32_t account, uint32_t *mailed);

/* Refuses a publish, as broker_publish does: ops->accepted tells when it is its turn. What could
 * not be done about a QoS 2 id. */
int broker_refuse(struct session *from, uint16_t packet_id, uint8_t qos, int why);

/* Publishes for nobody (wills, the broker itself): takes the caller's use of `m`. */
void broker_publish_message(struct broker *b, struct message *m);

/* The same on the topic's owner, which tells at once what became of it: 0, -ERR_NOMEM, or -ERR_FULL
 * if it was to be retained and could not. Borrows. */
int broker_publish_here(struct broker *b, const struct publication *p);

/* ---- subscribe -------------------------------------------------------------------------- */

/* One SUBSCRIBE packet under way. The caller embeds it, all zero but for the first two, and
 * keeps it until `done`. */
struct sub_batch {
    struct session *session;
    void (*done)(struct sub_batch *b); /* every filter is in force: answer now. Runs at home. */
    uint32_t waiting;                  /* filters that owners have not answered */
    struct backlog *held, *held_tail;  /* retained messages, passed on after done() */
    struct asking *askings;            /* what those filters wait for */
    struct sub_batch *next, **link;    /* on session->batches */
};

struct sub_request {
    struct bytes filter; /* as the client wrote it: "$share/..." too; valid (mqtt_filter_valid) */
    uint32_t sub_id;     /* 0: none */
    uint8_t qos;
    bool no_local, retain_as_published;
    uint8_t retain_handling; /* 0 send, 1 send if new, 2 don't [MQTT-3.3.1-9] [MQTT-3.3.1-10]
                                [MQTT-3.3.1-11] */
    int16_t *status; /* if not NULL: set to -ERR_X if it fails later; lives as long as the batch */
};

/* Subscribes or changes a subscription. The granted QoS (0 to 2), or -ERR_FULL,
 * -ERR_NOMEM, -ERR_STORAGE, -ERR_DENIED (nothing that it matches may be read; an older one stays).
 * If owners must be asked, batch->waiting grows by one. */
int broker_subscribe(struct session *s, const struct sub_request *r, struct sub_batch *batch);

/* After the last broker_subscribe of a packet: calls done() now if nothing is waiting, else
 * later. When the session's connection ends first, the broker calls done() with
 * session = NULL so that the caller can free the batch. */
void broker_subscribe_end(struct sub_batch *batch);

/* 0, or -ERR_ABSENT [MQTT-3.10.4-5]. In force at once at home. */
int broker_unsubscribe(struct session *s, struct bytes filter);
