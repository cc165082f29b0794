/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/assert.h"
#include "broker/access/json_in.h"

static bool taken(struct bytes text, unsigned depth_max)
{
    json_t *v = json_in(text, depth_max);
    bool is = v != NULL;
    json_decref(v);
    return is;
}

static void depth_is_counted_outside_of_texts(void **state)
{
    (void)state;
    assert_true(taken(BYTES("[[[1]]]"), 3));
    assert_false(taken(BYTES("[[[1]]]"), 2));
    assert_true(taken(BYTES("[[1],[1],[1],{\"a\":1}]"), 2));
    assert_true(taken(BYTES("[\"[[[[[{{{\"]"), 1));
    assert_true(taken(BYTES("[\"\\\"[[[\\\\\"]"), 1));
    assert_false(taken(BYTES("[\"\\\\\",[1]]"), 1));
}

static void very_deep_text_costs_no_stack(void **state)
{
    static uint8_t deep[1 << 20];
    (void)state;
    memset(deep, '[', sizeof deep);
    assert_false(taken(bytes_of(deep, sizeof deep), 8));
}

static void what_two_readers_could_read_differently_is_refused(void **state)
{
    (void)state;
    assert_false(taken(BYTES(""), 8));
    assert_false(taken(BYTES("{\"a\":1,\"a\":1}"), 8));
    assert_false(taken(BYTES("{\"a\":1,\"\\u0061\":2}"), 8));
    assert_false(taken(BYTES("[\"\\u0000\"]"), 8));
    assert_false(taken(BYTES("[\"\0\"]"), 8));
    assert_false(taken(BYTES("[1] x"), 8));
    assert_false(taken(BYTES("[1]\0"), 8));
    assert_false(taken(BYTES("[\"\xED\xA0\x80\"]"), 8));
    assert_false(taken(BYTES("[\"\xC0\x80\"]"), 8));
    assert_false(taken(BYTES("[NaN]"), 8));
    assert_false(taken(BYTES("1"), 8));
}

static void text_of_what_is_no_text_is_none(void **state)
{
    (void)state;
    json_t *v = json_in(BYTES("[\"a\",1]"), 8);
    assert_true(bytes_eq(json_in_text(json_array_get(v, 0)), BYTES("a")));
    assert_null(json_in_text(json_array_get(v, 1)).p);
    assert_null(json_in_text(NULL).p);
    json_decref(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(depth_is_counted_outside_of_texts),
        cmocka_unit_test(very_deep_text_costs_no_stack),
        cmocka_unit_test(what_two_readers_could_read_differently_is_refused),
        cmocka_unit_test(text_of_what_is_no_text_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
