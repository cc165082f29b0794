/* SPDX-License-Identifier: BSD-3-Clause */
/* test_serve.c -- the broker as a whole comes up, says so, and goes down. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/client/client.h"
#include "app/serve/serve.h"
#include "base/assert.h"
#include "base/err.h"

struct broker_here {
    struct options options;
    struct serve serve;
    char error[OPTIONS_ERROR];
    int err;
};

static struct broker_here *start(const char *cores, const char *listeners)
{
    struct broker_here *b = calloc(1, sizeof *b);
    char set_cores[64], set_listeners[128];
    const char *assign[] = {set_cores, set_listeners, "log.level=error"};

    assert_non_null(b);
    snprintf(set_cores, sizeof set_cores, "cores=%s", cores);
    snprintf(set_listeners, sizeof set_listeners, "listeners=%s", listeners);
    if (options_load(&b->options, &(struct option_args){.assign = assign, .nassign = 3}) < 0)
        fail_msg("%s", b->options.error);
    b->err = serve_start(&b->serve, &b->options, -1, b->error);
    return b;
}

static void stop(struct broker_here *b)
{
    serve_stop(&b->serve, b->error);
    free(b);
}

static const char *address(const struct broker_here *b, unsigned i)
{
    static char text[SOCK_ADDR_TEXT];
    return sock_addr_text(&b->serve.listener[i].addr, text);
}

static char *banner(const struct broker_here *b)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);

    assert_non_null(out);
    banner_print(&b->serve, out);
    fclose(out);
    return text;
}

static void a_message_crosses_a_broker_of_each_size(void **state)
{
    static const char *const sizes[] = {"1", "2", "5", "16"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct broker_here *b = start(sizes[i], "127.0.0.1:0");
        if (b->err) fail_msg("%s", b->error);
        struct client_options o = {.host = "127.0.0.1", .version = MQTT_V5, .keep_alive_s = 60};
        o.port = strrchr(address(b, 0), ':') + 1;
        struct client c;
        if (client_open(&c, &o) < 0) fail_msg("%s", c.error);
        struct mqtt_publish_out p = {.topic = BYTES("t"), .payload = BYTES("x"), .qos = 2};
        if (client_publish(&c, &p) < 0) fail_msg("%s", c.error);
        client_close(&c);
        stop(b);
    }
}

static void the_banner_says_where_and_on_what(void **state)
{
    struct broker_here *b = start("3", "127.0.0.1:0, 127.0.0.1:0");
    char *text = banner(b);

    (void)state;
    assert_int_equal(b->err, 0);
    assert_non_null(strstr(text, "Pinion " PINION_VERSION "\n"));
    assert_non_null(strstr(text, address(b, 0)));
    assert_non_null(strstr(text, address(b, 1)));
    assert_non_null(strstr(text, "cores      3 on CPU"));
    assert_non_null(strstr(text, "idle sleep"));
    assert_non_null(strstr(text, "6 of 1024 mails each"));
    assert_non_null(strstr(text, "nothing survives a restart"));
    assert_non_null(strstr(text, "anonymous clients, loopback only"));
    assert_non_null(strstr(text, "pinion pub -p "));
    assert_null(strstr(text, "WARNING"));
    free(text);
    stop(b);
}

static void an_open_address_is_warned_of(void **state)
{
    struct broker_here *b = start("1", "127.0.0.1:0, 0.0.0.0:0");

    (void)state;
    assert_int_equal(b->err, 0);
    char *text = banner(b);
    assert_non_null(strstr(text, "loopback only")); /* the other lets nobody in */
    assert_null(strstr(text, "WARNING"));
    free(text);
    b->serve.door[1].anonymous = DOOR_ALLOWED;
    text = banner(b);
    assert_non_null(strstr(text, "WARNING"));
    assert_null(strstr(text, "loopback only"));
    free(text);
    stop(b);
}

static void a_port_in_use_is_told_and_nothing_is_left_behind(void **state)
{
    struct broker_here *first = start("2", "127.0.0.1:0");
    struct broker_here *second = start("2", address(first, 0));

    (void)state;
    assert_int_equal(first->err, 0);
    assert_int_equal(second->err, -ERR_BUSY);
    assert_non_null(strstr(second->error, address(first, 0)));
    assert_non_null(strstr(second->error, "listeners: "));
    assert_non_null(strstr(second->error, "another program listens there"));
    stop(second);
    stop(first);
}

static void a_listener_that_fails_on_a_core_stops_all_of_them(void **state)
{
    struct broker_here *b = start("4", "192.0.2.1:1883"); /* nobody's (RFC 5737) */

    (void)state;
    assert_true(b->err < 0);
    assert_non_null(strstr(b->error, "192.0.2.1:1883"));
    stop(b);
}

struct stall {
    pthread_mutex_t lock;
    unsigned entered;
};

static struct stall stall = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Core 1 stands still as long as the lock is held. */
static void stand_still(struct core_modules *m, uint32_t n)
{
    (void)n;
    if (m->core.id != 1) return;
    pthread_mutex_lock(&stall.lock);
    stall.entered++;
    pthread_mutex_unlock(&stall.lock);
}

static bool all_answer(struct serve *s, unsigned tries)
{
    for (unsigned i = 0; i < tries; i++) {
        if (serve_order(s, NULL, 0) == 0) return true;
        usleep(1000);
    }
    return false;
}

static void a_core_that_stands_still_is_noticed_and_one_that_goes_on_as_well(void **state)
{
    struct broker_here *b = start("3", "127.0.0.1:0");

    (void)state;
    assert_int_equal(b->err, 0);
    pthread_mutex_lock(&stall.lock);
    assert_int_equal(serve_order(&b->serve, stand_still, 0), 0);
    for (int i = 0; i < 20; i++) {
        assert_true(serve_order(&b->serve, NULL, 0) >= 1); /* others may just be slow */
        usleep(2000);
    }
    pthread_mutex_unlock(&stall.lock);
    assert_true(all_answer(&b->serve, 5000));
    assert_int_equal(stall.entered, 1);
    stop(b);
}

static void a_cpu_that_is_not_there_is_told(void **state)
{
    struct broker_here *b = start("1023", "127.0.0.1:0");

    (void)state;
    assert_int_equal(b->err, -ERR_INVALID);
    assert_non_null(strstr(b->error, "cores: 1023 is not a number of cores"));
    stop(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_crosses_a_broker_of_each_size),
        cmocka_unit_test(the_banner_says_where_and_on_what),
        cmocka_unit_test(an_open_address_is_warned_of),
        cmocka_unit_test(a_port_in_use_is_told_and_nothing_is_left_behind),
        cmocka_unit_test(a_listener_that_fails_on_a_core_stops_all_of_them),
        cmocka_unit_test(a_core_that_stands_still_is_noticed_and_one_that_goes_on_as_well),
        cmocka_unit_test(a_cpu_that_is_not_there_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
