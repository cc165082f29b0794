/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"

static void hash_is_xxh3(void **state)
{
    (void)state;
    /* The published value for no input and seed 0. */
    assert_true(hash_bytes(0, BYTES("")) == 0x2D06800538D394C2ull);
    assert_true(hash_bytes(0, bytes_of(NULL, 0)) == hash_bytes(0, BYTES("")));
}

static void hash_depends_on_every_byte_and_on_the_seed(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 300; n++) {
        uint8_t b[300] = {0};
        uint64_t before = hash_bytes(7, bytes_of(b, n));
        assert_true(before != hash_bytes(8, bytes_of(b, n)));
        for (size_t i = 0; i < n; i++) {
            b[i] = 1;
            assert_true(hash_bytes(7, bytes_of(b, n)) != before);
            b[i] = 0;
        }
        assert_true(hash_bytes(7, bytes_of(b, n)) == before);
    }
}

static void mix_is_one_to_one_where_we_look(void **state)
{
    (void)state;
    assert_true(hash_mix(0) == 0);
    for (uint64_t i = 0; i < 64; i++)
        for (uint64_t k = 0; k < i; k++)
            assert_true(hash_mix(1ull << i) != hash_mix(1ull << k));
}

static void pair_knows_its_order(void **state)
{
    (void)state;
    for (uint64_t a = 0; a < 100; a++)
        for (uint64_t b = 0; b < a; b++)
            assert_true(hash_pair(a, b) != hash_pair(b, a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash_is_xxh3),
        cmocka_unit_test(hash_depends_on_every_byte_and_on_the_seed),
        cmocka_unit_test(mix_is_one_to_one_where_we_look),
        cmocka_unit_test(pair_knows_its_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
