/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "broker/message.h"

enum { CORES = 3, LARGE = 100000 };

static const uint8_t large[LARGE] = {1, 2, 3};

/* Three cores in one thread; core 0 publishes. */
struct rig {
    struct pool *homes[CORES];
    struct core core[CORES];
};

static int set_up(void **state)
{
    struct rig *r = aligned_alloc(_Alignof(struct rig), sizeof *r);
    if (!r) return -1;
    memset(r, 0, sizeof *r);
    for (unsigned i = 0; i < CORES; i++) {
        r->core[i].id = i;
        r->core[i].cores = CORES;
        r->core[i].pool = pool_new(i, CORES, r->homes);
        if (!r->core[i].pool) return -1;
    }
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;
    for (unsigned i = 0; i < CORES; i++)
        pool_free_all(&r->core[i].pool);
    free(r);
    return 0;
}

static void go_home(struct rig *r)
{
    for (unsigned i = 0; i < CORES; i++)
        pool_flush_home(r->core[i].pool);
    for (unsigned i = 0; i < CORES; i++)
        pool_take_home(r->core[i].pool, message_on_home, &r->core[i]);
}

/* A test ends with this: nothing is left anywhere. */
static void assert_all_gone(struct rig *r)
{
    go_home(r);
    go_home(r); /* a stand-in's share may have made a trip of its own */
    for (unsigned i = 0; i < CORES; i++)
        assert_int_equal(pool_bytes_used(r->core[i].pool), 0);
}

static struct message *publish(struct rig *r, size_t payload_bytes)
{
    struct publication p = {
        .topic = BYTES("a/b"),
        .props = BYTES("\x01\x02"),
        .payload = bytes_of(large, payload_bytes),
        .topic_hash = 77,
        .qos = 1,
        .retain = true,
    };
    struct message *m = message_new(&r->core[0], &p, 9);
    assert_non_null(m);
    return m;
}

static void assert_same_message(const struct message *a, const struct message *b)
{
    assert_true(bytes_eq(message_topic(a), message_topic(b)));
    assert_true(bytes_eq(message_props(a), message_props(b)));
    assert_true(bytes_eq(message_payload(a), message_payload(b)));
    assert_true(a->topic_hash == b->topic_hash);
    assert_int_equal(a->qos, b->qos);
    assert_int_equal(a->origin_core, b->origin_core);
    assert_int_equal(a->origin_session, b->origin_session);
    assert_int_equal(a->expires_s, b->expires_s);
    assert_int_equal(a->flags & ~MESSAGE_STANDIN, b->flags & ~MESSAGE_STANDIN);
}

static void message_holds_what_was_published(void **state)
{
    struct rig *r = *state;
    struct message *m = publish(r, 3);
    assert_true(bytes_eq(message_topic(m), BYTES("a/b")));
    assert_true(bytes_eq(message_props(m), BYTES("\x01\x02")));
    assert_true(bytes_eq(message_payload(m), BYTES("\x01\x02\x03")));
    assert_int_equal(message_bytes(m), 8);
    assert_int_equal(m->flags, MESSAGE_RETAIN);
    assert_int_equal(m->origin_session, 9);
    message_unref(&r->core[0], m);
    assert_all_gone(r);
}

static void expiry_counts_from_now_and_does_not_overflow(void **state)
{
    struct rig *r = *state;
    struct core *c = &r->core[0];
    c->clock.now_ns = 100 * NS_PER_S;
    struct publication p = {.topic = BYTES("a"), .expiry_s = 5, .has_expiry = true};
    struct message *m = message_new(c, &p, 0);
    assert_false(message_expired(m, 104));
    assert_true(message_expired(m, 105));
    message_unref(c, m);

    p.expiry_s = UINT32_MAX;
    m = message_new(c, &p, 0);
    assert_false(message_expired(m, UINT32_MAX - 1));
    message_unref(c, m);

    p.has_expiry = false;
    m = message_new(c, &p, 0);
    assert_false(message_expired(m, UINT32_MAX));
    message_unref(c, m);
    assert_all_gone(r);
}

static void no_memory_makes_no_message_and_no_stand_in(void **state)
{
    struct rig *r = *state;
    struct message *m = publish(r, 3);
    message_share(&r->core[0], m, 1);
    pool_set_max(r->core[0].pool, 1);
    pool_set_max(r->core[1].pool, 1);
    struct publication p = {.topic = BYTES("a")};
    assert_null(message_new(&r->core[0], &p, 0));
    assert_null(message_keep(&r->core[1], m));
    message_put(&r->core[1], m);
    message_put(&r->core[0], m);
    assert_all_gone(r);
}

static void last_share_given_back_sends_the_block_home(void **state)
{
    struct rig *r = *state;
    struct message *m = publish(r, 3);
    message_share(&r->core[0], m, 2);
    message_put(&r->core[0], m);
    message_put(&r->core[1], m);
    go_home(r);
    assert_true(pool_bytes_used(r->core[0].pool) > 0);
    message_put(&r->core[2], m);
    assert_true(pool_bytes_used(r->core[0].pool) > 0);
    assert_all_gone(r);
}

static void home_frees_at_once_when_all_shares_are_back(void **state)
{
    struct rig *r = *state;
    struct message *m = publish(r, 3);
    message_share(&r->core[0], m, 1);
    message_put(&r->core[1], m);
    message_put(&r->core[0], m);
    assert_int_equal(pool_bytes_used(r->core[0].pool), 0);
    assert_all_gone(r);
}

static void handed_over_message_needs_no_put(void **state)
{
    struct rig *r = *state;
    for (unsigned users = 1; users <= 2; users++) {
        for (unsigned shares = 0; shares <= 1; shares++) {
            struct message *m = publish(r, 3);
            if (users == 2) message_ref(m);
            message_share(&r->core[0], m, shares);
            message_hand_over(&r->core[0], m);
            for (unsigned i = 0; i < shares; i++)
                message_put(&r->core[2], m);
            message_hand_over(&r->core[1], m); /* a share may travel on as it is */
            message_put(&r->core[2], m);
            if (users == 2) {
                go_home(r);
                assert_true(pool_bytes_used(r->core[0].pool) > 0);
                message_put(&r->core[0], m);
            }
            assert_all_gone(r);
        }
    }
}

static void share_mailed_back_home_counts_as_a_use(void **state)
{
    struct rig *r = *state;
    struct message *m = publish(r, 3);
    message_share(&r->core[0], m, 1);
    message_share(&r->core[1], m, 1); /* to core 0 */
    message_put(&r->core[1], m);
    message_put(&r->core[0], m);
    assert_true(pool_bytes_used(r->core[0].pool) > 0);
    message_put(&r->core[0], m);
    assert_int_equal(pool_bytes_used(r->core[0].pool), 0);
}

static void share_that_came_home_can_be_kept_and_shared_without_users(void **state)
{
    struct rig *r = *state;
    struct message *m = publish(r, 3);
    message_hand_over(&r->core[0], m); /* and back home by mail */
    assert_ptr_equal(message_keep(&r->core[0], m), m);
    message_put(&r->core[0], m);
    message_share(&r->core[0], m, 1);
    message_unref(&r->core[0], m);
    message_put(&r->core[1], m);
    assert_all_gone(r);
}

static void kept_at_home_is_the_message_itself(void **state)
{
    struct rig *r = *state;
    struct message *m = publish(r, LARGE);
    assert_ptr_equal(message_keep(&r->core[0], m), m);
    message_unref(&r->core[0], m);
    message_unref(&r->core[0], m);
    assert_all_gone(r);
}

static void small_message_is_copied_and_its_share_pins_nothing(void **state)
{
    struct rig *r = *state;
    struct message *m = publish(r, MESSAGE_COPY_MAX - 5);
    message_share(&r->core[0], m, 1);
    struct message *kept = message_keep(&r->core[1], m);
    assert_int_equal(kept->home, 1);
    assert_false(kept->flags & MESSAGE_STANDIN);
    assert_same_message(kept, m);
    message_put(&r->core[1], m);
    message_put(&r->core[0], m);
    assert_int_equal(pool_bytes_used(r->core[0].pool), 0);
    message_unref(&r->core[1], kept);
    assert_all_gone(r);
}

static void large_message_is_pinned_by_its_stand_in(void **state)
{
    struct rig *r = *state;
    struct message *m = publish(r, MESSAGE_COPY_MAX - 4);
    message_hand_over(&r->core[0], m);
    struct message *kept = message_keep(&r->core[1], m);
    message_put(&r->core[1], m);
    assert_true(kept->flags & MESSAGE_STANDIN);
    assert_same_message(kept, m);
    assert_true(pool_bytes_used(r->core[1].pool) < 100);
    message_ref(kept);
    message_unref(&r->core[1], kept);
    go_home(r);
    assert_true(pool_bytes_used(r->core[0].pool) > MESSAGE_COPY_MAX);
    message_unref(&r->core[1], kept);
    assert_all_gone(r);
}

static void shares_of_a_stand_in_travel_and_are_kept_elsewhere(void **state)
{
    struct rig *r = *state;
    struct message *m = publish(r, LARGE);
    message_hand_over(&r->core[0], m);
    struct message *kept = message_keep(&r->core[1], m);
    message_put(&r->core[1], m);

    message_share(&r->core[1], kept, 2);
    struct message *third = message_keep(&r->core[2], kept);
    struct message *back = message_keep(&r->core[0], kept);
    assert_ptr_equal(back, m); /* not a stand-in for what is its own */
    message_put(&r->core[2], kept);
    message_put(&r->core[0], kept);
    message_unref(&r->core[1], kept);
    go_home(r);
    assert_int_equal(pool_bytes_used(r->core[1].pool), 0);

    assert_same_message(third, m); /* outlives the stand-in it came from */
    message_unref(&r->core[2], third);
    message_unref(&r->core[0], back);
    assert_all_gone(r);
}

static void retained_message_makes_many_rounds(void **state)
{
    struct rig *r = *state;
    struct message *m = publish(r, 3);
    for (unsigned round = 0; round < 100; round++) {
        message_share(&r->core[0], m, 2);
        message_put(&r->core[1], m);
        if (round % 3 == 0) message_share(&r->core[0], m, 1); /* while one is still out */
        message_put(&r->core[2], m);
        if (round % 3 == 0) message_put(&r->core[1], m);
        go_home(r);
        assert_int_equal(m->users, 1);
    }
    message_unref(&r->core[0], m);
    assert_int_equal(pool_bytes_used(r->core[0].pool), 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(message_holds_what_was_published),
        TEST(expiry_counts_from_now_and_does_not_overflow),
        TEST(no_memory_makes_no_message_and_no_stand_in),
        TEST(last_share_given_back_sends_the_block_home),
        TEST(home_frees_at_once_when_all_shares_are_back),
        TEST(handed_over_message_needs_no_put),
        TEST(share_mailed_back_home_counts_as_a_use),
        TEST(share_that_came_home_can_be_kept_and_shared_without_users),
        TEST(kept_at_home_is_the_message_itself),
        TEST(small_message_is_copied_and_its_share_pins_nothing),
        TEST(large_message_is_pinned_by_its_stand_in),
        TEST(shares_of_a_stand_in_travel_and_are_kept_elsewhere),
        TEST(retained_message_makes_many_rounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
