/* SPDX-License-Identifier: BSD-3-Clause */
/* test_password_file.c -- a file of passwords is understood as a whole, or refused as a whole. */
#include "broker/access/password_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/assert.h"
#include "unit/access/rig.h"

#define ARGON "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
#define ARGON_DEAR                                                                                 \
    "$argon2id$v=19$m=512,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
#define PBKDF                                                                                      \
    "$7$101$c2FsdHNhbHRzYWx0$maf1+C8Oo70GjbrCjXs+v2E4EMuXp8zQvOPd2kyL+JJiIKe1WHmiliX6xug1wYvX2OOj" \
    "X3irZC4GRHTmbxlllw=="
#define KEY "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
#define SCRAM "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$" KEY ":" KEY
#define SCRAM_DEAR "SCRAM-SHA-256$9999:W22ZaJ0SNY7soEsUEjb6gQ==$" KEY ":" KEY

static char error[PASSWORD_FILE_ERROR];

static struct password_file *parsed(const char *text)
{
    struct password_file *f = password_file_parse(bytes_str(text), error, sizeof error);
    if (!f) fail_msg("%s", error);
    return f;
}

/* What is said of a text that is refused. */
static const char *refused(struct bytes text)
{
    struct password_file *f = password_file_parse(text, error, sizeof error);
    if (f) fail_msg("taken: %.*s", (int)text.n, (const char *)text.p);
    return error;
}

static void users_are_found_by_their_whole_name_and_no_other(void **state)
{
    struct password_file *f = parsed("alice:" ARGON "\nbob:" PBKDF "\nb\xC3\xB6rk x:" SCRAM "\n");
    const struct password_entry *e = password_file_find(f, BYTES("bob"));

    (void)state;
    assert_non_null(e);
    assert_true(bytes_eq(e->user, BYTES("bob")));
    assert_true(bytes_eq(e->hash, BYTES(PBKDF)));
    assert_int_equal(e->scram.n, 0);
    e = password_file_find(f, BYTES("b\xC3\xB6rk x"));
    assert_non_null(e);
    assert_true(bytes_eq(e->scram, BYTES(SCRAM)) && e->hash.n == 0);
    assert_null(password_file_find(f, BYTES("bo")));
    assert_null(password_file_find(f, BYTES("bob ")));
    assert_null(password_file_find(f, BYTES("Bob")));
    assert_null(password_file_find(f, bytes_of("bob\0", 4)));
    assert_null(password_file_find(f, BYTES("")));
    assert_null(password_file_find(f, bytes_of(NULL, 0)));
    assert_int_equal(password_file_users(f), 3);
    password_file_free(&f);
    assert_null(f);
    password_file_free(&f);
}

static void empty_lines_and_comments_mean_nothing(void **state)
{
    struct password_file *f = parsed("\n# people\n \t\r\n#bob:" PBKDF "\r\nalice:" ARGON " \r\n\n");

    (void)state;
    assert_int_equal(password_file_users(f), 1);
    assert_int_equal(password_file_find(f, BYTES("alice"))->hash_line, 5);
    password_file_free(&f);
    f = parsed("");
    assert_int_equal(password_file_users(f), 0);
    assert_null(password_file_find(f, BYTES("")));
    password_file_free(&f);
    f = parsed("alice:" ARGON); /* the last line may lack its end */
    assert_int_equal(password_file_users(f), 1);
    password_file_free(&f);
}

static void a_user_may_have_a_hash_and_a_scram_credential(void **state)
{
    static const char *const orders[] = {"a:" ARGON "\nb:" PBKDF "\na:" SCRAM "\n",
                                         "a:" SCRAM "\nb:" PBKDF "\na:" ARGON "\n"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
        struct password_file *f = parsed(orders[i]);
        const struct password_entry *e = password_file_find(f, BYTES("a"));
        assert_int_equal(password_file_users(f), 2);
        assert_true(bytes_eq(e->hash, BYTES(ARGON)));
        assert_true(bytes_eq(e->scram, BYTES(SCRAM)));
        assert_int_equal(e->hash_line + e->scram_line, 4);
        password_file_free(&f);
    }
}

static void one_bad_line_and_the_whole_file_is_refused_with_its_number(void **state)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"a:" ARGON "\nbob\n", "line 2: there is no ':'"},
        {"a:" ARGON "\n\n:" ARGON "\n", "line 3: the user name is empty"},
        {"a:" ARGON "\nbob:\n", "line 2: there is no password"},
        {"a:" ARGON "\nbob: \n", "line 2: there is no password"},
        {"bob:secret\na:" ARGON, "line 1: this is no hash"},
        {"bob: " ARGON "\n", "line 1: this is no hash"},
        {"bob:" ARGON ":x\n", "line 1: the hash can't be read"},
        {" bob:" ARGON "\n", "line 1: a user name can't begin or end with a blank"},
        {"bob :" ARGON "\n", "line 1: a user name can't begin or end with a blank"},
        {"b\x01o:" ARGON "\n", "line 1: a control character"},
        {"b\x7Fo:" ARGON "\n", "line 1: a control character"},
        {"b\xC3o:" ARGON "\n", "line 1: the user name is not UTF-8"},
        {"b:" ARGON "\nb:" PBKDF "\n", "line 2: this user has such a line already, line 1"},
        {"b:" SCRAM "\n\nb:" SCRAM "\n", "line 3: this user has such a line already, line 1"},
        {"\xEF\xBB\xBF# a mark of its byte order\n", "line 1: there is no ':'"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (!bytes_starts(bytes_str(refused(bytes_str(rows[i].text))), bytes_str(rows[i].why)))
            fail_msg("%s: %s", rows[i].text, error);
}

static void a_zero_byte_ends_nothing(void **state)
{
    static const char in_name[] = "bob\0:" ARGON "\n", alone[] = "\0\n",
                      behind[] = "bob:" ARGON "\n\0alice:secret";
    (void)state;
    assert_non_null(
        strstr(refused(bytes_of(in_name, sizeof in_name - 1)), "line 1: a control character"));
    assert_non_null(strstr(refused(bytes_of(alone, sizeof alone - 1)), "line 1: there is no ':'"));
    assert_non_null(
        strstr(refused(bytes_of(behind, sizeof behind - 1)), "line 2: a control character"));
}

static void a_file_cut_anywhere_but_between_lines_is_refused(void **state)
{
    static const char text[] = "alice:" PBKDF "\nbob:" SCRAM "\n";
    const size_t first = sizeof "alice:" PBKDF - 1, all = sizeof text - 2;

    (void)state;
    for (size_t n = 0; n <= all + 1; n++) {
        struct password_file *f = password_file_parse(bytes_of(text, n), error, sizeof error);
        bool whole = n == 0 || n == first || n == first + 1 || n >= all;
        if (whole != (f != NULL)) fail_msg("cut at %zu: %s", n, f ? "taken" : error);
        password_file_free(&f);
    }
}

static void a_name_may_be_1024_bytes_and_no_longer(void **state)
{
    char name[PASSWORD_USER_MAX + 2];

    (void)state;
    memset(name, 'x', sizeof name);
    assert_null(password_user_check(bytes_of(name, PASSWORD_USER_MAX)));
    assert_non_null(password_user_check(bytes_of(name, PASSWORD_USER_MAX + 1)));
    assert_null(password_user_check(BYTES("in the middle")));
    assert_non_null(password_user_check(BYTES("#1")));
    assert_non_null(password_user_check(BYTES("a:b")));
    assert_non_null(password_user_check(BYTES("a\nb")));
}

static void what_most_users_cost_is_usual(void **state)
{
    struct password_file *f = parsed("a:" ARGON "\nb:" ARGON_DEAR "\nc:" PBKDF "\nd:" ARGON_DEAR
                                     "\na:" SCRAM_DEAR "\nb:" SCRAM "\nc:" SCRAM_DEAR "\n");
    (void)state;
    assert_int_equal(password_file_usual(f)->memory_kib, 512);
    assert_int_equal(password_file_usual(f)->salt_bytes, 8);
    assert_int_equal(password_file_usual_scram(f)->rounds, 9999);
    assert_int_equal(password_file_usual_scram(f)->salt_bytes, 16);
    password_file_free(&f);
    f = parsed("a:" PBKDF "\n");
    assert_int_equal(password_file_usual(f)->kind, PASSWORD_PBKDF2_SHA512);
    assert_int_equal(password_file_usual(f)->rounds, 101);
    assert_int_equal(password_file_usual_scram(f)->rounds, SCRAM_ROUNDS_MIN);
    password_file_free(&f);
}

static void without_users_the_default_is_usual(void **state)
{
    struct password_file *f = parsed("# nobody\n");

    (void)state;
    assert_int_equal(password_file_usual(f)->kind, PASSWORD_ARGON2ID);
    assert_int_equal(password_file_usual(f)->memory_kib, 19456);
    assert_int_equal(password_file_usual(f)->rounds, 2);
    password_file_free(&f);
}

static void the_secret_is_the_files_and_outlives_a_restart(void **state)
{
    struct password_file *f = parsed("a:" ARGON "\n"), *again = parsed("a:" ARGON "\n"),
                         *other = parsed("a:" PBKDF "\n"), *more = parsed("a:" ARGON "\nb:" PBKDF);
    (void)state;
    assert_true(bytes_eq(password_file_secret(f), password_file_secret(again)));
    assert_true(bytes_eq(password_file_secret(f), password_file_secret(more)));
    assert_false(bytes_eq(password_file_secret(f), password_file_secret(other)));
    password_file_free(&f);
    password_file_free(&again);
    password_file_free(&other);
    password_file_free(&more);
}

static void ten_thousand_users_are_all_found(void **state)
{
    enum { USERS = 10000 };
    char *text = malloc(USERS * 256), name[32];
    size_t n = 0;

    (void)state;
    assert_non_null(text);
    for (unsigned i = 0; i < USERS; i++)
        n += (size_t)sprintf(text + n, "user-%u:%s\n", i, i % 2 ? PBKDF : ARGON);
    struct password_file *f = password_file_parse(bytes_of(text, n), error, sizeof error);
    free(text);
    assert_non_null(f);
    for (unsigned i = 0; i < USERS; i++) {
        snprintf(name, sizeof name, "user-%u", i);
        const struct password_entry *e = password_file_find(f, bytes_str(name));
        assert_true(e && bytes_eq(e->user, bytes_str(name)));
    }
    password_file_free(&f);
}

static void a_file_is_loaded_and_its_faults_begin_with_its_path(void **state)
{
    struct folder d = folder_new();
    bool exposed;
    const char *path = folder_put(&d, BYTES("alice:" ARGON "\n"), 0600);
    struct password_file *f = password_file_load(path, &exposed, error, sizeof error);

    (void)state;
    assert_non_null(f);
    assert_false(exposed);
    password_file_free(&f);
    path = folder_put(&d, BYTES("alice:" ARGON "\n"), 0644);
    f = password_file_load(path, &exposed, error, sizeof error);
    assert_non_null(f);
    assert_true(exposed);
    password_file_free(&f);
    path = folder_put(&d, BYTES("alice\n"), 0600);
    assert_null(password_file_load(path, &exposed, error, sizeof error));
    assert_true(bytes_starts(bytes_str(error), bytes_str(path)));
    assert_non_null(strstr(error, ": line 1: there is no ':'"));
    assert_null(password_file_load("/nowhere/at/all", &exposed, error, sizeof error));
    assert_non_null(strstr(error, "/nowhere/at/all: No such file"));
    assert_null(password_file_load("/dev/zero", &exposed, error, sizeof error));
    folder_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(users_are_found_by_their_whole_name_and_no_other),
        cmocka_unit_test(empty_lines_and_comments_mean_nothing),
        cmocka_unit_test(a_user_may_have_a_hash_and_a_scram_credential),
        cmocka_unit_test(one_bad_line_and_the_whole_file_is_refused_with_its_number),
        cmocka_unit_test(a_zero_byte_ends_nothing),
        cmocka_unit_test(a_file_cut_anywhere_but_between_lines_is_refused),
        cmocka_unit_test(a_name_may_be_1024_bytes_and_no_longer),
        cmocka_unit_test(what_most_users_cost_is_usual),
        cmocka_unit_test(without_users_the_default_is_usual),
        cmocka_unit_test(the_secret_is_the_files_and_outlives_a_restart),
        cmocka_unit_test(ten_thousand_users_are_all_found),
        cmocka_unit_test(a_file_is_loaded_and_its_faults_begin_with_its_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
