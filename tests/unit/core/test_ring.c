/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/assert.h"
#include "core/ring.h"

enum { BURST = 160 };

static struct ring *ring_make(uint32_t slots)
{
    struct ring *r = aligned_alloc(2 * CACHE_LINE, ring_bytes(slots));
    assert_non_null(r);
    ring_init(r, slots);
    return r;
}

/* An empty ring whose next slot is number `at`, as after that many mails. */
static struct ring *ring_make_at(uint32_t slots, uint32_t at)
{
    struct ring *r = ring_make(slots);
    r->tail = r->staged = r->head_seen = r->head = r->tail_seen = at;
    return r;
}

static struct mail numbered(uint32_t n)
{
    return (struct mail){.kind = 1, .flags = (uint8_t)n, .a = (uint16_t)n, .b = n, .c = ~n};
}

static void assert_numbered(const struct mail *m, uint32_t n)
{
    struct mail want = numbered(n);
    assert_memory_equal(m, &want, sizeof want);
}

/* Stages mails `first`, `first`+1 ... and returns how many fitted. */
static uint32_t stage_from(struct ring *r, uint32_t first, uint32_t n)
{
    struct mail m[BURST];
    assert_true(n <= BURST);
    for (uint32_t i = 0; i < n; i++)
        m[i] = numbered(first + i);
    return ring_stage(r, m, n);
}

static uint32_t take_from(struct ring *r, uint32_t first, uint32_t n)
{
    struct mail m[BURST];
    assert_true(n <= BURST);
    uint32_t got = ring_take(r, m, n);
    for (uint32_t i = 0; i < got; i++)
        assert_numbered(&m[i], first + i);
    return got;
}

static void rings_lie_on_cache_lines_of_their_own(void **state)
{
    (void)state;
    for (uint32_t slots = 2; slots <= 1u << 20; slots *= 2) {
        assert_int_equal(ring_bytes(slots) % (2 * CACHE_LINE), 0);
        assert_true(ring_bytes(slots) >= slots * sizeof(struct mail));
    }
    assert_int_equal(offsetof(struct ring, slot) % CACHE_LINE, 0);
    assert_int_equal(offsetof(struct ring, tail) % (2 * CACHE_LINE), 0);
    assert_int_equal(offsetof(struct ring, head) % (2 * CACHE_LINE), 0);
    assert_true(offsetof(struct ring, staged) >= offsetof(struct ring, tail) + 2 * CACHE_LINE);
    assert_true(offsetof(struct ring, tail_seen) >= offsetof(struct ring, head) + 2 * CACHE_LINE);
}

static void staged_mail_is_seen_only_after_publish(void **state)
{
    (void)state;
    struct ring *r = ring_make(8);
    assert_int_equal(stage_from(r, 0, 3), 3);
    assert_false(ring_waiting(r));
    assert_int_equal(take_from(r, 0, 8), 0);
    assert_true(ring_publish(r));
    assert_true(ring_waiting(r));
    assert_int_equal(take_from(r, 0, 8), 3);
    assert_false(ring_waiting(r));
    free(r);
}

static void publish_says_whether_there_was_anything_staged(void **state)
{
    (void)state;
    struct ring *r = ring_make(8);
    assert_false(ring_publish(r));
    stage_from(r, 0, 1);
    assert_true(ring_publish(r));
    assert_false(ring_publish(r));
    free(r);
}

static void full_ring_refuses_then_accepts_after_one_take(void **state)
{
    (void)state;
    for (uint32_t slots = 2; slots <= 128; slots *= 2) {
        struct ring *r = ring_make(slots);
        assert_int_equal(stage_from(r, 0, slots + 5), slots);
        assert_int_equal(stage_from(r, slots, 1), 0);
        ring_publish(r);
        assert_int_equal(stage_from(r, slots, 1), 0);
        assert_int_equal(take_from(r, 0, 1), 1);
        assert_int_equal(stage_from(r, slots, 2), 1);
        ring_publish(r);
        assert_int_equal(take_from(r, 1, BURST), slots);
        assert_int_equal(take_from(r, 0, 1), 0);
        free(r);
    }
}

static void room_counts_what_is_staged_and_what_was_taken(void **state)
{
    (void)state;
    struct ring *r = ring_make(8);
    assert_int_equal(ring_room(r), 8);
    stage_from(r, 0, 5);
    assert_int_equal(ring_room(r), 3);
    ring_publish(r);
    assert_int_equal(ring_room(r), 3);
    take_from(r, 0, 2);
    assert_int_equal(ring_room(r), 5);
    free(r);
}

static void take_gives_all_that_is_published_up_to_what_is_asked(void **state)
{
    (void)state;
    struct ring *r = ring_make(16);
    stage_from(r, 0, 4);
    ring_publish(r);
    assert_int_equal(take_from(r, 0, 1), 1); /* has seen a tail of 4 */
    stage_from(r, 4, 6);
    ring_publish(r);
    assert_int_equal(take_from(r, 1, 8), 8); /* and looks again when that is not enough */
    assert_int_equal(take_from(r, 9, 8), 1);
    free(r);
}

/* Three times round from slot `at`, `in` mails a batch in and `out` a batch out. */
static void go_round(uint32_t slots, uint32_t at, uint32_t in, uint32_t out)
{
    struct ring *r = ring_make_at(slots, at);
    uint32_t sent = 0, got = 0;
    while (got < 3 * slots) {
        sent += stage_from(r, sent, in);
        ring_publish(r);
        got += take_from(r, got, out);
        assert_true(sent - got <= slots);
    }
    free(r);
}

static void order_is_kept_at_every_offset_and_batch(void **state)
{
    (void)state;
    enum { SLOTS = 16 };
    for (uint32_t at = 0; at < SLOTS; at++)
        for (uint32_t in = 1; in <= SLOTS; in++)
            for (uint32_t out = 1; out <= SLOTS; out++)
                go_round(SLOTS, at, in, out);
}

static void indexes_may_wrap_over_32_bits(void **state)
{
    (void)state;
    enum { SLOTS = 8 };
    for (uint32_t before = 0; before <= 2 * SLOTS; before++) {
        struct ring *r = ring_make_at(SLOTS, UINT32_MAX - before);
        uint32_t sent = 0, got = 0;
        while (got < 4 * SLOTS) {
            sent += stage_from(r, sent, SLOTS);
            assert_int_equal(ring_room(r), SLOTS - (sent - got));
            ring_publish(r);
            assert_true(ring_waiting(r));
            got += take_from(r, got, 3);
        }
        free(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rings_lie_on_cache_lines_of_their_own),
        cmocka_unit_test(staged_mail_is_seen_only_after_publish),
        cmocka_unit_test(publish_says_whether_there_was_anything_staged),
        cmocka_unit_test(full_ring_refuses_then_accepts_after_one_take),
        cmocka_unit_test(room_counts_what_is_staged_and_what_was_taken),
        cmocka_unit_test(take_gives_all_that_is_published_up_to_what_is_asked),
        cmocka_unit_test(order_is_kept_at_every_offset_and_batch),
        cmocka_unit_test(indexes_may_wrap_over_32_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
