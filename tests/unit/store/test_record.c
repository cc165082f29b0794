/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "store/record.h"

enum { SEED = 12345, POS = 4096 };

static uint32_t write_one(uint8_t *out, uint8_t flags, struct bytes key, struct bytes body)
{
    const struct bytes parts[] = {bytes_of(body.p, body.n / 3), bytes_skip(body, body.n / 3)};
    const struct record_parts p = {.key = key, .part = parts, .nparts = 2};
    const struct record r = {
        .type = 9, .version = 2, .flags = flags, .commit = 0xABCDEF, .moved_from = 77};
    uint32_t n = record_size(&r, &p);
    record_write(out, SEED, POS, &r, &p);
    return n;
}

static void a_record_comes_back_as_it_was_written(void **state)
{
    uint8_t buf[256];
    struct record r;

    (void)state;
    for (size_t key = 0; key < 12; key++) {
        for (size_t body = 0; body < 20; body++) {
            struct bytes k = bytes_of("0123456789abcdef", key),
                         b = bytes_of("ABCDEFGHIJKLMNOPQRSTU", body);
            for (unsigned moved = 0; moved < 2; moved++) {
                uint32_t n = write_one(buf, moved ? RECORD_MOVED | RECORD_KEEP : 0, k, b);
                assert_int_equal(n % RECORD_ALIGN, 0);
                assert_int_equal(record_read(bytes_of(buf, n), SEED, POS, &r), RECORD_GOOD);
                assert_true(bytes_eq(r.key, k) && bytes_eq(r.body, b));
                assert_int_equal(r.bytes, n);
                assert_int_equal(r.type, 9);
                assert_int_equal(r.version, 2);
                assert_int_equal(r.commit, 0xABCDEF);
                assert_int_equal(r.moved_from, moved ? 77 : 0);
            }
        }
    }
}

static void a_record_cut_anywhere_is_none(void **state)
{
    uint8_t buf[256];
    struct record r;
    uint32_t n = write_one(buf, 0, BYTES("key"), BYTES("the body"));

    (void)state;
    for (uint32_t cut = 0; cut < n; cut++) {
        uint8_t *exact = malloc(cut + !cut); /* so that a sanitizer sees a read behind it */
        memcpy(exact, buf, cut);
        assert_int_not_equal(record_read(bytes_of(exact, cut), SEED, POS, &r), RECORD_GOOD);
        free(exact);
    }
}

static void every_flipped_bit_is_noticed(void **state)
{
    uint8_t buf[256];
    struct record r;
    uint32_t n = write_one(buf, RECORD_KEEP, BYTES("key"), BYTES("the body"));

    (void)state;
    for (uint32_t bit = 0; bit < n * 8; bit++) {
        buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
        enum record_state s = record_read(bytes_of(buf, n), SEED, POS, &r);
        assert_int_equal(s, bit / 8 < RECORD_HEAD ? RECORD_BAD_HEAD : RECORD_BAD_BODY);
        buf[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void a_record_is_none_at_another_position_or_in_another_log(void **state)
{
    uint8_t buf[256];
    struct record r;
    uint32_t n = write_one(buf, 0, BYTES("key"), BYTES("the body"));

    (void)state;
    assert_int_equal(record_read(bytes_of(buf, n), SEED, POS + 8, &r), RECORD_BAD_HEAD);
    assert_int_equal(record_read(bytes_of(buf, n), SEED, position_of(1, POS), &r), RECORD_BAD_HEAD);
    assert_int_equal(record_read(bytes_of(buf, n), SEED + 1, POS, &r), RECORD_BAD_HEAD);
    assert_int_not_equal(record_seed(1), record_seed(2));
}

static void zeros_are_no_record_and_no_damage(void **state)
{
    static const uint8_t zeros[64];
    struct record r;

    (void)state;
    for (size_t n = 0; n <= sizeof zeros; n++)
        assert_int_equal(record_read(bytes_of(zeros, n), SEED, POS, &r), RECORD_NONE);
}

static void the_next_record_is_found_behind_damage(void **state)
{
    uint8_t buf[512] = {0};
    struct record r;

    (void)state;
    memset(buf, 0x5A, 40);
    uint32_t n = write_one(buf + 200, 0, BYTES("k"), BYTES("b"));
    memcpy(buf + 40, buf + 200, n); /* a copy, at a wrong position */
    const struct record_parts p = {.key = BYTES("k")};
    record_write(buf + 400, SEED, POS + 400, &(struct record){.type = 1}, &p);
    assert_int_equal(record_find(bytes_of(buf, sizeof buf), 0, SEED, POS, 0), 400);
    assert_int_equal(record_read(bytes_of(buf + 400, 112), SEED, POS + 400, &r), RECORD_GOOD);
    assert_int_equal(record_find(bytes_of(buf, sizeof buf), 408, SEED, POS, 0), sizeof buf);
}

static void more_flags_keep_it_good(void **state)
{
    uint8_t buf[256];
    struct record r;
    uint32_t n = write_one(buf, RECORD_KEEP, BYTES("key"), BYTES("the body"));

    (void)state;
    record_add_flags(buf, SEED, POS, RECORD_LAST);
    assert_int_equal(record_read(bytes_of(buf, n), SEED, POS, &r), RECORD_GOOD);
    assert_int_equal(r.flags, RECORD_KEEP | RECORD_LAST);
    assert_int_equal(r.commit, 0xABCDEF);
}

static void what_is_too_long_has_no_size(void **state)
{
    const struct bytes huge = {.p = (const uint8_t *)"", .n = 1ull << 31};
    const struct record r = {.type = 1};

    (void)state;
    assert_int_equal(record_size(&r, &(struct record_parts){.part = &huge, .nparts = 1}), 0);
    assert_int_equal(record_size(&r, &(struct record_parts){.key = bytes_of("", 65536)}), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_comes_back_as_it_was_written),
        cmocka_unit_test(a_record_cut_anywhere_is_none),
        cmocka_unit_test(every_flipped_bit_is_noticed),
        cmocka_unit_test(a_record_is_none_at_another_position_or_in_another_log),
        cmocka_unit_test(zeros_are_no_record_and_no_damage),
        cmocka_unit_test(the_next_record_is_found_behind_damage),
        cmocka_unit_test(more_flags_keep_it_good),
        cmocka_unit_test(what_is_too_long_has_no_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
