/* SPDX-License-Identifier: BSD-3-Clause */
/* test_no_memory.c -- a whole life of a store, again and again, the n-th allocation of which fails.
 *
 * The linker puts the functions below before the allocator's, in this program alone. The simulated
 * disk, which is no part of what is tested, asks twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "store/bytes64.h"
#include "unit/store/rig.h"

enum {
    KEPT = 30,
    BODY = 300,
    LARGE = 100000,
    SEGMENT = 1 << 18,
    ENTRY = 9,
    ENTRY_BYTES = 12000,
    ROUNDS_MAX = 1000
};

/* ---- the allocator ------------------------------------------------------------------------ */

static struct {
    unsigned countdown; /* the n-th from now fails; 0: none */
    bool failed;
} memory;

static bool fails(void)
{
    if (memory.countdown == 0 || --memory.countdown > 0) return false;
    memory.failed = true;
    return true;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}

/* ---- an owner ------------------------------------------------------------------------------ */

/* Number n is kept for ever; a snapshot has an entry of the same number that says where it is. */
struct life {
    struct rig rig;
    unsigned snapshot_at;
    struct store_ref ref[KEPT];
    bool live[KEPT]; /* what the owner refers to */
    unsigned wrong;
    struct store_read read;
    uint8_t room[1024];
    int read_err;
};

static int put_entry(struct store *s, uint32_t number, struct store_ref ref)
{
    static uint8_t state[ENTRY_BYTES];
    const uint8_t key[4] = {0, 0, 0, (uint8_t)number};
    struct writer w = wr_of(state, sizeof state);
    const struct bytes body = bytes_of(state, sizeof state);
    const struct store_put p = {
        .type = ENTRY, .version = 1, .key = bytes_of(key, 4), .part = &body, .nparts = 1};
    wr_u64be(&w, ref.pos);
    wr_u32be(&w, ref.bytes);
    return store_snapshot_put(s, &p);
}

static int on_snapshot(void *ctx, struct store *s, bool first, size_t budget)
{
    struct life *l = ctx;
    (void)budget;
    if (first) l->snapshot_at = 0;
    for (unsigned n = 0; n < 8 && l->snapshot_at < KEPT; n++, l->snapshot_at++) {
        uint32_t i = l->snapshot_at;
        int err = l->live[i] ? put_entry(s, i, l->ref[i]) : 0;
        if (err < 0) return err;
    }
    return l->snapshot_at == KEPT;
}

static bool is_live(void *ctx, const struct store_record *r)
{
    struct life *l = ctx;
    for (unsigned i = 0; i < KEPT; i++)
        if (l->live[i] && l->ref[i].pos == r->ref.pos) return true;
    return false;
}

static void on_moved(void *ctx, struct store_ref from, struct store_ref to)
{
    struct life *l = ctx;
    for (unsigned i = 0; i < KEPT; i++)
        if (l->live[i] && l->ref[i].pos == from.pos) l->ref[i] = to;
}

static int on_record(void *ctx, const struct store_record *r)
{
    struct life *l = ctx;
    struct reader key = rd_of(r->key), body = rd_of(r->body);
    uint32_t number = rd_u32be(&key), said;

    if (key.bad || number >= KEPT || (r->type == RIG_TYPE && !rig_is(r, &said))) {
        l->wrong++;
        return 0;
    }
    l->live[number] = true;
    l->ref[number] = r->ref;
    if (r->type == ENTRY) {
        l->ref[number].pos = rd_u64be(&body);
        l->ref[number].bytes = rd_u32be(&body);
    }
    return 0;
}

/* As rig_put, without memory of its own. One record is larger than what a commit has room for at
 * first. */
static int put(struct life *l, uint32_t number)
{
    static uint8_t body[LARGE];
    const uint8_t key[4] = {0, 0, 0, (uint8_t)number};
    size_t n = number == KEPT / 2 ? LARGE : BODY;
    for (size_t i = 0; i < n; i++)
        body[i] = rig_pattern(number, i);
    const struct bytes part = bytes_of(body, n);
    const struct store_put p = {.type = RIG_TYPE,
                                .version = 1,
                                .flags = STORE_KEEP,
                                .key = bytes_of(key, 4),
                                .part = &part,
                                .nparts = 1};
    return store_append(l->rig.store, &p, &l->ref[number]);
}

static void on_read(struct store_read *r, int err, const struct store_record *rec)
{
    uint32_t number;
    struct life *l =
        r->room ? (struct life *)(void *)(r->room - offsetof(struct life, room)) : NULL;
    l->read_err = err;
    if (err == 0 && !rig_is(rec, &number)) l->wrong++;
}

/* ---- a life ---------------------------------------------------------------------------------- */

static int begin(struct life *l, struct sim_disk *sim)
{
    struct rig *r = &l->rig;
    rig_init(r, sim);
    r->options.segment_bytes = SEGMENT;
    r->options.owner = (struct store_owner){
        .ctx = l, .snapshot = on_snapshot, .is_live = is_live, .moved = on_moved};
    r->options.io = &sim->io;
    r->options.dir = &r->dir;
    r->options.generation = 1;
    int err = store_dir_open(&r->dir, &sim->io, "data", false);
    if (err < 0) return err;
    r->options.disk = r->disk = disk_new_inline(&sim->io);
    if (!r->disk) return -ERR_NOMEM;
    r->store = store_new(&r->options);
    if (!r->store) return -ERR_NOMEM;
    err = store_recover(r->store, &(struct store_replay){.ctx = l, .record = on_record});
    for (unsigned i = 0; i < KEPT && err == 0; i++)
        if (l->live[i]) err = store_claim(r->store, l->ref[i]);
    if (err == 0) store_start(r->store);
    return err;
}

/* Appends all that is not there, with turns, snapshots and reads in between. */
static void go_on(struct life *l)
{
    struct rig *r = &l->rig;
    for (uint32_t i = 0; i < KEPT; i++) {
        for (unsigned tries = 0; !l->live[i] && tries < 3; tries++) {
            l->live[i] = put(l, i) == 0;
            store_commit(r->store);
        }
        if (i % 8 == 2) rig_settle(r);
        if (i % 10 == 5) store_snapshot_start(r->store);
        if (i == 20 && l->live[0]) {
            l->read = (struct store_read){.ref = l->ref[0], .room = l->room, .done = on_read};
            store_read(r->store, &l->read);
        }
    }
    r->clock.now_ns += 20 * NS_PER_S; /* what failed is tried again */
    rig_settle(r);
}

/* False once there is no n-th allocation. All that the disk was said to hold, it holds. */
static bool live_without(struct sim_disk *before, unsigned nth, unsigned *refused)
{
    struct life *l = calloc(1, sizeof *l), *again = calloc(1, sizeof *again);
    struct sim_disk *sim = sim_disk_crash(before, before->nsteps, 1);

    memory.failed = false;
    memory.countdown = nth;
    int err = begin(l, sim);
    if (err == 0) go_on(l);
    memory.countdown = 0;
    bool failed = memory.failed;
    if (err < 0) {
        assert_int_equal(err, -ERR_NOMEM);
        ++*refused;
    } else {
        rig_settle(&l->rig);
        assert_int_equal(store_state(l->rig.store), STORE_OPEN);
        assert_int_equal(store_flush(l->rig.store), 0);
    }
    struct sim_disk *crashed = sim_disk_crash(sim, sim->nsteps, 0);
    if (begin(again, crashed) != 0)
        fail_msg("%u-th: %s", nth, again->rig.store ? store_why(again->rig.store) : "");
    for (unsigned i = 0; i < KEPT; i++)
        if (l->live[i] && !again->live[i]) fail_msg("%u-th: %u is lost", nth, i);
    assert_int_equal(l->wrong + again->wrong, 0);
    assert_int_equal(l->read_err, 0);
    rig_fini(&l->rig);
    rig_fini(&again->rig);
    free(l);
    free(again);
    return failed;
}

static struct sim_disk *half_a_life(void)
{
    struct life *l = calloc(1, sizeof *l);
    struct sim_disk *sim = sim_disk_new();
    assert_int_equal(begin(l, sim), 0);
    assert_int_equal(store_dir_switch(&l->rig.dir, 1, 1), 0);
    for (uint32_t i = 0; i < KEPT / 3; i++) {
        assert_int_equal(put(l, i), 0);
        rig_settle(&l->rig);
    }
    assert_int_equal(store_snapshot_start(l->rig.store), 0);
    rig_settle(&l->rig);
    assert_int_equal(store_stats(l->rig.store).snapshots, 1);
    struct sim_disk *after = sim_disk_crash(sim, sim->nsteps, 1);
    rig_fini(&l->rig);
    free(l);
    return after;
}

static void whichever_allocation_fails_nothing_is_lost_and_it_goes_on(void **state)
{
    struct sim_disk *before = half_a_life();
    unsigned n = 1, refused = 0;
    (void)state;
    while (live_without(before, n, &refused))
        assert_true(++n < ROUNDS_MAX);
    print_message("%u allocations, %u of them before it was open\n", n - 1, refused);
    assert_true(refused > 5 && n > refused + 10);
    sim_disk_free(&before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whichever_allocation_fails_nothing_is_lost_and_it_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
