/* SPDX-License-Identifier: BSD-3-Clause */
/* data_rig.h -- brokers whose logs lie in one data directory, and restarts of them: after a crash,
 * with as many cores or others. The clocks go on. */
#pragma once

#include "broker/access/door.h"
#include "broker/journal/image.h"
#include "broker/journal/journal_internal.h"
#include "broker/journal/rewrite.h"
#include "lib/sim_disk.h"
#include "unit/broker/cluster.h"
#include "unit/journal/image_text.h"

static const struct access_door data_door = {.name = "d", .durability = DURABILITY_COMMIT};

enum { DATA_SEGMENT = 16384, DATA_WALL_MS = 1000000000 };

struct data_rig {
    struct sim_disk *sim;
    struct store_dir dir;
    struct cluster *k;
    struct disk *disk[CLUSTER_CORES];
    struct journal *journal[CLUSTER_CORES];
    struct journal_found found; /* of all cores */
    uint32_t now_s;             /* since the first start */
};

static inline unsigned data_core_of(void *ctx, uint64_t hash)
{
    return broker_core_of(hash, *(unsigned *)ctx);
}

/* As a start does that finds logs of another number of cores, but for the switch. */
static inline int data_rewrite(struct sim_disk *sim, struct store_dir *dir, unsigned cores,
                               uint32_t *generation)
{
    static const struct clock clock = {.now_ns = 1};
    struct rewrite_found found;
    int err = store_dir_next(dir, generation);
    if (err < 0) return err;
    (void)sim;
    struct rewrite r = {.dir = dir,
                        .generation = *generation,
                        .cores = cores,
                        .seed = cluster_seed,
                        .segment_bytes = DATA_SEGMENT,
                        .clock = &clock,
                        .ctx = &cores,
                        .core_of = data_core_of};
    return journal_rewrite(&r, &found);
}

static inline void data_turn(struct data_rig *r)
{
    for (unsigned quiet = 0, rounds = 0; quiet < 4; rounds++) {
        unsigned work = 0;
        for (unsigned i = 0; i < r->k->cores; i++) {
            work += cluster_turn(r->k, i);
            work += journal_commit(r->journal[i]);
        }
        quiet = work ? 0 : quiet + 1;
        assert_true(rounds < 100000);
    }
}

static inline void data_advance(struct data_rig *r, uint32_t seconds)
{
    r->now_s += seconds;
    for (unsigned i = 0; i < r->k->cores; i++) {
        r->k->core[i].clock.now_ns += seconds * NS_PER_S;
        r->k->core[i].clock.wall_ms += seconds * 1000ull;
    }
    data_turn(r);
}

static inline int data_open_core(struct data_rig *r, unsigned i, uint32_t generation)
{
    const struct journal_options o = {.queue_memory_max = 1 << 20};
    struct core *c = &r->k->core[i];
    struct journal_found found;
    c->clock.wall_ms = DATA_WALL_MS + r->now_s * 1000ull;
    c->clock.now_ns = (c->clock.now_ns / NS_PER_S + 1) * NS_PER_S; /* a whole second */
    r->disk[i] = disk_new_inline(&r->sim->io);
    r->journal[i] = journal_new(r->k->broker[i], &o);
    assert_true(r->disk[i] && r->journal[i]);
    const struct store_options so = {.io = &r->sim->io,
                                     .disk = r->disk[i],
                                     .dir = &r->dir,
                                     .core = i,
                                     .generation = generation,
                                     .clock = &c->clock,
                                     .owner = journal_owner(r->journal[i]),
                                     .segment_bytes = DATA_SEGMENT,
                                     .lazy_ns = NS_PER_S};
    struct store *s = store_new(&so);
    assert_non_null(s);
    int err = journal_recover(r->journal[i], s, NULL, &found);
    if (err < 0) fprintf(stderr, "core %u: %s\n", i, store_why(s));
    r->found.sessions += found.sessions;
    r->found.subscriptions += found.subscriptions;
    r->found.messages += found.messages;
    r->found.retained += found.retained;
    r->found.lost += found.lost;
    return err;
}

/* Takes `sim`. */
static inline struct data_rig *data_rig_open(struct sim_disk *sim, unsigned cores, uint32_t now_s)
{
    struct data_rig *r = calloc(1, sizeof *r);
    assert_non_null(r);
    r->sim = sim;
    r->now_s = now_s;
    r->k = cluster_new(cores, NULL);
    assert_int_equal(store_dir_open(&r->dir, &sim->io, "data", false), 0);
    uint32_t generation = r->dir.generation ? r->dir.generation : 1;
    if (r->dir.generation && r->dir.cores != cores) {
        assert_int_equal(data_rewrite(sim, &r->dir, cores, &generation), 0);
        assert_int_equal(store_dir_switch(&r->dir, generation, cores), 0);
    }
    for (unsigned i = 0; i < cores; i++)
        assert_int_equal(data_open_core(r, i, generation), 0);
    if (generation != r->dir.generation)
        assert_int_equal(store_dir_switch(&r->dir, generation, cores), 0);
    data_turn(r);
    return r;
}

/* In good order. Clients must be gone. The disk is the caller's. */
static inline struct sim_disk *data_rig_stop(struct data_rig *r)
{
    struct sim_disk *sim = r->sim;
    unsigned cores = r->k->cores;
    for (unsigned i = 0; i < cores; i++)
        assert_int_equal(journal_close(r->journal[i]), 0);
    cluster_free(r->k);
    for (unsigned i = 0; i < cores; i++) {
        assert_int_equal(r->journal[i]->kept.used, 0);
        journal_free(&r->journal[i]);
        disk_free(&r->disk[i]);
    }
    store_dir_close(&r->dir);
    free(r);
    return sim;
}

/* The power fails, and comes back on so many cores `later_s` seconds later. */
static inline struct data_rig *data_rig_crash(struct data_rig *r, unsigned cores, uint32_t later_s)
{
    struct sim_disk *after = sim_disk_crash(r->sim, r->sim->nsteps, 0);
    uint32_t now_s = r->now_s + later_s;
    struct sim_disk *before = data_rig_stop(r);
    sim_disk_free(&before);
    return data_rig_open(after, cores, now_s);
}

static inline void data_rig_free(struct data_rig *r)
{
    struct sim_disk *sim = data_rig_stop(r);
    sim_disk_free(&sim);
}

/* What all logs that count on a disk say together, without what depends on the placement. */
static inline struct image_text *data_text(struct sim_disk *sim, unsigned *cores)
{
    static const struct clock clock = {.now_ns = 1};
    struct image_text *t = calloc(1, sizeof *t);
    struct store_dir dir;
    assert_non_null(t);
    *t = (struct image_text){.no_places = true, .by_client = true, .no_origins = true};
    assert_int_equal(store_dir_open(&dir, &sim->io, "data", true), 0);
    *cores = dir.cores;
    for (unsigned i = 0; i < dir.cores; i++) {
        struct image im;
        struct disk *disk = disk_new_inline(&sim->io);
        const struct store_options o = {.io = &sim->io,
                                        .disk = disk,
                                        .dir = &dir,
                                        .core = i,
                                        .generation = dir.generation,
                                        .clock = &clock,
                                        .read_only = true};
        struct store *s = store_new(&o);
        struct store_replay replay = {
            .ctx = &im, .record = (int (*)(void *, const struct store_record *))image_apply};
        image_init(&im, 7);
        assert_int_equal(store_recover(s, &replay), 0);
        assert_int_equal(image_finish(&im), 0);
        image_text_add(t, &im);
        image_fini(&im);
        store_close(&s);
        disk_free(&disk);
    }
    store_dir_close(&dir);
    return t;
}

/* ---- clients ------------------------------------------------------------------------------ */

static inline void data_attach(struct data_rig *r, struct client *c, const struct attach *a)
{
    struct attach mine = *a;
    mine.door = &data_door;
    client_attach(r->k, c, &mine);
    data_turn(r);
}

static inline struct client *data_client(struct data_rig *r, const char *id, uint32_t expiry_s)
{
    struct client *c = calloc(1, sizeof *c);
    assert_non_null(c);
    data_attach(r, c, &(struct attach){.client_id = bytes_str(id), .expiry_s = expiry_s});
    return c;
}

/* Subscribes, and waits till that is on disk. */
static inline void data_sub(struct data_rig *r, struct client *c, const char *filter, uint8_t qos)
{
    client_sub(r->k, c, filter, qos);
    data_turn(r);
}

static inline void data_leave(struct data_rig *r, struct client *c)
{
    session_detach(c->session, true);
    c->session = NULL;
    data_turn(r);
}

/* Gone with the power: its session is the rig's. */
static inline void data_forget(struct client *c)
{
    free(c);
}

static inline void data_publish(struct data_rig *r, struct client *c, const char *topic,
                                const char *payload, unsigned how)
{
    static uint16_t id;
    struct broker *b = c->session->broker;
    const struct publication p = {.topic = bytes_str(topic),
                                  .payload = bytes_str(payload),
                                  .qos = (uint8_t)(how & 3),
                                  .retain = (how & SAY_RETAINED) != 0,
                                  .durability = DURABILITY_COMMIT,
                                  .topic_hash = broker_topic_hash(b, bytes_str(topic))};
    uint32_t mailed = 0;
    if (!++id) id = 1;
    assert_int_equal(broker_publish(c->session, &p, how & 3 ? id : 0, 0, &mailed), 0);
    data_turn(r);
}

/* ---- something to keep ---------------------------------------------------------------------- */

enum { DATA_CLIENTS = 6, DATA_LONG_S = 100000 };

/* Lives until seven more have been asked for. */
static inline const char *data_name(const char *kind, unsigned i)
{
    static char text[8][32];
    static unsigned next;
    char *t = text[next++ % 8];
    snprintf(t, sizeof text[0], "%s%u", kind, i);
    return t;
}

/* A disk after a crash, with sessions, messages that wait and in flight, QoS 2 half received, and
 * retained ones. */
static inline struct sim_disk *data_some(unsigned cores)
{
    struct data_rig *r = data_rig_open(sim_disk_new(), cores, 0);
    struct client *p = data_client(r, "publisher", DATA_LONG_S);
    for (unsigned i = 0; i < DATA_CLIENTS; i++) {
        struct client *c = data_client(r, data_name("c", i), DATA_LONG_S);
        data_sub(r, c, i % 3 ? "a/#" : "$share/g/a/#", 2);
        if (i == 1) {
            for (unsigned k = 0; k < 4; k++)
                data_publish(r, p, "a/first", data_name("first", k), 2);
            assert_int_equal(session_on_pubrec(c->session, 1, false), 0);
        }
        data_leave(r, c);
        free(c);
    }
    for (unsigned i = 0; i < 12; i++)
        data_publish(r, p, data_name("a/", i % 4), data_name("m", i),
                     1 | (i % 3 ? 0 : SAY_RETAINED));
    for (uint16_t id = 1; id <= 3; id++)
        assert_int_equal(session_receive(p->session, id), 0);
    data_advance(r, 2);
    data_leave(r, p);
    data_forget(p);
    data_advance(r, 2);
    struct sim_disk *after = sim_disk_crash(r->sim, r->sim->nsteps, 0);
    data_rig_free(r);
    return after;
}
