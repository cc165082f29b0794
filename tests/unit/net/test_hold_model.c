/* SPDX-License-Identifier: BSD-3-Clause */
/* Random sends, holds, commits, closes and full sockets against a model, which says of each byte
 * what position it waits for. No byte may leave before; while the socket takes what it is given,
 * every byte leaves with the commit that it waits for; at the end all have come, in order. */
#include "base/rng.h"
#include "unit/net/hold_rig.h"

enum { STEPS = 4000, BYTES_MAX = 8 << 20, SEEDS = 6, PART_MAX = 6000 };

struct world {
    struct rig *r;
    struct rng rng;
    int fd;
    bool one_commit_takes_all; /* as the store does, but when it changes segments */
    bool is_told;              /* core->commit_pos is kept */
    uint64_t tail;             /* of the log */
    uint64_t commit_end;       /* of the commit under way; 0: none */
    uint64_t waits_for;        /* the highest position that was held for so far */
    size_t sent, heard;
    uint64_t *need; /* of each byte that was sent */
};

static unsigned pick(struct world *w, unsigned n)
{
    return (unsigned)(rng_u64(&w->rng) % n);
}

static void on_release(void *ctx, void *owner)
{
    (void)ctx;
    free(owner);
}

/* Copied or shared, in frames of any size. */
static void send_some(struct world *w)
{
    size_t n = 1 + pick(w, pick(w, 4) ? 60 : PART_MAX);
    struct conn *c = w->r->probe.conn;
    uint8_t *p = malloc(n);

    if (w->sent + n > BYTES_MAX) n = BYTES_MAX - w->sent;
    assert_non_null(p);
    rig_fill(p, n, w->sent);
    for (size_t i = 0; i < n; i++)
        w->need[w->sent + i] = w->waits_for;
    w->sent += n;
    if (pick(w, 3) == 0) {
        assert_int_equal(conn_send_shared(c, bytes_of(p, n), on_release, NULL, p), 0);
        return;
    }
    assert_int_equal(conn_send(c, bytes_of(p, n)), 0);
    free(p);
}

/* Mostly for what was just appended; now and then for something older. */
static void hold_some(struct world *w)
{
    uint64_t pos = w->tail += 1 + pick(w, 100);

    if (pick(w, 8) == 0) pos = 1 + pick(w, (unsigned)w->tail);
    conn_hold(w->r->probe.conn, pos);
    uint64_t durable = w->r->core[0].durable;
    if (pos > durable && pos > w->waits_for) w->waits_for = pos;
}

/* The commit under way ends, perhaps, and perhaps the next begins. */
static void commit_some(struct world *w)
{
    struct core *core = &w->r->core[0];

    if (w->commit_end && pick(w, 3) == 0) {
        core->durable = w->commit_end;
        w->commit_end = 0;
    }
    if (!w->commit_end && w->tail > core->durable && pick(w, 2)) {
        uint64_t all = w->tail - core->durable;
        w->commit_end =
            core->durable + (w->one_commit_takes_all ? all : 1 + pick(w, (unsigned)all));
    }
    if (w->is_told) core->commit_pos = w->commit_end ? w->commit_end : core->durable;
}

/* Bytes that may have left. */
static size_t allowed(const struct world *w)
{
    size_t n = w->heard;

    while (n < w->sent && w->need[n] <= w->r->core[0].durable)
        n++;
    return n;
}

static bool hear_some(struct world *w, size_t most)
{
    uint8_t buf[65536];
    long got = rig_hear(w->fd, buf, most < sizeof buf ? most : sizeof buf);

    if (got <= 0) return false;
    assert_stream(buf, (size_t)got, w->heard);
    assert_true(w->heard + (size_t)got <= allowed(w));
    w->heard += (size_t)got;
    return true;
}

static void hear_all(struct world *w)
{
    for (unsigned idle = 0; idle < 3;) {
        idle = hear_some(w, SIZE_MAX) ? 0 : idle + 1;
        rig_turn(w->r, 1);
    }
}

static void step(struct world *w)
{
    for (unsigned n = pick(w, 4); n > 0; n--) {
        if (pick(w, 2)) hold_some(w);
        if (pick(w, 4)) send_some(w);
    }
    if (pick(w, 2)) commit_some(w);
    rig_turn(w->r, 1);
    if (pick(w, 3) == 0) hear_some(w, 1 + pick(w, 3 * PART_MAX));
    if (pick(w, 50)) return;
    hear_all(w); /* so that only the disk keeps anything back */
    if (w->one_commit_takes_all && w->is_told) assert_int_equal(w->heard, allowed(w));
}

/* Commits go on with nothing new: all leaves, within as many of them as a starved mark would never
 * see. */
static void finish(struct world *w)
{
    for (unsigned left = 4; left > 0; left--) {
        w->r->core[0].durable = left > 1 && w->commit_end ? w->commit_end : w->tail;
        w->commit_end = 0;
        w->r->core[0].commit_pos = w->r->core[0].durable;
        hear_all(w);
    }
    assert_int_equal(w->heard, w->sent);
    assert_null(w->r->probe.conn->hold);
    assert_at_rest(w->r);
}

static void run(uint64_t seed, bool takes_all, bool is_told)
{
    struct world w = {.r = hold_rig(), .one_commit_takes_all = takes_all, .is_told = is_told};
    int small = 8192;

    rng_seed(&w.rng, seed);
    w.need = calloc(BYTES_MAX, sizeof *w.need);
    assert_non_null(w.need);
    w.fd = rig_stream(w.r);
    setsockopt(w.r->probe.conn->watch.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    for (unsigned i = 0; i < STEPS && w.sent < BYTES_MAX; i++)
        step(&w);
    finish(&w);
    close(w.fd);
    free(w.need);
    rig_free(w.r);
}

static void every_byte_leaves_with_its_commit_and_none_before(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run(seed, true, true);
}

static void no_byte_leaves_early_though_commits_take_only_a_part(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run(seed, false, true);
}

static void no_byte_leaves_early_though_nobody_says_what_is_committed(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run(seed, true, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_leaves_with_its_commit_and_none_before),
        cmocka_unit_test(no_byte_leaves_early_though_commits_take_only_a_part),
        cmocka_unit_test(no_byte_leaves_early_though_nobody_says_what_is_committed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
