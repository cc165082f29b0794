/* SPDX-License-Identifier: BSD-3-Clause */
/* test_memory.c -- two cores that share a process whose memory is what the test says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "core/core.h"

enum { CORES = 2, MIB = 1 << 20 };

static uint64_t process_bytes;
static unsigned looks;

static uint64_t bytes(void)
{
    looks++;
    return process_bytes;
}

struct pair {
    struct core core[CORES];
    struct mesh *mesh;
    struct pool *pools[CORES];
    struct memory memory;
    mail_fn *handlers[1];
};

static int open_pair(void **state)
{
    static struct pair p;
    int err = 0;

    memset(&p, 0, sizeof p);
    p.memory.bytes = bytes;
    p.memory.max = 100 * MIB;
    process_bytes = MIB;
    p.mesh = mesh_new(&(struct mesh_options){.cores = CORES}, &err);
    if (!p.mesh) return -1;
    for (unsigned i = 0; i < CORES; i++) {
        struct core_options o = {.id = i,
                                 .cores = CORES,
                                 .mesh = p.mesh,
                                 .pools = p.pools,
                                 .idle = IDLE_BUSY,
                                 .memory = &p.memory,
                                 .log = {.fd = -1}};
        if (core_init(&p.core[i], &o) < 0) return -1;
        mesh_port_bind(p.core[i].mesh, p.handlers, 1, NULL, &p);
    }
    *state = &p;
    return 0;
}

static int close_pair(void **state)
{
    struct pair *p = *state;

    for (unsigned i = 0; i < CORES; i++)
        core_fini(&p->core[i]);
    mesh_free(&p->mesh);
    return 0;
}

/* A look of each core, with the process at so many bytes. */
static bool full_at(struct pair *p, uint64_t at)
{
    process_bytes = at;
    for (unsigned i = 0; i < CORES; i++) {
        p->core[i].clock.now_ns += NS_PER_S;
        memory_watch(&p->core[i]);
    }
    assert_int_equal(core_memory_full(&p->core[0]), core_memory_full(&p->core[1]));
    for (unsigned i = 0; i < CORES; i++)
        assert_int_equal(counter_read(&p->core[i].counters, C_memory_full),
                         core_memory_full(&p->core[i]));
    return core_memory_full(&p->core[0]);
}

static void limit_is_left_only_when_a_twentieth_is_free(void **state)
{
    struct pair *p = *state;

    assert_false(full_at(p, 100 * MIB - 1));
    assert_true(full_at(p, 100 * MIB));
    assert_true(full_at(p, 95 * MIB));
    assert_false(full_at(p, 95 * MIB - 1));
    assert_false(full_at(p, 100 * MIB - 1));
}

static void without_a_limit_it_is_never_full(void **state)
{
    struct pair *p = *state;

    assert_true(full_at(p, 200 * MIB));
    p->memory.max = 0;
    assert_false(full_at(p, UINT64_MAX));
}

static void what_a_pool_keeps_is_not_counted(void **state)
{
    struct pair *p = *state;
    struct pool *pool = p->core[1].pool;
    enum { BLOCKS = 64, BLOCK = 32768 };
    void *block[BLOCKS];

    for (int i = 0; i < BLOCKS; i++)
        block[i] = pool_alloc(pool, BLOCK);
    assert_true(full_at(p, 100 * MIB + 65536));
    for (int i = 0; i < BLOCKS; i++)
        pool_free(pool, block[i], BLOCK);
    memory_watch(&p->core[1]); /* tells */
    assert_true(pool_told_spare(p->core[0].pool) >= BLOCKS * BLOCK);
    assert_true(full_at(p, 98 * MIB));
    assert_false(full_at(p, 97 * MIB - 65536));
}

static void core_looks_once_a_second_and_when_its_pool_grows(void **state)
{
    struct pair *p = *state;
    struct core *c = &p->core[0];

    memory_watch(c);
    assert_false(memory_is_due(c));
    c->clock.now_ns += NS_PER_S;
    assert_true(memory_is_due(c));
    memory_watch(c);
    void *less = pool_alloc(c->pool, 3 * MIB), *more = pool_alloc(c->pool, MIB);
    assert_true(memory_is_due(c)); /* 100 MiB / 16 / 2 cores */
    pool_free(c->pool, more, MIB);
    assert_false(memory_is_due(c));
    pool_free(c->pool, less, 3 * MIB);
}

static void of_all_cores_one_asks_in_a_second(void **state)
{
    struct pair *p = *state;

    p->core[1].clock = p->core[0].clock;
    memory_watch(&p->core[0]);
    memory_watch(&p->core[1]);
    for (unsigned i = 0; i < CORES; i++)
        p->core[i].clock.now_ns += NS_PER_S;
    looks = 0;
    memory_watch(&p->core[0]);
    memory_watch(&p->core[1]);
    assert_int_equal(looks, 1);
    void *grown = pool_alloc(p->core[1].pool, 4 * MIB);
    memory_watch(&p->core[1]);
    assert_int_equal(looks, 2);
    pool_free(p->core[1].pool, grown, 4 * MIB);
}

static void turn_looks_when_it_is_time(void **state)
{
    struct pair *p = *state;

    looks = 0;
    process_bytes = 100 * MIB;
    core_turn(&p->core[0]);
    assert_int_equal(looks, 1);
    assert_true(core_memory_full(&p->core[0]));
    assert_false(core_memory_full(&p->core[1])); /* it has not turned */
    core_turn(&p->core[1]);
    assert_true(core_memory_full(&p->core[1]));
    process_bytes = MIB;
    p->core[0].clock.now_ns += NS_PER_S;
    memory_watch(&p->core[0]);
    core_turn(&p->core[1]); /* at once, since the other one knows */
    assert_false(core_memory_full(&p->core[1]));
}

#define WITH_PAIR(test) cmocka_unit_test_setup_teardown(test, open_pair, close_pair)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PAIR(limit_is_left_only_when_a_twentieth_is_free),
        WITH_PAIR(without_a_limit_it_is_never_full),
        WITH_PAIR(what_a_pool_keeps_is_not_counted),
        WITH_PAIR(core_looks_once_a_second_and_when_its_pool_grows),
        WITH_PAIR(of_all_cores_one_asks_in_a_second),
        WITH_PAIR(turn_looks_when_it_is_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
