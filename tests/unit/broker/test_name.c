/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/assert.h"
#include "broker/name.h"

struct row {
    const char *filter, *topic;
    bool matches;
};

/* The examples of MQTT 5.0 section 4.7, and what lies next to them. */
static const struct row rows[] = {
    {"sport/tennis/player1/#", "sport/tennis/player1", true},
    {"sport/tennis/player1/#", "sport/tennis/player1/ranking", true},
    {"sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true},
    {"sport/tennis/player1/#", "sport/tennis/player10", false},
    {"sport/#", "sport", true},
    {"sport/#", "sport/", true},
    {"sport/#", "spor", false},
    {"#", "a", true},
    {"#", "/", true},
    {"#", "a/b/c", true},
    {"sport/tennis/+", "sport/tennis/player1", true},
    {"sport/tennis/+", "sport/tennis/player1/ranking", false},
    {"sport/+", "sport", false},
    {"sport/+", "sport/", true},
    {"+", "/finance", false},
    {"+/+", "/finance", true},
    {"/+", "/finance", true},
    {"+", "finance", true},
    {"+/tennis/#", "sport/tennis", true},
    {"+/tennis/#", "sport/tennis/x/y", true},
    {"+/tennis/#", "tennis", false},
    {"+/#", "a", true},
    {"+/#", "a/b/c", true},
    {"+/+/#", "a", false},
    {"+/+/#", "a/b", true},
    {"sport/+/player1", "sport/tennis/player1", true},
    {"sport/+/player1", "sport//player1", true},
    {"sport/+/player1", "sport/player1", false},
    {"a", "a", true},
    {"a", "A", false},
    {"a", "a/", false},
    {"a/", "a", false},
    {"a/b", "a", false},
    {"a/#", "ab", false},
    {"/#", "/", true},
    {"/#", "a", false},
    {"//+", "//", true},
    {"+/+/+", "//", true},
    {"+/+", "//", false},
    {"#", "$SYS/x", false},
    {"+/x", "$SYS/x", false},
    {"+/#", "$SYS/x", false},
    {"$SYS/#", "$SYS/x", true},
    {"$SYS/#", "$SYS", true},
    {"$SYS/+", "$SYS/x", true},
    {"a/+", "a/$x", true},
    {"a/#", "a/$x", true},
};

static void table_of_matches(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *r = &rows[i];
        bool got = name_matches(bytes_str(r->filter), bytes_str(r->topic));
        if (got != r->matches) fail_msg("\"%s\" and \"%s\"", r->filter, r->topic);
    }
}

static void filter_without_wildcards_matches_only_itself(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (size_t k = 0; k < ARRAY_LEN(rows); k++) {
            struct bytes a = bytes_str(rows[i].topic), b = bytes_str(rows[k].topic);
            assert_int_equal(name_matches(a, b), bytes_eq(a, b));
        }
    }
}

static void wildcards_are_seen_anywhere(void **state)
{
    (void)state;
    assert_true(name_has_wildcard(BYTES("+")));
    assert_true(name_has_wildcard(BYTES("a/#")));
    assert_true(name_has_wildcard(BYTES("a/+/b")));
    assert_false(name_has_wildcard(BYTES("a/b")));
    assert_false(name_has_wildcard(BYTES("")));
}

static void levels_of_a_name_come_in_order_and_may_be_empty(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        unsigned n;
        const char *level[4];
    } names[] = {
        {"", 0, {0}},
        {"a", 1, {"a"}},
        {"a/", 2, {"a", ""}},
        {"/", 2, {"", ""}},
        {"/a", 2, {"", "a"}},
        {"ab/+/c", 3, {"ab", "+", "c"}},
        {"//", 3, {"", "", ""}},
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct level_iter it = level_iter(bytes_str(names[i].name));
        struct bytes level;
        for (unsigned k = 0; k < names[i].n; k++) {
            assert_true(level_next(&it, &level));
            assert_true(bytes_eq(level, bytes_str(names[i].level[k])));
        }
        assert_false(level_next(&it, &level));
        assert_false(level_next(&it, &level));
    }
}

static void hash_depends_on_seed_and_text(void **state)
{
    (void)state;
    assert_true(name_hash(1, BYTES("a/b")) == name_hash(1, BYTES("a/b")));
    assert_true(name_hash(1, BYTES("a/b")) != name_hash(2, BYTES("a/b")));
    assert_true(name_hash(1, BYTES("a/b")) != name_hash(1, BYTES("a/c")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_of_matches),
        cmocka_unit_test(filter_without_wildcards_matches_only_itself),
        cmocka_unit_test(wildcards_are_seen_anywhere),
        cmocka_unit_test(levels_of_a_name_come_in_order_and_may_be_empty),
        cmocka_unit_test(hash_depends_on_seed_and_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
