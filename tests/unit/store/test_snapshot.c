/* SPDX-License-Identifier: BSD-3-Clause */
/* test_snapshot.c -- an owner with a state, its snapshots, the space they free, and crashes at
 * every step.
 *
 * The state: KEYS values, each a kept record that is referred to by position (a body), and a record
 * "key K is body at P" (an entry). Whoever replays them has the same state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "store/bytes64.h"
#include "unit/store/rig.h"

enum { KEYS = 24, ENTRY = 20, BODY = 21, STEPS = 400 };

struct value {
    uint32_t version; /* 0: none */
    struct store_ref body;
};

struct owner {
    struct rig rig;
    struct value value[KEYS];
    unsigned cursor; /* of the snapshot */
    unsigned wrong, moved;
    uint32_t next_version;
};

/* ---- records ----------------------------------------------------------------------------------
 */

static struct store_put entry_put(const struct owner *o, unsigned key, uint8_t buf[24],
                                  struct bytes *body)
{
    struct writer w = wr_of(buf, 24);
    wr_u32be(&w, key);
    wr_u32be(&w, o->value[key].version);
    wr_u64be(&w, o->value[key].body.pos);
    wr_u32be(&w, o->value[key].body.bytes);
    *body = bytes_of(buf, wr_len(&w));
    return (struct store_put){.type = ENTRY, .version = 1, .part = body, .nparts = 1};
}

static int put_body(struct owner *o, unsigned key, uint32_t version, struct store_ref *ref)
{
    uint8_t buf[300];
    struct writer w = wr_of(buf, sizeof buf);
    memset(buf, (int)version, sizeof buf);
    wr_u32be(&w, key);
    wr_u32be(&w, version);
    const struct bytes part = bytes_of(buf, 8 + version % 290);
    const struct store_put p = {
        .type = BODY, .version = 1, .flags = STORE_KEEP, .part = &part, .nparts = 1};
    return store_append(o->rig.store, &p, ref);
}

static int put_entry(struct owner *o, unsigned key)
{
    uint8_t buf[24];
    struct bytes body;
    struct store_put p = entry_put(o, key, buf, &body);
    p.flags = STORE_RESERVE;
    return store_append(o->rig.store, &p, NULL);
}

static void set(struct owner *o, unsigned key)
{
    struct store_ref ref;
    uint32_t version = o->next_version + 1;
    if (put_body(o, key, version, &ref) < 0) return;
    struct value was = o->value[key];
    o->value[key] = (struct value){.version = version, .body = ref};
    if (put_entry(o, key) < 0) {
        store_release(o->rig.store, ref);
        o->value[key] = was;
        return;
    }
    o->next_version = version;
    if (was.version) store_release(o->rig.store, was.body);
}

/* ---- the owner ---------------------------------------------------------------------------------
 */

static int on_snapshot(void *ctx, struct store *s, bool first, size_t budget)
{
    struct owner *o = ctx;
    (void)budget;
    if (first) o->cursor = 0;
    for (unsigned n = 0; n < 5 && o->cursor < KEYS; n++, o->cursor++) {
        uint8_t buf[24];
        struct bytes body;
        const struct store_put p = entry_put(o, o->cursor, buf, &body);
        int err = o->value[o->cursor].version ? store_snapshot_put(s, &p) : 0;
        if (err < 0) return err;
    }
    return o->cursor == KEYS;
}

static bool is_live(void *ctx, const struct store_record *r)
{
    struct owner *o = ctx;
    for (unsigned k = 0; k < KEYS; k++)
        if (o->value[k].version && o->value[k].body.pos == r->ref.pos) return true;
    return false;
}

static void on_moved(void *ctx, struct store_ref from, struct store_ref to)
{
    struct owner *o = ctx;
    for (unsigned k = 0; k < KEYS; k++)
        if (o->value[k].version && o->value[k].body.pos == from.pos) o->value[k].body = to;
    o->moved++;
}

static void on_entry(struct owner *o, struct bytes b)
{
    struct reader r = rd_of(b);
    unsigned key = rd_u32be(&r);
    uint32_t version = rd_u32be(&r);
    uint64_t pos = rd_u64be(&r);
    if (r.bad || key >= KEYS) {
        o->wrong++;
        return;
    }
    o->value[key] = (struct value){.version = version, .body = {.pos = pos, .bytes = rd_u32be(&r)}};
    if (version > o->next_version) o->next_version = version;
}

static int on_record(void *ctx, const struct store_record *r)
{
    struct owner *o = ctx;
    if (r->type == ENTRY) on_entry(o, r->body);
    if (r->type == BODY && r->moved_from)
        on_moved(o, (struct store_ref){.pos = r->moved_from}, r->ref);
    return 0;
}

static void owner_init(struct owner *o, struct sim_disk *sim)
{
    memset(o, 0, sizeof *o);
    rig_init(&o->rig, sim);
    o->rig.options.owner = (struct store_owner){
        .ctx = o, .snapshot = on_snapshot, .is_live = is_live, .moved = on_moved};
    o->rig.options.disk_bytes_max = 16 * RIG_SEGMENT;
}

static int owner_open(struct owner *o)
{
    int err = rig_open_with(&o->rig, &(struct store_replay){.ctx = o, .record = on_record});
    for (unsigned k = 0; k < KEYS && err == 0; k++)
        if (o->value[k].version) err = store_claim(o->rig.store, o->value[k].body);
    if (err == 0) store_start(o->rig.store);
    return err;
}

/* ---- is every body where its entry says?
 * --------------------------------------------------------- */

struct check {
    struct store_read read;
    uint8_t room[512];
    unsigned key;
    uint32_t version;
    int good;
};

static void on_read(struct store_read *r, int err, const struct store_record *rec)
{
    struct check *c = CONTAINER_OF(r, struct check, read);
    if (err < 0 || rec->type != BODY) return;
    struct reader b = rd_of(rec->body);
    c->good = rd_u32be(&b) == c->key && rd_u32be(&b) == c->version;
}

static unsigned count_bad_bodies(struct owner *o)
{
    static struct check check[KEYS];
    unsigned bad = 0;
    for (unsigned k = 0; k < KEYS; k++) {
        const struct value *v = &o->value[k];
        if (!v->version) continue;
        check[k] = (struct check){.key = k, .version = v->version};
        if (v->body.bytes > sizeof check[k].room) return KEYS;
        check[k].read = (struct store_read){.ref = v->body, .room = check[k].room, .done = on_read};
        store_read(o->rig.store, &check[k].read);
    }
    rig_settle(&o->rig);
    for (unsigned k = 0; k < KEYS; k++)
        bad += o->value[k].version && !check[k].good;
    return bad;
}

/* ---- claims -------------------------------------------------------------------------------------
 */

static void churn(struct owner *o, unsigned steps, struct rng *rng)
{
    for (unsigned i = 0; i < steps; i++) {
        /* One key changes rarely, so that its segment is sparse for long. */
        set(o, rng_below(rng, 40) ? 1 + (unsigned)rng_below(rng, KEYS - 1) : 0);
        store_commit(o->rig.store);
        if (rng_below(rng, 3) == 0) rig_settle(&o->rig);
    }
    rig_settle(&o->rig);
}

static void space_is_used_again_for_ever(void **state)
{
    struct owner *o = calloc(1, sizeof *o);
    struct rng rng;
    (void)state;
    rng_seed(&rng, 1);
    owner_init(o, NULL);
    assert_int_equal(owner_open(o), 0);
    for (unsigned k = 0; k < KEYS; k++)
        set(o, k);
    churn(o, 3000, &rng);
    struct store_stats t = store_stats(o->rig.store);
    assert_true(t.bytes > 6 * 16 * RIG_SEGMENT);
    assert_true(t.disk_bytes <= 16 * RIG_SEGMENT + t.bytes / 100);
    assert_true(t.snapshots > 5);
    assert_true(o->next_version > 2900);
    assert_int_equal(count_bad_bodies(o), 0);
    rig_fini(&o->rig);
    free(o);
}

static void sparse_segments_are_emptied_and_nothing_is_lost(void **state)
{
    struct owner *o = calloc(1, sizeof *o);
    struct rng rng;
    (void)state;
    rng_seed(&rng, 2);
    owner_init(o, NULL);
    o->rig.options.disk_bytes_max = 0;
    assert_int_equal(owner_open(o), 0);
    set(o, 0);
    for (unsigned i = 0; i < 2000; i++) {
        set(o, 1 + (unsigned)rng_below(&rng, KEYS - 1));
        if (i % 4 == 0) rig_settle(&o->rig);
    }
    rig_settle(&o->rig);
    assert_true(o->moved > 0);
    assert_int_equal(store_stats(o->rig.store).moved, o->moved);
    assert_int_equal(count_bad_bodies(o), 0);
    assert_true(store_stats(o->rig.store).segments < 30);
    rig_fini(&o->rig);
    free(o);
}

static void the_state_comes_back_from_snapshot_and_log(void **state)
{
    struct owner *o = calloc(1, sizeof *o), *again = calloc(1, sizeof *again);
    struct rng rng;
    (void)state;
    rng_seed(&rng, 3);
    owner_init(o, NULL);
    assert_int_equal(owner_open(o), 0);
    churn(o, 500, &rng);
    assert_true(store_stats(o->rig.store).snapshots > 0);
    store_flush(o->rig.store);
    owner_init(again, sim_disk_crash(o->rig.sim, o->rig.sim->nsteps, 0));
    assert_int_equal(owner_open(again), 0);
    assert_int_equal(again->wrong, 0);
    for (unsigned k = 0; k < KEYS; k++) {
        assert_int_equal(again->value[k].version, o->value[k].version);
        assert_true(again->value[k].body.pos == o->value[k].body.pos);
    }
    assert_int_equal(count_bad_bodies(again), 0);
    rig_fini(&o->rig);
    rig_fini(&again->rig);
    free(o);
    free(again);
}

/* ---- crashes
 * --------------------------------------------------------------------------------------- */

struct past {
    unsigned steps;
    uint32_t version[KEYS];
};

static void after_a_crash_at_any_step_no_durable_value_is_lost(void **state)
{
    struct owner *o = calloc(1, sizeof *o), *again = calloc(1, sizeof *again);
    struct past *past = calloc(STEPS, sizeof *past);
    struct rng rng;
    unsigned npast = 0, at = 0;

    (void)state;
    rng_seed(&rng, 4);
    owner_init(o, NULL);
    assert_int_equal(owner_open(o), 0);
    for (unsigned i = 0; i < STEPS; i++) {
        churn(o, 1, &rng);
        if (rng_below(&rng, 2)) store_flush(o->rig.store);
        if (store_durable(o->rig.store) != store_tail(o->rig.store)) continue;
        past[npast].steps = o->rig.sim->nsteps;
        for (unsigned k = 0; k < KEYS; k++)
            past[npast].version[k] = o->value[k].version;
        npast++;
    }
    assert_true(store_stats(o->rig.store).snapshots > 2);
    assert_true(npast > STEPS / 2);
    for (unsigned steps = past[0].steps; steps <= o->rig.sim->nsteps; steps++) {
        while (at + 1 < npast && past[at + 1].steps <= steps)
            at++;
        uint64_t seed = steps % 5 < 2 ? steps % 5 : steps;
        owner_init(again, sim_disk_crash(o->rig.sim, steps, seed));
        int err = owner_open(again);
        if (err != 0)
            fail_msg("step %u, seed %lu: %d %s", steps, (unsigned long)seed, err,
                     store_why(again->rig.store));
        for (unsigned k = 0; k < KEYS; k++)
            if (again->value[k].version < past[at].version[k])
                fail_msg("step %u, seed %lu: key %u", steps, (unsigned long)seed, k);
        assert_int_equal(count_bad_bodies(again), 0);
        rig_fini(&again->rig);
    }
    rig_fini(&o->rig);
    free(past);
    free(o);
    free(again);
}

static void a_snapshot_that_fails_is_dropped_and_harms_nothing(void **state)
{
    static const enum sim_call calls[] = {SIM_OPEN, SIM_WRITE, SIM_SYNC, SIM_RENAME, SIM_UNLINK};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        struct owner *o = calloc(1, sizeof *o);
        struct rng rng;
        rng_seed(&rng, 5);
        owner_init(o, NULL);
        assert_int_equal(owner_open(o), 0);
        churn(o, 20, &rng);
        o->rig.sim->fail_call = calls[i];
        o->rig.sim->fail_errno = ENOSPC;
        o->rig.sim->fail_at = 1;
        assert_int_equal(store_snapshot_start(o->rig.store), 0);
        assert_int_equal(store_snapshot_start(o->rig.store), -ERR_BUSY);
        rig_settle(&o->rig);
        assert_int_equal(o->rig.sim->failed, 1);
        assert_int_equal(store_stats(o->rig.store).snapshots_failed, 1);
        assert_int_equal(store_state(o->rig.store), STORE_OPEN);
        churn(o, 20, &rng);
        o->rig.clock.now_ns += 20 * NS_PER_S; /* it is begun again */
        churn(o, 5, &rng);
        assert_true(store_stats(o->rig.store).snapshots >= 1);
        assert_int_equal(count_bad_bodies(o), 0);
        rig_fini(&o->rig);
        free(o);
    }
}

static void a_damaged_snapshot_is_refused_and_its_rest_can_be_kept(void **state)
{
    struct owner *o = calloc(1, sizeof *o), *again = calloc(1, sizeof *again);
    struct rng rng;
    char name[64];
    (void)state;
    rng_seed(&rng, 6);
    owner_init(o, NULL);
    assert_int_equal(owner_open(o), 0);
    churn(o, 60, &rng);
    assert_int_equal(store_snapshot_start(o->rig.store), 0);
    rig_settle(&o->rig);
    snprintf(name, sizeof name, "core-0.1/snapshot-%08x",
             (unsigned)store_stats(o->rig.store).snapshots);
    const struct sim_inode *f = sim_disk_file(o->rig.sim, "data", name);
    assert_non_null(f);
    for (uint64_t bit = 0; bit < f->size * 8; bit += 13) {
        for (int salvage = 0; salvage < 2; salvage++) {
            owner_init(again, sim_disk_crash(o->rig.sim, o->rig.sim->nsteps, 1));
            sim_disk_flip(sim_disk_file(again->rig.sim, "data", name), bit);
            again->rig.options.salvage = salvage;
            int err = owner_open(again);
            if (!salvage) assert_int_equal(err, -ERR_CORRUPT);
            unsigned lost = 0;
            for (unsigned k = 0; k < KEYS && salvage; k++)
                lost += again->value[k].version != o->value[k].version;
            if (lost > 1) fail_msg("bit %lu: %u lost", (unsigned long)bit, lost);
            rig_fini(&again->rig);
        }
    }
    rig_fini(&o->rig);
    free(o);
    free(again);
}

/* ---- a snapshot counts when all that it refers to is on disk
 * --------------------------------------------------------------------------------------- */

/* Every state that this disk may be left in: the entries that come back name bodies that are
 * there. */
static void check_every_crash(const struct owner *o, unsigned from)
{
    struct owner *again = calloc(1, sizeof *again);
    for (unsigned steps = from; steps <= o->rig.sim->nsteps; steps++) {
        for (uint64_t seed = 0; seed < 6; seed++) {
            owner_init(again, sim_disk_crash(o->rig.sim, steps, seed));
            if (owner_open(again) != 0)
                fail_msg("step %u, seed %lu: %s", steps, (unsigned long)seed,
                         store_why(again->rig.store));
            unsigned bad = count_bad_bodies(again);
            if (bad) fail_msg("step %u, seed %lu: %u bodies", steps, (unsigned long)seed, bad);
            rig_fini(&again->rig);
        }
    }
    free(again);
}

static void no_snapshot_counts_before_the_log_it_refers_to_is_on_disk(void **state)
{
    struct owner *o = calloc(1, sizeof *o);
    struct held_kinds held = {0};
    (void)state;
    owner_init(o, NULL);
    o->rig.held = &held;
    assert_int_equal(owner_open(o), 0);
    for (unsigned k = 0; k < KEYS; k++) {
        set(o, k);
        rig_settle(&o->rig);
    }
    unsigned from = o->rig.sim->nsteps;
    held.commits = true; /* a slow commit, and a snapshot that is faster */
    set(o, 3);
    set(o, 4);
    assert_int_equal(store_snapshot_start(o->rig.store), 0);
    rig_settle(&o->rig);
    check_every_crash(o, from);
    assert_int_equal(store_stats(o->rig.store).snapshots, 0);
    held.commits = false;
    rig_settle(&o->rig);
    assert_int_equal(store_stats(o->rig.store).snapshots, 1);
    check_every_crash(o, from);
    rig_fini(&o->rig);
    free(o);
}

/* ---- an owner that gives up
 * --------------------------------------------------------------------------------------- */

enum { PARTS = 8, PART_BYTES = 100000 };

struct quitter {
    struct rig rig;
    unsigned calls, put, fail_at; /* the n-th call fails; 0: none */
    unsigned out_of_order;        /* calls that should have had `first`, or should not */
    bool expect_first;
};

static int quit_snapshot(void *ctx, struct store *s, bool first, size_t budget)
{
    static const uint8_t zeros[PART_BYTES];
    struct quitter *q = ctx;
    const struct bytes body = bytes_of(zeros, sizeof zeros);
    const struct store_put p = {.type = ENTRY, .version = 1, .part = &body, .nparts = 1};

    (void)budget;
    q->out_of_order += first != q->expect_first;
    q->expect_first = false;
    if (first) q->put = 0;
    if (++q->calls == q->fail_at) {
        q->expect_first = true;
        return -ERR_NOMEM;
    }
    int err = store_snapshot_put(s, &p);
    return err < 0 ? err : ++q->put == PARTS;
}

static int count_part(void *ctx, const struct store_record *r)
{
    struct quitter *q = ctx;
    q->put += r->snapshot && r->body.n == PART_BYTES;
    return 0;
}

/* Whether a part is on its way to the disk when the owner fails, or none is. */
static void quit_at(unsigned fail_at, bool slow)
{
    struct quitter q = {.fail_at = fail_at, .expect_first = true}, again = {.calls = 0};
    struct held_kinds held = {.calls = slow};

    rig_init(&q.rig, NULL);
    q.rig.held = &held;
    q.rig.options.owner = (struct store_owner){.ctx = &q, .snapshot = quit_snapshot};
    assert_int_equal(rig_open(&q.rig), 0);
    store_start(q.rig.store);
    assert_int_equal(store_snapshot_start(q.rig.store), 0);
    for (unsigned turn = 0; turn < 2 * PARTS; turn++)
        store_commit(q.rig.store);
    held.calls = false;
    rig_settle(&q.rig);
    assert_int_equal(q.calls, fail_at); /* it isn't asked any more */
    assert_int_equal(store_stats(q.rig.store).snapshots, 0);
    assert_int_equal(store_stats(q.rig.store).snapshots_failed, 1);
    q.rig.clock.now_ns += 20 * NS_PER_S;
    rig_settle(&q.rig);
    assert_int_equal(q.out_of_order, 0);
    assert_int_equal(store_stats(q.rig.store).snapshots, 1);

    rig_init(&again.rig, sim_disk_crash(q.rig.sim, q.rig.sim->nsteps, 0));
    assert_int_equal(
        rig_open_with(&again.rig, &(struct store_replay){.ctx = &again, .record = count_part}), 0);
    assert_int_equal(again.put, PARTS);
    rig_fini(&again.rig);
    rig_fini(&q.rig);
}

static void a_snapshot_that_its_owner_gives_up_is_begun_again_from_the_first(void **state)
{
    (void)state;
    for (unsigned fail_at = 1; fail_at <= PARTS; fail_at++) {
        quit_at(fail_at, false);
        if (fail_at < 6) quit_at(fail_at, true); /* more are not asked for in the meantime */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(space_is_used_again_for_ever),
        cmocka_unit_test(sparse_segments_are_emptied_and_nothing_is_lost),
        cmocka_unit_test(the_state_comes_back_from_snapshot_and_log),
        cmocka_unit_test(after_a_crash_at_any_step_no_durable_value_is_lost),
        cmocka_unit_test(a_snapshot_that_fails_is_dropped_and_harms_nothing),
        cmocka_unit_test(a_damaged_snapshot_is_refused_and_its_rest_can_be_kept),
        cmocka_unit_test(no_snapshot_counts_before_the_log_it_refers_to_is_on_disk),
        cmocka_unit_test(a_snapshot_that_its_owner_gives_up_is_begun_again_from_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
