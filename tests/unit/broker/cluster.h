/* SPDX-License-Identifier: BSD-3-Clause */
/* cluster.h -- brokers of N cores in one thread, with clients that only take notes.
 *
 * Real cores, pools and mesh; no sockets. cluster_settle() runs all cores in turn until no
 * core has anything left to do. A client's sink writes down what it is sent. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "broker/internal.h"

enum { CLUSTER_CORES = 16, NOTES = 4096 };

struct cluster {
    struct mesh *mesh;
    struct pool *pools[CLUSTER_CORES];
    struct core core[CLUSTER_CORES];
    struct broker *broker[CLUSTER_CORES];
    unsigned cores;
};

/* One delivery, as a client saw it. */
struct note {
    char topic[64];
    char payload[64];
    uint8_t qos, nids;
    bool retain, dup;
    uint16_t packet_id;
    uint32_t ids[4];
};

struct client {
    struct session *session;
    bool present, kicked, not_ready, suback;
    unsigned n; /* notes */
    struct note note[NOTES];
    unsigned accepted, released;
    uint16_t accepted_id[NOTES], released_id[NOTES];
    int accepted_status[NOTES];
    int refuse; /* what send answers, if not 0 */
    struct sub_batch batch;
};

static const uint64_t cluster_seed = 0x5eed;

/* Runs a block with a cluster `k` of each size. */
static const unsigned cluster_sizes[] = {1, 2, 4, 16};

#define EACH_CLUSTER(k, options)                                                                   \
    for (unsigned size_ = 0; size_ < ARRAY_LEN(cluster_sizes); size_++)                            \
        for (struct cluster *k = cluster_new(cluster_sizes[size_], (options)); k;                  \
             cluster_free(k), k = NULL)
#define EACH_SIZE(k) EACH_CLUSTER(k, NULL)

static inline void note_text(char out[64], struct bytes b)
{
    size_t n = b.n < 63 ? b.n : 63;
    memcpy(out, b.p, n);
    out[n] = 0;
}

static inline int client_send(struct session *s, const struct delivery *d)
{
    struct client *c = s->sink;
    if (c->refuse) return c->refuse;
    assert_true(c->n < NOTES);
    struct note *n = &c->note[c->n++];
    *n = (struct note){.qos = d->qos,
                       .retain = d->retain,
                       .dup = d->dup,
                       .nids = d->nsub_ids,
                       .packet_id = d->packet_id};
    for (unsigned i = 0; i < d->nsub_ids && i < 4; i++)
        n->ids[i] = d->sub_ids[i];
    note_text(n->topic, message_topic(d->m));
    note_text(n->payload, message_payload(d->m));
    return 0;
}

static inline bool client_ready(struct session *s)
{
    return !((struct client *)s->sink)->not_ready;
}

static inline void client_release(struct session *s, uint16_t packet_id)
{
    struct client *c = s->sink;
    c->released_id[c->released++ % NOTES] = packet_id;
}

static inline void client_accepted(struct session *s, uint16_t packet_id, uint8_t qos, int status)
{
    struct client *c = s->sink;
    (void)qos;
    c->accepted_status[c->accepted % NOTES] = status;
    c->accepted_id[c->accepted++ % NOTES] = packet_id;
}

static inline void client_kick(void *sink, enum kick why)
{
    struct client *c = sink;
    (void)why;
    c->kicked = true;
    c->session = NULL;
}

static const struct sink_ops client_ops = {.send = client_send,
                                           .ready = client_ready,
                                           .release = client_release,
                                           .accepted = client_accepted,
                                           .kick = client_kick};

static inline struct cluster *cluster_new(unsigned cores, const struct broker_options *o)
{
    static const struct broker_options usual = BROKER_OPTIONS_DEFAULT;
    struct cluster *k = calloc(1, sizeof *k);
    int err = 0;
    k->cores = cores;
    k->mesh = mesh_new(&(struct mesh_options){.cores = cores, .ring_slots = 4}, &err);
    assert_non_null(k->mesh);
    mail_fn **handlers = calloc(BROKER_MAIL_KINDS, sizeof(mail_fn *));
    broker_mail_handlers(handlers);
    for (unsigned i = 0; i < cores; i++) {
        struct core_options co = {.id = i,
                                  .cores = cores,
                                  .mesh = k->mesh,
                                  .pools = k->pools,
                                  .log = {.fd = -1},
                                  .seed = 7};
        assert_int_equal(core_init(&k->core[i], &co), 0);
        k->broker[i] = broker_new(&k->core[i], o ? o : &usual, cluster_seed);
        assert_non_null(k->broker[i]);
        mesh_port_bind(k->core[i].mesh, handlers, BROKER_MAIL_KINDS, NULL, k->broker[i]);
    }
    /* The handlers are borrowed for the mesh's life. */
    k->core[0].ops.store = handlers;
    return k;
}

static inline unsigned cluster_turn(struct cluster *k, unsigned i)
{
    struct core *c = &k->core[i];
    unsigned work = mesh_take(c->mesh);
    work += wheel_run(&c->wheel, core_now_s(c));
    work += broker_deliver(k->broker[i]);
    work += pool_take_home(c->pool, message_on_home, c);
    pool_flush_home(c->pool);
    return work + mesh_post(c->mesh);
}

/* Until three rounds in a row had nothing to do. */
static inline void cluster_settle(struct cluster *k)
{
    for (unsigned quiet = 0, rounds = 0; quiet < 3; rounds++) {
        unsigned work = 0;
        for (unsigned i = 0; i < k->cores; i++)
            work += cluster_turn(k, i);
        quiet = work ? 0 : quiet + 1;
        assert_true(rounds < 100000);
    }
}

static inline void cluster_advance(struct cluster *k, uint32_t seconds)
{
    for (unsigned i = 0; i < k->cores; i++)
        k->core[i].clock.now_ns += seconds * NS_PER_S;
    cluster_settle(k);
}

/* Frees all; what is still used then, apart from retained messages, has leaked. */
static inline void cluster_free(struct cluster *k)
{
    cluster_settle(k);
    for (unsigned i = 0; i < k->cores; i++) {
        broker_free(&k->broker[i]);
        for (unsigned j = 0; j < k->cores; j++)
            pool_flush_home(k->core[j].pool);
    }
    /* Stand-ins and shares given back while freeing come home now. */
    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 0; i < k->cores; i++) {
            pool_take_home(k->core[i].pool, message_on_home, &k->core[i]);
            pool_flush_home(k->core[i].pool);
        }
    for (unsigned i = 0; i < k->cores; i++)
        assert_int_equal(pool_bytes_used(k->core[i].pool), 0);
    void *handlers = k->core[0].ops.store;
    for (unsigned i = 0; i < k->cores; i++)
        core_fini(&k->core[i]);
    mesh_free(&k->mesh);
    free(handlers);
    free(k);
}

/* ---- clients -------------------------------------------------------------------------------- */

static inline struct broker *home_of(struct cluster *k, const char *id)
{
    return k->broker[broker_home(k->broker[0], 0, bytes_str(id))];
}

static inline void client_attach(struct cluster *k, struct client *c, const struct attach *a)
{
    int err = 0;
    struct attach mine = *a;
    mine.ops = &client_ops;
    mine.sink = c;
    if (!mine.receive_max) mine.receive_max = 65535;
    unsigned home = broker_home(k->broker[0], a->tenant, a->client_id);
    c->session = session_attach(k->broker[home], &mine, &c->present, &err);
    assert_non_null(c->session);
    session_resume(c->session);
    cluster_settle(k);
}

static inline struct client *client_new(struct cluster *k, const char *id, uint32_t expiry_s)
{
    struct client *c = calloc(1, sizeof *c);
    client_attach(k, c, &(struct attach){.client_id = bytes_str(id), .expiry_s = expiry_s});
    return c;
}

static inline void client_detach(struct cluster *k, struct client *c, bool send_will)
{
    session_detach(c->session, send_will);
    c->session = NULL;
    cluster_settle(k);
}

static inline void client_free(struct cluster *k, struct client *c)
{
    if (c->session) client_detach(k, c, false);
    free(c);
}

static inline void client_subscribed(struct sub_batch *b)
{
    if (b->session) ((struct client *)b->session->sink)->suback = true;
}

/* Subscribes without waiting for the owners' answers. */
static inline int client_ask(struct client *c, const struct sub_request *r)
{
    c->suback = false;
    c->batch = (struct sub_batch){.session = c->session, .done = client_subscribed};
    int got = broker_subscribe(c->session, r, &c->batch);
    broker_subscribe_end(&c->batch);
    return got;
}

static inline void client_sub(struct cluster *k, struct client *c, const char *filter, uint8_t qos)
{
    struct sub_request r = {.filter = bytes_str(filter), .qos = qos};
    assert_int_equal(client_ask(c, &r), qos);
    cluster_settle(k);
    assert_true(c->suback);
}

enum { SAY_RETAINED = 4 };

/* Publishes and does not wait. `how`: the QoS, and SAY_RETAINED or not. */
static inline void client_say(struct client *c, const char *topic, const char *payload,
                              unsigned how, uint16_t packet_id)
{
    struct broker *b = c->session->broker;
    struct publication p = {.topic = bytes_str(topic),
                            .payload = bytes_str(payload),
                            .qos = (uint8_t)(how & 3),
                            .retain = (how & SAY_RETAINED) != 0};
    uint32_t mailed = 0;
    p.topic_hash = broker_topic_hash(b, p.topic);
    assert_int_equal(broker_publish(c->session, &p, packet_id, 0, &mailed), 0);
}

static inline void client_pub(struct cluster *k, struct client *c, const char *topic,
                              const char *payload, uint8_t qos)
{
    static uint16_t id;
    if (qos && !++id) id = 1;
    client_say(c, topic, payload, qos, qos ? id : 0);
    cluster_settle(k);
}

/* The notes' payloads joined by spaces. */
static inline const char *client_heard(const struct client *c)
{
    static char text[65536];
    size_t n = 0;
    text[0] = 0;
    for (unsigned i = 0; i < c->n; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", i ? " " : "", c->note[i].payload);
    return text;
}

/* A client id whose home, or a topic whose owner, is `core` (modulo their number). The text lives
 * until the ring of them comes round. */
static inline const char *name_at(struct cluster *k, unsigned core, const char *prefix, bool topic)
{
    static char text[64][32];
    static unsigned next;
    char *name = text[next++ % 64];
    for (unsigned i = 0;; i++) {
        snprintf(name, 32, "%s%u", prefix, i);
        struct bytes b = bytes_str(name);
        unsigned at = topic ? broker_owner(k->broker[0], broker_topic_hash(k->broker[0], b))
                            : broker_home(k->broker[0], 0, b);
        if (at == core % k->cores) return name;
    }
}

static inline const char *client_at(struct cluster *k, unsigned core, const char *prefix)
{
    return name_at(k, core, prefix, false);
}

static inline const char *topic_at(struct cluster *k, unsigned core, const char *prefix)
{
    return name_at(k, core, prefix, true);
}

static inline void client_forget(struct client *c)
{
    c->n = c->accepted = c->released = 0;
}
