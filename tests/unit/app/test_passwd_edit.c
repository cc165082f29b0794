/* SPDX-License-Identifier: BSD-3-Clause */
/* test_passwd_edit.c -- one user's lines change, and nothing else does. */
#include "app/passwd/passwd_edit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/assert.h"

static void edit(const char *before, const char *user, const char *hash, const char *scram,
                 const char *after)
{
    const struct passwd_lines l = {
        .user = bytes_str(user), .hash = bytes_str(hash), .scram = bytes_str(scram)};
    struct bytes text = bytes_str(before);
    size_t room = passwd_edit_room(text, &l);
    uint8_t *p = malloc(room);
    struct writer w = wr_of(p, room);

    assert_non_null(p);
    passwd_edit(&w, text, &l);
    assert_false(w.bad);
    if (!bytes_eq(bytes_of(p, wr_len(&w)), bytes_str(after)))
        fail_msg("is:\n%.*s", (int)wr_len(&w), (const char *)p);
    free(p);
}

static void a_new_user_comes_last(void **state)
{
    (void)state;
    edit("", "a", "H", "", "a:H\n");
    edit("", "a", "H", "S", "a:H\na:S\n");
    edit("# c\nb:X\n", "a", "H", "", "# c\nb:X\na:H\n");
    edit("b:X", "a", "H", "S", "b:X\na:H\na:S\n"); /* a last line without its end */
}

static void a_user_keeps_its_place_and_others_their_bytes(void **state)
{
    (void)state;
    edit("# c\n\nb:X \r\na:old\n\tz\nc:Y\n", "a", "H", "", "# c\n\nb:X \r\na:H\n\tz\nc:Y\n");
    edit("a:old\nb:X\na:scram\n", "a", "H", "S", "a:H\na:S\nb:X\n");
    edit("a:old\nb:X\na:scram\n", "a", "H", "", "a:H\nb:X\n");
}

static void names_that_begin_alike_are_others(void **state)
{
    (void)state;
    edit("ab:X\n#a:X\na :X\n", "a", "H", "", "ab:X\n#a:X\na :X\na:H\n");
}

static void a_user_that_goes_leaves_nothing(void **state)
{
    (void)state;
    edit("# c\na:old\nb:X\na:scram", "a", "", "", "# c\nb:X\n");
    edit("a:old\n", "a", "", "", "");
}

static void it_tells_how_many_lines_there_were(void **state)
{
    const struct passwd_lines l = {.user = BYTES("a")};
    uint8_t room[64];
    struct writer w = wr_of(room, sizeof room);

    (void)state;
    assert_int_equal(passwd_edit(&w, BYTES("a:1\nb:2\na:3\n"), &l), 2);
    assert_int_equal(passwd_edit(&w, BYTES("b:2\n"), &l), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_user_comes_last),
        cmocka_unit_test(a_user_keeps_its_place_and_others_their_bytes),
        cmocka_unit_test(names_that_begin_alike_are_others),
        cmocka_unit_test(a_user_that_goes_leaves_nothing),
        cmocka_unit_test(it_tells_how_many_lines_there_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
