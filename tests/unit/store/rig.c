/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit/store/rig.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"

static void on_failed(void *ctx, const char *why)
{
    struct rig *r = ctx;
    ASSERT(*why);
    r->failed = true;
}

void rig_init(struct rig *r, struct sim_disk *sim)
{
    *r = (struct rig){.sim = sim ? sim : sim_disk_new()};
    r->clock.now_ns = 1;
    r->options = (struct store_options){
        .clock = &r->clock,
        .segment_bytes = RIG_SEGMENT,
        .owner = {.ctx = r, .failed = on_failed},
    };
}

uint8_t rig_pattern(uint32_t number, size_t i)
{
    return (uint8_t)(number * 31 + i * 7 + (i >> 8));
}

int rig_put(struct rig *r, uint32_t number, size_t bytes, uint8_t flags, struct store_ref *ref)
{
    uint8_t key[4] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8),
                      (uint8_t)number};
    uint8_t *body = malloc(bytes + 1);
    ASSERT(body);
    for (size_t i = 0; i < bytes; i++)
        body[i] = rig_pattern(number, i);
    const struct bytes part[] = {bytes_of(body, bytes / 2),
                                 bytes_of(body + bytes / 2, bytes - bytes / 2)};
    int err = store_append(r->store,
                           &(struct store_put){.type = RIG_TYPE,
                                               .version = 1,
                                               .flags = flags,
                                               .key = bytes_of(key, sizeof key),
                                               .part = part,
                                               .nparts = 2},
                           ref);
    free(body);
    return err;
}

bool rig_is(const struct store_record *rec, uint32_t *number)
{
    struct reader k = rd_of(rec->key);
    *number = rd_u32be(&k);
    if (k.bad || rd_left(&k) || rec->type != RIG_TYPE || rec->version != 1) return false;
    for (size_t i = 0; i < rec->body.n; i++)
        if (rec->body.p[i] != rig_pattern(*number, i)) return false;
    return true;
}

static int on_record(void *ctx, const struct store_record *rec)
{
    struct rig *r = ctx;
    uint32_t number;
    if (!rig_is(rec, &number)) r->wrong++;
    ASSERT(r->nseen < RIG_SEEN);
    r->seen[r->nseen] = number;
    r->ref[r->nseen++] = rec->ref;
    return 0;
}

static void on_found(void *ctx, const struct store_finding *f)
{
    struct rig *r = ctx;
    if (r->nfound < RIG_FOUND) r->found[r->nfound++] = *f;
}

static void on_progress(void *ctx, uint64_t done, uint64_t all)
{
    struct rig *r = ctx;
    ASSERT(done <= all);
    r->progress = done;
}

int rig_open(struct rig *r)
{
    return rig_open_with(
        r, &(struct store_replay){
               .ctx = r, .record = on_record, .found = on_found, .progress = on_progress});
}

int rig_open_with(struct rig *r, const struct store_replay *replay)
{
    int err = store_dir_open(&r->dir, &r->sim->io, "data", false);
    if (err < 0) return err;
    r->disk = r->held ? disk_new_held(&r->sim->io, r->held) : disk_new_inline(&r->sim->io);
    ASSERT(r->disk);
    uint32_t generation = r->dir.generation ? r->dir.generation : 1;
    r->options.io = &r->sim->io;
    r->options.disk = r->disk;
    r->options.dir = &r->dir;
    r->options.generation = generation;
    r->store = store_new(&r->options);
    ASSERT(r->store);
    err = store_recover(r->store, replay);
    if (err == 0 && r->dir.generation == 0) err = store_dir_switch(&r->dir, 1, 1);
    return err;
}

void rig_fini(struct rig *r)
{
    store_close(&r->store);
    disk_free(&r->disk);
    store_dir_close(&r->dir);
    sim_disk_free(&r->sim);
}

void rig_settle(struct rig *r)
{
    for (unsigned quiet = 0; quiet < 4; quiet++)
        if (store_commit(r->store) > 0) quiet = 0;
}

bool rig_saw(const struct rig *r, uint32_t number)
{
    for (unsigned i = 0; i < r->nseen; i++)
        if (r->seen[i] == number) return true;
    return false;
}
