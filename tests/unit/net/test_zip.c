/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/err.h"
#include "net/zip.h"

#define B(literal) (const uint8_t *)(literal), sizeof(literal) - 1

/* "Hello" in the forms of RFC 7692, section 7.2.3. */
static const struct bytes hello[] = {
    {B("\xF2\x48\xCD\xC9\xC9\x07\x00")},                         /* one block */
    {B("\x00\x05\x00\xFA\xFF\x48\x65\x6C\x6C\x6F\x00")},         /* stored */
    {B("\xF3\x48\xCD\xC9\xC9\x07\x00\x00")},                     /* it calls itself the last */
    {B("\xF2\x48\x05\x00\x00\x00\xFF\xFF\xCA\xC9\xC9\x07\x00")}, /* two blocks */
};

/* Made by Python's zlib: levels 1 and 9, a window of 9 bits, fixed codes, level 0. */
static const char text[] = "the quick brown fox, the quick brown dog";
static const struct bytes texts[] = {
    {B("\x2A\xC9\x48\x55\x28\x2C\xCD\x4C\xCE\x56\x48\x2A\xCA\x2F\xCF\x53\x48\xCB\xAF\xD0"
       "\x51\x28\x41\x13\x4C\xC9\x4F\x07\x00")},
    {B("\x2A\xC9\x48\x55\x28\x2C\xCD\x4C\xCE\x56\x48\x2A\xCA\x2F\xCF\x53\x48\xCB\xAF\xD0"
       "\x51\x28\x41\x13\x4C\xC9\x4F\x07\x00")},
    {B("\x2A\xC9\x48\x55\x28\x2C\xCD\x4C\xCE\x56\x48\x2A\xCA\x2F\xCF\x53\x48\xCB\xAF\xD0"
       "\x51\x28\x41\x13\x4C\xC9\x4F\x07\x00")},
    {B("\x2A\xC9\x48\x55\x28\x2C\xCD\x4C\xCE\x56\x48\x2A\xCA\x2F\xCF\x53\x48\xCB\xAF\xD0"
       "\x51\x28\x41\x13\x4C\xC9\x4F\x07\x00")},
    {B("\x00\x28\x00\xD7\xFF\x74\x68\x65\x20\x71\x75\x69\x63\x6B\x20\x62\x72\x6F\x77\x6E"
       "\x20\x66\x6F\x78\x2C\x20\x74\x68\x65\x20\x71\x75\x69\x63\x6B\x20\x62\x72\x6F\x77"
       "\x6E\x20\x64\x6F\x67\x00")},
};

/* 100,000 zeros. */
static const struct bytes zeros = {
    B("\xEC\xC1\x31\x01\x00\x00\x00\xC2\xA0\xF5\x4F\x6D\x0D\x0F\xA0\x00\x00\x00\x00\x00"
      "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
      "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
      "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
      "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
      "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x57\x03")};

static void assert_opens(struct zip *z, struct bytes in, const void *want, size_t n)
{
    struct zip_out out = {.p = NULL};

    assert_int_equal(zip_out_add(&out, BYTES("before ")), 0);
    assert_int_equal(zip_inflate(z, in, &out, n), 0); /* exactly as much as is allowed */
    assert_int_equal(out.n, n + 7);
    assert_memory_equal(out.p, "before ", 7);
    assert_memory_equal(out.p + 7, want, n);
    free(out.p);
}

static void every_form_of_a_message_opens_and_leaves_nothing_to_the_next(void **state)
{
    struct zip *z = zip_new();

    (void)state;
    for (size_t i = 0; i < sizeof hello / sizeof hello[0]; i++)
        assert_opens(z, hello[i], "Hello", 5);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_opens(z, texts[i], text, sizeof text - 1);
    assert_opens(z, BYTES("\0"), "", 0);
    assert_opens(z, BYTES(""), "", 0);
    zip_free(&z);
}

static void a_message_that_stands_for_more_than_is_allowed_is_given_up_in_time(void **state)
{
    static const size_t max[] = {0, 1, 1000, 99999};
    struct zip *z = zip_new();

    (void)state;
    for (size_t i = 0; i < sizeof max / sizeof max[0]; i++) {
        struct zip_out out = {.p = NULL};
        assert_int_equal(zip_inflate(z, zeros, &out, max[i]), -ERR_TOO_LARGE);
        assert_true(out.n <= max[i] + 1);
        assert_true(out.cap <= 2 * max[i] + (16 << 10));
        free(out.p);
    }
    uint8_t *want = calloc(1, 100000);
    assert_opens(z, zeros, want, 100000);
    free(want);
    zip_free(&z);
}

static void what_is_no_compressed_message_is_malformed(void **state)
{
    static const struct bytes bad[] = {
        {B("\x07")},                 /* a block of the fourth kind */
        {B("\x00\x05\x00\x05\x00")}, /* a length that is not its own check */
        {B("\x02\x07\x00")},         /* looks back to before the beginning */
    };
    struct zip *z = zip_new();

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct zip_out out = {.p = NULL};
        assert_int_equal(zip_inflate(z, bad[i], &out, 1000), -ERR_MALFORMED);
        assert_opens(z, hello[0], "Hello", 5); /* the next one does not suffer */
        free(out.p);
    }
    zip_free(&z);
}

static void what_is_sent_opens_again_and_fits_where_it_was_told_to(void **state)
{
    struct zip *z = zip_new(), *other = zip_new();
    uint8_t in[4096], packed[4096];

    (void)state;
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (uint8_t)(i % 97 * (i / 512));
    for (unsigned bits = 9; bits <= 15; bits++) {
        size_t n = zip_deflate(z, bytes_of(in, sizeof in), packed, sizeof packed, bits);
        assert_true(n > 0 && n < sizeof in);
        assert_opens(other, bytes_of(packed, n), in, sizeof in);
        assert_int_equal(zip_deflate(z, bytes_of(in, sizeof in), packed, n / 2, bits), 0);
    }
    assert_int_equal(zip_deflate(z, BYTES("x"), packed, 1, 15), 0);
    zip_free(&z);
    zip_free(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_of_a_message_opens_and_leaves_nothing_to_the_next),
        cmocka_unit_test(a_message_that_stands_for_more_than_is_allowed_is_given_up_in_time),
        cmocka_unit_test(what_is_no_compressed_message_is_malformed),
        cmocka_unit_test(what_is_sent_opens_again_and_fits_where_it_was_told_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
