/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "broker/access/hook_cache.h"
#include "broker/access/hook_json.h"

static const struct clock start = {.now_ns = 1000 * NS_PER_S, .wall_ms = 1700000000000};

static struct clock after(uint64_t s)
{
    return (struct clock){start.now_ns + s * NS_PER_S, start.wall_ms + s * 1000};
}

static struct hook_cache *cache_of(uint32_t entries)
{
    struct hook_options o = {.cache_s = 60, .cache_denied_s = 5, .cache_entries = entries};
    struct hook_cache *c = hook_cache_new(&o);
    assert_non_null(c);
    return c;
}

static struct hook_key key_of(const struct hook_cache *c, const char *user, const char *password)
{
    struct hook_text t = {.user = bytes_str(user), .password = bytes_str(password)};
    struct hook_key k;
    assert_true(hook_cache_key(c, &t, &k));
    return k;
}

static void put(struct hook_cache *c, const struct hook_key *k, const char *json)
{
    struct hook_answer a;
    assert_int_equal(hook_json_read(bytes_str(json), (int64_t)(start.wall_ms / 1000), &a), 0);
    assert_non_null(hook_cache_put(c, k, &a, &start));
    hook_answer_free(&a);
}

#define ALLOW "{\"result\":\"allow\",\"user\":\"u\",\"rules\":{\"pub\":[\"a\"]}}"
#define DENY "{\"result\":\"deny\"}"

static void answer_is_found_by_the_same_question_alone(void **state)
{
    struct hook_cache *c = cache_of(8);
    struct hook_key k = key_of(c, "ann", "secret"),
                    others[] = {key_of(c, "ann", "secre"), key_of(c, "annsecret", ""),
                                key_of(c, "an", "nsecret")};
    (void)state;
    put(c, &k, ALLOW);
    const struct hook_answer *a = hook_cache_find(c, &k, &start);
    assert_non_null(a);
    assert_true(bytes_eq(a->user, BYTES("u")));
    assert_true(bytes_eq(a->rules.rule[0].topics[0], BYTES("a")));
    for (unsigned i = 0; i < ARRAY_LEN(others); i++)
        assert_null(hook_cache_find(c, &others[i], &start));
    hook_cache_free(&c);
    assert_null(c);
}

static void every_part_of_a_question_counts(void **state)
{
    struct hook_cache *c = cache_of(8);
    struct hook_text t[9];
    struct hook_key k[9];
    (void)state;
    memset(t, 0, sizeof t);
    t[1].user = t[2].password = t[3].client_id = t[4].address = BYTES("");
    t[5].listener = t[6].certificate = t[7].topic = BYTES("");
    t[8].action = HOOK_PUBLISH;
    for (unsigned i = 0; i < 9; i++) {
        assert_true(hook_cache_key(c, &t[i], &k[i]));
        for (unsigned j = 0; j < i; j++)
            assert_memory_not_equal(&k[i], &k[j], sizeof k[i]);
    }
    hook_cache_free(&c);
}

static void two_caches_have_two_secrets(void **state)
{
    struct hook_cache *c = cache_of(8), *d = cache_of(8);
    struct hook_key k = key_of(c, "ann", "secret"), l = key_of(d, "ann", "secret");
    (void)state;
    assert_memory_not_equal(&k, &l, sizeof k);
    hook_cache_free(&c);
    hook_cache_free(&d);
}

static void answers_live_as_long_as_their_kind(void **state)
{
    struct hook_cache *c = cache_of(8);
    struct hook_key yes = key_of(c, "y", ""), no = key_of(c, "n", ""), soon = key_of(c, "s", "");
    struct clock at4 = after(4), at5 = after(5), at59 = after(59), at60 = after(60);
    struct clock jumped = {.now_ns = start.now_ns, .wall_ms = start.wall_ms + 10000};
    (void)state;
    put(c, &yes, ALLOW);
    put(c, &no, DENY);
    put(c, &soon, "{\"result\":\"allow\",\"expires\":4}");
    assert_null(hook_cache_find(c, &soon, &jumped));
    put(c, &soon, "{\"result\":\"allow\",\"expires\":4}");
    assert_null(hook_cache_find(c, &soon, &at4));
    assert_non_null(hook_cache_find(c, &no, &at4));
    assert_null(hook_cache_find(c, &no, &at5));
    assert_non_null(hook_cache_find(c, &yes, &at59));
    assert_null(hook_cache_find(c, &yes, &at60));
    assert_int_equal(hook_cache_used(c), 0);
    hook_cache_free(&c);
}

static void failures_are_not_kept(void **state)
{
    struct hook_cache *c = cache_of(8);
    struct hook_key k = key_of(c, "a", "");
    (void)state;
    for (int o = HOOK_ANSWERED + 1; o < HOOK_ORIGINS; o++) {
        struct hook_answer a = {
            .verdict = HOOK_ALLOW, .origin = (enum hook_origin)o, .expires_s = INT64_MAX};
        assert_ptr_equal(hook_cache_put(c, &k, &a, &start), &a);
        assert_null(hook_cache_find(c, &k, &start));
    }
    hook_cache_free(&c);
}

static void flood_of_wrong_passwords_pushes_nobody_out(void **state)
{
    struct hook_cache *c = cache_of(8); /* 6 and 2 */
    struct hook_key yes[7];
    char name[16];
    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        snprintf(name, sizeof name, "%u", i);
        yes[i] = key_of(c, name, "");
        put(c, &yes[i], ALLOW);
    }
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "%u", i);
        struct hook_key no = key_of(c, name, "wrong");
        put(c, &no, DENY);
    }
    assert_int_equal(hook_cache_used(c), 8);
    assert_non_null(hook_cache_find(c, &yes[0], &start));
    yes[6] = key_of(c, "6", "");
    put(c, &yes[6], ALLOW); /* the one that was not used for longest goes */
    assert_non_null(hook_cache_find(c, &yes[0], &start));
    assert_null(hook_cache_find(c, &yes[1], &start));
    assert_non_null(hook_cache_find(c, &yes[6], &start));
    hook_cache_free(&c);
}

static void bytes_are_bounded_too(void **state)
{
    enum { USER = 3000 };
    struct hook_cache *c = cache_of(16); /* 12 KiB for those allowed */
    static char json[USER + 64];
    char name[16];
    (void)state;
    snprintf(json, sizeof json, "{\"result\":\"allow\",\"user\":\"%0*d\"}", USER, 0);
    for (unsigned i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "%u", i);
        struct hook_key k = key_of(c, name, "");
        put(c, &k, json);
        assert_non_null(hook_cache_find(c, &k, &start));
        assert_in_range(hook_cache_used(c), 1, 4);
    }
    hook_cache_free(&c);
}

static void new_answer_replaces_the_old_one_also_of_another_kind(void **state)
{
    struct hook_cache *c = cache_of(8);
    struct hook_key k = key_of(c, "a", "");
    (void)state;
    put(c, &k, ALLOW);
    put(c, &k, DENY);
    assert_int_equal(hook_cache_used(c), 1);
    assert_int_equal(hook_cache_find(c, &k, &start)->verdict, HOOK_DENY);
    hook_cache_clear(c);
    assert_null(hook_cache_find(c, &k, &start));
    hook_cache_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answer_is_found_by_the_same_question_alone),
        cmocka_unit_test(every_part_of_a_question_counts),
        cmocka_unit_test(two_caches_have_two_secrets),
        cmocka_unit_test(answers_live_as_long_as_their_kind),
        cmocka_unit_test(failures_are_not_kept),
        cmocka_unit_test(flood_of_wrong_passwords_pushes_nobody_out),
        cmocka_unit_test(bytes_are_bounded_too),
        cmocka_unit_test(new_answer_replaces_the_old_one_also_of_another_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
