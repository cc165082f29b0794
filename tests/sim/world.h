/* SPDX-License-Identifier: BSD-3-Clause */
/* world.h -- one run: real cores, simulated clients, one seed. */
#pragma once

#include "broker/access/door.h"
#include "broker/broker.h"
#include "broker/journal/journal.h"
#include "client.h"
#include "core/core.h"
#include "fiber.h"
#include "lib/sim_disk.h"
#include "net/net.h"
#include "oracle.h"
#include "proto/mqtt/mqtt_session.h"
#include "slow_disk.h"

enum { CORES_MAX = 16, CLIENTS_MAX = 24, STEPS_USUAL = 1500, CRASHES_MAX = 100 };

struct world_options {
    uint64_t seed;
    unsigned cores; /* 0: by the seed */
    unsigned steps;
    uint32_t expiry_max_s; /* of sessions; 0: the broker's default */
    bool disk;             /* the broker has one */
    unsigned crashes;      /* of the whole broker, if it has a disk */
    bool moves;            /* it may start again with another number of cores */
    bool print;
};

/* A core with its modules, on its own stack. */
struct place {
    struct core core;
    struct net *net;
    struct broker *broker;
    struct mqtt_core *mqtt;
    struct fiber *fiber;
    struct disk *disk; /* NULL: there is none, and no journal */
    struct journal *journal;
    uint32_t starved; /* steps for which it gets no turn */
};

struct world {
    struct trace trace;
    struct oracle oracle;
    struct mesh *mesh;
    struct pool *pools[CORES_MAX];
    struct place place[CORES_MAX];
    mail_fn *handlers[BROKER_MAIL_KINDS];
    struct listener listener;
    struct broker_options broker_options;
    struct net_options net_options;
    unsigned ring_slots;
    uint64_t seed;        /* of the brokers */
    struct sim_disk *sim; /* NULL: there is none */
    struct store_dir dir;
    uint32_t generation, segment_bytes;
    uint64_t lazy_ns, queue_memory;
    struct access_door door;
    bool moves;
    bool may_spoil;                  /* the disk may fail: a crash will end it */
    size_t bytes_at_rest[CORES_MAX]; /* of the pools, before anybody came */
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
void cores_choose(struct world *w, const struct world_options *o); /* how many, and their limits */
void cores_start(struct world *w);
void cores_stop(struct world *w);
bool cores_run_one(struct world *w, unsigned i); /* false: it sleeps */
bool cores_asleep(struct world *w);
uint64_t cores_wake_ns(const struct world *w);
uint64_t cores_count(const struct world *w, enum counter which);

/* boot.c: the cores' logs, if there is a disk */
void boot_choose(struct world *w);
void boot_open(struct world *w);
void boot_core(struct world *w, unsigned i);
void boot_end(struct world *w);
void boot_close(struct world *w);

/* crash.c: all cores' memory is gone, and the disk keeps what it can; then they start again. */
void world_crash(struct world *w);

/* world.c: runs the cores alone until they sleep, all but `without`. */
void world_run_until_asleep(struct world *w, unsigned without);

/* Runs cores and clients until nothing is left to do; what hangs is a broken promise. */
void world_settle(struct world *w);
