/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/options/options.h"
#include "base/assert.h"
#include "base/err.h"

static char path[] = "/tmp/pinion-test-XXXXXX";

static int load(struct options *o, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return options_load(o, &(struct option_args){.file = path});
}

static void a_file_fills_settings_at_every_level(void **state)
{
    struct options o;

    (void)state;
    assert_int_equal(load(&o, "# a comment\n"
                              "cores: 0\n"
                              "pin: no\n"
                              "listeners:\n"
                              "  - address: 127.0.0.1:1\n"
                              "  - address: \"*:2\"\n"
                              "limits:\n"
                              "  queue_bytes: 2 MiB\n"
                              "log: {level: warn, format: json}\n"),
                     0);
    assert_string_equal(o.cores, "0");
    assert_false(o.pin);
    assert_int_equal(o.listeners.n, 2);
    assert_int_equal(o.broker.queue_bytes_max, 2 << 20);
    assert_int_equal(o.log.level, LOG_WARN);
    assert_true(o.log.json);
    assert_int_equal(o.origin[option_find("limits.queue_bytes", 18)].line, 8);
    assert_int_equal(o.origin[option_find("log.format", 10)].line, 9);
}

static void listeners_have_settings_of_their_own(void **state)
{
    struct options o;

    (void)state;
    assert_int_equal(load(&o, "listeners:\n"
                              "  - address: unix:/run/a.sock\n"
                              "    mode: '0600'\n"
                              "    group: staff\n"
                              "  - address: 127.0.0.1:1\n"
                              "    proxy_protocol: required\n"
                              "    proxy_from: [10.0.0.0/8, '::1', unix]\n"
                              "  - {address: 127.0.0.1:2, proxy_protocol: required}\n"
                              "  - {address: unix:/run/b.sock}\n"),
                     0);
    assert_int_equal(o.listeners.how[0].mode, 0600);
    assert_string_equal(o.listeners.how[0].group, "staff");
    assert_false(o.listeners.how[0].proxied);
    assert_true(o.listeners.how[1].proxied);
    assert_int_equal(o.listeners.how[1].proxy.nfrom, 3);
    assert_int_equal(o.listeners.how[1].proxy.from[0].bits, 96 + 8);
    assert_int_equal(o.listeners.how[2].proxy.nfrom, 3); /* this machine */
    assert_int_equal(o.listeners.how[2].proxy.from[0].ip[12], 127);
    assert_int_equal(o.listeners.how[3].mode, 0660);
}

static void an_empty_file_changes_nothing(void **state)
{
    struct options o;

    (void)state;
    assert_int_equal(load(&o, ""), 0);
    assert_int_equal(load(&o, "# nothing\n"), 0);
    assert_int_equal(o.origin[0].source, FROM_DEFAULT);
}

/* Text, the place that must be named, and words that must be in the message. */
static const struct {
    const char *text, *place, *told;
} wrong[] = {
    {"coers: 2\n", ":1: ", "coers is not a setting; did you mean cores"},
    {"cores: 2\nlimits:\n  window: 5\n\n  # x\n  windwo: 5\n",
     ":6: ", "limits.windwo is not a setting; did you mean limits.window"},
    {"log: {level: warn,\n  formt: json}\n", ":2: ", "log.formt is not a setting"},
    {"listeners:\n  - adress: 127.0.0.1:1\n", ":2: ", "listeners.adress is not a setting"},
    {"limits:\n  # window: 1\n  window: 0\n", ":3)", "limits.window: \"0\""},
    {"\n\nidle: doze\n", ":3)", "sleep/spin/busy"},
    {"pin:\n", ":1)", "false/true"},
    {"listeners:\n  - address: here\n", ":1)", "\"here\" is not an address with a port"},
    {"listeners:\n  - {address: 127.0.0.1:1, mode: '0600'}\n",
     ":1: ", "mode: only a unix: address"},
    {"listeners:\n  - {address: 127.0.0.1:1, group: a}\n", ":1: ", "group: only a unix: address"},
    {"listeners:\n  - {address: unix:/a, mode: '660'}\n  - {address: unix:/b, mode: '1777'}\n",
     ":1: ", "unix:/b: mode: it is an octal number"},
    {"listeners:\n  - {address: unix:/a, mode: '0689'}\n", ":1: ", "mode: it is an octal number"},
    {"listeners:\n  - {address: unix:a}\n", ":1)", "\"unix:a\" is not an address"},
    {"listeners:\n  - {address: 127.0.0.1:1, proxy_protocol: optional}\n",
     ":1: ", "proxy_protocol: not a word that stands here"},
    {"listeners:\n  - {address: 127.0.0.1:1, proxy_from: [10.0.0.0/8]}\n",
     ":1: ", "proxy_from: proxy_protocol is not required"},
    {"listeners:\n  - {address: 127.0.0.1:1, proxy_protocol: required, proxy_from: [10.1.0.0/8]}\n",
     ":1: ", "proxy_from: an entry is no address"},
    {"cores: [1, 2]\n", ":1: ", "cores takes one value"},
    {"limits: 3\n", ":1: ", "limits takes settings of its own"},
    {"listeners: 127.0.0.1:1\n", ":1: ", "listeners takes a list"},
    {"listeners: []\n", ":1: ", "0 of 1"},
    {"cores: 1\ncores: 2\n", ":1: ", "already seen"},
    {"cores: 1\n  pin: true\n", "line 1", "not YAML"},
    {"cores: 1\nidle: &x spin\n\"pin\": *x\n", ":3: ", ""},
};

static void what_is_wrong_in_a_file_is_told_with_its_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct options o;
        int err = load(&o, wrong[i].text);
        if (err != -ERR_INVALID || !strstr(o.error, path) || !strstr(o.error, wrong[i].place) ||
            !strstr(o.error, wrong[i].told))
            fail_msg("row %zu: %d %s", i, err, o.error);
    }
}

static void a_file_that_is_not_there_is_told(void **state)
{
    struct options o;

    (void)state;
    assert_int_equal(options_load(&o, &(struct option_args){.file = "/nowhere/pinion.yaml"}),
                     -ERR_INVALID);
    assert_string_equal(o.error, "/nowhere/pinion.yaml can't be read: No such file or directory");
    assert_int_equal(options_load(&o, &(struct option_args){.file = "/"}), -ERR_INVALID);
}

static void a_file_that_is_too_large_is_refused(void **state)
{
    FILE *f = fopen(path, "w");
    struct options o;

    (void)state;
    assert_non_null(f);
    for (int i = 0; i < (1 << 20) + 1; i++)
        fputc('#', f);
    fclose(f);
    assert_int_equal(options_load(&o, &(struct option_args){.file = path}), -ERR_INVALID);
    assert_non_null(strstr(o.error, "larger than 1 MiB"));
}

static int make_file(void **state)
{
    int fd = mkstemp(path);

    (void)state;
    if (fd < 0) return -1;
    close(fd);
    return 0;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_fills_settings_at_every_level),
        cmocka_unit_test(listeners_have_settings_of_their_own),
        cmocka_unit_test(an_empty_file_changes_nothing),
        cmocka_unit_test(what_is_wrong_in_a_file_is_told_with_its_line),
        cmocka_unit_test(a_file_that_is_not_there_is_told),
        cmocka_unit_test(a_file_that_is_too_large_is_refused),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
