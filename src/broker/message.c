/* SPDX-License-Identifier: BSD-3-Clause */
/* message.c -- the counts of a message and why they are safe.
 *
 * A holder is a user at home, or a share that is elsewhere, under way, or has come home by
 * mail. Uses and shares at home are alike: whichever is given back first is taken off `users`
 * while there are any, then off `away`. Always, with B = 1 while users > 0 and the
 * message was ever shared, else 0:
 *
 *     number of holders = users + away - B
 *
 * B is the stake of home's users in `away`. It has three consequences.
 * 1. Who takes `away` from 1 to 0 is the last holder anywhere, and that happens once: after
 *    it nobody holds the message, so nobody can share it again. Hence the dead block's link
 *    and its one way home.
 * 2. While home has users, `away` is 0 (never shared) or at least 1, so home may make new
 *    shares at any time, also while old ones are coming back: a retained message
 *    makes many rounds and no trip.
 * 3. Who holds one share or the stake and reads 1 is alone, and stays so without its own doing:
 *    it needs no atomic read-modify-write. The load acquires what the others released as
 *    they gave theirs back.
 * New shares need no ordering: the mail that carries them has it. */
#include "broker/message.h"

/* A stand-in's body is that of a whole message of another core. */
static struct message *foreign_of(const struct message *m)
{
    return CONTAINER_OF(m->body, struct message, bytes);
}

/* With a body of so many bytes; what only logged messages have stands aligned behind it. */
static size_t block_size(size_t body_bytes, unsigned flags)
{
    size_t n = offsetof(struct message, bytes) + body_bytes;
    return flags & MESSAGE_LOGGED ? ((n + 7) & ~(size_t)7) + sizeof(struct message_logged) : n;
}

static size_t block_bytes(const struct message *m)
{
    return block_size(m->flags & MESSAGE_STANDIN ? 0 : message_bytes(m), m->flags);
}

/* A header that belongs to this core and has one user. */
static struct message *block_new(struct core *c, size_t body_bytes, unsigned flags)
{
    struct message *m = pool_alloc(c->pool, block_size(body_bytes, flags));
    if (!m) return NULL;
    m->users = 1;
    atomic_init(&m->away, 0);
    m->home = (uint16_t)c->id;
    return m;
}

static unsigned flags_of(const struct publication *p)
{
    return (p->retain ? MESSAGE_RETAIN : 0u) | (p->has_expiry ? MESSAGE_EXPIRES : 0u) |
           (p->durability > DURABILITY_MEMORY ? MESSAGE_LOGGED : 0u) |
           (p->durability == DURABILITY_COMMIT ? MESSAGE_COMMIT : 0u) |
           (p->in_doubt ? MESSAGE_IN_DOUBT : 0u);
}

static uint32_t expires_at(const struct core *c, uint32_t expiry_s)
{
    uint32_t now_s = core_now_s(c);
    return expiry_s > UINT32_MAX - now_s ? UINT32_MAX : now_s + expiry_s;
}

struct message *message_new(struct core *c, const struct publication *p, uint32_t origin_session)
{
    ASSERT(p->topic.n <= UINT16_MAX && p->props.n + p->payload.n <= UINT32_MAX - UINT16_MAX);
    size_t body_bytes = p->topic.n + p->props.n + p->payload.n;
    unsigned flags = flags_of(p);
    struct message *m = block_new(c, body_bytes, flags);
    if (!m) return NULL;

    m->topic_hash = p->topic_hash;
    m->topic_len = (uint16_t)p->topic.n;
    m->props_len = (uint32_t)p->props.n;
    m->payload_len = (uint32_t)p->payload.n;
    m->origin_core = (uint16_t)c->id;
    m->origin_session = origin_session;
    m->qos = p->qos;
    m->flags = (uint8_t)flags;
    m->expires_s = p->has_expiry ? expires_at(c, p->expiry_s) : 0;
    m->body = m->bytes;

    struct writer w = wr_of(m->bytes, body_bytes);
    wr_bytes(&w, p->topic);
    wr_bytes(&w, p->props);
    wr_bytes(&w, p->payload);
    if (UNLIKELY(flags & MESSAGE_LOGGED)) *message_logged(m) = p->logged;
    return m;
}

static void message_destroy(struct core *c, struct message *m)
{
    if (m->flags & MESSAGE_STANDIN) message_put(c, foreign_of(m));
    pool_free(c->pool, m, block_bytes(m));
}

/* Takes one off `away`; true if it was the last. */
static bool drop_share(struct message *m)
{
    if (atomic_load_explicit(&m->away, memory_order_acquire) == 1) return true;
    return atomic_fetch_sub_explicit(&m->away, 1, memory_order_acq_rel) == 1;
}

void message_unref(struct core *c, struct message *m)
{
    ASSERT(m->home == c->id);
    if (m->users > 1) {
        m->users--;
        return;
    }
    bool stake = atomic_load_explicit(&m->away, memory_order_relaxed) > 0;
    ASSERT(m->users == 1 || stake);
    m->users = 0;
    if (!stake || drop_share(m)) message_destroy(c, m);
}

void message_share(struct core *c, struct message *m, uint32_t n)
{
    uint32_t away = atomic_load_explicit(&m->away, memory_order_acquire);
    ASSERT(away > 0 || (m->home == c->id && m->users > 0));
    if (n == 0) return;
    /* 0: ours and never shared, our stake is added. 1: our stake or share is the only one. */
    if (away <= 1) {
        atomic_store_explicit(&m->away, n + 1, memory_order_relaxed);
    } else {
        atomic_fetch_add_explicit(&m->away, n, memory_order_relaxed);
    }
}

void message_hand_over(struct core *c, struct message *m)
{
    if (m->home != c->id || m->users == 0) return; /* it is a share already */
    if (m->users > 1) {
        message_share(c, m, 1);
        m->users--;
        return;
    }
    m->users = 0; /* the stake, if there is one, becomes the share */
    if (atomic_load_explicit(&m->away, memory_order_relaxed) == 0)
        atomic_store_explicit(&m->away, 1, memory_order_relaxed);
}

void message_put(struct core *c, struct message *m)
{
    if (m->home == c->id) {
        message_unref(c, m);
    } else if (drop_share(m)) {
        pool_send_home(c->pool, m->home, m);
    }
}

static void copy_header(struct message *to, const struct message *from)
{
    to->topic_hash = from->topic_hash;
    to->payload_len = from->payload_len;
    to->props_len = from->props_len;
    to->topic_len = from->topic_len;
    to->origin_core = from->origin_core;
    to->origin_session = from->origin_session;
    to->expires_s = from->expires_s;
    to->qos = from->qos;
    to->flags = from->flags;
}

struct message *message_keep(struct core *c, struct message *m)
{
    /* Never a stand-in of a stand-in: its whole message lives as long as it does. */
    struct message *whole = m->flags & MESSAGE_STANDIN ? foreign_of(m) : m;
    if (m->home == c->id || whole->home == c->id) {
        struct message *ours = m->home == c->id ? m : whole;
        message_ref(ours);
        return ours;
    }

    bool copied = message_bytes(m) <= MESSAGE_COPY_MAX;
    struct message *kept = block_new(c, copied ? message_bytes(m) : 0, m->flags);
    if (!kept) return NULL;
    copy_header(kept, m);
    if (copied) {
        memcpy(kept->bytes, m->body, message_bytes(m));
        kept->body = kept->bytes;
    } else {
        /* Not message_share: the share of `whole` may be a stand-in's that others hold too. */
        atomic_fetch_add_explicit(&whole->away, 1, memory_order_relaxed);
        kept->flags |= MESSAGE_STANDIN;
        kept->body = whole->bytes;
    }
    if (UNLIKELY(m->flags & MESSAGE_LOGGED)) *message_logged(kept) = *message_logged(m);
    return kept;
}

struct message *message_copy(struct core *c, struct message *m)
{
    unsigned gone = MESSAGE_STANDIN | MESSAGE_IN_DOUBT;
    unsigned flags = (m->flags & ~gone) | MESSAGE_LOGGED | MESSAGE_COMMIT;
    struct message *copy = block_new(c, message_bytes(m), flags);
    if (!copy) return NULL;
    copy_header(copy, m);
    copy->origin_core = (uint16_t)c->id;
    copy->flags = (uint8_t)flags;
    memcpy(copy->bytes, m->body, message_bytes(m));
    copy->body = copy->bytes;
    *message_logged(copy) =
        m->flags & MESSAGE_LOGGED ? *message_logged(m) : (struct message_logged){0};
    return copy;
}

void message_on_home(void *ctx, void *block)
{
    struct message *m = block;
    ASSERT(m->users == 0);
    message_destroy(ctx, m);
}
