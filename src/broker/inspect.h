/* SPDX-License-Identifier: BSD-3-Clause */
/* inspect.h -- what an operator may see of a core's share of the broker.
 *
 * Each verb shows plain facts to a function, which copies what it needs: nothing of it outlives the
 * call. Lists are walked in steps: from `place` on (0 is the beginning) till the function answers
 * false or a bounded number of places has been looked at; the place to go on from is returned, 0 at
 * the end. What is there from the first step to the last is shown exactly once (table_walk).
 *
 * To be called on the core that is asked about: in an errand. */
#pragma once

#include "broker/broker.h"

enum { INSPECT_STEP = 512 }; /* places that one step looks at */

/* A session, and the connection of its client if it has one. */
struct inspect_client {
    struct bytes client_id, user;
    uint64_t since_ms; /* wall clock: when the client came, or if it is not there, went */
    struct sink_facts connection; /* zeroed if it is not connected */
    uint64_t queued_bytes;
    uint32_t subscriptions, queued, in_flight, retained_due, expiry_s;
    uint32_t trace_s; /* for so long its packets are logged */
    bool connected, has_will;
};

struct inspect_subscription {
    struct bytes client_id, filter; /* the whole filter: "$share/group/a" */
    uint32_t id;                    /* 0: none */
    uint8_t qos;
    bool no_local, retain_as_published;
};

struct inspect_topic {
    struct bytes topic;
    const struct message *retained; /* NULL: none */
    uint32_t expires_in_s;          /* of the retained message; UINT32_MAX: never */
    bool subscribed;                /* some filter of a subscription matches it */
};

/* The core's log on disk. */
enum { INSPECT_COMMIT_STEPS = 20 };

struct inspect_log {
    uint64_t recovery_ns;                         /* that reading it back took */
    uint64_t commits_ns, commits;                 /* how long all commits took */
    uint64_t commits_below[INSPECT_COMMIT_STEPS]; /* of them, those that took less than
                                                   * inspect_commit_ns(step) */
};

typedef bool inspect_client_fn(const struct inspect_client *c, void *arg);
typedef bool inspect_subscription_fn(const struct inspect_subscription *s, void *arg);
typedef bool inspect_topic_fn(const struct inspect_topic *t, void *arg);

/* Sessions whose home this is. */
uint64_t inspect_clients(struct broker *b, uint64_t place, inspect_client_fn *fn, void *arg);
/* One of them; false: there is no such session here. */
bool inspect_client(struct broker *b, struct bytes client_id, inspect_client_fn *fn, void *arg);
/* Its subscriptions, up to `most`. */
void inspect_subscriptions_of(struct broker *b, struct bytes client_id, unsigned most,
                              inspect_subscription_fn *fn, void *arg);

uint64_t inspect_subscriptions(struct broker *b, uint64_t place, inspect_subscription_fn *fn,
                               void *arg);

/* Topics that this core owns: those with a retained message; then those that have none but are
 * subscribed to by their own name. */
uint64_t inspect_retained(struct broker *b, uint64_t place, inspect_topic_fn *fn, void *arg);
uint64_t inspect_interest(struct broker *b, uint64_t place, inspect_topic_fn *fn, void *arg);
/* The retained message of one topic; false: there is none here. */
bool inspect_retained_one(struct broker *b, struct bytes topic, inspect_topic_fn *fn, void *arg);

/* False: there is none. */
bool inspect_log(struct broker *b, struct inspect_log *l);
uint64_t inspect_commit_ns(unsigned step);
