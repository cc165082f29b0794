/* SPDX-License-Identifier: BSD-3-Clause */
/* message.h -- one published message: an immutable block that finds its way home.
 *
 * The publisher's core makes it and alone frees it. Two counts keep it alive: `users`,
 * a plain number, counts what holds it at home; `away`, atomic, counts shares, one
 * per mail under way or core that has it, and one more that stands for all users
 * together as long as there are any. So whoever takes `away` from 1 to 0 was the last
 * holder anywhere: home frees the block, another core sends it home in a chain
 * (pool.h). message.c tells why this is safe.
 *
 * A core never queues a foreign block: message_keep() there makes a local stand-in,
 * a copy if it is small, else a header that holds one share and points to the
 * foreign body. So queues, retained sets and windows count with plain integers, on
 * local blocks only, and a slow consumer pins at most large bodies. */
#pragma once

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "broker/journal/durability.h"
#include "core/core.h"

enum { MESSAGE_COPY_MAX = 2048 }; /* bodies up to this are copied, not pinned */

enum message_flag {
    MESSAGE_RETAIN = 1 << 0,  /* as published */
    MESSAGE_STANDIN = 1 << 1, /* the body belongs to a foreign block */
    MESSAGE_EXPIRES = 1 << 2,
    MESSAGE_LOGGED = 1 << 3, /* durable sessions and retained sets of it are written to the log; */
    MESSAGE_COMMIT = 1 << 4, /* ... and its origin waits until they are on disk */
    MESSAGE_IN_DOUBT = 1 << 5, /* QoS 2, published again after a restart: some may have it */
};

/* As origin_session: not a session but the journal waits for the message to be kept. */
#define MESSAGE_ORIGIN_JOURNAL UINT32_MAX

/* Behind the body of a block with MESSAGE_LOGGED. */
struct message_logged {
    uint64_t origin, serial; /* of a QoS 2 publish by a durable session; serial 0: none */
    uint32_t number;         /* of the publisher's awaited acceptance, for KEPT */
    uint16_t low_water;      /* serial - low_water: the lowest that may still be in doubt */
};

struct message {
    /* Written once. */
    union {
        uint64_t topic_hash;
        void *link; /* of the dead block, on its way home (pool.h) */
    };
    const uint8_t *body; /* topic, props, payload, back to back; of a stand-in: foreign */

    uint32_t users;        /* home core only */
    _Atomic uint32_t away; /* shares on other cores or under way, and 1 for home's users */

    /* Written once. */
    uint32_t payload_len;
    uint32_t props_len;
    uint16_t topic_len;
    uint16_t home;        /* the core that made the block */
    uint16_t origin_core; /* the publisher's home and session, for no-local; */
    uint8_t qos;          /* as published */
    uint8_t flags;
    uint32_t origin_session; /* 0: the broker itself */
    uint32_t expires_s;      /* core_now_s at which it expires, with MESSAGE_EXPIRES */

    uint8_t bytes[];
};

static_assert(offsetof(struct message, bytes) == 48, "a small header: queues are full of them");

/* What a publisher says, borrowed. */
struct publication {
    struct bytes topic, payload;
    struct bytes props; /* MQTT 5 properties to pass on, encoded (mqtt_props_forward) */
    uint64_t topic_hash;
    uint32_t expiry_s; /* seconds; with has_expiry */
    uint8_t qos;
    bool retain, has_expiry;
    uint8_t durability; /* enum durability; memory unless the broker has a journal */
    bool in_doubt;
    struct message_logged logged; /* above memory */
};

/* A copy in a block of this core, with one user, the caller: logged, its origin here and waiting to
 * hear that it is kept, so the caller says who that is (origin_session) and by which number. NULL
 * when memory ran out. */
struct message *message_copy(struct core *c, struct message *m);

/* A new message with one user, the caller. NULL when memory ran out. */
struct message *message_new(struct core *c, const struct publication *p, uint32_t origin_session);

static inline struct bytes message_topic(const struct message *m)
{
    return bytes_of(m->body, m->topic_len);
}
static inline struct bytes message_props(const struct message *m)
{
    return bytes_of(m->body + m->topic_len, m->props_len);
}
static inline struct bytes message_payload(const struct message *m)
{
    return bytes_of(m->body + m->topic_len + m->props_len, m->payload_len);
}
/* What limits count: topic, properties and payload. */
static inline uint32_t message_bytes(const struct message *m)
{
    return m->topic_len + m->props_len + m->payload_len;
}
/* What a logged message carries besides. */
static inline struct message_logged *message_logged(struct message *m)
{
    size_t body = m->flags & MESSAGE_STANDIN ? 0 : message_bytes(m);
    size_t at = (offsetof(struct message, bytes) + body + 7) & ~(size_t)7;
    ASSERT(m->flags & MESSAGE_LOGGED);
    return (struct message_logged *)(void *)((uint8_t *)m + at);
}
/* Does its origin wait for KEPT? */
static inline bool message_is_awaited(const struct message *m)
{
    return (m->flags & MESSAGE_COMMIT) != 0;
}
/* Has it a name by which it may come again? */
static inline bool message_is_named(struct message *m)
{
    return UNLIKELY(m->flags & MESSAGE_LOGGED) && message_logged(m)->serial > 0;
}
static inline bool message_expired(const struct message *m, uint32_t now_s)
{
    return (m->flags & MESSAGE_EXPIRES) && now_s >= m->expires_s;
}

/* On the home core: one more user, one less. A share that came home by mail counts as a use. */
static inline void message_ref(struct message *m)
{
    if (LIKELY(m->users > 0)) {
        m->users++;
    } else { /* only shares are left, the caller's among them */
        atomic_fetch_add_explicit(&m->away, 1, memory_order_relaxed);
    }
}
void message_unref(struct core *c, struct message *m);

/* Makes `n` shares to be mailed. The caller holds the message: as a user if it is
 * at home, else by a share of its own. */
void message_share(struct core *c, struct message *m, uint32_t n);

/* Turns what the caller holds into a share to be mailed, and so ends the caller's hold:
 * cheaper than message_share and message_put. */
void message_hand_over(struct core *c, struct message *m);

/* Gives back what the caller holds: a use at home, a share elsewhere. */
void message_put(struct core *c, struct message *m);

/* A message this core may keep: at home one more user of `m`, elsewhere a stand-in
 * (or copy) with one user. What the caller holds stays its own. NULL when memory ran out.
 * Give it back with message_unref. */
struct message *message_keep(struct core *c, struct message *m);

/* turn_ops.block_home: nobody holds `block` any more. ctx is the core. */
void message_on_home(void *ctx, void *block);
