/* SPDX-License-Identifier: BSD-3-Clause */
/* world.h -- one run: real cores, simulated clients, one seed. */
#pragma once

#include "broker/broker.h"
#include "client.h"
#include "core/core.h"
#include "fiber.h"
#include "net/net.h"
#include "oracle.h"
#include "proto/mqtt/mqtt_session.h"

enum { CORES_MAX = 16, CLIENTS_MAX = 24, STEPS_USUAL = 1500 };

struct world_options {
    uint64_t seed;
    unsigned cores; /* 0: by the seed */
    unsigned steps;
    uint32_t expiry_max_s; /* of sessions; 0: the broker's default */
    bool print;
};

/* A core with its modules, on its own stack. */
struct place {
    struct core core;
    struct net *net;
    struct broker *broker;
    struct mqtt_core *mqtt;
    struct fiber *fiber;
    uint32_t starved;     /* steps for which it gets no turn */
    size_t bytes_at_rest; /* of its pool, before anybody came */
};

struct world {
    struct trace trace;
    struct oracle oracle;
    struct mesh *mesh;
    struct pool *pools[CORES_MAX];
    struct place place[CORES_MAX];
    mail_fn *handlers[BROKER_MAIL_KINDS];
    struct listener listener;
    unsigned cores, clients;
    struct client client[CLIENTS_MAX];
    unsigned fillers; /* topics with something retained that nobody looks at */
    uint64_t turns;
};

/* Runs it. False if a promise was broken: trace.broken says which. */
bool world_run(struct world *w, const struct world_options *o);

/* ---- between its files ------------------------------------------------------------------------
 */

/* cores.c */
void cores_make(struct world *w, const struct world_options *o);
void cores_free(struct world *w);
bool cores_run_one(struct world *w, unsigned i); /* false: it sleeps */
bool cores_asleep(struct world *w);
uint64_t cores_wake_ns(const struct world *w);
uint64_t cores_count(const struct world *w, enum counter which);

/* world.c: runs cores and clients until nothing is left to do; what hangs is a broken promise. */
void world_settle(struct world *w);
