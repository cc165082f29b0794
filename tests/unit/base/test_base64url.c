/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/base64.h"
#include "base/err.h"

static long decode(const char *text, uint8_t *out)
{
    return base64_decode(BASE64_URL, bytes_str(text), out);
}

/* [RFC4648-10], without the padding, and the two characters that are not base64's. */
static void text_becomes_its_bytes(void **state)
{
    static const struct {
        const char *text, *bytes;
    } rows[] = {
        {"", ""},           {"Zg", "f"},          {"Zm8", "fo"},          {"Zm9v", "foo"},
        {"Zm9vYg", "foob"}, {"Zm9vYmE", "fooba"}, {"Zm9vYmFy", "foobar"}, {"-_-_", "\xFB\xFF\xBF"}};
    uint8_t out[16];
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(decode(rows[i].text, out), strlen(rows[i].bytes));
        assert_memory_equal(out, rows[i].bytes, strlen(rows[i].bytes));
    }
}

static void all_else_is_refused(void **state)
{
    static const char *const bad[] = {"Z",          "Zm9vY",  "Zg==", "Zm8=",  "Zm9v\n", " Zm9v",
                                      "Zm 9v",      "Zm9+",   "Zm9/", "Zm9v.", "Zh",     "Zm9",
                                      "Zm\xC3\xB6", "Zm9vYh", "A===", "====",  "Zm-v*"};
    uint8_t out[16];
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
        if (decode(bad[i], out) != -ERR_MALFORMED) fail_msg("%s is taken", bad[i]);
    assert_int_equal(base64_decode(BASE64_URL, BYTES("Zm\0v"), out), -ERR_MALFORMED);
}

/* Two spellings of one value would make two tokens of one. */
static void every_value_has_one_spelling(void **state)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned taken = 0;
    uint8_t out[4];
    (void)state;
    for (unsigned i = 0; i < 64; i++)
        for (unsigned k = 0; k < 64; k++) {
            uint8_t text[] = {(uint8_t)alphabet[i], (uint8_t)alphabet[k]};
            taken += base64_decode(BASE64_URL, bytes_of(text, 2), out) == 1;
        }
    assert_int_equal(taken, 256);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_becomes_its_bytes),
        cmocka_unit_test(all_else_is_refused),
        cmocka_unit_test(every_value_has_one_spelling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
