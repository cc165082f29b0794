/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/assert.h"
#include "base/rng.h"
#include "core/pool.h"

enum { CORES = 3 };

/* One pool per core. */
static int open_pools(void **state)
{
    static struct pool *pools[CORES];
    for (unsigned i = 0; i < CORES; i++)
        if (!pool_new(i, CORES, pools)) return -1;
    *state = pools;
    return 0;
}

static int close_pools(void **state)
{
    struct pool **pools = *state;
    for (unsigned i = 0; i < CORES; i++)
        pool_free_all(&pools[i]);
    return 0;
}

static void every_size_gets_an_aligned_block_and_wastes_little(void **state)
{
    struct pool *p = *(struct pool **)*state;
    for (size_t n = 0; n <= POOL_BLOCK_MAX + 100; n++) {
        uint8_t *b = pool_alloc(p, n);
        assert_non_null(b);
        assert_int_equal((uintptr_t)b % 16, 0);
        memset(b, 0xA5, n);
        size_t used = pool_bytes_used(p);
        assert_true(used >= n);
        if (n > 16384 && n <= POOL_BLOCK_MAX)
            assert_true(used < 2 * n);
        else if (n > 32)
            assert_true(used - n < n / 2);
        pool_free(p, b, n);
        assert_int_equal(pool_bytes_used(p), 0);
    }
}

static void freed_block_is_the_next_one_given(void **state)
{
    struct pool *p = *(struct pool **)*state;
    void *a = pool_alloc(p, 100), *b = pool_alloc(p, 100);
    assert_ptr_not_equal(a, b);
    pool_free(p, a, 100);
    pool_free(p, b, 100);
    assert_ptr_equal(pool_alloc(p, 120), b); /* the same class */
    assert_ptr_equal(pool_alloc(p, 100), a);
    pool_free(p, a, 100);
    pool_free(p, b, 120);
}

static void maximum_refuses_until_something_is_freed(void **state)
{
    struct pool *p = *(struct pool **)*state;
    pool_set_max(p, 4 * 1024);
    void *b[4];
    for (int i = 0; i < 4; i++)
        assert_non_null(b[i] = pool_alloc(p, 1000));
    assert_null(pool_alloc(p, 1));
    assert_null(pool_alloc(p, 100000));
    pool_free(p, b[2], 1000);
    assert_non_null(b[2] = pool_alloc(p, 1024));
    assert_null(pool_alloc(p, 1));
    assert_int_equal(pool_refused(p), 3);
    pool_set_max(p, 0);
    void *more = pool_alloc(p, 100000);
    assert_non_null(more);
    pool_free(p, more, 100000);
    for (int i = 0; i < 4; i++)
        pool_free(p, b[i], 1000);
    assert_int_equal(pool_bytes_used(p), 0);
}

static void impossible_sizes_are_refused(void **state)
{
    struct pool *p = *(struct pool **)*state;
    static const size_t SIZE[] = {SIZE_MAX, SIZE_MAX - 15, SIZE_MAX / 2, PTRDIFF_MAX};
    for (size_t i = 0; i < ARRAY_LEN(SIZE); i++)
        assert_null(pool_alloc(p, SIZE[i]));
    assert_int_equal(pool_bytes_used(p), 0);
}

/* Blocks of all sizes at random, each filled with its own byte: none may touch another. */
static void living_blocks_never_overlap(void **state)
{
    struct pool *p = *(struct pool **)*state;
    enum { BLOCKS = 300 };
    static struct {
        uint8_t *b;
        size_t n;
    } held[BLOCKS];
    struct rng r;
    rng_seed(&r, 3);
    for (int step = 0; step < 30000; step++) {
        size_t i = rng_below(&r, BLOCKS);
        if (held[i].b) {
            for (size_t k = 0; k < held[i].n; k++)
                if (held[i].b[k] != (uint8_t)i) fail_msg("block %zu was written to", i);
            pool_free(p, held[i].b, held[i].n);
            held[i].b = NULL;
        } else {
            held[i].n = rng_below(&r, rng_below(&r, 20) ? 700 : 2 * POOL_BLOCK_MAX);
            held[i].b = pool_alloc(p, held[i].n);
            assert_non_null(held[i].b);
            memset(held[i].b, (int)i, held[i].n);
        }
    }
    for (size_t i = 0; i < BLOCKS; i++)
        if (held[i].b) pool_free(p, held[i].b, held[i].n);
    assert_int_equal(pool_bytes_used(p), 0);
}

struct homecoming {
    struct pool *pool;
    size_t bytes; /* of each block */
    unsigned n;
};

static void free_at_home(void *ctx, void *block)
{
    struct homecoming *h = ctx;
    h->n++;
    pool_free(h->pool, block, h->bytes);
}

static void chain_goes_home_when_it_is_full_or_flushed(void **state)
{
    struct pool **pools = *state;
    struct homecoming h = {.pool = pools[0], .bytes = 200};
    for (int i = 0; i < POOL_CHAIN - 1; i++)
        pool_send_home(pools[1], 0, pool_alloc(pools[0], 200));
    assert_int_equal(pool_take_home(pools[0], free_at_home, &h), 0);
    pool_send_home(pools[1], 0, pool_alloc(pools[0], 200));
    assert_int_equal(pool_take_home(pools[0], free_at_home, &h), POOL_CHAIN);
    assert_int_equal(pool_bytes_used(pools[0]), 0);

    pool_flush_home(pools[1]); /* nothing is open */
    assert_int_equal(pool_take_home(pools[0], free_at_home, &h), 0);
    pool_send_home(pools[1], 0, pool_alloc(pools[0], 200));
    pool_flush_home(pools[1]);
    assert_int_equal(pool_take_home(pools[0], free_at_home, &h), 1);
    assert_int_equal(h.n, POOL_CHAIN + 1);
    assert_int_equal(pool_bytes_used(pools[0]), 0);
}

static void blocks_of_several_cores_find_their_own_home(void **state)
{
    struct pool **pools = *state;
    struct homecoming h[2] = {{.pool = pools[0], .bytes = 64}, {.pool = pools[1], .bytes = 50000}};
    for (int i = 0; i < 100; i++) {
        pool_send_home(pools[2], 0, pool_alloc(pools[0], 64));
        pool_send_home(pools[2], 1, pool_alloc(pools[1], 50000)); /* beyond the classes */
        pool_send_home(pools[1], 0, pool_alloc(pools[0], 64));
    }
    pool_flush_home(pools[2]);
    pool_flush_home(pools[1]);
    assert_int_equal(pool_take_home(pools[0], free_at_home, &h[0]), 200);
    assert_int_equal(pool_take_home(pools[1], free_at_home, &h[1]), 100);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pool_bytes_used(pools[i]), 0);
}

static void homecoming_is_bounded_in_one_call_and_loses_nothing(void **state)
{
    struct pool **pools = *state;
    enum { MANY = 20000 };
    struct homecoming h = {.pool = pools[0], .bytes = 40};
    for (int i = 0; i < MANY; i++)
        pool_send_home(pools[1], 0, pool_alloc(pools[0], 40));
    unsigned calls = 0;
    for (unsigned n; (n = pool_take_home(pools[0], free_at_home, &h)) > 0; calls++)
        assert_true(n < MANY / 2);
    assert_true(calls > 2);
    assert_int_equal(h.n, MANY);
    assert_int_equal(pool_bytes_used(pools[0]), 0);
}

/* What is left is seen by the leak checker: blocks held, on open chains and in an inbox. */
static void free_all_frees_what_is_out_and_under_way(void **state)
{
    struct pool **pools = *state;
    assert_non_null(pool_alloc(pools[0], 100));
    assert_non_null(pool_alloc(pools[0], 100000));
    for (int i = 0; i < POOL_CHAIN + 3; i++) {
        pool_send_home(pools[1], 0, pool_alloc(pools[0], 1000));
        pool_send_home(pools[1], 0, pool_alloc(pools[0], 40000));
    }
    pool_free_all(&pools[0]);
    assert_null(pools[0]);
    pool_free_all(&pools[0]); /* nothing is nothing */
}

#define WITH_POOLS(test) cmocka_unit_test_setup_teardown(test, open_pools, close_pools)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_POOLS(every_size_gets_an_aligned_block_and_wastes_little),
        WITH_POOLS(freed_block_is_the_next_one_given),
        WITH_POOLS(maximum_refuses_until_something_is_freed),
        WITH_POOLS(impossible_sizes_are_refused),
        WITH_POOLS(living_blocks_never_overlap),
        WITH_POOLS(chain_goes_home_when_it_is_full_or_flushed),
        WITH_POOLS(blocks_of_several_cores_find_their_own_home),
        WITH_POOLS(homecoming_is_bounded_in_one_call_and_loses_nothing),
        WITH_POOLS(free_all_frees_what_is_out_and_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
