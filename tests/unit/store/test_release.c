/* SPDX-License-Identifier: BSD-3-Clause */
/* test_release.c -- messages in queues, as the broker keeps them, and a crash at every step.
 *
 * A message is a kept body, and entries that name it by its position, one for each queue it waits
 * in. The last entry that is done with releases the body. Its segment may be used again only when
 * the records that say so are on disk: no entry may come back without its body, from whatever
 * mixture of snapshot, log and lost writes. */
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

enum { BODY = 5, ENTRY = 6, DONE = 8, QUEUES = 3, MESSAGES = 3000, LIVE_MAX = 60, LAZY_NS = 50 };

/* One message. */
struct message {
    struct store_ref body;
    uint8_t waits;         /* bitmap of queues */
    uint8_t logged;        /* that ENTRY was appended for, ever */
    uint64_t put[QUEUES];  /* position of its ENTRY, ... */
    uint64_t done[QUEUES]; /* ... and of its DONE; UINT64_MAX: none */
};

struct owner {
    struct rig rig;
    struct message at[MESSAGES];
    uint32_t n, first; /* those before `first` wait nowhere */
    uint32_t live;
    uint32_t cursor; /* of the snapshot */
    unsigned moved, lost;
};

/* ---- records ------------------------------------------------------------------------------- */

static int append(struct owner *o, uint8_t type, uint8_t flags, struct bytes body,
                  struct store_ref *ref)
{
    const struct store_put p = {
        .type = type, .version = 1, .flags = flags, .part = &body, .nparts = 1};
    return store_append(o->rig.store, &p, ref);
}

static struct bytes entry_bytes(const struct owner *o, uint32_t number, unsigned queue,
                                uint8_t buf[24])
{
    struct writer w = wr_of(buf, 24);
    wr_u32be(&w, number);
    wr_u32be(&w, queue);
    wr_u64be(&w, o->at[number].body.pos);
    wr_u32be(&w, o->at[number].body.bytes);
    return bytes_of(buf, wr_len(&w));
}

static size_t body_bytes(uint32_t number)
{
    return 20 + number * 37 % 300;
}

static int put_body(struct owner *o, uint32_t number)
{
    uint8_t buf[400];
    struct writer w = wr_of(buf, sizeof buf);
    memset(buf, (int)number, sizeof buf);
    wr_u32be(&w, number);
    const struct bytes part = bytes_of(buf, body_bytes(number));
    const struct store_put p = {
        .type = BODY, .version = 1, .flags = STORE_KEEP | STORE_LAZY, .part = &part, .nparts = 1};
    return store_append(o->rig.store, &p, &o->at[number].body);
}

/* ---- what happens -------------------------------------------------------------------------- */

static void enqueue(struct owner *o, unsigned queues, bool lazy)
{
    uint32_t number = o->n;
    struct message *m = &o->at[number];
    if (number == MESSAGES || o->live >= LIVE_MAX || put_body(o, number) < 0) return;
    for (unsigned q = 0; q < QUEUES; q++) {
        struct store_ref ref;
        uint8_t buf[24];
        m->done[q] = UINT64_MAX;
        if (!(queues >> q & 1)) continue;
        const struct bytes entry = entry_bytes(o, number, q, buf);
        if (append(o, ENTRY, lazy ? STORE_LAZY : 0, entry, &ref) < 0) continue;
        m->waits |= (uint8_t)(1u << q);
        m->put[q] = ref.pos;
    }
    m->logged = m->waits;
    o->n++;
    o->live += m->waits != 0;
    if (!m->waits) store_release(o->rig.store, m->body);
}

static void finish(struct owner *o, uint32_t number, unsigned queue)
{
    struct message *m = &o->at[number];
    struct store_ref ref;
    uint8_t buf[8];
    struct writer w = wr_of(buf, sizeof buf);
    if (!(m->waits >> queue & 1)) return;
    wr_u32be(&w, number);
    wr_u32be(&w, queue);
    if (append(o, DONE, STORE_RESERVE | STORE_LAZY, bytes_of(buf, sizeof buf), &ref) < 0) return;
    m->done[queue] = ref.pos;
    m->waits &= (uint8_t) ~(1u << queue);
    if (!m->waits) {
        store_release(o->rig.store, m->body);
        o->live--;
    }
    while (o->first < o->n && !o->at[o->first].waits)
        o->first++;
}

/* Mostly in order, but some wait for long. */
static void finish_some(struct owner *o, struct rng *rng)
{
    for (uint32_t i = o->first; i < o->n; i++)
        if (i % 40 != 7 || rng_below(rng, 30) == 0)
            if (rng_below(rng, 3) == 0) finish(o, i, (unsigned)rng_below(rng, QUEUES));
}

/* ---- the owner ----------------------------------------------------------------------------- */

static int on_snapshot(void *ctx, struct store *s, bool first, size_t budget)
{
    struct owner *o = ctx;
    (void)budget;
    if (first) o->cursor = o->first;
    for (unsigned n = 0; n < 5 && o->cursor < o->n; n++, o->cursor++) {
        for (unsigned q = 0; q < QUEUES; q++) {
            uint8_t buf[24];
            if (!(o->at[o->cursor].waits >> q & 1)) continue;
            const struct bytes body = entry_bytes(o, o->cursor, q, buf);
            int err = store_snapshot_put(
                s, &(struct store_put){.type = ENTRY, .version = 1, .part = &body, .nparts = 1});
            if (err < 0) return err;
        }
    }
    return o->cursor >= o->n;
}

static struct message *find(struct owner *o, uint64_t pos)
{
    for (uint32_t i = 0; i < o->n; i++)
        if (o->at[i].waits && o->at[i].body.pos == pos) return &o->at[i];
    return NULL;
}

static bool is_live(void *ctx, const struct store_record *r)
{
    return find(ctx, r->ref.pos);
}

static void on_moved(void *ctx, struct store_ref from, struct store_ref to)
{
    struct owner *o = ctx;
    struct message *m = find(o, from.pos);
    if (m) m->body = to;
    o->moved++;
}

static int on_record(void *ctx, const struct store_record *r)
{
    struct owner *o = ctx;
    struct reader in = rd_of(r->body);
    if (r->type == BODY) {
        if (r->moved_from) on_moved(o, (struct store_ref){.pos = r->moved_from}, r->ref);
        return 0;
    }
    uint32_t number = rd_u32be(&in), queue = rd_u32be(&in);
    assert_true(number < MESSAGES && queue < QUEUES);
    struct message *m = &o->at[number];
    if (number >= o->n) o->n = number + 1;
    if (r->type == DONE) {
        m->waits &= (uint8_t) ~(1u << queue);
        return 0;
    }
    m->waits |= (uint8_t)(1u << queue);
    m->body.pos = rd_u64be(&in);
    m->body.bytes = rd_u32be(&in);
    return 0;
}

static void owner_init(struct owner *o, struct sim_disk *sim)
{
    memset(o, 0, sizeof *o);
    rig_init(&o->rig, sim);
    o->rig.options.owner = (struct store_owner){
        .ctx = o, .snapshot = on_snapshot, .is_live = is_live, .moved = on_moved};
    o->rig.options.lazy_ns = LAZY_NS;
    o->rig.options.disk_bytes_max = 14 * RIG_SEGMENT;
}

/* Claims the body of each message that waits; those that are gone are lost. */
static int owner_open(struct owner *o)
{
    int err = rig_open_with(&o->rig, &(struct store_replay){.ctx = o, .record = on_record});
    for (uint32_t i = 0; i < o->n && err == 0; i++)
        if (o->at[i].waits && store_claim(o->rig.store, o->at[i].body) < 0) {
            o->at[i].waits = 0;
            o->lost++;
        }
    if (err == 0) store_start(o->rig.store);
    return err;
}

/* ---- what came back ------------------------------------------------------------------------ */

struct reading {
    struct store_read read;
    uint8_t room[512];
    uint32_t number;
    bool good;
};

static void on_read(struct store_read *r, int err, const struct store_record *rec)
{
    struct reading *x = CONTAINER_OF(r, struct reading, read);
    if (err < 0 || rec->type != BODY) return;
    struct reader in = rd_of(rec->body);
    x->good = rd_u32be(&in) == x->number && rec->body.n == body_bytes(x->number);
}

static unsigned count_bad_bodies(struct owner *o)
{
    static struct reading x[LIVE_MAX + 1];
    unsigned n = 0, bad = 0;
    for (uint32_t i = 0; i < o->n && n < ARRAY_LEN(x); i++) {
        if (!o->at[i].waits) continue;
        x[n] = (struct reading){.number = i};
        x[n].read = (struct store_read){.ref = o->at[i].body, .room = x[n].room, .done = on_read};
        store_read(o->rig.store, &x[n++].read);
    }
    rig_settle(&o->rig);
    for (unsigned i = 0; i < n; i++)
        bad += !x[i].good;
    return bad;
}

/* How far a crash may throw the log back: no further than this position. */
struct past {
    unsigned steps;
    uint64_t durable;
};

static unsigned count_wrong(const struct owner *was, const struct owner *is, uint64_t durable)
{
    unsigned wrong = 0;
    for (uint32_t i = 0; i < was->n; i++)
        for (unsigned q = 0; q < QUEUES; q++) {
            const struct message *m = &was->at[i];
            bool had = m->logged >> q & 1, waits = i < is->n && (is->at[i].waits >> q & 1);
            bool must = had && m->put[q] < durable && m->done[q] == UINT64_MAX;
            bool may = had && (m->done[q] == UINT64_MAX || m->done[q] >= durable);
            wrong += (must && !waits) || (waits && !may);
        }
    return wrong;
}

static void check_crash(const struct owner *o, const struct past *p, unsigned steps, uint64_t seed)
{
    static struct owner again;
    owner_init(&again, sim_disk_crash(o->rig.sim, steps, seed));
    int err = owner_open(&again);
    if (err != 0)
        fail_msg("step %u, seed %lu: %s", steps, (unsigned long)seed, store_why(again.rig.store));
    unsigned wrong = count_wrong(o, &again, p->durable), bad = count_bad_bodies(&again);
    if (again.lost || wrong || bad)
        fail_msg("step %u, seed %lu: %u without a segment, %u wrong, %u without a body", steps,
                 (unsigned long)seed, again.lost, wrong, bad);
    rig_fini(&again.rig);
}

static void no_entry_comes_back_without_its_body(void **state)
{
    static struct owner o;
    static struct past past[MESSAGES];
    struct held_kinds held = {0};
    struct rng rng;
    unsigned turns = 0, at = 0;
    (void)state;
    rng_seed(&rng, 11);
    owner_init(&o, NULL);
    o.rig.held = &held;
    assert_int_equal(owner_open(&o), 0);
    for (; turns < 700; turns++) {
        past[turns] = (struct past){o.rig.sim->nsteps, store_durable(o.rig.store)};
        if (rng_below(&rng, 10) == 0) held.commits = rng_below(&rng, 2);
        if (rng_below(&rng, 10) == 0) held.calls = rng_below(&rng, 4) == 0;
        bool urgent = rng_below(&rng, 3) == 0;
        enqueue(&o, 1 + (unsigned)rng_below(&rng, 7), urgent);
        finish_some(&o, &rng);
        o.rig.clock.now_ns += rng_below(&rng, LAZY_NS);
        store_commit(o.rig.store);
    }
    assert_true(store_stats(o.rig.store).snapshots > 5);
    assert_true(store_stats(o.rig.store).bytes > 3 * o.rig.options.disk_bytes_max);
    assert_true(o.moved > 0);
    assert_true(o.n > 500);
    for (unsigned steps = past[0].steps; steps <= o.rig.sim->nsteps; steps++) {
        while (at + 1 < turns && past[at + 1].steps <= steps)
            at++;
        check_crash(&o, &past[at], steps, steps % 4 < 2 ? steps % 4 : steps);
    }
    rig_fini(&o.rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_entry_comes_back_without_its_body)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
