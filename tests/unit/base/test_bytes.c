/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"

static const uint8_t FRAME[] = {0x7F, 0xFF, 0xFE, 0x80, 0x01, 0x02, 0x03, 'a', 'b', 'c', 'r', 's'};

struct parts {
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    struct bytes taken, rest;
};

static struct reader read_parts(struct bytes frame, struct parts *p)
{
    struct reader r = rd_of(frame);
    p->u8 = rd_u8(&r);
    p->u16 = rd_u16be(&r);
    p->u32 = rd_u32be(&r);
    p->taken = rd_take(&r, 3);
    p->rest = rd_rest(&r);
    return r;
}

static void reader_reads_big_endian(void **state)
{
    (void)state;
    struct parts p;
    struct reader r = read_parts(bytes_of(FRAME, sizeof FRAME), &p);
    assert_false(r.bad);
    assert_int_equal(p.u8, 0x7F);
    assert_int_equal(p.u16, 0xFFFE);
    assert_int_equal(p.u32, 0x80010203u);
    assert_true(bytes_eq(p.taken, BYTES("abc")));
    assert_true(bytes_eq(p.rest, BYTES("rs")));
    assert_int_equal(rd_left(&r), 0);
}

static void reader_is_bad_at_each_cut_and_gives_zeros(void **state)
{
    (void)state;
    for (size_t n = 0; n < 10; n++) { /* the last two bytes are the rest, which may be empty */
        struct parts p;
        struct reader r = read_parts(bytes_of(FRAME, n), &p);
        assert_true(r.bad);
        assert_int_equal(p.u8, n >= 1 ? 0x7F : 0);
        assert_int_equal(p.u16, n >= 3 ? 0xFFFE : 0);
        assert_int_equal(p.u32, n >= 7 ? 0x80010203u : 0);
        assert_int_equal(p.taken.n, 0);
        assert_int_equal(p.rest.n, 0);
        assert_int_equal(rd_left(&r), 0);
    }
}

static void reader_stays_bad_though_a_smaller_read_would_fit(void **state)
{
    (void)state;
    struct reader r = rd_of(BYTES("\x01\x02\x03"));
    assert_int_equal(rd_u32be(&r), 0);
    assert_int_equal(rd_u8(&r), 0);
    assert_int_equal(rd_u16be(&r), 0);
    assert_true(r.bad);
}

static void nothing_at_all_can_be_read_and_written(void **state)
{
    (void)state;
    struct bytes none = bytes_of(NULL, 0);
    struct reader r = rd_of(none);
    assert_int_equal(rd_rest(&r).n, 0);
    assert_int_equal(rd_take(&r, 0).n, 0);
    assert_false(r.bad);
    assert_int_equal(rd_u8(&r), 0);
    assert_true(r.bad);

    struct writer w = wr_of(NULL, 0);
    wr_bytes(&w, none);
    assert_false(w.bad);
    assert_int_equal(wr_len(&w), 0);
    wr_u8(&w, 1);
    assert_true(w.bad);
    assert_int_equal(bytes_skip(none, 0).n, 0);
}

static void write_parts(struct writer *w)
{
    wr_u8(w, 0x7F);
    wr_u16be(w, 0xFFFE);
    wr_u32be(w, 0x80010203u);
    wr_bytes(w, BYTES("abcrs"));
}

static void writer_writes_what_the_reader_reads(void **state)
{
    (void)state;
    uint8_t out[sizeof FRAME];
    struct writer w = wr_of(out, sizeof out);
    write_parts(&w);
    assert_false(w.bad);
    assert_int_equal(wr_len(&w), sizeof FRAME);
    assert_memory_equal(out, FRAME, sizeof FRAME);
}

static void writer_without_room_writes_whole_items_only(void **state)
{
    (void)state;
    for (size_t room = 0; room < sizeof FRAME; room++) {
        uint8_t out[sizeof FRAME];
        memset(out, 0xEE, sizeof out);
        struct writer w = wr_of(out, room);
        write_parts(&w);
        size_t whole = room >= 7 ? 7 : room >= 3 ? 3 : room >= 1 ? 1 : 0;
        assert_true(w.bad);
        assert_int_equal(wr_len(&w), whole);
        assert_memory_equal(out, FRAME, whole);
        for (size_t i = whole; i < sizeof out; i++)
            assert_int_equal(out[i], 0xEE);
    }
}

static void writer_stays_bad_though_a_smaller_item_would_fit(void **state)
{
    (void)state;
    uint8_t out[3];
    struct writer w = wr_of(out, sizeof out);
    wr_u32be(&w, 1);
    wr_u8(&w, 1);
    assert_true(w.bad);
    assert_int_equal(wr_len(&w), 0);
}

static void bytes_compare_by_length_and_content(void **state)
{
    (void)state;
    assert_true(bytes_eq(BYTES("a\0b"), bytes_of("a\0b", 3)));
    assert_false(bytes_eq(BYTES("a\0b"), BYTES("a\0c")));
    assert_false(bytes_eq(BYTES("a"), BYTES("ab")));
    assert_true(bytes_eq(bytes_of(NULL, 0), BYTES("")));
    assert_true(bytes_starts(BYTES("$SYS/x"), BYTES("$SYS/")));
    assert_true(bytes_starts(BYTES("x"), bytes_of(NULL, 0)));
    assert_false(bytes_starts(BYTES("$SY"), BYTES("$SYS")));
    assert_false(bytes_starts(BYTES("xSYS/"), BYTES("$SYS")));
    assert_true(bytes_eq(bytes_skip(bytes_str("topic"), 3), BYTES("ic")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reader_reads_big_endian),
        cmocka_unit_test(reader_is_bad_at_each_cut_and_gives_zeros),
        cmocka_unit_test(reader_stays_bad_though_a_smaller_read_would_fit),
        cmocka_unit_test(nothing_at_all_can_be_read_and_written),
        cmocka_unit_test(writer_writes_what_the_reader_reads),
        cmocka_unit_test(writer_without_room_writes_whole_items_only),
        cmocka_unit_test(writer_stays_bad_though_a_smaller_item_would_fit),
        cmocka_unit_test(bytes_compare_by_length_and_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
