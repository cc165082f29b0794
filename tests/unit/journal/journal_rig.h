/* SPDX-License-Identifier: BSD-3-Clause */
/* journal_rig.h -- brokers with journals on simulated disks, and what a restart would find there.
 *
 * All clients come by listeners of the rig's: durable, interval, memory. */
#pragma once

#include "broker/access/door.h"
#include "broker/journal/image.h"
#include "broker/journal/journal_internal.h"
#include "unit/broker/cluster.h"
#include "unit/journal/image_text.h"
#include "unit/store/rig.h"

static const struct access_door door_commit = {.name = "commit", .durability = DURABILITY_COMMIT};
static const struct access_door door_interval = {.name = "interval",
                                                 .durability = DURABILITY_INTERVAL};
static const struct access_door door_memory = {.name = "memory", .durability = DURABILITY_MEMORY};

struct journal_rig {
    struct cluster *k;
    struct journal *journal[CLUSTER_CORES];
    struct rig disk[CLUSTER_CORES]; /* its store is the journal's */
    unsigned failed, full;          /* calls of options.failed and options.full */
    struct held_kinds held;         /* what the disks keep under way */
    uint32_t segment_bytes;
    bool no_snapshots;
    unsigned snapshot_steps; /* in which snapshots were made, with `budget` bytes each */
    size_t budget;           /* 0: as the store says */
};

static inline void rig_on_failed(void *ctx, const char *why)
{
    struct journal_rig *r = ctx;
    ASSERT(*why);
    r->failed++;
}

static inline void rig_on_full(void *ctx)
{
    struct journal_rig *r = ctx;
    r->full++;
}

static inline int rig_ignore(void *ctx, const struct store_record *rec)
{
    (void)ctx;
    (void)rec;
    return 0;
}

/* A part of a snapshot, smaller than the store asks for; `ctx` is the journal. */
static inline int rig_snapshot(void *ctx, struct store *s, bool first, size_t budget)
{
    const struct journal *j = ctx;
    struct journal_rig *r = j->options.ctx;
    r->snapshot_steps++;
    return journal_snapshot(ctx, s, first, r->budget ? r->budget : budget);
}

static inline void journal_rig_open(struct journal_rig *r, unsigned i)
{
    const struct journal_options o = {
        .queue_memory_max = 1 << 20, .failed = rig_on_failed, .full = rig_on_full, .ctx = r};
    struct rig *d = &r->disk[i];
    struct journal *j = r->journal[i] = journal_new(r->k->broker[i], &o);
    assert_non_null(j);
    rig_init(d, NULL);
    d->held = &r->held;
    d->options.clock = &r->k->core[i].clock;
    d->options.segment_bytes = r->segment_bytes;
    d->options.lazy_ns = NS_PER_S;
    d->options.owner = journal_owner(j);
    d->options.owner.snapshot = r->no_snapshots ? NULL : rig_snapshot;
    assert_int_equal(rig_open_with(d, &(struct store_replay){.record = rig_ignore}), 0);
    j->store = d->store;
    store_start(j->store);
    struct clock *c = &r->k->core[i].clock;
    c->wall_ms = 1000000;
    c->now_ns = (c->now_ns / NS_PER_S + 1) * NS_PER_S; /* a whole second */
}

static inline struct journal_rig *journal_rig_new_with(unsigned cores, uint32_t segment_bytes,
                                                       bool no_snapshots)
{
    struct journal_rig *r = calloc(1, sizeof *r);
    assert_non_null(r);
    r->segment_bytes = segment_bytes;
    r->no_snapshots = no_snapshots;
    r->k = cluster_new(cores, NULL);
    for (unsigned i = 0; i < cores; i++)
        journal_rig_open(r, i);
    return r;
}

static inline struct journal_rig *journal_rig_new(unsigned cores)
{
    return journal_rig_new_with(cores, 1 << 20, false);
}

/* Turns with the commit phase until nothing moves. */
static inline void rig_turn(struct journal_rig *r)
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

static inline void rig_advance(struct journal_rig *r, uint32_t seconds)
{
    for (unsigned i = 0; i < r->k->cores; i++) {
        r->k->core[i].clock.now_ns += seconds * NS_PER_S;
        r->k->core[i].clock.wall_ms += seconds * 1000ull;
    }
    rig_turn(r);
}

/* What a restart after a crash right now would find on core `i`'s disk. Free both. */
static inline void rig_image(const struct journal_rig *r, unsigned i, struct image *im)
{
    const struct sim_disk *sim = r->disk[i].sim;
    struct rig again;
    rig_init(&again, sim_disk_crash(sim, sim->nsteps, 0));
    again.options.segment_bytes = r->disk[i].options.segment_bytes;
    image_init(im, 7);
    struct store_replay replay = {
        .ctx = im, .record = (int (*)(void *, const struct store_record *))image_apply};
    assert_int_equal(rig_open_with(&again, &replay), 0);
    assert_int_equal(image_finish(im), 0);
    rig_fini(&again);
}

static inline struct image_text *rig_text(const struct journal_rig *r, unsigned i)
{
    struct image im;
    rig_image(r, i, &im);
    struct image_text *t = image_text_new(&im, true);
    image_fini(&im);
    return t;
}

/* Does the disk say so, in a line that begins like this? */
static inline bool rig_says(const struct journal_rig *r, unsigned i, const char *line)
{
    struct image_text *t = rig_text(r, i);
    bool said = false;
    for (unsigned n = 0; n < t->n; n++)
        said |= strncmp(t->line[n], line, strlen(line)) == 0;
    free(t);
    return said;
}

/* Nothing may have leaked: every entry, body and notice has found its end. */
static inline void journal_rig_free(struct journal_rig *r)
{
    unsigned cores = r->k->cores;
    for (unsigned i = 0; i < cores; i++) {
        (void)journal_close(r->journal[i]);
        r->disk[i].store = NULL;
    }
    cluster_free(r->k);
    for (unsigned i = 0; i < cores; i++) {
        assert_int_equal(r->journal[i]->kept.used, 0);
        journal_free(&r->journal[i]);
        rig_fini(&r->disk[i]);
    }
    free(r);
}

static inline struct client *rig_client(struct journal_rig *r, const char *id,
                                        const struct access_door *door, uint32_t expiry_s)
{
    struct client *c = calloc(1, sizeof *c);
    client_attach(r->k, c,
                  &(struct attach){.client_id = bytes_str(id), .expiry_s = expiry_s, .door = door});
    return c;
}

/* As a message that must be on disk, and waits till that is so. */
static inline void rig_publish(struct journal_rig *r, struct client *c, const char *topic,
                               const char *payload, uint8_t qos)
{
    static uint16_t id;
    struct broker *b = c->session->broker;
    const struct publication p = {.topic = bytes_str(topic),
                                  .payload = bytes_str(payload),
                                  .qos = qos,
                                  .durability = c->session->durability,
                                  .topic_hash = broker_topic_hash(b, bytes_str(topic))};
    uint32_t mailed = 0;
    if (!++id) id = 1;
    assert_int_equal(broker_publish(c->session, &p, qos ? id : 0, 0, &mailed), 0);
    rig_turn(r);
}
