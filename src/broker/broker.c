/* SPDX-License-Identifier: BSD-3-Clause */
#include "broker/broker.h"

#include <stdio.h>
#include <stdlib.h>

#include "broker/access/door.h"
#include "broker/access/hook_cache.h"
#include "broker/errand.h"
#include "broker/held.h"
#include "broker/internal.h"
#include "broker/journal/durability.h"
#include "broker/received.h"
#include "broker/share.h"

enum { SLOT_SHIFT = 52 }; /* the tables use the low bits */
static_assert(UINT64_MAX >> SLOT_SHIFT == SLOTS - 1, "the high bits of a hash are its slot");

static struct retain_limits retain_limits_of(const struct broker_options *o)
{
    return (struct retain_limits){.messages_max = o->retained_max,
                                  .bytes_max = o->retained_bytes_max};
}

struct broker *broker_new(struct core *c, const struct broker_options *o, uint64_t seed)
{
    struct broker *b = calloc(1, sizeof *b);
    if (!b) return NULL;
    b->core = c;
    b->options = *o;
    b->seed = seed;
    b->answers_end = &b->answers;
    b->ready_end = &b->ready;
    for (unsigned i = 0; i < SLOTS; i++)
        b->slot[i] = (uint16_t)broker_core_of((uint64_t)i << SLOT_SHIFT, c->cores);

    filters_init(&b->local, seed);
    filters_init(&b->interest, seed);
    filters_init(&b->groups, seed);
    share_init(b);
    guard_init(&b->guard, c, &o->guard);
    if (retain_init(&b->retain, c, seed, retain_limits_of(o)) < 0 ||
        cache_init(&b->targets, o->match_cache) < 0 || cache_init(&b->routes, o->match_cache) < 0)
        broker_free(&b);
    return b;
}

void broker_free(struct broker **bp)
{
    struct broker *b = *bp;
    if (!b) return;
    b->closing = true;
    for (uint32_t i = 1; i < b->session_ids.cap; i++) {
        struct session *s = slots_find(&b->session_ids, i);
        if (!s) continue;
        s->await_mail = s->await_kept = 0; /* that will never come */
        if (s->dead)
            session_slot_release(s);
        else
            session_end(s);
    }
    deliver_fini(b);
    slots_fini(&b->session_ids);
    allowances_fini(&b->allowances);
    table_fini(&b->subs);
    table_fini(&b->sessions);
    interest_fini(b);
    ask_fini(b);
    share_fini(b);
    retain_fini(&b->retain);
    cache_fini(&b->targets);
    cache_fini(&b->routes);
    filters_fini(&b->local);
    filters_fini(&b->interest);
    filters_fini(&b->groups);
    free(b->last_targets);
    free(b->last_route);
    free(b->scratch.at);
    free(b->scratch.ids);
    access_unref(&b->access);
    guard_fini(&b->guard);
    password_cache_fini(&b->passwords);
    hook_cache_free(&b->answers_of_hook);
    free(b);
    *bp = NULL;
}

const struct access *broker_access(const struct broker *b)
{
    return b->access;
}

void broker_set_options(struct broker *b, const struct broker_options *o)
{
    struct broker_options old = b->options;

    b->options = *o;
    b->options.receive_max = old.receive_max;
    b->options.match_cache = old.match_cache;
    b->retain.limits = retain_limits_of(o);
    b->guard.limits = o->guard;
}

struct core *broker_core(const struct broker *b)
{
    return b->core;
}

const struct broker_options *broker_options(const struct broker *b)
{
    return &b->options;
}

/* ---- placement --------------------------------------------------------------------------- */

static uint64_t client_hash(const struct broker *b, uint8_t tenant, struct bytes client_id)
{
    return hash_pair(name_hash(b->seed, client_id), tenant);
}

unsigned broker_core_of(uint64_t hash, unsigned cores)
{
    return (unsigned)(hash >> SLOT_SHIFT) % cores;
}

unsigned broker_owner(const struct broker *b, uint64_t topic_hash)
{
    return b->slot[topic_hash >> SLOT_SHIFT];
}

unsigned broker_home(const struct broker *b, uint8_t tenant, struct bytes client_id)
{
    return broker_owner(b, client_hash(b, tenant, client_id));
}

uint64_t broker_topic_hash(const struct broker *b, struct bytes topic)
{
    return name_hash(b->seed, topic);
}

unsigned broker_assign_client_id(struct broker *b, char *out, unsigned room)
{
    int n;
    do { /* one try in `cores` hits */
        n = snprintf(out, room, "auto-%016llx", (unsigned long long)rng_u64(&b->core->rng));
    } while (broker_home(b, 0, bytes_of(out, (size_t)n)) != b->core->id);
    return (unsigned)n;
}

/* ---- mail --------------------------------------------------------------------------------- */

static const char *const mail_names[] = {
    [MAIL_NONE] = "none",
#define MAIL(name, handler, meaning) [MAIL_##name] = #name,
#include "broker/mail.def"
#undef MAIL
};

const char *mail_name(unsigned kind)
{
    return kind < MAIL_KINDS ? mail_names[kind] : "unknown";
}

void broker_mail_handlers(mail_fn *handlers[BROKER_MAIL_KINDS])
{
    for (unsigned i = 0; i < BROKER_MAIL_KINDS; i++)
        handlers[i] = NULL;
#define MAIL(name, handler, meaning) handlers[MAIL_##name] = handler;
#include "broker/mail.def"
#undef MAIL
}

/* ---- publish ------------------------------------------------------------------------------ */

uint8_t publish_durability(const struct broker *b, const struct access_door *door,
                           const struct publication *p, bool awaited)
{
    if (LIKELY(!b->journal)) return DURABILITY_MEMORY;
    if (p->qos == 0 && !p->retain) return DURABILITY_MEMORY; /* nobody keeps it */
    uint8_t otherwise = door ? door->durability : b->options.durability;
    uint8_t d = durability_of(b->options.durability_rules, p->topic, otherwise);
    return d == DURABILITY_COMMIT && !awaited ? DURABILITY_INTERVAL : d;
}

/* To the topic's owner. Takes the caller's use of `m`. `mail` says who wants to know, if
 * anybody. Status -ERR_AGAIN: the owner is another core, and will tell. */
static struct routed publish_to_owner(struct broker *b, struct message *m, struct mail mail,
                                      uint32_t account, uint32_t *mailed)
{
    unsigned owner = broker_owner(b, m->topic_hash);
    if (owner == b->core->id) return route_publish(b, m);

    uint32_t bytes = (uint32_t)sizeof *m + message_bytes(m);
    mail.kind = MAIL_PUBLISH;
    mail.ptr = m;
    message_hand_over(b->core, m);
    *mailed += mesh_send(b->core->mesh, owner, mail, account, bytes);
    return (struct routed){.status = -ERR_AGAIN};
}

/* The refusal waits for its turn among the acceptances: answers leave in order. */
int broker_refuse(struct session *from, uint16_t packet_id, uint8_t qos, int why)
{
    if (qos == 0) return why;
    int number = accept_await(from, packet_id, qos);
    if (number < 0) return number;
    accept_settle(from, (uint16_t)number, (struct routed){.status = why});
    return 0;
}

/* At limits.memory nothing is taken but what deletes: that frees memory. */
static bool no_room_for(const struct broker *b, const struct publication *p)
{
    return core_memory_full(b->core) && !(p->retain && p->payload.n == 0);
}

static int refuse_for_memory(struct session *from, uint16_t packet_id, uint8_t qos)
{
    count(&from->broker->core->counters, qos ? C_limited_memory : C_dropped_memory);
    return broker_refuse(from, packet_id, qos, -ERR_FULL);
}

/* `*fresh`: its packet id has only just gone to the log. */
static struct message *message_of(const struct session *from, const struct publication *p,
                                  uint16_t packet_id, bool *fresh)
{
    struct broker *b = from->broker;
    *fresh = false;
    if (LIKELY(!b->journal)) return message_new(b->core, p, from->id);
    struct publication mine = *p;
    enum received_state state = RECEIVED_UNKNOWN;
    if (p->qos == 2) state = received_name(from, packet_id, &mine.logged);
    mine.durability = publish_durability(b, from->door, p, p->qos > 0);
    mine.in_doubt = state == RECEIVED_IN_DOUBT && mine.durability > DURABILITY_MEMORY;
    *fresh = state == RECEIVED_FRESH;
    return message_new(b->core, &mine, from->id);
}

/* The owner has taken what was published here, or is another core that will tell. */
static void accept_routed(struct session *from, struct mail ask, struct routed r)
{
    struct broker *b = from->broker;
    if (r.status == -ERR_AGAIN) return;
    if (UNLIKELY(r.behind)) {
        accept_send(b, b->core->id, route_answer(ask, r), true);
        return;
    }
    from->await_mail--;
    accept_expect(from, &r);
    accept_settle(from, ask.a, r);
}

/* To its owner, and what the owner says to the session. Takes the use of `m`. */
static void publish_for(struct session *from, struct message *m, uint16_t number, uint32_t account,
                        uint32_t *mailed)
{
    struct broker *b = from->broker;
    if (m->qos == 0) {
        publish_to_owner(b, m, (struct mail){0}, account, mailed);
        return;
    }
    struct mail ask = {.a = number, .b = from->id};
    from->await_mail++;
    accept_routed(from, ask, publish_to_owner(b, m, ask, account, mailed));
}

void publish_now(struct session *from, struct message *m, uint16_t number)
{
    uint32_t mailed = 0;
    publish_for(from, m, number, 0, &mailed);
}

/* The number of its awaited acceptance, or an error. */
static int await(struct session *from, struct message *m, uint16_t packet_id)
{
    int number = m->qos ? accept_await(from, packet_id, m->qos) : 0;
    if (number >= 0 && m->flags & MESSAGE_LOGGED) message_logged(m)->number = (uint16_t)number;
    return number;
}

int broker_publish(struct session *from, const struct publication *p, uint16_t packet_id,
                   uint32_t account, uint32_t *mailed)
{
    struct broker *b = from->broker;
    bool fresh;
    if (UNLIKELY(!session_may_publish(from, p->topic)))
        return broker_refuse(from, packet_id, p->qos, -ERR_DENIED);
    if (no_room_for(b, p)) return refuse_for_memory(from, packet_id, p->qos);
    struct message *m = message_of(from, p, packet_id, &fresh);
    if (!m) return -ERR_NOMEM;

    bool held = UNLIKELY(held_must_wait(from, fresh));
    int err = held ? held_reserve(from) : 0;
    int number = err < 0 ? err : await(from, m, packet_id);
    if (number < 0) {
        message_unref(b->core, m);
        return number;
    }
    if (held)
        held_add(from, (struct held_publish){.m = m, .number = (uint16_t)number, .waits = fresh});
    else
        publish_for(from, m, (uint16_t)number, account, mailed);
    return 0;
}

void broker_publish_message(struct broker *b, struct message *m)
{
    uint32_t mailed = 0;
    publish_to_owner(b, m, (struct mail){0}, 0, &mailed);
}

int broker_publish_here(struct broker *b, const struct publication *p)
{
    ASSERT(broker_owner(b, p->topic_hash) == b->core->id);
    struct publication mine = *p;
    mine.durability = publish_durability(b, NULL, p, false);
    struct message *m = message_new(b->core, &mine, 0);
    return m ? route_publish(b, m).status : -ERR_NOMEM;
}
