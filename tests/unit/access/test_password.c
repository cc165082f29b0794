/* SPDX-License-Identifier: BSD-3-Clause */
/* test_password.c -- the right password and no other, whatever bytes it is made of; and nobody's
 * password costs as much as somebody's. */
#include "broker/access/password.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <time.h>

#include "base/assert.h"
#include "base/err.h"

/* The first three from the tests of Argon2's authors; the others made with Python's hashlib; the
 * last is the example of RFC 7677. */
static const struct {
    const char *user, *password, *hash;
} people[] = {
    {"id", "password",
     "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"},
    {"id2", "password",
     "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"},
    {"id3", "password",
     "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"},
    {"seven", "pencil",
     "$7$101$c2FsdHNhbHRzYWx0$maf1+C8Oo70GjbrCjXs+v2E4EMuXp8zQvOPd2kyL+JJiIKe1WHmiliX6xug1wYvX2OO"
     "jX3irZC4GRHTmbxlllw=="},
    {"six", "pencil",
     "$6$c2FsdHNhbHRzYWx0$PollmAeVIh9XZCuN4dUfyQjtPHqKpyIFuY6PnaM9kJIZFkr8X28ITgSOXhqjqLD4OxftYDhh"
     "QsKU59eNUzedCA=="},
    {"user", "pencil",
     "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPL"
     "wcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="},
};

static struct password_file *everybody(void)
{
    char text[4096], error[PASSWORD_FILE_ERROR];
    struct writer w = wr_of(text, sizeof text);

    for (size_t i = 0; i < ARRAY_LEN(people); i++) {
        wr_bytes(&w, bytes_str(people[i].user));
        wr_u8(&w, ':');
        wr_bytes(&w, bytes_str(people[i].hash));
        wr_u8(&w, '\n');
    }
    assert_false(w.bad);
    struct password_file *f = password_file_parse(bytes_of(text, wr_len(&w)), error, sizeof error);
    if (!f) fail_msg("%s", error);
    return f;
}

static bool right(const struct password_file *f, const char *user, struct bytes password)
{
    int err = 1;
    bool is = password_verify(f, password_file_find(f, bytes_str(user)), password, &err);
    assert_int_equal(err, 0);
    return is;
}

static void hashes_that_others_made_know_their_password(void **state)
{
    struct password_file *f = everybody();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(people); i++)
        assert_true(right(f, people[i].user, bytes_str(people[i].password)));
    password_file_free(&f);
}

static void every_other_password_is_wrong(void **state)
{
    struct password_file *f = everybody();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(people); i++) {
        struct bytes password = bytes_str(people[i].password);
        char longer[32] = "";
        memcpy(longer, password.p, password.n);
        if (strcmp(people[i].user, "id3") == 0) continue; /* takes long, and is like the first */
        assert_false(right(f, people[i].user, bytes_of(longer, password.n + 1))); /* a zero byte */
        assert_false(right(f, people[i].user, bytes_of(longer, password.n - 1)));
        assert_false(right(f, people[i].user, BYTES("")));
        assert_false(right(f, people[i].user, bytes_of(NULL, 0)));
        longer[0] ^= 0x20;
        assert_false(right(f, people[i].user, bytes_of(longer, password.n)));
        assert_false(right(f, people[i].user, bytes_str(people[i].hash)));
    }
    password_file_free(&f);
}

static struct password_file *file_with(const struct password_hash *h)
{
    char text[PASSWORD_TEXT_MAX + 8] = "a:", error[PASSWORD_FILE_ERROR];
    struct writer w = wr_of(text + 2, sizeof text - 2);

    password_hash_put(&w, h);
    assert_false(w.bad);
    struct password_file *f =
        password_file_parse(bytes_of(text, 2 + wr_len(&w)), error, sizeof error);
    if (!f) fail_msg("%s", error);
    return f;
}

static const struct password_cost cheap[] = {
    {.kind = PASSWORD_ARGON2ID, .rounds = 1, .memory_kib = 64, .lanes = 1, .salt_bytes = 16},
    {.kind = PASSWORD_SCRAM_SHA256, .rounds = 4096, .salt_bytes = 16},
};

static bool ends_with_zero(struct bytes b)
{
    return b.p[b.n - 1] == 0;
}

static void a_password_that_was_made_is_the_right_one_whatever_its_bytes(void **state)
{
    static char large[70000];
    const struct bytes passwords[] = {
        BYTES("p"),          BYTES("p\0"),   BYTES("\0"),
        BYTES("\xFF\xC0\n"), BYTES("a:b$c"), bytes_of(large, sizeof large),
    };

    (void)state;
    memset(large, 'x', sizeof large);
    for (size_t k = 0; k < ARRAY_LEN(cheap); k++) {
        for (size_t i = 0; i < ARRAY_LEN(passwords); i++) {
            struct password_hash h;
            int err = password_make(&h, &cheap[k], passwords[i]);
            if (k == 1 && ends_with_zero(passwords[i])) {
                assert_int_equal(err, -ERR_INVALID); /* HMAC can't tell it from one without */
                continue;
            }
            assert_int_equal(err, 0);
            struct password_file *f = file_with(&h);
            for (size_t j = 0; j < ARRAY_LEN(passwords); j++)
                assert_int_equal(right(f, "a", passwords[j]), j == i);
            password_file_free(&f);
        }
    }
}

static void the_same_password_is_never_kept_the_same_way_twice(void **state)
{
    struct password_hash a, b;

    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(cheap); k++) {
        assert_int_equal(password_make(&a, &cheap[k], BYTES("p")), 0);
        assert_int_equal(password_make(&b, &cheap[k], BYTES("p")), 0);
        assert_memory_not_equal(a.salt, b.salt, 16);
        assert_memory_not_equal(a.hash, b.hash, 32);
    }
}

static void hashes_of_others_are_read_and_not_made(void **state)
{
    const struct password_cost seven = {.kind = PASSWORD_PBKDF2_SHA512, .rounds = 101},
                               six = {.kind = PASSWORD_SHA512};
    struct password_hash h;

    (void)state;
    assert_int_equal(password_make(&h, &seven, BYTES("p")), -ERR_INVALID);
    assert_int_equal(password_make(&h, &six, BYTES("p")), -ERR_INVALID);
}

/* CPU time, not the wall's: other programs don't count. */
static double seconds(const struct password_file *f, const struct password_entry *e)
{
    struct timespec a, b;
    int err;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
    assert_false(password_verify(f, e, BYTES("wrong"), &err));
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
    return (double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec);
}

static void nobodys_password_costs_as_much_as_somebodys(void **state)
{
    struct password_hash h;
    const struct password_cost dear = {
        .kind = PASSWORD_ARGON2ID, .rounds = 2, .memory_kib = 8192, .lanes = 1, .salt_bytes = 16};
    (void)state;
    assert_int_equal(password_make(&h, &dear, BYTES("p")), 0);
    struct password_file *f = file_with(&h);
    double known = 1e9, unknown = 1e9;
    for (unsigned i = 0; i < 5; i++) { /* the best of five: what it takes at least */
        double k = seconds(f, password_file_find(f, BYTES("a"))), u = seconds(f, NULL);
        if (k < known) known = k;
        if (u < unknown) unknown = u;
    }
    password_file_free(&f);
    if (unknown < known / 2 || unknown > known * 2)
        fail_msg("known %.6f s, unknown %.6f s", known, unknown);
}

static void nobody_has_a_password_not_even_an_empty_one(void **state)
{
    char error[PASSWORD_FILE_ERROR];
    struct password_file *f = password_file_parse(BYTES("# nobody\n"), error, sizeof error);

    (void)state;
    assert_non_null(f);
    assert_false(password_verify(f, NULL, BYTES(""), NULL));
    password_file_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_that_others_made_know_their_password),
        cmocka_unit_test(every_other_password_is_wrong),
        cmocka_unit_test(a_password_that_was_made_is_the_right_one_whatever_its_bytes),
        cmocka_unit_test(the_same_password_is_never_kept_the_same_way_twice),
        cmocka_unit_test(hashes_of_others_are_read_and_not_made),
        cmocka_unit_test(nobodys_password_costs_as_much_as_somebodys),
        cmocka_unit_test(nobody_has_a_password_not_even_an_empty_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
