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

static void without_a_directory_nothing_is_kept(void **state)
{
    struct options o;

    (void)state;
    assert_int_equal(load(&o, "data: {queue_memory: 1 MiB}\n"), 0);
    assert_int_equal(o.broker.durability, DURABILITY_MEMORY);
    assert_int_equal(listen_durability(&o, &o.listeners.how[0]), DURABILITY_MEMORY);
    options_fini(&o);
}

static void with_a_directory_acknowledged_means_on_disk(void **state)
{
    struct options o;

    (void)state;
    assert_int_equal(load(&o, "data: {dir: /tmp/x}\n"), 0);
    assert_string_equal(o.data.dir, "/tmp/x");
    assert_int_equal(o.broker.durability, DURABILITY_COMMIT);
    assert_int_equal(listen_durability(&o, &o.listeners.how[0]), DURABILITY_COMMIT);
    assert_int_equal(o.data.interval_ms, 1000);
    assert_int_equal(o.data.segment_bytes, 16 << 20);
    assert_int_equal(o.data.queue_memory, 64 << 20);
    assert_int_equal(o.data.bytes_max, 0);
    assert_int_equal(o.data.engine, DATA_AUTO);
    assert_false(o.data.salvage);
    options_fini(&o);
}

static void a_listener_may_differ(void **state)
{
    struct options o;

    (void)state;
    assert_int_equal(load(&o, "data: {dir: /tmp/x, durability: interval}\n"
                              "listeners:\n"
                              "  - {address: 127.0.0.1:1}\n"
                              "  - {address: 127.0.0.1:2, durability: inherit}\n"
                              "  - {address: 127.0.0.1:3, durability: memory}\n"
                              "  - {address: 127.0.0.1:4, durability: commit}\n"),
                     0);
    assert_int_equal(listen_durability(&o, &o.listeners.how[0]), DURABILITY_INTERVAL);
    assert_int_equal(listen_durability(&o, &o.listeners.how[1]), DURABILITY_INTERVAL);
    assert_int_equal(listen_durability(&o, &o.listeners.how[2]), DURABILITY_MEMORY);
    assert_int_equal(listen_durability(&o, &o.listeners.how[3]), DURABILITY_COMMIT);
    options_fini(&o);
}

static uint8_t durability_in(const struct options *o, const char *topic)
{
    return durability_of(o->broker.durability_rules, bytes_str(topic), DURABILITY_INTERVAL);
}

static void the_first_rule_that_matches_beats_the_listener(void **state)
{
    struct options o;

    (void)state;
    assert_int_equal(load(&o, "data:\n"
                              "  dir: /tmp/x\n"
                              "  rules:\n"
                              "    - {topic: 'a/+/cold', durability: commit}\n"
                              "    - {topic: 'a/#', durability: memory}\n"
                              "    - {topic: 'a/b/cold', durability: interval}\n"),
                     0);
    assert_int_equal(durability_in(&o, "a/b/cold"), DURABILITY_COMMIT);
    assert_int_equal(durability_in(&o, "a/b/warm"), DURABILITY_MEMORY);
    assert_int_equal(durability_in(&o, "a"), DURABILITY_MEMORY);
    assert_int_equal(durability_in(&o, "b"), DURABILITY_INTERVAL);
    assert_int_equal(durability_in(&o, "$SYS/a"), DURABILITY_MEMORY);
    assert_int_equal(durability_in(&o, ""), DURABILITY_INTERVAL);
    options_fini(&o);
}

/* Rules of access have the same name, and their lines are told as well. */
static void both_kinds_of_rules_are_found_where_they_stand(void **state)
{
    struct options o;

    (void)state;
    assert_int_equal(load(&o, "data:\n"
                              "  dir: /tmp/x\n"
                              "  rules:\n"
                              "    - {topic: '#', durability: memory}\n"
                              "rules:\n"
                              "  - {allow: all, user: a}\n"),
                     0);
    unsigned n = 0;
    const struct acl_rule *r = acl_rules(o.rules, &n);
    assert_int_equal(n, 1);
    assert_int_equal(r[0].place, 6);
    assert_int_equal(o.data_rules->n, 1);
    options_fini(&o);
}

static const struct {
    const char *text, *told[3];
} wrong[] = {
    {"data: {durability: commit}\n", {"data.durability", "data.dir"}},
    {"listeners: [{address: 127.0.0.1:1, durability: commit}]\n",
     {"listeners: 127.0.0.1:1", "durability", "data.dir"}},
    {"data: {rules: [{topic: a, durability: memory}]}\n", {"data.rules", "data.dir"}},
    {"data: {dir: /tmp/x, durability: always}\n", {"data.durability", "memory/interval/commit"}},
    {"data: {dir: /tmp/x, engine: aio}\n", {"data.engine", "auto/io_uring/threads"}},
    {"data: {dir: /tmp/x, segment: 1 MiB}\n", {"data.segment: 1 MiB", "mqtt.packet of 1 MiB"}},
    {"data: {dir: /tmp/x}\nmqtt: {packet: 16 MiB}\n",
     {"data.segment: 16 MiB", "mqtt.packet of 16 MiB", "at least 168"}},
    {"data: {dir: /tmp/x, bytes: 32 MiB}\n",
     {"data.bytes", "data.segment of 16 MiB", "at least 64 MiB"}},
    {"data: {dir: /tmp/x}\nlisteners: [{address: 127.0.0.1:1, durability: yes}]\n",
     {"durability: not a word"}},
    {"data: {dir: /tmp/x, rules: [{topic: 'a/#/b', durability: memory}]}\n",
     {":1: data.rules: a/#/b: not a filter"}},
    {"data:\n  dir: /tmp/x\n  rules:\n    - {topic: $SYS/a, durability: memory}\n",
     {":3: data.rules: $SYS/a:", "begin with $"}},
    {"data: {dir: /tmp/x, rules: [{topic: a, durability: inherit}]}\n",
     {"data.rules: a:", "memory, interval or commit"}},
    {"data: {dir: /tmp/x, rules: [{topic: a}]}\n", {"durability"}},
};

static void what_does_not_fit_is_told_with_the_settings_names(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct options o;
        int err = load(&o, wrong[i].text);
        for (unsigned k = 0; k < ARRAY_LEN(wrong[i].told); k++)
            if (err != -ERR_INVALID || (wrong[i].told[k] && !strstr(o.error, wrong[i].told[k])))
                fail_msg("row %zu: %d %s", i, err, o.error);
        options_fini(&o);
    }
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
        cmocka_unit_test(without_a_directory_nothing_is_kept),
        cmocka_unit_test(with_a_directory_acknowledged_means_on_disk),
        cmocka_unit_test(a_listener_may_differ),
        cmocka_unit_test(the_first_rule_that_matches_beats_the_listener),
        cmocka_unit_test(both_kinds_of_rules_are_found_where_they_stand),
        cmocka_unit_test(what_does_not_fit_is_told_with_the_settings_names),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
