/* SPDX-License-Identifier: BSD-3-Clause */
/* grant_rig.h -- clients of a cluster with rights: rules as in access_rig.h. */
#pragma once

#include "unit/access/access_rig.h"
#include "unit/broker/cluster.h"

/* The client's rights from now on; all that waits takes notice of it. */
static inline void client_may(struct client *c, const char *const *rules)
{
    struct acl_subject who = {.client_id = session_client_id(c->session)};
    session_set_grant(c->session, rig_grant(rules, NULL, who, (struct acl_options){.strict = 0}));
}

/* A client that has rights before anything reaches it. */
static inline struct client *client_with(struct cluster *k, const char *id, uint32_t expiry_s,
                                         const char *const *rules)
{
    struct client *c = client_new(k, id, expiry_s);
    client_may(c, rules);
    return c;
}

/* Comes back, with other rights: between attach and resume, as after a login. */
static inline void client_back(struct cluster *k, struct client *c, const char *id,
                               const char *const *rules)
{
    int err = 0;
    struct attach a = {.client_id = bytes_str(id),
                       .expiry_s = SESSION_NEVER_EXPIRES,
                       .receive_max = 65535,
                       .ops = &client_ops,
                       .sink = c};
    c->session = session_attach(home_of(k, id), &a, &c->present, &err);
    assert_non_null(c->session);
    client_may(c, rules);
    session_resume(c->session);
    cluster_settle(k);
}

static inline int client_try(struct client *c, const char *topic, const char *payload, unsigned how,
                             uint16_t packet_id)
{
    struct broker *b = c->session->broker;
    struct publication p = {.topic = bytes_str(topic),
                            .payload = bytes_str(payload),
                            .qos = (uint8_t)(how & 3),
                            .retain = (how & SAY_RETAINED) != 0};
    uint32_t mailed = 0;
    p.topic_hash = broker_topic_hash(b, p.topic);
    return broker_publish(c->session, &p, packet_id, 0, &mailed);
}

static inline int client_try_sub(struct cluster *k, struct client *c, const char *filter,
                                 uint8_t qos)
{
    struct sub_request r = {.filter = bytes_str(filter), .qos = qos};
    int got = client_ask(c, &r);
    cluster_settle(k);
    assert_true(c->suback);
    return got;
}

static inline uint64_t cluster_count(const struct cluster *k, enum counter which)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < k->cores; i++)
        n += counter_read(&k->core[i].counters, which);
    return n;
}
