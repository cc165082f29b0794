/* SPDX-License-Identifier: BSD-3-Clause */
/* test_store.c -- append, commit, wait, read, fail; on a simulated disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "unit/store/rig.h"

static int set_up(void **state)
{
    static struct rig rig;
    rig_init(&rig, NULL);
    assert_int_equal(rig_open(&rig), 0);
    store_start(rig.store);
    rig_settle(&rig);
    *state = &rig;
    return 0;
}

static int tear_down(void **state)
{
    rig_fini(*state);
    return 0;
}

struct waiter {
    struct store_wait w;
    int calls, err;
};

static void on_done(struct store_wait *w, int err)
{
    struct waiter *x = CONTAINER_OF(w, struct waiter, w);
    x->calls++;
    x->err = err;
}

static void nothing_is_durable_before_the_disk_has_answered(void **state)
{
    struct rig *r = *state;
    struct waiter w = {.w.done = on_done};
    struct store_ref ref;

    assert_int_equal(rig_put(r, 1, 100, 0, &ref), 0);
    store_wait(r->store, &w.w);
    assert_true(ref.pos >= store_durable(r->store));
    store_commit(r->store); /* given to the disk */
    assert_int_equal(w.calls, 0);
    assert_true(ref.pos >= store_durable(r->store));
    store_commit(r->store); /* heard of it */
    assert_int_equal(w.calls, 1);
    assert_int_equal(w.err, 0);
    assert_true(ref.pos < store_durable(r->store));
}

static void one_turn_is_one_write_and_one_sync(void **state)
{
    struct rig *r = *state;
    unsigned writes = r->sim->calls[SIM_WRITE], syncs = r->sim->calls[SIM_SYNC];

    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(rig_put(r, i, 50, 0, NULL), 0);
    rig_settle(r);
    assert_int_equal(r->sim->calls[SIM_WRITE] - writes, 1);
    assert_int_equal(r->sim->calls[SIM_SYNC] - syncs, 1);
}

static void what_comes_while_one_is_under_way_goes_with_the_next(void **state)
{
    struct rig *r = *state;
    struct waiter a = {.w.done = on_done}, b = {.w.done = on_done};

    rig_put(r, 1, 10, 0, NULL);
    store_wait(r->store, &a.w);
    store_commit(r->store);
    rig_put(r, 2, 10, 0, NULL);
    rig_put(r, 3, 10, 0, NULL);
    store_wait(r->store, &b.w);
    store_commit(r->store);
    assert_int_equal(a.calls, 1);
    assert_int_equal(b.calls, 0);
    store_commit(r->store);
    assert_int_equal(b.calls, 1);
    assert_int_equal(store_stats(r->store).commits, 2);
}

static void while_a_commit_is_under_way_nothing_is_due(void **state)
{
    struct rig *r = *state;

    rig_put(r, 1, 10, 0, NULL);
    assert_int_equal(store_due_ns(r->store), 0);
    store_commit(r->store);
    assert_true(store_due_ns(r->store) == UINT64_MAX);
    rig_put(r, 2, 10, 0, NULL); /* may not go before its end, which wakes the core */
    assert_true(store_due_ns(r->store) == UINT64_MAX);
    store_poll(r->store);
    assert_int_equal(store_due_ns(r->store), 0);
    rig_settle(r);
    assert_true(store_due_ns(r->store) == UINT64_MAX);
}

static void who_has_nothing_to_wait_for_is_called_at_once(void **state)
{
    struct rig *r = *state;
    struct waiter w = {.w.done = on_done};
    store_wait(r->store, &w.w);
    assert_int_equal(w.calls, 1);
    assert_int_equal(w.err, 0);
}

static void lazy_records_wait_for_their_time_or_for_company(void **state)
{
    struct rig *r = *state;
    struct store_options o = r->options;
    rig_fini(r);
    rig_init(r, NULL);
    r->options.lazy_ns = o.lazy_ns = 1000;
    assert_int_equal(rig_open(r), 0);

    rig_put(r, 1, 10, STORE_LAZY, NULL);
    rig_settle(r);
    assert_int_equal(store_stats(r->store).commits, 0);
    assert_int_equal(store_due_ns(r->store), r->clock.now_ns + 1000);
    r->clock.now_ns += 1000;
    rig_settle(r);
    assert_int_equal(store_stats(r->store).commits, 1);
    assert_true(store_due_ns(r->store) == UINT64_MAX);
    rig_put(r, 2, 10, STORE_LAZY, NULL);
    rig_put(r, 3, 10, 0, NULL);
    rig_settle(r);
    assert_int_equal(store_stats(r->store).commits, 2);
}

/* Failures of the one commit there is: how, and what the reason says. */
static void a_failed_commit_ends_it(void **state)
{
    static const struct {
        enum sim_call call;
        bool is_short;
        int error;
        const char *says;
    } rows[] = {{SIM_WRITE, false, EIO, "write of"},
                {SIM_WRITE, true, EIO, "short write of"},
                {SIM_WRITE, false, ENOSPC, "No space left"},
                {SIM_SYNC, false, EIO, "sync of"}};
    struct rig *r = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct waiter w = {.w.done = on_done}, late = {.w.done = on_done};
        tear_down(state);
        set_up(state);
        rig_put(r, 1, 10, 0, NULL);
        rig_settle(r);
        uint64_t durable = store_durable(r->store);
        r->sim->fail_call = rows[i].call;
        r->sim->fail_short = rows[i].is_short;
        r->sim->fail_errno = rows[i].error;
        r->sim->fail_at = 1;
        rig_put(r, 2, 10, 0, NULL);
        store_wait(r->store, &w.w);
        rig_settle(r);
        assert_int_equal(r->sim->failed, 1);
        assert_int_equal(w.calls, 1);
        assert_int_equal(w.err, -ERR_STORAGE);
        assert_int_equal(store_state(r->store), STORE_FAILED);
        assert_non_null(strstr(store_why(r->store), rows[i].says));
        assert_true(r->failed);

        /* Healthy again: nothing is tried again, and nothing more is durable. */
        unsigned writes = r->sim->calls[SIM_WRITE];
        assert_int_equal(rig_put(r, 3, 10, 0, NULL), -ERR_STORAGE);
        store_wait(r->store, &late.w);
        assert_int_equal(late.err, -ERR_STORAGE);
        rig_settle(r);
        assert_int_equal(r->sim->calls[SIM_WRITE], writes);
        assert_true(store_durable(r->store) == durable);
    }
}

static void too_large_is_refused_and_changes_nothing(void **state)
{
    struct rig *r = *state;
    uint64_t tail = store_tail(r->store);
    assert_int_equal(rig_put(r, 1, RIG_SEGMENT, 0, NULL), -ERR_TOO_LARGE);
    assert_true(store_tail(r->store) == tail);
    assert_int_equal(rig_put(r, 1, RIG_SEGMENT - 64 - 32 - 24 - 4, 0, NULL), 0);
}

static void the_largest_record_fits_and_one_byte_more_is_too_large(void **state)
{
    struct rig *r = *state;
    uint32_t most = store_record_max(r->store) - 4; /* the key */
    struct store_ref ref;
    assert_int_equal(store_record_limit(RIG_SEGMENT), store_record_max(r->store));
    assert_int_equal(rig_put(r, 1, most, STORE_KEEP, &ref), 0);
    assert_true(ref.bytes <= RIG_SEGMENT - 64 - 32 - 8); /* and so does its copy */
    rig_settle(r);
    assert_int_equal(rig_put(r, 2, most + 9, 0, NULL), -ERR_TOO_LARGE);
}

static void a_record_larger_than_the_buffer_goes_when_that_is_small(void **state)
{
    struct rig *r = *state;
    rig_fini(r);
    rig_init(r, NULL);
    r->options.buffer_bytes_max = 1000;
    assert_int_equal(rig_open(r), 0);
    store_start(r->store);
    rig_settle(r);
    assert_int_equal(rig_put(r, 1, 300, 0, NULL), 0);
    assert_int_equal(rig_put(r, 2, 2500, 0, NULL), 0);
    assert_int_equal(rig_put(r, 3, 1, 0, NULL), -ERR_AGAIN);
    rig_settle(r);
    assert_int_equal(rig_put(r, 3, 1, 0, NULL), 0);
}

static void it_says_what_the_commit_under_way_will_make_durable(void **state)
{
    struct rig *r = *state;
    struct store_ref ref;
    assert_true(store_committing(r->store) == store_durable(r->store));
    for (unsigned i = 0; i < 40; i++) { /* over the ends of segments, too */
        assert_int_equal(rig_put(r, i, 500, 0, &ref), 0);
        store_commit(r->store);
        uint64_t will = store_committing(r->store);
        assert_true(will > store_durable(r->store));
        assert_int_equal(rig_put(r, i, 500, 0, &ref), 0);
        assert_true(store_committing(r->store) == will && will <= ref.pos);
        store_poll(r->store);
        assert_true(store_durable(r->store) >= will);
        assert_true(store_durable(r->store) <= ref.pos);
        assert_true(store_committing(r->store) == store_durable(r->store));
        rig_settle(r);
    }
}

static void commits_are_timed(void **state)
{
    static const uint64_t took[] = {0,    1023,    1024,     1279,        1280,
                                    5000, 1000000, 40000000, 60000000000, 1u << 30};
    struct rig *r = *state;
    const struct store_latency *l = store_latency(r->store);
    uint64_t sum = 0;

    for (size_t i = 0; i < ARRAY_LEN(took); i++) {
        unsigned bucket = 0;
        uint64_t before[STORE_LATENCY_BUCKETS];
        memcpy(before, l->bucket, sizeof before);
        rig_put(r, 1, 10, 0, NULL);
        store_commit(r->store);
        r->clock.now_ns += took[i];
        store_poll(r->store);
        while (took[i] >= store_latency_limit_ns(bucket))
            bucket++;
        assert_true(bucket < STORE_LATENCY_BUCKETS);
        assert_int_equal(l->bucket[bucket], before[bucket] + 1);
        sum += took[i];
        assert_int_equal(l->count, i + 1);
        assert_true(l->sum_ns == sum);
    }
}

static void no_time_is_too_long_to_be_counted(void **state)
{
    struct rig *r = *state;
    rig_put(r, 1, 10, 0, NULL);
    store_commit(r->store);
    r->clock.now_ns += 1ull << 50;
    store_poll(r->store);
    assert_int_equal(store_latency(r->store)->bucket[STORE_LATENCY_BUCKETS - 1], 1);
}

static void a_full_disk_refuses_new_things_but_takes_deletes(void **state)
{
    struct rig *r = *state;
    rig_fini(r);
    rig_init(r, NULL);
    r->options.disk_bytes_max = 4 * RIG_SEGMENT;
    assert_int_equal(rig_open(r), 0);
    store_start(r->store);
    rig_settle(r);

    int err = 0;
    unsigned n = 0;
    for (; err == 0; n++) {
        err = rig_put(r, n, 500, 0, NULL);
        rig_settle(r);
    }
    assert_int_equal(err, -ERR_FULL);
    assert_true(n > 10);
    assert_true(store_has_room(r->store)); /* to wait would not help */
    assert_int_equal(rig_put(r, n, 500, STORE_RESERVE, NULL), 0);
    assert_int_equal(rig_put(r, n, 10, 0, NULL), -ERR_FULL); /* the rest of the reserve is one */
    for (err = 0; err == 0; n++) {
        err = rig_put(r, n, 500, STORE_RESERVE, NULL);
        rig_settle(r);
    }
    assert_int_equal(err, -ERR_FULL);
    assert_int_equal(store_state(r->store), STORE_OPEN);
    assert_true(store_stats(r->store).disk_bytes <= 4 * RIG_SEGMENT);
}

static void an_append_that_outruns_the_disk_is_put_off(void **state)
{
    struct rig *r = *state;
    int err = 0;
    while (err == 0)
        err = rig_put(r, 1, 500, 0, NULL);
    assert_int_equal(err, -ERR_AGAIN);
    rig_settle(r);
    assert_int_equal(rig_put(r, 1, 500, 0, NULL), 0);
}

/* ---- reading ---------------------------------------------------------------------------- */

struct reading {
    struct store_read r;
    uint8_t room[1024];
    int calls, err;
    uint32_t number;
    size_t bytes;
};

static void on_read(struct store_read *r, int err, const struct store_record *rec)
{
    struct reading *x = CONTAINER_OF(r, struct reading, r);
    x->calls++;
    x->err = err;
    if (err == 0) {
        assert_true(rig_is(rec, &x->number));
        x->bytes = rec->body.n;
    }
}

static void start_reading(struct rig *r, struct reading *x, struct store_ref ref)
{
    assert_true(ref.bytes <= sizeof x->room);
    *x = (struct reading){.r = {.ref = ref, .room = x->room, .done = on_read}};
    store_read(r->store, &x->r);
}

static void a_record_is_read_back_from_memory_and_from_disk(void **state)
{
    struct rig *r = *state;
    struct store_ref ref[3];
    struct reading x[3];

    for (unsigned round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 3 && round == 0; i++)
            rig_put(r, i, 100 + i, STORE_KEEP, &ref[i]);
        for (uint32_t i = 0; i < 3; i++)
            start_reading(r, &x[i], ref[i]);
        assert_int_equal(x[0].calls, 0); /* never from within */
        rig_settle(r);
        for (uint32_t i = 0; i < 3; i++) {
            assert_int_equal(x[i].calls, 1);
            assert_int_equal(x[i].err, 0);
            assert_int_equal(x[i].number, i);
            assert_int_equal(x[i].bytes, 100 + i);
        }
        assert_int_equal(r->sim->calls[SIM_READ] > 0, round);
        r->sim->calls[SIM_READ] = 0;
    }
}

static void a_damaged_or_unreadable_record_is_never_given(void **state)
{
    struct rig *r = *state;
    struct store_ref ref;
    struct reading x;

    rig_put(r, 1, 100, STORE_KEEP, &ref);
    rig_settle(r);
    struct sim_inode *f = sim_disk_file(r->sim, "data", "core-0.1/00000001.log");
    assert_non_null(f);
    for (uint32_t bit = 0; bit < ref.bytes * 8; bit++) {
        sim_disk_flip(f, (uint32_t)ref.pos * 8 + bit);
        start_reading(r, &x, ref);
        rig_settle(r);
        assert_int_equal(x.err, -ERR_CORRUPT);
        sim_disk_flip(f, (uint32_t)ref.pos * 8 + bit);
    }
    r->sim->fail_call = SIM_READ;
    r->sim->fail_errno = EIO;
    r->sim->fail_at = 1;
    start_reading(r, &x, ref);
    rig_settle(r);
    assert_int_equal(x.err, -ERR_STORAGE);
    start_reading(r, &x, ref);
    rig_settle(r);
    assert_int_equal(x.err, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_durable_before_the_disk_has_answered),
        TEST(one_turn_is_one_write_and_one_sync),
        TEST(what_comes_while_one_is_under_way_goes_with_the_next),
        TEST(while_a_commit_is_under_way_nothing_is_due),
        TEST(who_has_nothing_to_wait_for_is_called_at_once),
        TEST(lazy_records_wait_for_their_time_or_for_company),
        TEST(a_failed_commit_ends_it),
        TEST(too_large_is_refused_and_changes_nothing),
        TEST(the_largest_record_fits_and_one_byte_more_is_too_large),
        TEST(a_record_larger_than_the_buffer_goes_when_that_is_small),
        TEST(it_says_what_the_commit_under_way_will_make_durable),
        TEST(commits_are_timed),
        TEST(no_time_is_too_long_to_be_counted),
        TEST(a_full_disk_refuses_new_things_but_takes_deletes),
        TEST(an_append_that_outruns_the_disk_is_put_off),
        TEST(a_record_is_read_back_from_memory_and_from_disk),
        TEST(a_damaged_or_unreadable_record_is_never_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
