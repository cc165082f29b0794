/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "app/options/options.h"

struct two {
    struct options now, fresh;
    struct options_diff diff;
};

static void set(struct options *o, const char *key, const char *value)
{
    int i = option_find(key, strlen(key));

    assert_true(i >= 0);
    if (options_set(o, (unsigned)i, value, FROM_COMMAND_LINE, 0) < 0) fail_msg("%s", o->error);
}

static struct two *two_defaults(void)
{
    struct two *t = calloc(1, sizeof *t);

    assert_non_null(t);
    options_init(&t->now);
    options_init(&t->fresh);
    return t;
}

static void settings_that_are_equal_differ_in_nothing(void **state)
{
    struct two *t = two_defaults();

    (void)state;
    set(&t->fresh, "limits.window", "1000"); /* the default, said in words */
    options_keep_restart(&t->fresh, &t->now, &t->diff);
    assert_string_equal(t->diff.changed, "");
    assert_string_equal(t->diff.restart, "");
    free(t);
}

static void what_can_change_changes_and_is_named(void **state)
{
    struct two *t = two_defaults();

    (void)state;
    set(&t->fresh, "limits.window", "7");
    set(&t->fresh, "log.file", "/tmp/x");
    options_keep_restart(&t->fresh, &t->now, &t->diff);
    assert_string_equal(t->diff.changed, "limits.window log.file");
    assert_int_equal(t->fresh.broker.window_max, 7);
    assert_string_equal(t->fresh.log_file, "/tmp/x");
    free(t);
}

static void what_needs_a_restart_stays_and_is_named(void **state)
{
    struct two *t = two_defaults();

    (void)state;
    set(&t->fresh, "pin", "false");
    set(&t->fresh, "limits.receive", "7");
    set(&t->fresh, "cores", "3");
    options_keep_restart(&t->fresh, &t->now, &t->diff);
    assert_string_equal(t->diff.changed, "");
    assert_string_equal(t->diff.restart, "cores pin limits.receive");
    assert_true(t->fresh.pin);
    assert_int_equal(t->fresh.broker.receive_max, 1000);
    assert_string_equal(t->fresh.cores, "auto");
    assert_int_equal(t->fresh.origin[option_find("pin", 3)].source, FROM_DEFAULT);
    free(t);
}

static void texts_that_follow_from_settings_are_those_of_the_new_ones(void **state)
{
    struct two *t = two_defaults();

    (void)state;
    set(&t->now, "shutdown.moved_to", "old:1");
    options_settle(&t->now);
    set(&t->fresh, "shutdown.moved_to", "new:1");
    options_keep_restart(&t->fresh, &t->now, &t->diff);
    assert_ptr_equal(t->fresh.mqtt.farewell_reference, t->fresh.moved_to);
    assert_string_equal(t->fresh.mqtt.farewell_reference, "new:1");
    free(t);
}

static void listeners_that_differ_in_place_or_transport_need_a_restart(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct two *t = two_defaults();
        set(&t->now, "listeners", "127.0.0.1:1, 127.0.0.1:2");
        set(&t->fresh, "listeners", i == 0 ? "127.0.0.1:1" : "127.0.0.1:1, 127.0.0.1:2");
        if (i == 1) t->fresh.listeners.how[1].transport = LISTEN_WS;
        if (i == 2) t->fresh.listeners.how[1].client = TLS_CLIENT_REQUIRED;
        options_keep_restart(&t->fresh, &t->now, &t->diff);
        assert_string_equal(t->diff.restart, "listeners");
        assert_int_equal(t->fresh.listeners.n, 2);
        assert_int_equal(t->fresh.listeners.how[1].transport, LISTEN_TCP);
        assert_int_equal(t->fresh.listeners.how[1].client, TLS_CLIENT_NONE);
        free(t);
    }
}

static void certificates_of_the_same_listeners_are_taken(void **state)
{
    struct two *t = two_defaults();
    struct listen_how *h = &t->fresh.listeners.how[0];

    (void)state;
    strcpy(h->certificate, "new.pem");
    strcpy(h->names[0].certificate, "other.pem");
    h->nnames = 1;
    options_keep_restart(&t->fresh, &t->now, &t->diff);
    assert_string_equal(t->diff.restart, "");
    assert_string_equal(h->certificate, "new.pem");
    assert_int_equal(h->nnames, 1);
    free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_that_are_equal_differ_in_nothing),
        cmocka_unit_test(what_can_change_changes_and_is_named),
        cmocka_unit_test(what_needs_a_restart_stays_and_is_named),
        cmocka_unit_test(texts_that_follow_from_settings_are_those_of_the_new_ones),
        cmocka_unit_test(listeners_that_differ_in_place_or_transport_need_a_restart),
        cmocka_unit_test(certificates_of_the_same_listeners_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
