/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "app/suggest.h"
#include "base/assert.h"

static const char *nearest(const char *word)
{
    static const char *const known[] = {"serve", "check", "pub", "sub", "bench", "version", "help"};
    struct suggest s = suggest_start(word);

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        suggest_offer(&s, known[i]);
    return suggest_best(&s);
}

static void a_word_with_a_slip_finds_what_was_meant(void **state)
{
    (void)state;
    assert_string_equal(nearest("serv"), "serve");
    assert_string_equal(nearest("sevre"), "serve");
    assert_string_equal(nearest("chekc"), "check");
    assert_string_equal(nearest("sbu"), "sub");
    assert_string_equal(nearest("benhc"), "bench");
}

static void a_word_far_from_all_finds_nothing(void **state)
{
    (void)state;
    assert_null(nearest("frobnicate"));
    assert_null(nearest("x"));
    assert_null(nearest(""));
}

static void words_of_any_length_are_safe(void **state)
{
    char word[500];

    (void)state;
    memset(word, 'a', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    assert_null(nearest(word));
    word[SUGGEST_WORD_MAX] = '\0';
    assert_null(nearest(word));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_word_with_a_slip_finds_what_was_meant),
        cmocka_unit_test(a_word_far_from_all_finds_nothing),
        cmocka_unit_test(words_of_any_length_are_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
