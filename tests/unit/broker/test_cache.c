/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "broker/cache.h"

enum { SLOTS = 8 };

static struct cached *result(const char *topic, uint64_t generation)
{
    struct bytes t = bytes_str(topic);
    struct cached *r = malloc(sizeof *r + t.n);
    assert_non_null(r);
    *r = (struct cached){
        .generation = generation, .topic_len = (uint16_t)t.n, .topic_at = sizeof *r};
    memcpy((char *)r + sizeof *r, t.p, t.n);
    return r;
}

static void a_topic_met_once_is_not_worth_it(void **state)
{
    (void)state;
    struct cache c;
    assert_int_equal(cache_init(&c, SLOTS), 0);
    for (uint64_t hash = 1; hash < 100; hash++)
        assert_false(cache_worth(&c, hash));
    assert_true(cache_worth(&c, 99));
    assert_true(cache_worth(&c, 99));
    cache_fini(&c);
}

static void a_result_is_found_by_hash_topic_and_generation(void **state)
{
    (void)state;
    struct cache c;
    cache_init(&c, SLOTS);
    struct cached *r = result("a/b", 5);
    cache_keep(&c, 77, r);
    assert_ptr_equal(cache_find(&c, 77, BYTES("a/b"), 5), r);
    assert_null(cache_find(&c, 77, BYTES("a/b"), 6));
    assert_null(cache_find(&c, 77, BYTES("a/c"), 5)); /* the same hash, another topic */
    assert_null(cache_find(&c, 77, BYTES("a/bb"), 5));
    assert_null(cache_find(&c, 77 + SLOTS, BYTES("a/b"), 5)); /* the same slot */
    assert_null(cache_find(&c, 78, BYTES("a/b"), 5));
    struct cached *newer = result("a/b", 6);
    cache_keep(&c, 77, newer);
    assert_ptr_equal(cache_find(&c, 77, BYTES("a/b"), 6), newer);
    cache_fini(&c);
    cache_fini(&c); /* again is no harm */
}

static void two_topics_in_one_slot_take_turns(void **state)
{
    (void)state;
    struct cache c;
    cache_init(&c, SLOTS);
    for (uint64_t round = 0; round < 10; round++)
        for (uint64_t which = 0; which < 2; which++) {
            uint64_t hash = 3 + which * SLOTS;
            const char *topic = which ? "x" : "y";
            assert_null(cache_find(&c, hash, bytes_str(topic), 1));
            assert_false(cache_worth(&c, hash)); /* throws the other one out */
            assert_true(cache_worth(&c, hash));
            cache_keep(&c, hash, result(topic, 1));
            assert_non_null(cache_find(&c, hash, bytes_str(topic), 1));
        }
    cache_fini(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_topic_met_once_is_not_worth_it),
        cmocka_unit_test(a_result_is_found_by_hash_topic_and_generation),
        cmocka_unit_test(two_topics_in_one_slot_take_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
