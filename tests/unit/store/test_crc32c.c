/* SPDX-License-Identifier: BSD-3-Clause */
/* test_crc32c.c -- the vectors of RFC 3720, appendix B.4, and both ways against each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "store/crc32c.h"

static void fill(uint8_t *p, int first, int step)
{
    for (int i = 0; i < 32; i++)
        p[i] = (uint8_t)(first + i * step);
}

static void both_ways_give_the_sums_of_the_standard(void **state)
{
    static const uint8_t read_command[48] = {
        0x01, 0xC0, [16] = 0x14, [20] = 0, 0, 0x04, 0, [27] = 0x14, [31] = 0x18, 0x28, [40] = 0x02,
    };
    uint8_t b[32];
    const struct {
        int first, step;
        uint32_t sum;
    } rows[] = {
        {0, 0, 0x8A9136AA}, {0xFF, 0, 0x62A8AB43}, {0, 1, 0x46DD794E}, {31, -1, 0x113FDB5C}};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        fill(b, rows[i].first, rows[i].step);
        assert_int_equal(crc32c_table(0, bytes_of(b, 32)), rows[i].sum);
        assert_int_equal(crc32c(0, bytes_of(b, 32)), rows[i].sum);
        if (crc32c_has_hardware())
            assert_int_equal(crc32c_hardware(0, bytes_of(b, 32)), rows[i].sum);
    }
    assert_int_equal(crc32c_table(0, bytes_of(read_command, 48)), 0xD9963A56);
    assert_int_equal(crc32c(0, bytes_of(read_command, 48)), 0xD9963A56);
}

static void both_ways_agree_at_every_length_and_place(void **state)
{
    uint8_t b[300];
    struct rng r;

    (void)state;
    rng_seed(&r, 1);
    for (size_t i = 0; i < sizeof b; i++)
        b[i] = (uint8_t)rng_u64(&r);
    for (size_t from = 0; from < 9; from++)
        for (size_t n = 0; n + from <= sizeof b; n++)
            assert_int_equal(crc32c(7, bytes_of(b + from, n)),
                             crc32c_table(7, bytes_of(b + from, n)));
}

static void a_sum_is_continued(void **state)
{
    (void)state;
    for (size_t n = 0; n <= 9; n++) {
        uint32_t first = crc32c(0, bytes_of("123456789", n));
        assert_int_equal(crc32c(first, bytes_of(&"123456789"[n], 9 - n)), 0xE3069283);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ways_give_the_sums_of_the_standard),
        cmocka_unit_test(both_ways_agree_at_every_length_and_place),
        cmocka_unit_test(a_sum_is_continued),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
