/* SPDX-License-Identifier: BSD-3-Clause */
/* test_options_admin.c -- where the admin interface listens, and where its token is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/options/options.h"
#include "base/assert.h"

/* Loads these settings, up to the first NULL. The options are the caller's. */
static int load(struct options *o, const char *const assign[4])
{
    struct option_args a = {.assign = assign};

    while (a.nassign < 4 && assign[a.nassign])
        a.nassign++;
    return options_load(o, &a);
}

static unsigned admins(const struct options *o)
{
    unsigned n = 0;

    for (unsigned i = 0; i < o->listeners.n; i++)
        n += listen_is_admin(&o->listeners.how[i]);
    return n;
}

static void it_is_off_until_it_is_asked_for(void **state)
{
    struct options *o = calloc(1, sizeof *o);

    (void)state;
    assert_int_equal(load(o, (const char *const[4]){NULL}), 0);
    assert_int_equal(admins(o), 0);
    assert_string_equal(o->admin_token_file, "");
    free(o);
}

static void its_addresses_are_listeners(void **state)
{
    struct options *o = calloc(1, sizeof *o);

    (void)state;
    const char *const assign[4] = {"listeners=127.0.0.1:1", "admin.address=127.0.0.1:2,127.0.0.1:3",
                                   "admin.token_file=/t"};
    assert_int_equal(load(o, assign), 0);
    assert_int_equal(o->listeners.n, 3);
    assert_int_equal(admins(o), 2);
    assert_false(listen_is_admin(&o->listeners.how[0]));
    free(o);
}

static void what_would_expose_it_is_refused(void **state)
{
    static const struct {
        const char *assign[4];
        const char *says; /* NULL: taken */
    } rows[] = {
        {{"admin.address=0.0.0.0:2", "admin.token_file=/t"}, "admin.plaintext=true"},
        {{"admin.address=192.0.2.1:2", "admin.token_file=/t"}, "admin.plaintext=true"},
        {{"admin.address=192.0.2.1:2", "admin.token_file=/t", "admin.plaintext=true"}, NULL},
        {{"admin.address=127.0.0.1:2", "admin.token_file=/t"}, NULL},
        {{"admin.address=nonsense", "admin.token_file=/t"}, "admin.address: "},
        {{"admin.address=127.0.0.1:2"}, "admin.token_file: "},
    };

    (void)state;
    unsetenv("RUNTIME_DIRECTORY");
    unsetenv("XDG_RUNTIME_DIR");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct options *o = calloc(1, sizeof *o);
        int err = load(o, rows[i].assign);
        if ((err == 0) != !rows[i].says) fail_msg("%zu: %s", i, o->error);
        if (err < 0 && !strstr(o->error, rows[i].says)) fail_msg("%zu: %s", i, o->error);
        free(o);
    }
}

static void the_token_has_a_place_where_the_system_gives_one(void **state)
{
    const char *const assign[4] = {"admin.address=127.0.0.1:2"};
    struct options *o = calloc(1, sizeof *o);

    (void)state;
    setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
    assert_int_equal(load(o, assign), 0);
    assert_string_equal(o->admin_token_file, "/run/user/7/pinion-admin.token");
    setenv("RUNTIME_DIRECTORY", "/run/pinion", 1);
    assert_int_equal(load(o, assign), 0);
    assert_string_equal(o->admin_token_file, "/run/pinion/admin.token");
    setenv("RUNTIME_DIRECTORY", "/run/a:/run/b", 1); /* several are none that we could choose */
    assert_true(load(o, assign) < 0);
    unsetenv("RUNTIME_DIRECTORY");
    unsetenv("XDG_RUNTIME_DIR");
    free(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_off_until_it_is_asked_for),
        cmocka_unit_test(its_addresses_are_listeners),
        cmocka_unit_test(what_would_expose_it_is_refused),
        cmocka_unit_test(the_token_has_a_place_where_the_system_gives_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
