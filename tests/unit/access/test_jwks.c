/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "broker/access/jwt_keys.h"
#include "unit/access/rig.h"

#define X "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\""
#define Y "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\""
#define EC "\"kty\":\"EC\",\"crv\":\"P-256\"," X "," Y
#define OCT "\"kty\":\"oct\",\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\""

static struct jwt_keys keys;
static char error[2048];

static int add_set(const char *text, mode_t mode)
{
    struct folder f = folder_new();
    keys = (struct jwt_keys){.n = 0};
    int err = jwt_keys_add_jwks(&keys, folder_put(&f, bytes_str(text), mode), error, sizeof error);
    folder_free(&f);
    return err;
}

static int add_one(const char *members)
{
    char text[2048];
    snprintf(text, sizeof text, "{\"keys\":[{%s}]}", members);
    return add_set(text, 0600);
}

static void keys_that_may_verify_are_taken(void **state)
{
    static const char *const good[] = {
        EC,
        EC ",\"alg\":\"ES256\",\"use\":\"sig\",\"kid\":\"1\"",
        EC ",\"key_ops\":[\"sign\",\"verify\"]",
        EC ",\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"",
        OCT,
        OCT ",\"alg\":\"HS256\"",
    };
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(good); i++) {
        if (add_one(good[i]) != 0) fail_msg("%s", error);
        assert_int_equal(keys.n, 1);
        assert_string_equal(keys.notes, "");
        jwt_keys_fini(&keys);
    }
}

static void keys_that_can_not_be_used_are_refused_with_the_reason(void **state)
{
    static const struct {
        const char *members, *why;
    } rows[] = {
        {EC ",\"use\":\"enc\"", "not for signatures"},
        {EC ",\"key_ops\":[\"sign\"]", "not for signatures"},
        {EC ",\"key_ops\":\"verify\"", "not for signatures"},
        {EC ",\"alg\":\"HS256\"", "its alg"},
        {EC ",\"alg\":\"ES384\"", "its alg"},
        {OCT ",\"alg\":\"RS256\"", "its alg"},
        {EC ",\"kid\":1", "kid"},
        {EC ",\"kid\":\"\"", "kid"},
        {"\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AA\"", "kty"},
        {"\"kty\":\"EC\",\"crv\":\"P-384\"," X "," Y, "curve"},
        {"\"kty\":\"EC\",\"crv\":\"P-256\"," X, "no point"},
        {"\"kty\":\"EC\",\"crv\":\"P-256\"," X ",\"y\":\"AA\"", "no point"},
        {"\"kty\":\"EC\",\"crv\":\"P-256\"," X ",\"y\":"
         "\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a1\"",
         "no point"}, /* not canonical */
        {"\"kty\":\"EC\",\"crv\":\"P-256\"," X ",\"y\":"
         "\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5aw\"",
         "no point"}, /* not on the curve */
        {"\"kty\":\"oct\",\"k\":\"AAAA\"", "32 bytes"},
        {"\"kty\":\"oct\"", "32 bytes"},
        {"\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"", "2048"},
        {"\"kty\":\"RSA\",\"n\":\"AAAA\",\"e\":\"AQAB\"", "no RSA key"},
        {"\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQ\"", "no RSA key"},
        {"\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"Ag\"", "no RSA key"},
    };
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(add_one(rows[i].members), -ERR_INVALID);
        assert_int_equal(keys.n, 0);
        if (!strstr(error, rows[i].why)) fail_msg("%s: %s", rows[i].members, error);
    }
}

static void unusable_keys_are_noted_and_the_others_taken(void **state)
{
    (void)state;
    assert_int_equal(add_set("{\"keys\":[{\"kty\":\"OKP\",\"kid\":\"a\\nb\"},{" EC
                             ",\"kid\":\"e\"},7,{" EC ",\"kid\":\"e\"}]}",
                             0644),
                     0);
    assert_int_equal(keys.n, 1);
    assert_non_null(strstr(keys.notes, "key 1 (kid a?b): its kty"));
    assert_non_null(strstr(keys.notes, "\n"));
    assert_non_null(strstr(keys.notes, "key 3: not an object"));
    assert_non_null(strstr(keys.notes, "key 4 (kid e): its kid is taken"));
    jwt_keys_fini(&keys);
}

static void secret_in_a_set_that_others_can_read_is_none(void **state)
{
    (void)state;
    assert_int_equal(add_set("{\"keys\":[{" OCT "}]}", 0644), -ERR_INVALID);
    assert_non_null(strstr(error, "chmod 600"));
    assert_int_equal(add_set("{\"keys\":[{" EC "}]}", 0644), 0);
    jwt_keys_fini(&keys);
}

static void what_is_no_set_is_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "[]",
                                      "{}",
                                      "{\"keys\":{}}",
                                      "{\"keys\":[]}",
                                      "{\"keys\":[{" EC "}],\"keys\":[]}",
                                      "{" EC "}",
                                      "{\"keys\":[{" EC "}]"};
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        assert_true(add_set(bad[i], 0600) < 0);
        assert_int_equal(keys.n, 0);
    }
}

static void more_keys_than_there_is_room_for_are_noted(void **state)
{
    static char text[1 << 14];
    int n = snprintf(text, sizeof text, "{\"keys\":[");
    (void)state;
    for (unsigned i = 0; i < 60; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "%s{" OCT ",\"kid\":\"%u\"}", i ? "," : "",
                      i);
    snprintf(text + n, sizeof text - (size_t)n, "]}");
    assert_int_equal(add_set(text, 0600), 0);
    assert_int_equal(keys.n, JWT_KEYS_MAX);
    assert_non_null(strstr(keys.notes, "too many keys"));
    assert_true(strlen(keys.notes) < JWT_NOTES_MAX);
    jwt_keys_fini(&keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_that_may_verify_are_taken),
        cmocka_unit_test(keys_that_can_not_be_used_are_refused_with_the_reason),
        cmocka_unit_test(unusable_keys_are_noted_and_the_others_taken),
        cmocka_unit_test(secret_in_a_set_that_others_can_read_is_none),
        cmocka_unit_test(what_is_no_set_is_refused),
        cmocka_unit_test(more_keys_than_there_is_room_for_are_noted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
