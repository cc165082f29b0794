/* SPDX-License-Identifier: BSD-3-Clause */
/* test_password_cache.c -- known for a while, to that user, for that hash, and never beyond. */
#include "broker/access/password_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/assert.h"

enum { NOW = 1000, KEEP = 60 };

static struct password_entry entry(const char *user, const char *hash)
{
    return (struct password_entry){.user = bytes_str(user), .hash = bytes_str(hash)};
}

static struct password_cache cache(uint32_t users)
{
    struct password_cache c;
    assert_int_equal(password_cache_init(&c, users, KEEP), 0);
    return c;
}

static void what_was_right_is_known_and_nothing_like_it(void **state)
{
    struct password_cache c = cache(64);
    const struct password_entry alice = entry("alice", "$h1"),
                                others[] = {
                                    entry("alic", "e$h1"), entry("alice", "$h2"),
                                    entry("alice$", "h1"), entry("bob", "$h1"),
                                    entry("", "alice$h1"),
                                };

    (void)state;
    assert_false(password_cache_knows(&c, &alice, BYTES("pw"), NOW));
    password_cache_keep(&c, &alice, BYTES("pw"), NOW);
    assert_true(password_cache_knows(&c, &alice, BYTES("pw"), NOW));
    assert_false(password_cache_knows(&c, &alice, BYTES("pW"), NOW));
    assert_false(password_cache_knows(&c, &alice, BYTES("pw\0"), NOW));
    assert_false(password_cache_knows(&c, &alice, BYTES("p"), NOW));
    assert_false(password_cache_knows(&c, &alice, BYTES(""), NOW));
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        assert_false(password_cache_knows(&c, &others[i], BYTES("pw"), NOW));
    password_cache_fini(&c);
}

static void it_is_known_for_its_time_and_no_longer(void **state)
{
    struct password_cache c = cache(64);
    const struct password_entry e = entry("alice", "$h1");

    (void)state;
    password_cache_keep(&c, &e, BYTES("pw"), NOW);
    assert_true(password_cache_knows(&c, &e, BYTES("pw"), NOW + KEEP - 1));
    assert_false(password_cache_knows(&c, &e, BYTES("pw"), NOW + KEEP));
    password_cache_keep(&c, &e, BYTES("pw"), NOW + KEEP);
    assert_true(password_cache_knows(&c, &e, BYTES("pw"), NOW + 2 * KEEP - 1));
    password_cache_fini(&c);
}

static void it_is_forgotten_when_all_is(void **state)
{
    struct password_cache c = cache(64);
    const struct password_entry e = entry("alice", "$h1");

    (void)state;
    password_cache_keep(&c, &e, BYTES("pw"), NOW);
    password_cache_clear(&c);
    assert_false(password_cache_knows(&c, &e, BYTES("pw"), NOW));
    password_cache_fini(&c);
}

static void who_has_only_scram_is_known_by_that(void **state)
{
    struct password_cache c = cache(64);
    const struct password_entry e = {.user = BYTES("alice"), .scram = BYTES("s1")},
                                changed = {.user = BYTES("alice"), .scram = BYTES("s2")};
    (void)state;
    password_cache_keep(&c, &e, BYTES("pw"), NOW);
    assert_true(password_cache_knows(&c, &e, BYTES("pw"), NOW));
    assert_false(password_cache_knows(&c, &changed, BYTES("pw"), NOW));
    password_cache_fini(&c);
}

static void a_full_cache_forgets_the_oldest_of_a_set(void **state)
{
    struct password_cache c = cache(4); /* one set */
    char name[16];

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        snprintf(name, sizeof name, "u%u", i);
        const struct password_entry e = entry(name, "$h");
        password_cache_keep(&c, &e, BYTES("pw"), NOW + i);
        password_cache_keep(&c, &e, BYTES("pw"), NOW + i); /* twice is once */
    }
    for (unsigned i = 0; i < 5; i++) {
        snprintf(name, sizeof name, "u%u", i);
        const struct password_entry e = entry(name, "$h");
        assert_int_equal(password_cache_knows(&c, &e, BYTES("pw"), NOW + 5), i > 0);
    }
    password_cache_fini(&c);
}

static void a_cache_without_room_or_time_keeps_nothing(void **state)
{
    const struct password_entry e = entry("alice", "$h1");
    struct password_cache c;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(password_cache_init(&c, i ? 64 : 0, i ? 0 : KEEP), 0);
        password_cache_keep(&c, &e, BYTES("pw"), NOW);
        assert_false(password_cache_knows(&c, &e, BYTES("pw"), NOW));
        password_cache_clear(&c);
        password_cache_fini(&c);
    }
}

static void no_two_caches_share_a_key(void **state)
{
    struct password_cache a = cache(4), b = cache(4);

    (void)state;
    assert_memory_not_equal(a.key, b.key, sizeof a.key);
    password_cache_fini(&a);
    password_cache_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_right_is_known_and_nothing_like_it),
        cmocka_unit_test(it_is_known_for_its_time_and_no_longer),
        cmocka_unit_test(it_is_forgotten_when_all_is),
        cmocka_unit_test(who_has_only_scram_is_known_by_that),
        cmocka_unit_test(a_full_cache_forgets_the_oldest_of_a_set),
        cmocka_unit_test(a_cache_without_room_or_time_keeps_nothing),
        cmocka_unit_test(no_two_caches_share_a_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
