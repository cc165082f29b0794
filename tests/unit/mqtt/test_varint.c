/* SPDX-License-Identifier: BSD-3-Clause */
#include "proto/mqtt/varint.h"
#include "unit/mqtt/expect.h"

/* [MQTT-1.5.5], table 1-1. */
static const struct {
    uint32_t value;
    const char *text;
} shortest[] = {
    {0, "00"},
    {1, "01"},
    {127, "7F"},
    {128, "80 01"},
    {16383, "FF 7F"},
    {16384, "80 80 01"},
    {321, "C1 02"},
    {2097151, "FF FF 7F"},
    {2097152, "80 80 80 01"},
    {268435455, "FF FF FF 7F"},
};

static void numbers_are_written_as_in_the_table_and_read_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(shortest); i++) {
        struct bytes wanted = bytes_from(shortest[i].text);
        uint8_t out[VARINT_BYTES];
        uint32_t value = 0;
        assert_int_equal(varint_size(shortest[i].value), wanted.n);
        expect_bytes(bytes_of(out, varint_encode(out, shortest[i].value)), wanted);
        assert_int_equal(varint_decode(wanted, &value), wanted.n);
        assert_int_equal(value, shortest[i].value);
        exact_free(wanted);
    }
}

static void a_cut_number_waits(void **state)
{
    (void)state;
    for (size_t n = 0; n < 4; n++) {
        struct bytes whole = bytes_from("80 80 80 01"), cut = exact_copy(bytes_of(whole.p, n));
        uint32_t value;
        assert_int_equal(varint_decode(cut, &value), 0);
        exact_free(whole);
        exact_free(cut);
    }
}

static void a_fifth_byte_is_never_read(void **state)
{
    (void)state;
    uint32_t value;
    struct bytes four = bytes_from("80 80 80 80"), five = bytes_from("FF FF FF FF 00");
    assert_true(varint_decode(four, &value) < 0);
    assert_true(varint_decode(five, &value) < 0);
    exact_free(four);
    exact_free(five);
}

static void a_padded_number_shows_by_the_bytes_it_used(void **state)
{
    (void)state;
    uint32_t value = 1;
    struct bytes padded = bytes_from("80 80 00");
    assert_int_equal(varint_decode(padded, &value), 3); /* [MQTT-1.5.5-1] */
    assert_int_equal(value, 0);
    assert_int_equal(varint_size(value), 1);
    exact_free(padded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_written_as_in_the_table_and_read_back),
        cmocka_unit_test(a_cut_number_waits),
        cmocka_unit_test(a_fifth_byte_is_never_read),
        cmocka_unit_test(a_padded_number_shows_by_the_bytes_it_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
