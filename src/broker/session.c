/* SPDX-License-Identifier: BSD-3-Clause */
/* session.c -- sessions come, lose their connection, come back, and end. Home's. */
#include "broker/session.h"

#include <stdlib.h>

#include "broker/access/door.h"
#include "broker/access/grant.h"
#include "broker/held.h"
#include "broker/internal.h"
#include "broker/journal/journal.h"
#include "broker/journal/record.h"
#include "broker/session_ask.h"
#include "broker/share.h"

enum {
    SESSION_IDS_MAX = 1 << 24,
    GONE_MAX_S = 1 << 30, /* 34 years */
    SETTLE_S = 2,         /* from a restart to the first will */
};

/* ---- the table of sessions ------------------------------------------------------------------ */

struct session *session_find(const struct broker *b, uint8_t tenant, struct bytes client_id)
{
    uint64_t hash = hash_pair(name_hash(b->seed, client_id), tenant);
    struct table_iter it = table_seek(&b->sessions, hash);
    for (struct session *s; (s = table_next(&b->sessions, &it)) != NULL;)
        if (s->tenant == tenant && bytes_eq(session_client_id(s), client_id)) return s;
    return NULL;
}

static void session_timer(struct timer *t);

static struct session *session_make(struct broker *b, const struct attach *a, uint64_t hash)
{
    struct session *s = calloc(1, sizeof *s + a->client_id.n);
    if (!s) return NULL;
    s->broker = b;
    s->tenant = a->tenant;
    s->hash = hash;
    s->client_id_len = (uint16_t)a->client_id.n;
    memcpy(s->client_id, a->client_id.p, a->client_id.n);
    s->timer.fire = session_timer;
    s->id = slots_add(&b->session_ids, s, SESSION_IDS_MAX);
    if (!s->id || table_add(&b->sessions, hash, s) < 0) {
        if (s->id) slots_del(&b->session_ids, s->id);
        free(s);
        return NULL;
    }
    b->nsessions++;
    count(&b->core->counters, C_sessions);
    return s;
}

void session_slot_release(struct session *s)
{
    if (s->await_mail || s->await_kept) return;
    slots_del(&s->broker->session_ids, s->id);
    free(s);
}

static void drop_will(struct session *s)
{
    if (s->will) message_unref(s->broker->core, s->will);
    s->will = NULL;
    session_unask_will(s);
}

static void send_will(struct session *s)
{
    struct message *m = s->will;
    if (!m) return;
    s->will = NULL;
    bool asked = !s->asks || s->will_allowed;
    session_unask_will(s);
    s->asks = false;                                           /* that was its answer */
    if (!asked || !session_may_publish(s, message_topic(m))) { /* as the rules are now */
        message_unref(s->broker->core, m);
        return;
    }
    /* Nobody else has it yet, so it may still change: it lives from now on (3.1.3.2.4). */
    if (m->flags & MESSAGE_EXPIRES) {
        uint32_t waited_s = core_now_s(s->broker->core) - s->will_made_s;
        m->expires_s = waited_s < UINT32_MAX - m->expires_s ? m->expires_s + waited_s : UINT32_MAX;
    }
    count(&s->broker->core->counters, C_wills_sent);
    broker_publish_message(s->broker, m);
}

/* Everything of the session goes; its id stays taken while owners still owe it mail. */
void session_end(struct session *s)
{
    struct broker *b = s->broker;
    ASSERT(!s->dead);
    drop_will(s);
    session_ask_over(s);
    held_flush(s);
    subscribe_forget_batches(s);
    session_give_back(s, 0);
    wheel_cancel(&b->core->wheel, &s->timer);
    if (s->sid) journal_session_end(s); /* its entries go with it */
    subscribe_forget_session(s);
    session_drop_flow(s);
    table_del(&b->sessions, s->hash, s);
    b->nsessions--;
    count_sub(&b->core->counters, C_sessions, 1);
    s->dead = true;
    s->ops = NULL;
    identity_free(&s->identity);
    grant_free(&s->grant);
    if (s->allowance) allowance_let_go(&b->allowances, s->allowance, core_now_s(b->core));
    s->allowance = NULL;
    session_slot_release(s);
}

/* ---- connections come and go ----------------------------------------------------------------- */

static int set_will(struct session *s, const struct attach *a)
{
    drop_will(s);
    if (!a->will) return 0;
    struct publication will = *a->will;
    will.durability = publish_durability(s->broker, a->door, &will, false);
    s->will = message_new(s->broker->core, &will, s->id);
    s->will_delay_s = a->will_delay_s;
    s->will_made_s = core_now_s(s->broker->core);
    return s->will ? 0 : -ERR_NOMEM;
}

/* The session and its connection part; it may be gone or not, nobody answers for it now. */
static void part(struct session *s)
{
    count_sub(&s->broker->core->counters, C_clients, 1);
    s->ops = NULL;
    s->sink = NULL;
    session_ask_over(s);
    wheel_cancel(&s->broker->core->wheel, &s->timer);
    subscribe_forget_batches(s);
    session_lost_sink(s);
}

static void kick(struct session *s, enum kick why)
{
    const struct sink_ops *ops = s->ops;
    void *sink = s->sink;
    part(s);
    ops->kick(sink, why);
}

/* Seconds since its connection ended; not yet one: -1. Modulo 2^32, since after a restart of the
 * machine that may be before the core's clock began. */
static int32_t gone_for(const struct session *s)
{
    return (int32_t)(core_now_s(s->broker->core) - s->gone_s);
}

static bool is_over(const struct session *s)
{
    return !s->ops && s->expiry_s != SESSION_NEVER_EXPIRES &&
           (int64_t)gone_for(s) >= (int64_t)s->expiry_s;
}

/* The session that was there, brought to the state in which the new connection
 * finds it; NULL if there is none or it must not be used. */
static struct session *resume_old(struct session *s, const struct attach *a)
{
    if (!s) return NULL;
    bool was_connected = s->ops != NULL;
    /* Nobody inherits what was meant for somebody else. */
    bool clean = a->clean || !bytes_eq(identity_user(s->identity), identity_user(a->identity));
    clean |= is_over(s); /* by now, but its timer has not been visited yet */
    if (was_connected) { /* it must go [MQTT-3.1.4-3] */
        count(&s->broker->core->counters, C_takeovers);
        kick(s, KICK_TAKEN_OVER);
    }
    /* The will of a connection that is taken over is sent, unless it has a delay and
     * the session goes on: then the new connection comes before the delay is over
     * (3.1.3.2.2, [MQTT-3.1.2-10]). */
    bool ends = clean || (was_connected && s->expiry_s == 0);
    if (ends || s->will_delay_s == 0)
        send_will(s);
    else
        drop_will(s);
    wheel_cancel(&s->broker->core->wheel, &s->timer);
    if (!ends) return s;
    session_end(s); /* [MQTT-3.1.2-4] */
    return NULL;
}

/* The seconds until the session has something to do while it is not connected. */
static uint32_t next_due(const struct session *s)
{
    uint32_t due = s->expiry_s;
    if (s->will && s->will_delay_s < due) due = s->will_delay_s;
    return due;
}

void session_arm(struct session *s)
{
    uint32_t due = next_due(s), now_s = core_now_s(s->broker->core);
    if (due == SESSION_NEVER_EXPIRES) return;
    int64_t left_s = (int64_t)due - gone_for(s);
    uint64_t at = now_s + (uint64_t)(left_s > 0 ? left_s : 0);
    wheel_arm(&s->broker->core->wheel, &s->timer, at < UINT32_MAX ? (uint32_t)at : UINT32_MAX);
}

/* It goes on without a connection: the log hears since when, and what became of its will. If the
 * log has failed it goes on in memory. */
static void wait_alone(struct session *s)
{
    session_arm(s);
    if (s->sid) (void)journal_session(s);
}

/* Now, rounded up: a will or an end must not come before its time. */
static uint32_t core_soon_s(const struct core *c)
{
    return (uint32_t)((c->clock.now_ns + NS_PER_S - 1) / NS_PER_S);
}

/* From now on there is no connection: the session ends, or its time runs. */
static void lapse(struct session *s, uint32_t expiry_s)
{
    s->gone_s = core_soon_s(s->broker->core);
    if (expiry_s == 0)
        session_end(s); /* [MQTT-3.1.2-23] */
    else
        wait_alone(s);
}

/* What proved who it is may end before the connection does. */
static void arm_end_of_identity(struct session *s)
{
    const struct core *c = s->broker->core;
    int64_t wall_s = (int64_t)(c->clock.wall_ms / 1000);

    if (!s->identity || s->identity->expires_s == INT64_MAX) return;
    int64_t left_s = s->identity->expires_s > wall_s ? s->identity->expires_s - wall_s : 0;
    if (left_s < UINT32_MAX - core_now_s(c))
        wheel_arm(&s->broker->core->wheel, &s->timer, core_now_s(c) + (uint32_t)left_s);
}

/* Whoever comes while there are rates keeps to them. */
static int hold_allowance(struct session *s)
{
    struct broker *b = s->broker;

    if (s->allowance || !allowance_wanted(&b->options.rates)) return 0;
    s->allowance = allowance_hold(&b->allowances, s->hash);
    return s->allowance ? 0 : -ERR_NOMEM;
}

/* The session of somebody who has a name is nobody else's, connected or not. */
static bool may_take_over(const struct session *old, const struct attach *a)
{
    struct bytes owner = identity_user(old->identity);

    return old->broker->options.takeover_by_anybody || owner.n == 0 ||
           bytes_eq(owner, identity_user(a->identity));
}

/* The log hears that the client has come. What it must have before the client may hear of its
 * session holds the CONNACK back: a durable one that is new, or was when the connection before
 * broke; the end of the one that was there (`ended`), or was before; and that it does not expire
 * now, as it would after a crash if the log only knew since when its client was gone. */
static int put_in_log(struct session *s, bool ended)
{
    struct journal *j = s->broker->journal;
    if (LIKELY(!j)) return 0;
    bool was_durable = s->sid != 0;
    int err = journal_session(s);
    if (err < 0 && !was_durable) return err == -ERR_FULL ? -ERR_DISK_FULL : err;
    bool goes_on = err == 0 && was_durable && s->expiry_s != SESSION_NEVER_EXPIRES;
    session_hold(s, journal_ended(j, s->hash));
    if (s->sid) session_hold(s, s->made_pos);
    if (ended || goes_on) session_hold(s, journal_tail(j));
    return 0;
}

static uint32_t granted_expiry_s(const struct broker *b, uint32_t wanted_s)
{
    return wanted_s < b->options.expiry_max_s ? wanted_s : b->options.expiry_max_s;
}

/* The client is in, unless the log cannot keep a session that it must: then all is as it was. */
static int move_in(struct session *s, const struct attach *a, bool ended)
{
    struct identity *was = s->identity;
    uint32_t was_s = s->expiry_s;

    s->identity = a->identity;
    s->door = a->door;
    s->durability = a->door ? a->door->durability : DURABILITY_MEMORY;
    s->expiry_s = granted_expiry_s(s->broker, a->expiry_s);
    s->ops = a->ops;
    s->sink = a->sink;
    int err = put_in_log(s, ended);
    if (err < 0) {
        s->identity = was;
        s->expiry_s = was_s;
        s->ops = NULL;
        s->sink = NULL;
        return err;
    }
    identity_free(&was);
    s->restored = false;
    return 0;
}

struct session *session_attach(struct broker *b, const struct attach *a, bool *present, int *err)
{
    uint64_t hash = hash_pair(name_hash(b->seed, a->client_id), a->tenant);
    struct session *old = session_find(b, a->tenant, a->client_id);
    if (old && !may_take_over(old, a)) {
        *err = -ERR_DENIED;
        return NULL;
    }
    bool was_durable = old && old->sid;
    struct session *s = resume_old(old, a);
    *present = s != NULL;
    if (!s && (b->nsessions >= b->options.sessions_max || core_memory_full(b->core))) {
        *err = -ERR_FULL;
        return NULL;
    }
    if (!s) s = session_make(b, a, hash);
    *err = s && set_will(s, a) == 0 && hold_allowance(s) == 0 ? 0 : -ERR_NOMEM;
    if (*err == 0) *err = move_in(s, a, was_durable && !*present);
    if (*err < 0) {
        if (!s) return NULL;
        drop_will(s);
        lapse(s, *present ? s->expiry_s : 0); /* what there was goes on without a connection */
        return NULL;
    }
    session_apply_access(s);
    arm_end_of_identity(s);
    if (s->asks && s->will) session_ask_will(s);
    s->come_s = core_now_s(b->core);
    count(&b->core->counters, C_clients);
    s->window = a->receive_max < b->options.window_max ? a->receive_max : b->options.window_max;
    if (*present) group_member_back(s);
    return s;
}

void session_set_expiry(struct session *s, uint32_t expiry_s)
{
    s->expiry_s = granted_expiry_s(s->broker, expiry_s);
}

/* After the connection: the will that is due, and the session's own end. */
static void go_on_alone(struct session *s)
{
    if (s->will_delay_s == 0 || s->expiry_s == 0) send_will(s); /* [MQTT-3.1.2-8] */
    lapse(s, s->expiry_s);
}

void session_detach(struct session *s, bool with_will)
{
    part(s);
    if (!with_will) drop_will(s); /* [MQTT-3.14.4-3] */
    go_on_alone(s);
}

void session_kick(struct session *s, enum kick why)
{
    kick(s, why);
    go_on_alone(s);
}

int session_send_away(struct broker *b, uint8_t tenant, struct bytes client_id, bool end)
{
    struct session *s = session_find(b, tenant, client_id);

    if (!s) return -ERR_ABSENT;
    if (end) s->expiry_s = 0;
    if (s->ops) {
        session_kick(s, KICK_ADMIN);
    } else if (end) {
        send_will(s); /* its delay ends with the session [MQTT-3.1.3-9] */
        session_end(s);
    }
    return 0;
}

int session_trace(struct broker *b, uint8_t tenant, struct bytes client_id, uint32_t seconds)
{
    struct session *s = session_find(b, tenant, client_id);

    if (!s) return -ERR_ABSENT;
    s->trace_until_s = seconds ? core_now_s(b->core) + seconds : 0;
    return 0;
}

void broker_kick_all(struct broker *b, enum kick why)
{
    for (uint32_t id = 1; id < b->session_ids.cap; id++) {
        struct session *s = slots_find(&b->session_ids, id);
        if (s && s->ops) session_kick(s, why);
    }
}

static void session_timer(struct timer *t)
{
    struct session *s = CONTAINER_OF(t, struct session, timer);
    if (s->ops) {
        session_kick(s, KICK_IDENTITY_ENDED);
        return;
    }
    bool expired = is_over(s);
    /* Whichever comes first, the delay or the session's end [MQTT-3.1.3-9]. */
    if (expired || (int64_t)gone_for(s) >= (int64_t)s->will_delay_s) send_will(s);
    if (!expired) {
        wait_alone(s);
        return;
    }
    count(&s->broker->core->counters, C_sessions_expired);
    session_end(s);
}

/* ---- after a restart ---------------------------------------------------------------------------
 */

/* Core seconds of a moment in the past, modulo 2^32; one that lies ahead is now. */
static uint32_t core_s_of(const struct core *c, uint64_t wall_ms)
{
    uint64_t now_ms = c->clock.wall_ms;
    uint64_t ago_s = wall_ms && wall_ms < now_ms ? (now_ms - wall_ms) / 1000 : 0;
    return core_soon_s(c) - (uint32_t)(ago_s < GONE_MAX_S ? ago_s : GONE_MAX_S);
}

/* It lives from its sending on: what is written is how long. */
static int restore_will(struct session *s, const struct record_session *r)
{
    struct core *c = s->broker->core;
    struct record_message will = r->will;
    if (!r->has_will) return 0;
    if (will.expires_ms) will.expires_ms += c->clock.wall_ms;
    s->will = journal_message(s->broker, &will);
    if (!s->will) return -ERR_NOMEM;
    s->will->origin_session = s->id;
    s->will_delay_s = r->will_delay_s;
    s->will_made_s = core_now_s(c);
    s->will_written = true;
    return 0;
}

static int restore_user(struct session *s, const struct record_session *r)
{
    static const uint8_t nowhere[16];
    if (!r->named) return 0;
    s->identity = identity_new(NULL, nowhere, r->user);
    return s->identity ? 0 : -ERR_NOMEM;
}

struct session *session_restore(struct broker *b, const struct record_session *r)
{
    const struct attach a = {.client_id = r->client_id, .tenant = r->tenant};
    uint64_t hash = hash_pair(name_hash(b->seed, r->client_id), r->tenant);
    struct session *s = session_make(b, &a, hash);
    if (!s) return NULL;
    s->restored = true;
    s->durability = r->durability;
    s->serial = r->serial;
    s->cohort = r->cohort;
    s->expiry_s = r->expiry_s;
    s->gone_s = core_s_of(b->core, r->gone_ms);
    if (restore_user(s, r) < 0 || restore_will(s, r) < 0) {
        session_end(s);
        return NULL;
    }
    s->sid = r->sid;
    /* Not before all cores know who subscribes to what: a will must reach them. */
    session_arm(s);
    if (timer_armed(&s->timer) && s->timer.due_s < core_now_s(b->core) + SETTLE_S)
        wheel_arm(&b->core->wheel, &s->timer, core_now_s(b->core) + SETTLE_S);
    return s;
}
