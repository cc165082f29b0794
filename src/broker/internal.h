/* SPDX-License-Identifier: BSD-3-Clause */
/* internal.h -- what the files of the broker share and nobody else sees.
 *
 * Three roles meet on every core, each in files of its own:
 *   home        sessions, their subscriptions and acceptances (session_*.c, subscribe.c, accept.c)
 *   owner       order, interest, retained (route.c, interest.c, retain.c)
 *   receiver    matching the core's own subscriptions, delivery (deliver.c, match.c)
 * They call each other directly when they are on one core and by mail when not. */
#pragma once

#include "base/assert.h"
#include "base/err.h"
#include "base/hash.h"
#include "broker/access/guard.h"
#include "broker/access/password_cache.h"
#include "broker/broker.h"
#include "broker/cache.h"
#include "broker/filters.h"
#include "broker/name.h"
#include "broker/slots.h"
#include "core/mesh_cores.h"

struct record_session;

enum { SLOTS = 4096 };

/* ---- home: subscriptions ------------------------------------------------------------------ */

/* A filter that sessions of this core subscribe to. Freed with its last subscription. */
struct local_filter {
    struct filter_entry entry; /* in broker->local, or in broker->groups if shared */
    struct sub *subs;
    uint32_t nsubs;
    struct group *group; /* of a shared filter; else NULL */
    char name[];
};

/* A session's subscription. */
struct sub {
    struct session *session;
    struct local_filter *filter;
    struct sub *filter_next, **filter_link;
    struct sub *session_next, **session_link;
    struct cores
        *gate; /* owners whose messages are not live yet: they have not answered; NULL: none */
    struct asking *askings; /* questions under way for it */
    uint32_t sub_id;
    uint8_t qos;
    bool no_local, retain_as_published;
    uint32_t member; /* place among its group's members that are online, from 1; 0: not there */
};

/* One subscription's question to the owners, until all have answered. Home's. */
struct asking {
    struct asking *next, **link; /* of the subscription */
    struct asking *batch_next, **batch_link;
    struct asking *all_next, **all_link; /* of the core */
    struct sub *sub;                     /* NULL: removed meanwhile */
    struct sub_batch *batch;             /* NULL: nobody waits for it */
    uint32_t left;                       /* answers still to come */
    int16_t *status; /* where the batch wants to hear of a failure; NULL: nowhere */
    uint32_t sub_id;
    uint8_t qos;
    bool fresh;  /* the subscription is new: without all owners there is none */
    bool failed; /* an owner could not do it */
};

/* ---- between home and owner ------------------------------------------------------------------ */

/* Goes to an owner as MAIL_INTEREST and comes back as MAIL_ANSWER (not if `gone`). malloc'd. */
struct interest_mail {
    struct retain_walk walk;    /* the owner's, while it collects */
    struct interest_mail *next; /* home's, of an answer that waits for the deliver phase ... */
    uint32_t after;             /* ... and how many arrivals go before it */
    uint16_t owner;             /* that has answered */
    struct asking *asking;      /* home's; the owner only carries it. NULL: no answer is wanted */
    uint16_t home;
    bool gone; /* the home core has no subscription to this filter any more */
    bool want_retained;
    bool restored; /* it was in the log: new, though nobody asks */
    bool shared;
    uint16_t online;              /* of a share group: members that are online */
    uint32_t group;               /* the group's slot at home */
    uint16_t name_len, filter_at; /* filter: name from filter_at on */
    char name[];
};

/* ---- the broker of a core ----------------------------------------------------------------------
 */

/* A message that has reached this core and waits for the deliver phase; one hold. */
struct arrival {
    struct message *m; /* NULL: a recall of what members of `group` hold (share.h) */
    uint16_t from;     /* its owner */
    uint32_t group;    /* the share group it is for (slot here); 0: all that match */
    uint32_t tag;      /* share_tag, of a share group */
};

/* Where a look-up collects its result before it is packed. */
struct match_scratch {
    struct target *at;
    uint32_t n, cap;
    uint32_t *ids;
    uint32_t nids, ids_cap;
};

struct broker {
    struct core *core;
    struct journal *journal; /* NULL: nothing is durable */
    struct broker_options options;
    struct access *access; /* one use; NULL: nothing is configured */
    uint32_t revisit;      /* the next session that a new one is applied to; 0: all are done */
    uint32_t reloads;      /* how often it was replaced */
    uint64_t seed;
    uint64_t serial;       /* of deliveries and of look-ups */
    uint64_t queue_memory; /* bytes of waiting entries of the log that are in memory too */

    /* receiver */
    struct arrival *arrival;
    uint32_t arrivals, arrivals_cap;
    struct interest_mail *answers, **answers_end; /* in the order they came, among the arrivals */
    struct filters local;                         /* struct local_filter */
    struct cache targets;                         /* topic -> struct targets */
    struct targets *last_targets; /* of the last look-up that was not worth caching */
    struct match_scratch scratch;
    struct session *ready, **ready_end; /* to be pumped in the deliver phase */
    struct session *pumping;            /* those of this phase still to come */

    /* owner */
    struct filters interest;  /* struct interest */
    struct cache routes;      /* topic -> struct route */
    struct route *last_route; /* of the last look-up that was not worth caching */
    struct retain retain;
    struct table shares; /* struct share, by number */
    uint32_t share_next; /* number to try next */

    /* keeper of counts */
    struct guard guard;

    /* what logins have found out lately */
    struct password_cache passwords;
    struct hook_cache *answers_of_hook; /* NULL until one was asked */

    /* home */
    struct table sessions;        /* by hash of tenant and client id */
    struct allowances allowances; /* of clients, if there are rates */
    struct slots session_ids;     /* dead ones too, while mail may name them */
    uint32_t nsessions;
    struct table subs; /* struct sub, by hash of session and filter */
    struct asking *askings;
    struct filters groups; /* struct local_filter with a group; only looked up by name */
    struct slots group_slots;
    uint32_t group_generation;
    bool closing; /* being freed: no more mail */

    uint16_t slot[SLOTS]; /* slot -> core */
};

/* ---- home ----------------------------------------------------------------------------------- */

struct session *session_find(const struct broker *b, uint8_t tenant, struct bytes client_id);
void session_end(struct session *s);
/* The session that the log has, without a connection since its time or, if it had one, since now;
 * its subscriptions and entries follow. NULL: no memory. */
struct session *session_restore(struct broker *b, const struct record_session *r);
void session_arm(struct session *s); /* not connected: the timer of its will and of its end */
void session_slot_release(struct session *s); /* frees a dead session that owes no mail any more */

/* Puts a message before a session: sends it, lets it wait, or drops it. Borrows `d->m`. Below 0:
 * the log could not take it for a durable session, which does not get it then. */
int session_offer(struct session *s, const struct delivery *d, uint32_t group);
/* Puts an entry of the log where it was before the restart; takes p->stored. With state FLIGHT_FREE
 * it waits, else it is number `flight` of the window: those in rising order. -ERR_NOMEM, or
 * -ERR_CORRUPT: no window is that wide. */
int session_restore_pending(struct session *s, const struct pending *p, uint32_t flight);
/* The next message will be number `next` of the window, or a later one. */
void session_restore_flight(struct session *s, uint32_t next);
/* What the client is sent from now on waits until the core's log is on disk up to `pos`. */
static inline void session_hold(struct session *s, uint64_t pos)
{
    if (s->broker->core->durable < pos && s->ops && s->ops->hold) s->ops->hold(s, pos);
}
/* What it may do, as the access configuration in force says. */
void session_apply_access(struct session *s);
/* Applies a new configuration to up to `budget` sessions. Returns the sessions visited. */
unsigned access_step(struct broker *b, unsigned budget);
/* On the list of sessions that broker_deliver pumps. */
void session_mark_ready(struct session *s);
void session_unmark_ready(struct session *s);
void session_lost_sink(struct session *s); /* what need not outlive the connection goes */
void session_drop_flow(struct session *s); /* frees queue, window, backlog, acceptances */
/* May the session do this, as its grant says? What it may not is logged, and counted but for
 * reading, which the caller counts: one answer may serve many messages. */
bool session_judge_publish(struct session *s, struct bytes topic);
bool session_judge_read(struct session *s, const struct message *m);
bool session_may_subscribe(struct session *s, struct bytes filter);
static inline bool session_may_publish(struct session *s, struct bytes topic)
{
    bool plain = topic.n > 0 && topic.p[0] != '$';
    return LIKELY(!s->grant && plain && !s->asks) || session_judge_publish(s, topic);
}
static inline bool session_may_read(struct session *s, const struct message *m)
{
    return LIKELY(!s->grant) || session_judge_read(s, m);
}
/* It was let in under another grant, and may not be read under this one: what came by a share group
 * goes to another member. */
void session_withhold(struct session *s, struct pending *p);
/* Gives back to their groups what came by shared subscriptions and is not confirmed. */
void session_give_back(struct session *s, uint32_t group);
/* It has unsubscribed from share group `group`: what waits goes to others at once, what is in
 * flight when its connection ends unconfirmed [MQTT-3.10.4-3]. */
void session_leave_group(struct session *s, uint32_t group);
/* The connection ended: what is in flight by groups that the session has left goes to others. */
void session_give_back_former(struct session *s);

/* Notes that the owner's word on a publish is awaited; its number, or -ERR_FULL, -ERR_NOMEM. */
int accept_await(struct session *s, uint16_t packet_id, uint8_t qos);
/* What the owner has said of it. */
struct routed;
void accept_settle(struct session *s, uint16_t number, struct routed r);
/* So many KEPT will come to the session, dead or not. */
void accept_expect(struct session *s, const struct routed *r);
/* The connection ended. The client publishes again what was not acknowledged: an old PUBACK or
 * PUBREC could then confirm a later message of the same id. */
void accept_mute(struct session *s);
mail_fn accept_on_mail;
mail_fn accept_on_kept;

/* Sends ACCEPTED or KEPT to a home, which may be this core. `behind`: when all that was appended to
 * the log so far is on disk. */
void accept_send(struct broker *b, unsigned home, struct mail answer, bool behind);
/* What this core must keep of `m`, whose origin waits for that, it keeps or cannot. Borrows. */
void accept_say_kept(struct broker *b, struct message *m, int status, bool behind);
uint64_t accept_log_tail(const struct broker *b);

/* Where the log ends before sessions are offered `m`, if its origin waits; ... */
static inline uint64_t accept_mark(const struct broker *b, const struct message *m)
{
    return LIKELY(!message_is_awaited(m)) ? 0 : accept_log_tail(b);
}
/* ... and afterwards: the origin hears, behind what was appended in between. */
static inline void accept_kept_since(struct broker *b, struct message *m, int status, uint64_t mark)
{
    if (UNLIKELY(message_is_awaited(m))) accept_say_kept(b, m, status, accept_log_tail(b) != mark);
}

/* Publishes what broker_publish() has held back; takes the session's use. */
void publish_now(struct session *from, struct message *m, uint16_t number);
mail_fn held_on_mail;

/* The durability of a publish: enum durability. `awaited`: by the publisher, who can be told. */
uint8_t publish_durability(const struct broker *b, const struct access_door *door,
                           const struct publication *p, bool awaited);

/* Its subscription to a filter, as the client wrote it; NULL: none. */
struct sub *sub_of(const struct session *s, struct bytes filter);
/* A subscription that the log has: the owners hear of it, and no answer is waited for. 0, or
 * -ERR_NOMEM. */
int sub_restore(struct session *s, const struct sub_request *r);
void subscribe_forget_session(struct session *s); /* all its subscriptions go */
void subscribe_forget_batches(
    struct session *s); /* the connection ended: nobody waits for SUBACK */
/* The owners of a filter: *first on, one or all. */
unsigned owners_of(const struct broker *b, const struct local_filter *f, unsigned *first);
struct interest_mail *interest_mail_new(struct broker *b, const struct local_filter *f);
/* To an owner: as mail, or directly if that is here. Takes. */
void interest_mail_send(struct broker *b, unsigned owner, struct interest_mail *im);
/* Ends a subscription; its session goes on without it, also after a restart. */
void sub_end(struct sub *sub);
void sub_drop(struct sub *sub); /* the same in memory only: its session ends, too */

/* `batch` is one of the session's from now on. */
void ask_begin(struct session *s, struct sub_batch *batch);
/* Asks the owners. `fresh`: the subscription is new, so nothing of theirs is live before their
 * answer. 0, or -ERR_NOMEM. */
int ask_owners(struct sub *sub, const struct sub_request *r, struct sub_batch *batch, bool fresh);
void ask_forget_sub(struct sub *sub); /* it goes; answers are still to come */
/* An owner's answer, in its place among the arrivals. Takes. */
void subscribe_answered(struct broker *b, struct interest_mail *im);
void answer_drop(struct broker *b, struct interest_mail *im); /* frees its messages */
void ask_fini(struct broker *b);
void backlog_free(struct broker *b, struct backlog *l);

/* ---- owner -------------------------------------------------------------------------------------
 */

/* What became of a publish at its topic's owner. */
struct routed {
    int status;       /* 0, or -ERR_FULL, -ERR_NOMEM, -ERR_STORAGE: see route_publish */
    uint32_t keepers; /* how many KEPT its origin is owed, if it waits */
    bool behind;      /* status holds when what was appended to the log is on disk */
};

/* Orders `m`, retains it, sends it on. Takes the caller's hold. An error: it was to be
 * retained and could not, but was delivered all the same; or it waits for the disk and memory ran
 * out. */
struct routed route_publish(struct broker *b, struct message *m);
/* ACCEPTED, for who has asked for it by `a` and `b`. */
struct mail route_answer(struct mail ask, struct routed r);
mail_fn route_on_publish;
mail_fn route_on_interest;

/* Changes what a core is interested in and, if asked, collects retained messages; at the end
 * the mail goes back to its home (directly if that is here). Takes `im`. */
void interest_change(struct broker *b, struct interest_mail *im);
void interest_fini(struct broker *b);

/* Mails a message to core `to`; the caller's hold goes with it. */
static inline void mail_message(struct broker *b, unsigned to, struct mail mail)
{
    message_hand_over(b->core, mail.ptr);
    mesh_send(b->core->mesh, to, mail, 0, (uint32_t)sizeof(struct message));
}

/* One more hold of a message that the caller holds. */
static inline void message_hold(struct broker *b, struct message *m)
{
    if (m->home == b->core->id)
        message_ref(m);
    else
        message_share(b->core, m, 1);
}

/* ---- receiver
 * ------------------------------------------------------------------------------------ */

/* Takes one hold of `m`. */
void deliver_arrived(struct broker *b, struct message *m, unsigned from);
void deliver_arrived_shared(struct broker *b, const struct arrival *a);
mail_fn deliver_on_mail;
/* An owner's answer, which parts what came before it from what is live. Takes. */
void deliver_answer(struct broker *b, unsigned owner, struct interest_mail *im);
mail_fn deliver_on_answer;
/* Has the core turn again at once if there is something to deliver: for who brings it when the
 * deliver phase of the turn is over. */
void deliver_go_on(struct broker *b);
void deliver_fini(struct broker *b);
