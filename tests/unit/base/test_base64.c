/* SPDX-License-Identifier: BSD-3-Clause */
/* test_base64.c -- one text per value, and no other text is taken. */
#include "base/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/err.h"

/* RFC 4648, section 10. */
static const struct {
    const char *bytes, *padded, *bare;
} vectors[] = {
    {"", "", ""},
    {"f", "Zg==", "Zg"},
    {"fo", "Zm8=", "Zm8"},
    {"foo", "Zm9v", "Zm9v"},
    {"foob", "Zm9vYg==", "Zm9vYg"},
    {"fooba", "Zm9vYmE=", "Zm9vYmE"},
    {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
    {"\xFB\xEF\xFF", "++//", "++//"},
};

static void check_pair(enum base64_form form, struct bytes bytes, struct bytes text)
{
    uint8_t room[64];
    struct writer w = wr_of(room, sizeof room);

    base64_put(form, &w, bytes);
    assert_false(w.bad);
    assert_true(bytes_eq(bytes_of(room, wr_len(&w)), text));
    long n = base64_decode(form, text, room);
    assert_true(n == (long)bytes.n && bytes_eq(bytes_of(room, (size_t)n), bytes));
}

static void the_vectors_are_written_and_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        check_pair(BASE64_PADDED, bytes_str(vectors[i].bytes), bytes_str(vectors[i].padded));
        check_pair(BASE64_BARE, bytes_str(vectors[i].bytes), bytes_str(vectors[i].bare));
    }
}

static void every_byte_in_every_place_survives(void **state)
{
    uint8_t in[3], text[4], out[BASE64_BYTES_MAX(4)];

    (void)state;
    for (unsigned place = 0; place < 3; place++) {
        for (unsigned v = 0; v < 256; v++) {
            struct writer w = wr_of(text, sizeof text);
            memset(in, 0x5A, sizeof in);
            in[place] = (uint8_t)v;
            base64_put(BASE64_PADDED, &w, bytes_of(in, place + 1));
            assert_int_equal(base64_decode(BASE64_PADDED, bytes_of(text, 4), out), place + 1);
            assert_memory_equal(in, out, place + 1);
        }
    }
}

static void another_spelling_is_refused(void **state)
{
    static const char *const padded[] = {
        "Zg=",    "Zg",   "Z",    "=",    "====",     "Z===", "Zh==", "Zm9=",
        "Zg==\n", "Z g=", "Zm9-", "Zm9_", "Zg==Zg==", "=Zg=", "Zm=v"};
    static const char *const bare[] = {"Z", "Zg==", "Zm9vY", "Zh", "Zm9", "Zm9v Z", "=", "Zg\n"};
    uint8_t out[64];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(padded); i++)
        assert_int_equal(base64_decode(BASE64_PADDED, bytes_str(padded[i]), out), -ERR_MALFORMED);
    for (size_t i = 0; i < ARRAY_LEN(bare); i++)
        assert_int_equal(base64_decode(BASE64_BARE, bytes_str(bare[i]), out), -ERR_MALFORMED);
}

static void a_writer_without_room_is_bad(void **state)
{
    uint8_t room[4];
    struct writer w = wr_of(room, sizeof room);

    (void)state;
    base64_put(BASE64_BARE, &w, BYTES("foob"));
    assert_true(w.bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_are_written_and_read),
        cmocka_unit_test(every_byte_in_every_place_survives),
        cmocka_unit_test(another_spelling_is_refused),
        cmocka_unit_test(a_writer_without_room_is_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
