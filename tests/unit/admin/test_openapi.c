/* SPDX-License-Identifier: BSD-3-Clause */
/* test_openapi.c -- docs/openapi.json describes the routes that there are, and no others. What the
 * answers look like is checked with a running broker (tests/e2e/test_api.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "admin/internal.h"

static json_t *read_document(void)
{
    const char *here = strstr(__FILE__, "tests/unit/admin/");
    char path[1024];

    assert_non_null(here);
    snprintf(path, sizeof path, "%.*sdocs/openapi.json", (int)(here - __FILE__), __FILE__);
    json_error_t error;
    json_t *v = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (!v) fail_msg("%s:%d: %s", path, error.line, error.text);
    return v;
}

static void lower(char *text)
{
    for (; *text; text++)
        *text = (char)tolower((unsigned char)*text);
}

static void every_route_is_described(void **state)
{
    json_t *v = read_document();
    const json_t *paths = json_object_get(v, "paths");

    (void)state;
    for (unsigned i = 0; i < admin_routes_count(); i++) {
        const struct admin_route *r = admin_route_at(i);
        char method[16];
        snprintf(method, sizeof method, "%s", http_method_text(r->method));
        lower(method);
        const json_t *o = json_object_get(json_object_get(paths, r->pattern), method);
        if (!o) fail_msg("docs/openapi.json lacks %s %s", method, r->pattern);
        assert_non_null(json_object_get(o, "responses"));
        assert_int_equal(json_object_get(o, "requestBody") != NULL, (r->flags & ADMIN_JSON) != 0);
        assert_int_equal(json_object_get(o, "security") != NULL, (r->flags & ADMIN_HEALTH) != 0);
    }
    json_decref(v);
}

static bool is_route(const char *path, const char *method)
{
    for (unsigned i = 0; i < admin_routes_count(); i++) {
        const struct admin_route *r = admin_route_at(i);
        if (strcmp(r->pattern, path) == 0 && strcasecmp(http_method_text(r->method), method) == 0)
            return true;
    }
    return false;
}

static void every_description_is_of_a_route(void **state)
{
    json_t *v = read_document(), *operations, *o;
    const char *path, *method;

    (void)state;
    json_object_foreach(json_object_get(v, "paths"), path, operations)
    {
        json_object_foreach(operations, method, o)
        {
            if (strcmp(method, "parameters") == 0) continue;
            if (!is_route(path, method)) fail_msg("there is no %s %s", method, path);
        }
    }
    json_decref(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_is_described),
        cmocka_unit_test(every_description_is_of_a_route),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
