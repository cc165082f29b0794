/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/assert.h"
#include "base/err.h"
#include "broker/access/json_in.h"
#include "broker/access/rules_json.h"

static int read_text(const char *text, struct rules_given *r)
{
    json_t *v = json_in(bytes_str(text), 8);
    int err = rules_json_read(r, v);
    json_decref(v);
    return err;
}

static void object_allows_what_it_lists(void **state)
{
    struct rules_given r;
    (void)state;
    assert_int_equal(read_text("{\"pub\":[\"a/%u\",\"b\"],\"sub\":[\"#\"],\"all\":[]}", &r), 0);
    assert_true(r.given);
    assert_int_equal(r.n, 2); /* a rule without topics would be one for every topic */
    assert_true(r.rule[0].allow && r.rule[1].allow);
    assert_int_equal(r.rule[0].actions, ACL_WRITE);
    assert_int_equal(r.rule[0].ntopics, 2);
    assert_true(bytes_eq(r.rule[0].topics[1], BYTES("b")));
    assert_int_equal(r.rule[1].actions, ACL_READ);
    rules_given_free(&r);
    assert_false(r.given);
}

static void list_keeps_its_order(void **state)
{
    struct rules_given r;
    (void)state;
    assert_int_equal(read_text("[{\"deny\":\"all\",\"topics\":[\"x\"]},"
                               "{\"topics\":[\"y/+\"],\"allow\":\"read\"}]",
                               &r),
                     0);
    assert_int_equal(r.n, 2);
    assert_false(r.rule[0].allow);
    assert_int_equal(r.rule[0].actions, ACL_ALL);
    assert_true(r.rule[1].allow);
    assert_int_equal(r.rule[1].place, 2);
    rules_given_free(&r);
}

static void nothing_given_is_not_the_same_as_not_given(void **state)
{
    static const char *const none[] = {"[]", "{}", "{\"pub\":[]}"};
    struct rules_given r;
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(none); i++) {
        assert_int_equal(read_text(none[i], &r), 0);
        assert_true(r.given);
        assert_int_equal(r.n, 0);
        rules_given_free(&r);
    }
}

static void all_else_is_refused_whole(void **state)
{
    static const char *const bad[] = {
        "{\"pub\":\"#\"}",
        "{\"pub\":[1]}",
        "{\"pub\":[[\"a\"]]}",
        "{\"pub\":null}",
        "{\"pub\":[\"\"]}",
        "{\"pub\":[\"a\"],\"pup\":[]}",
        "{\"sub\":[\"a/#/b\"]}",
        "{\"sub\":[\"a+\"]}",
        "[1]",
        "[\"#\"]",
        "[[]]",
        "[{}]",
        "[{\"allow\":\"all\"}]",
        "[{\"allow\":\"all\",\"topics\":[]}]",
        "[{\"allow\":\"all\",\"topics\":\"#\"}]",
        "[{\"allow\":\"any\",\"topics\":[\"#\"]}]",
        "[{\"allow\":\"\",\"topics\":[\"#\"]}]",
        "[{\"allow\":true,\"topics\":[\"#\"]}]",
        "[{\"allow\":\"all\",\"deny\":\"all\",\"topics\":[\"#\"]}]",
        "[{\"allow\":\"all\",\"topics\":[\"#\"],\"user\":\"x\"}]",
        "[{\"allow\":\"all\",\"topics\":[\"#\"]},{\"allow\":\"all\",\"topics\":[\"#a\"]}]",
    };
    struct rules_given r;
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        if (read_text(bad[i], &r) != -ERR_INVALID) fail_msg("%s is taken", bad[i]);
        assert_true(!r.given && !r.rule);
    }
    assert_int_equal(rules_json_read(&r, NULL), -ERR_INVALID);
    json_t *v = json_true();
    assert_int_equal(rules_json_read(&r, v), -ERR_INVALID);
}

static void too_many_are_refused(void **state)
{
    static char text[1 << 16];
    struct rules_given r;
    (void)state;
    for (unsigned rules = RULES_GIVEN_MAX; rules <= RULES_GIVEN_MAX + 1; rules++) {
        int n = snprintf(text, sizeof text, "[");
        for (unsigned i = 0; i < rules; i++)
            n += snprintf(text + n, sizeof text - (size_t)n,
                          "%s{\"allow\":\"all\",\"topics\":[\"a\"]}", i ? "," : "");
        snprintf(text + n, sizeof text - (size_t)n, "]");
        assert_int_equal(read_text(text, &r), rules > RULES_GIVEN_MAX ? -ERR_FULL : 0);
        rules_given_free(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(object_allows_what_it_lists),
        cmocka_unit_test(list_keeps_its_order),
        cmocka_unit_test(nothing_given_is_not_the_same_as_not_given),
        cmocka_unit_test(all_else_is_refused_whole),
        cmocka_unit_test(too_many_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
