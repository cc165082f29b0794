/* SPDX-License-Identifier: BSD-3-Clause */
/* test_recover.c -- what a restart finds: whole, torn, damaged, cut, without a file, refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "unit/store/rig.h"

static const char first_segment[] = "core-0.1/00000001.log";

/* Opens a copy of the disk as it was seen at the end, all synced or not. */
static struct sim_disk *copy(const struct sim_disk *d)
{
    return sim_disk_crash(d, d->nsteps, 1);
}

static struct sim_disk *write_log(uint32_t records, size_t bytes, bool close)
{
    struct rig r;
    rig_init(&r, NULL);
    assert_int_equal(rig_open(&r), 0);
    store_start(r.store);
    rig_settle(&r);
    for (uint32_t i = 0; i < records; i++) {
        assert_int_equal(rig_put(&r, i, bytes, 0, NULL), 0);
        if (i % 3 == 2) rig_settle(&r);
    }
    store_flush(r.store);
    struct sim_disk *d = close ? NULL : copy(r.sim);
    if (close) {
        assert_int_equal(store_close(&r.store), 0);
        d = copy(r.sim);
    }
    rig_fini(&r);
    return d;
}

static void all_comes_back_in_order_and_appending_goes_on(void **state)
{
    struct sim_disk *d = write_log(40, 300, true);
    (void)state;
    for (uint32_t round = 0; round < 4; round++) {
        struct rig r;
        rig_init(&r, d);
        assert_int_equal(rig_open(&r), 0);
        assert_int_equal(r.nseen, 40 + round);
        assert_int_equal(r.wrong, 0);
        assert_int_equal(r.nfound, 0);
        assert_true(r.progress > 0);
        for (uint32_t i = 0; i < r.nseen; i++)
            assert_int_equal(r.seen[i], i);
        assert_int_equal(rig_put(&r, r.nseen, 10, 0, NULL), 0);
        assert_int_equal(store_flush(r.store), 0);
        d = copy(r.sim); /* as after kill -9 */
        rig_fini(&r);
    }
    sim_disk_free(&d);
}

static void a_missing_log_is_a_new_one(void **state)
{
    struct rig r;
    (void)state;
    rig_init(&r, NULL);
    assert_int_equal(rig_open(&r), 0);
    assert_int_equal(r.nseen + r.nfound, 0);
    rig_fini(&r);
}

/* ---- damage --------------------------------------------------------------------------------- */

/* What is known to hold after recovery of a log of `records` of which at most one may be lost. */
static void judge(struct rig *r, int err, unsigned records, const char *what, uint64_t bit)
{
    if (r->wrong || err != 0 || r->nseen + 1 < records)
        fail_msg("%s, bit %lu: error %d, %u of %u, %u wrong", what, (unsigned long)bit, err,
                 r->nseen, records, r->wrong);
    for (unsigned i = 1; i < r->nseen; i++)
        assert_true(r->seen[i - 1] < r->seen[i]);
}

static void every_flipped_bit_is_found_and_costs_one_record_at_most(void **state)
{
    enum { RECORDS = 12, BYTES_EACH = 20 };
    struct sim_disk *d = write_log(RECORDS, BYTES_EACH, true);
    struct rig probe;
    unsigned lost = 0, told = 0;

    (void)state;
    rig_init(&probe, copy(d));
    assert_int_equal(rig_open(&probe), 0);
    uint64_t end = (uint32_t)store_tail(probe.store);
    rig_fini(&probe);
    for (uint64_t bit = 0; bit < end * 8; bit++) {
        for (int salvage = 0; salvage < 2; salvage++) {
            struct rig r;
            rig_init(&r, copy(d));
            sim_disk_flip(sim_disk_file(r.sim, "data", first_segment), bit);
            r.options.salvage = salvage;
            int err = rig_open(&r);
            if (r.nfound == 0) fail_msg("bit %lu is not noticed", (unsigned long)bit);
            bool harmless = r.found[0].harmless;
            if (salvage || harmless) {
                judge(&r, err, RECORDS, r.found[0].text, bit);
                lost += r.nseen < RECORDS;
            } else {
                assert_int_equal(err, -ERR_CORRUPT);
                assert_string_equal(store_why(r.store), r.found[0].text);
                told++;
            }
            if (harmless) assert_int_equal(r.nseen, RECORDS); /* only the mark was hit */
            rig_fini(&r);
        }
    }
    assert_true(lost >= RECORDS * (24 + BYTES_EACH) * 8 && told > lost);
    sim_disk_free(&d);
}

static void a_log_cut_at_any_byte_is_refused_and_its_rest_can_be_kept(void **state)
{
    enum { RECORDS = 6 };
    struct sim_disk *d = write_log(RECORDS, 20, true);
    (void)state;
    for (size_t cut = 0; cut < 600; cut++) {
        struct rig r;
        rig_init(&r, copy(d));
        sim_disk_file(r.sim, "data", first_segment)->size = cut;
        assert_int_equal(rig_open(&r), -ERR_CORRUPT);
        assert_int_equal(r.found[0].kind, cut < 64 ? FOUND_BAD_HEADER : FOUND_TRUNCATED);
        rig_fini(&r);

        rig_init(&r, copy(d));
        sim_disk_file(r.sim, "data", first_segment)->size = cut;
        r.options.salvage = true;
        assert_int_equal(rig_open(&r), 0);
        assert_int_equal(r.wrong, 0);
        for (unsigned i = 0; i < r.nseen; i++)
            assert_int_equal(r.seen[i], i);
        rig_fini(&r);
    }
    sim_disk_free(&d);
}

static void a_missing_segment_is_named(void **state)
{
    struct sim_disk *d = write_log(60, 300, true);
    static const char *const names[] = {"00000001.log", "00000003.log", "00000005.log"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        for (int salvage = 0; salvage < 2; salvage++) {
            struct rig r;
            rig_init(&r, copy(d));
            int root = r.sim->io.open_dir(r.sim, -1, "data", false);
            int log = r.sim->io.open_dir(r.sim, root, "core-0.1", false);
            assert_int_equal(r.sim->io.unlink(r.sim, log, names[i]), 0);
            r.options.salvage = salvage;
            assert_int_equal(rig_open(&r), salvage ? 0 : -ERR_CORRUPT);
            assert_int_equal(r.found[0].kind, FOUND_MISSING);
            assert_string_equal(r.found[0].file, names[i]);
            if (salvage) assert_true(r.nseen >= 60 - 13 && r.nseen < 60);
            assert_int_equal(r.wrong, 0);
            rig_fini(&r);
        }
    }
    sim_disk_free(&d);
}

static void a_damaged_layout_or_another_version_is_refused(void **state)
{
    struct sim_disk *d = write_log(3, 10, true);
    size_t n = sim_disk_file(d, "data", "layout")->size;
    (void)state;
    for (size_t bit = 0; bit < n * 8; bit++) {
        struct rig r;
        rig_init(&r, copy(d));
        sim_disk_flip(sim_disk_file(r.sim, "data", "layout"), bit);
        int err = rig_open(&r);
        assert_true(err == -ERR_CORRUPT || err == -ERR_UNSUPPORTED);
        assert_non_null(strstr(r.dir.why, "layout"));
        rig_fini(&r);
    }
    sim_disk_free(&d);
}

/* Damage in the first commit and in the last but one: what a salvage has given once, it gives
 * again, though the last commit, which proved it, was cut off as torn. */
static void what_was_salvaged_is_there_at_the_next_start(void **state)
{
    struct sim_disk *d;
    struct store_ref ref[4];
    struct rig r;

    (void)state;
    rig_init(&r, NULL);
    assert_int_equal(rig_open(&r), 0);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(rig_put(&r, i, 20, 0, &ref[i]), 0);
        if (i != 2) assert_int_equal(store_flush(r.store), 0); /* 2 and 3 are one commit */
    }
    d = copy(r.sim);
    rig_fini(&r);
    sim_disk_flip(sim_disk_file(d, "data", first_segment), (uint32_t)ref[0].pos * 8 + 300);
    sim_disk_flip(sim_disk_file(d, "data", first_segment), (uint32_t)ref[2].pos * 8 + 300);
    for (unsigned start = 0; start < 3; start++) {
        rig_init(&r, d);
        r.options.salvage = true;
        assert_int_equal(rig_open(&r), 0);
        assert_int_equal(r.nseen, 1);
        assert_int_equal(r.seen[0], 1);
        d = copy(r.sim);
        rig_fini(&r);
    }
    sim_disk_free(&d);
}

/* ---- crashes -------------------------------------------------------------------------------- */

enum { HISTORY = 60 };

/* What was durable when the disk had made so many steps. */
struct history {
    struct rig r;
    unsigned steps[HISTORY * 4], durable[HISTORY * 4], n;
    struct store_ref ref[HISTORY];
};

static void note(struct history *h, uint32_t appended)
{
    unsigned durable = 0;
    while (durable < appended && h->ref[durable].pos < store_durable(h->r.store))
        durable++;
    h->steps[h->n] = h->r.sim->nsteps;
    h->durable[h->n++] = durable;
}

static void make_history(struct history *h)
{
    struct rng rng;
    rng_seed(&rng, 3);
    memset(h, 0, sizeof *h);
    rig_init(&h->r, NULL);
    assert_int_equal(rig_open(&h->r), 0);
    store_start(h->r.store);
    rig_settle(&h->r);
    for (uint32_t i = 0; i < HISTORY; i++) {
        size_t bytes = rng_below(&rng, 700);
        int err = rig_put(&h->r, i, bytes, 0, &h->ref[i]);
        if (err == -ERR_AGAIN) {
            rig_settle(&h->r);
            err = rig_put(&h->r, i, bytes, 0, &h->ref[i]);
        }
        assert_int_equal(err, 0);
        if (rng_below(&rng, 3)) continue;
        for (unsigned turn = 0; turn < 3; turn++) {
            store_commit(h->r.store);
            note(h, i + 1);
        }
    }
    assert_true(h->r.store && h->n > 40);
}

static unsigned durable_at(const struct history *h, unsigned steps)
{
    unsigned durable = 0;
    for (unsigned i = 0; i < h->n && h->steps[i] <= steps; i++)
        durable = h->durable[i];
    return durable;
}

/* All that was durable is there; what is there is a prefix of what was appended; nothing is wrong.
 */
static void check_crash(struct sim_disk *crashed, unsigned durable, unsigned steps, uint64_t seed)
{
    struct rig r;
    rig_init(&r, crashed);
    int err = rig_open(&r);
    if (err != 0 || r.wrong || r.nseen < durable)
        fail_msg("step %u, seed %lu: error %d (%s), %u of %u, %u wrong", steps, (unsigned long)seed,
                 err, r.store ? store_why(r.store) : r.dir.why, r.nseen, durable, r.wrong);
    for (unsigned i = 0; i < r.nseen; i++)
        if (r.seen[i] != i)
            fail_msg("step %u, seed %lu: %u is missing", steps, (unsigned long)seed, i);
    for (unsigned i = 0; i < r.nfound; i++)
        assert_true(r.found[i].harmless);

    /* It goes on, and what it writes survives the next crash. */
    unsigned had = r.nseen;
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(rig_put(&r, had + i, 200, 0, NULL), 0);
    assert_int_equal(store_flush(r.store), 0);
    struct sim_disk *again = sim_disk_crash(r.sim, r.sim->nsteps, seed);
    rig_fini(&r);
    rig_init(&r, again);
    assert_int_equal(rig_open(&r), 0);
    assert_int_equal(r.nseen, had + 3);
    assert_int_equal(r.wrong + r.nfound, 0);
    rig_fini(&r);
}

static void after_a_crash_at_any_step_all_that_was_durable_is_there(void **state)
{
    enum { SEEDS = 8 };
    struct history *h = malloc(sizeof *h);
    unsigned states = 0;

    (void)state;
    assert_non_null(h);
    make_history(h);
    for (unsigned steps = 0; steps <= h->r.sim->nsteps; steps++) {
        for (uint64_t seed = 0; seed < SEEDS; seed++, states++)
            check_crash(sim_disk_crash(h->r.sim, steps, seed * 1000 + (seed > 1 ? steps : 0)),
                        durable_at(h, steps), steps, seed);
    }
    print_message("%u crash states\n", states);
    rig_fini(&h->r);
    free(h);
}

/* A commit was cut inside; the start goes on behind what is left of it; and the next commit is torn
 * as well, its first record lost and its second there. Nobody was told of either. */
static void a_commit_torn_behind_one_that_was_torn_is_no_damage(void **state)
{
    struct rig first, second, third;
    (void)state;
    rig_init(&first, NULL);
    assert_int_equal(rig_open(&first), 0);
    store_start(first.store);
    rig_settle(&first);
    unsigned begun = first.sim->nsteps;
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(rig_put(&first, i, 600, 0, NULL), 0);
    rig_settle(&first);
    assert_int_equal(first.sim->nsteps, begun + 2); /* a write, a sync */
    for (uint64_t seed = 2; seed < 40; seed++) {
        rig_init(&second, sim_disk_crash(first.sim, begun + 1, seed));
        assert_int_equal(rig_open(&second), 0);
        unsigned had = second.nseen;
        for (uint32_t i = 0; i < 3; i++)
            assert_int_equal(rig_put(&second, had + i, 600, 0, NULL), 0);
        store_flush(second.store);
        for (uint64_t again = 0; again < 16; again++) {
            rig_init(&third, sim_disk_crash(second.sim, second.sim->nsteps - 1, again));
            if (rig_open(&third) != 0)
                fail_msg("seeds %lu, %lu: %s", (unsigned long)seed, (unsigned long)again,
                         store_why(third.store));
            assert_true(third.nseen >= had);
            assert_int_equal(third.wrong, 0);
            rig_fini(&third);
        }
        rig_fini(&second);
    }
    rig_fini(&first);
}

/* ---- failures while it starts and runs --------------------------------------------------------
 */

enum { HAD = 6, NEW = 100 };

static unsigned count_new(const struct rig *r)
{
    unsigned n = 0;
    for (unsigned i = 0; i < r->nseen; i++)
        n += r->seen[i] >= NEW;
    return n;
}

/* A whole life, with the n-th call of a kind failing; false once there is no such call. */
static bool life_with_failure(const struct sim_disk *before, enum sim_call call, unsigned nth,
                              int error, bool is_short)
{
    struct rig r;
    unsigned durable = 0, appended = 0;
    struct store_ref ref[24];

    rig_init(&r, copy(before));
    r.sim->fail_call = call;
    r.sim->fail_at = nth;
    r.sim->fail_errno = error;
    r.sim->fail_short = is_short;
    bool opened = rig_open(&r) == 0;
    if (opened) store_start(r.store);
    for (unsigned turn = 0; opened && turn < 24; turn++) {
        if (rig_put(&r, NEW + appended, 400, 0, &ref[appended]) == 0) appended++;
        store_commit(r.store);
        if (turn % 2) rig_settle(&r);
    }
    while (durable < appended && ref[durable].pos < store_durable(r.store))
        durable++;
    bool failed = r.sim->failed;
    struct sim_disk *power_lost = sim_disk_crash(r.sim, r.sim->nsteps, 0);
    rig_fini(&r);

    rig_init(&r, power_lost);
    if (rig_open(&r) != 0)
        fail_msg("call %d, %u-th: %s", call, nth, r.store ? store_why(r.store) : r.dir.why);
    if (count_new(&r) < durable || r.nseen < HAD || r.wrong)
        fail_msg("call %d, %u-th: %u of %u durable", call, nth, r.nseen, durable);
    rig_fini(&r);
    return failed;
}

static void whichever_call_fails_nothing_is_durable_that_is_not(void **state)
{
    static const enum sim_call calls[] = {SIM_OPEN,   SIM_WRITE,  SIM_SYNC, SIM_READ,
                                          SIM_RENAME, SIM_UNLINK, SIM_LIST};
    struct sim_disk *before = write_log(HAD, 100, true);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        unsigned n = 0;
        while (life_with_failure(before, calls[i], n + 1, n % 2 ? EIO : ENOSPC, false))
            n++;
        assert_true(n > 0);
    }
    for (unsigned nth = 1; life_with_failure(before, SIM_WRITE, nth, EIO, true); nth++)
        ;
    sim_disk_free(&before);
}

static void a_sync_that_fails_at_the_start_is_no_start(void **state)
{
    struct sim_disk *d = write_log(6, 100, false);
    struct rig r;
    (void)state;
    rig_init(&r, d);
    r.sim->fail_call = SIM_SYNC;
    r.sim->fail_errno = EIO;
    r.sim->fail_at = 1;
    r.sim->fail_all = true;
    assert_int_equal(rig_open(&r), -ERR_CORRUPT);
    assert_int_equal(r.found[0].kind, FOUND_UNREADABLE);
    assert_non_null(strstr(store_why(r.store), "syncing failed"));
    rig_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_comes_back_in_order_and_appending_goes_on),
        cmocka_unit_test(a_missing_log_is_a_new_one),
        cmocka_unit_test(every_flipped_bit_is_found_and_costs_one_record_at_most),
        cmocka_unit_test(a_log_cut_at_any_byte_is_refused_and_its_rest_can_be_kept),
        cmocka_unit_test(a_missing_segment_is_named),
        cmocka_unit_test(a_damaged_layout_or_another_version_is_refused),
        cmocka_unit_test(what_was_salvaged_is_there_at_the_next_start),
        cmocka_unit_test(after_a_crash_at_any_step_all_that_was_durable_is_there),
        cmocka_unit_test(a_commit_torn_behind_one_that_was_torn_is_no_damage),
        cmocka_unit_test(whichever_call_fails_nothing_is_durable_that_is_not),
        cmocka_unit_test(a_sync_that_fails_at_the_start_is_no_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
