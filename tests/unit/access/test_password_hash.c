/* SPDX-License-Identifier: BSD-3-Clause */
/* test_password_hash.c -- what is kept of a password is read strictly, within bounds, and
 * written back the same. */
#include "broker/access/password_hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/assert.h"

#define SALT12 "c2FsdHNhbHRzYWx0"
#define KEY32 "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
#define HASH32 "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
#define HASH64                                                                                     \
    "maf1+C8Oo70GjbrCjXs+v2E4EMuXp8zQvOPd2kyL+JJiIKe1WHmiliX6xug1wYvX2OOjX3irZC4GRHTmbxlllw=="

static const char *const good[] = {
    "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$" HASH32,
    "$argon2id$v=19$m=65536,t=10,p=4$" SALT12 "$" HASH32,
    "$argon2id$v=19$m=32,t=1,p=4$" SALT12 "$AAAAAAAAAAAAAAAAAAAAAA",
    "$7$101$" SALT12 "$" HASH64,
    "$7$1$" SALT12 "$" HASH64,
    "$7$1000000$" SALT12 "$" HASH64,
    "$6$" SALT12 "$" HASH64,
    "SCRAM-SHA-256$4096:" SALT12 "$" KEY32 ":" KEY32,
    "SCRAM-SHA-256$1000000:" SALT12 "$" KEY32 ":" KEY32,
};

static void every_kind_is_read_and_written_back_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct password_hash h;
        uint8_t room[PASSWORD_TEXT_MAX];
        struct writer w = wr_of(room, sizeof room);
        const char *why = password_hash_read(&h, bytes_str(good[i]));
        if (why) fail_msg("%s: %s", good[i], why);
        password_hash_put(&w, &h);
        assert_false(w.bad);
        assert_true(bytes_eq(bytes_of(room, wr_len(&w)), bytes_str(good[i])));
    }
}

static void what_is_read_is_what_is_written_there(void **state)
{
    struct password_hash h;

    (void)state;
    assert_null(password_hash_read(&h, bytes_str(good[1])));
    assert_int_equal(h.cost.kind, PASSWORD_ARGON2ID);
    assert_int_equal(h.cost.memory_kib, 65536);
    assert_int_equal(h.cost.rounds, 10);
    assert_int_equal(h.cost.lanes, 4);
    assert_int_equal(h.cost.salt_bytes, 12);
    assert_memory_equal(h.salt, "saltsaltsalt", 12);
    assert_int_equal(h.hash_bytes, 32);
    assert_null(password_hash_read(&h, bytes_str(good[7])));
    assert_int_equal(h.cost.kind, PASSWORD_SCRAM_SHA256);
    assert_int_equal(h.cost.rounds, 4096);
    assert_memory_equal(h.hash, h.server_key, SCRAM_KEY);
}

static void a_hash_that_is_cut_is_refused(void **state)
{
    struct password_hash h;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        size_t n = strlen(good[i]);
        /* Argon2 has hashes of several lengths: there only a cut in what comes before is seen. */
        if (good[i][1] == 'a') n = (size_t)(strrchr(good[i], '$') - good[i]) + 16;
        for (size_t cut = 0; cut < n; cut++)
            if (!password_hash_read(&h, bytes_of(good[i], cut))) fail_msg("%s: %zu", good[i], cut);
    }
}

static void a_cost_beyond_its_bounds_is_refused_by_name(void **state)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"$argon2id$v=19$m=65537,t=2,p=1$" SALT12 "$" HASH32, "m is not"},
        {"$argon2id$v=19$m=4294967296,t=2,p=1$" SALT12 "$" HASH32, "parameters"},
        {"$argon2id$v=19$m=7,t=2,p=1$" SALT12 "$" HASH32, "m is not"},
        {"$argon2id$v=19$m=31,t=2,p=4$" SALT12 "$" HASH32, "m is not"},
        {"$argon2id$v=19$m=256,t=11,p=1$" SALT12 "$" HASH32, "t is not"},
        {"$argon2id$v=19$m=256,t=0,p=1$" SALT12 "$" HASH32, "t is not"},
        {"$argon2id$v=19$m=256,t=2,p=5$" SALT12 "$" HASH32, "p is not"},
        {"$argon2id$v=19$m=256,t=2,p=0$" SALT12 "$" HASH32, "p is not"},
        {"$7$0$" SALT12 "$" HASH64, "rounds"},
        {"$7$1000001$" SALT12 "$" HASH64, "rounds"},
        {"$7$4294967297$" SALT12 "$" HASH64, "rounds"},
        {"$7$-1$" SALT12 "$" HASH64, "rounds"},
        {"SCRAM-SHA-256$4095:" SALT12 "$" KEY32 ":" KEY32, "rounds"},
        {"SCRAM-SHA-256$1000001:" SALT12 "$" KEY32 ":" KEY32, "rounds"},
    };
    struct password_hash h;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *why = password_hash_read(&h, bytes_str(rows[i].text));
        if (!why || !strstr(why, rows[i].why)) fail_msg("%s: %s", rows[i].text, why);
    }
}

static void what_is_no_hash_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "secret",
        "$",
        "$1$salt$hash",
        "$2b$12$abcdefghijklmnopqrstuu",
        "$argon2i$v=19$m=256,t=2,p=1$" SALT12 "$" HASH32,
        "$argon2d$v=19$m=256,t=2,p=1$" SALT12 "$" HASH32,
        "$argon2id$m=256,t=2,p=1$" SALT12 "$" HASH32,
        "$argon2id$v=16$m=256,t=2,p=1$" SALT12 "$" HASH32,
        "$argon2id$v=19$t=2,m=256,p=1$" SALT12 "$" HASH32,
        "$argon2id$v=19$m=256,t=2,p=1,data=AAAA$" SALT12 "$" HASH32,
        "$argon2id$v=19$m=0256,t=2,p=1$" SALT12 "$" HASH32,
        "$argon2id$v=19$m= 256,t=2,p=1$" SALT12 "$" HASH32,
        "$argon2id$v=19$m=256,t=2,p=1$" SALT12 "$" HASH32 "=",
        "$argon2id$v=19$m=256,t=2,p=1$" SALT12 "$" HASH32 "$",
        "$argon2id$v=19$m=256,t=2,p=1$$" HASH32,
        "$argon2id$v=19$m=256,t=2,p=1$c2FsdA$" HASH32,                  /* a salt of 4 bytes */
        "$argon2id$v=19$m=256,t=2,p=1$" SALT12 "$AAAAAAAAAAAAAAAAAAAA", /* 15 */
        "$7$101$" SALT12 "$" KEY32,
        "$7$101$" SALT12 "$" HASH64 "\n",
        "$7$101$$" HASH64,
        "$7$$" SALT12 "$" HASH64,
        "$6$$" HASH64,
        "$6$" SALT12 "$",
        "$6$" SALT12,
        "$6$" HASH64 "AAAA$" HASH64,
        "SCRAM-SHA-1$4096:" SALT12 "$" KEY32 ":" KEY32,
        "SCRAM-SHA-256$4096$" SALT12 "$" KEY32 ":" KEY32,
        "SCRAM-SHA-256$4096:" SALT12 "$" KEY32,
        "SCRAM-SHA-256$4096:" SALT12 "$" KEY32 ":" HASH64,
        "SCRAM-SHA-256$4096:" SALT12 "$" HASH64 ":" KEY32,
    };
    struct password_hash h;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (!password_hash_read(&h, bytes_str(bad[i]))) fail_msg("taken: %s", bad[i]);
    assert_non_null(password_hash_read(&h, bytes_of("$6$" SALT12 "$" HASH64 "\0", 3 + 16 + 90)));
}

static void a_refusal_shows_nothing_of_what_was_read(void **state)
{
    struct password_hash h;

    (void)state;
    assert_null(strstr(password_hash_read(&h, BYTES("hunter2")), "hunter2"));
}

static void every_kind_has_a_name(void **state)
{
    (void)state;
    for (unsigned k = 0; k < PASSWORD_KINDS; k++)
        assert_non_null(password_kind_text((enum password_kind)k));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_read_and_written_back_the_same),
        cmocka_unit_test(what_is_read_is_what_is_written_there),
        cmocka_unit_test(a_hash_that_is_cut_is_refused),
        cmocka_unit_test(a_cost_beyond_its_bounds_is_refused_by_name),
        cmocka_unit_test(what_is_no_hash_is_refused),
        cmocka_unit_test(a_refusal_shows_nothing_of_what_was_read),
        cmocka_unit_test(every_kind_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
