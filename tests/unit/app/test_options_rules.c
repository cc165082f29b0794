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

#include "app/options/options_rules.h"
#include "base/assert.h"
#include "base/err.h"
#include "broker/access/grant.h"

static char path[] = "/tmp/pinion-test-XXXXXX";

static int load(struct options *o, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return options_load(o, &(struct option_args){.file = path});
}

static const char example[] = "rules:\n"
                              "  # operators\n"
                              "  - {allow: all, user: admin}\n"
                              "  - deny: all\n"
                              "    address:\n"
                              "      - 10.0.0.0/8\n"
                              "      - fd00::/8\n"
                              "    topics:\n"
                              "      - secret/#\n"
                              "  - allow: read\n"
                              "    user: '*'\n"
                              "    topics: [a/+/state, u/%u/#]\n"
                              "  - allow: write\n"
                              "    client: dev-*\n"
                              "    listener: 127.0.0.1:1883\n"
                              "    topics: ['c/%c/#']\n";

static void rules_are_read_in_their_order_with_their_lines(void **state)
{
    static const unsigned lines[] = {3, 4, 10, 13};
    struct options o;
    unsigned n;

    (void)state;
    if (load(&o, example) < 0) fail_msg("%s", o.error);
    const struct acl_rule *r = acl_rules(o.rules, &n);
    assert_int_equal(n, ARRAY_LEN(lines));
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(r[i].place, lines[i]);
    assert_true(r[0].allow && !r[1].allow);
    assert_int_equal(r[0].actions, ACL_ALL);
    assert_int_equal(r[2].actions, ACL_READ);
    assert_int_equal(r[3].actions, ACL_WRITE);
    assert_int_equal(r[0].ntopics, 0);
    assert_int_equal(r[1].nnets, 2);
    assert_int_equal(r[1].nets[0].bits, 104);
    assert_true(bytes_eq(r[2].topics[1], BYTES("u/%u/#")));
    assert_true(bytes_eq(r[3].client, BYTES("dev-*")));
    assert_true(bytes_eq(r[3].listener, BYTES("127.0.0.1:1883")));
    options_fini(&o);
}

/* Text, the line that must be named, and words that must be in the message. */
static const struct {
    const char *text;
    unsigned line;
    const char *told;
} wrong[] = {
    {"rules:\n  - allow: read\n  - alow: read\n", 3, "rules.alow is not a setting"},
    {"rules:\n  - allow: read\n    topics:\n      - a\n      - b\n  - deny: eat\n", 6,
     "deny: it is read, write or all"},
    {"rules: []\n", 1, "0 of 1"}, /* an empty list is a slip, and must not mean "open" */
    {"rules:\n", 1, "takes a list"},
    {"rules: [{allow: read}, {deny: all, user: ''}]\n", 1, "user: it is empty"},
    {"rules:\n- allow: read\n- deny: all\n  address: [10.1.1.1/8]\n", 3, "\"10.1.1.1/8\""},
    {"rules:\n- allow: read\n  deny: all\n", 2, "one of them"},
    {"rules:\n- user: x\n", 2, "one of them"},
    {"rules:\n- allow: all\n  topics: []\n", 3, "0 of 1"},
    {"rules:\n- allow: all\n\n- allow: all\n  topics: [dev-%c]\n", 4, "whole levels"},
    {"rules:\n- allow: all\n  topics: [a/#/b]\n", 2, "# is the last level"},
    {"rules:\n- allow: all\n  topics: [$share/g/a]\n", 2, "without $share/GROUP/"},
    {"rules:\n- allow: all\n  user: $all\n", 2, "anonymous or authenticated"},
    {"cores: 1\nrules:\n- {allow: all}\n- {allow: all, topics: ['']}\n", 4, "it is empty"},
};

static void what_is_wrong_in_a_rule_is_told_with_its_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct options o;
        char place[16];
        int err = load(&o, wrong[i].text);
        snprintf(place, sizeof place, ":%u: ", wrong[i].line);
        if (err != -ERR_INVALID || !strstr(o.error, place) || !strstr(o.error, wrong[i].told))
            fail_msg("row %zu: %d %s", i, err, o.error);
        assert_null(o.rules);
        options_fini(&o);
    }
}

/* ---- what is in force ---------------------------------------------------------------------- */

static const struct {
    const char *text;
    bool any, reads, reads_dollar;
} in_force[] = {
    {"", false, true, true},
    {"access: {default: allow}\n", false, true, true},
    {"access: {default: deny}\n", true, false, false},
    {"rules: [{allow: read, topics: [b]}]\n", true, false, false},
    {"access: {default: allow}\nrules: [{deny: read, topics: [b]}]\n", true, true, false},
    {"rules: [{allow: read}]\n", true, true, false},
};

static void rules_are_in_force_once_something_is_configured(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(in_force); i++) {
        struct options o;
        struct acl *a;
        const struct grant *g;
        struct acl_subject who = {.client_id = BYTES("c")};
        if (load(&o, in_force[i].text) < 0) fail_msg("row %zu: %s", i, o.error);
        assert_int_equal(options_acl(&o, &a), 0);
        assert_int_equal(a != NULL, in_force[i].any);
        assert_int_equal(grant_new(&g, a, &who), 0);
        assert_int_equal(grant_may(g, ACL_READ, BYTES("a")), in_force[i].reads);
        assert_int_equal(grant_may(g, ACL_READ, BYTES("$SYS/a")), in_force[i].reads_dollar);
        grant_free(&g);
        acl_free(&a);
        options_fini(&o);
    }
}

/* ---- what check says ------------------------------------------------------------------------- */

static const struct {
    const char *user, *client, *action, *topic;
    int may;
    const char *told;
} tries[] = {
    {"ann", "c", "r", "u/ann/x", 1, ":10: allow read"},
    {"ann", "c", "r", "u/bob/x", 0, "no rule fits"},
    {"ann", "c", "w", "u/ann/x", 0, "no rule fits"},
    {"", "c", "r", "a/b/state", 0, "no rule fits"},
    {"admin", "c", "w", "x", 1, ":3: allow all"},
    {"admin", "c", "w", "$SYS/x", 0, "only the broker"},
    {"ann", "c", "r", "#", 1, "may be read"},
    {"ann", "c", "r", "$share/g/u/ann/#", 1, "may be read"},
    {"ann", "c", "r", "$share/g/x/#", 0, "nothing that"},
    {"#", "c", "r", "u/#", 0, "nothing that"},
};

static void a_question_is_answered_with_the_rule(void **state)
{
    struct options o;
    struct acl *a;

    (void)state;
    assert_int_equal(load(&o, example), 0);
    assert_int_equal(options_acl(&o, &a), 0);
    for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
        char told[512] = "";
        FILE *out = fmemopen(told, sizeof told - 1, "w");
        struct rules_question q = {
            .who = {.user = bytes_str(tries[i].user), .client_id = bytes_str(tries[i].client)},
            .action = *tries[i].action == 'r' ? ACL_READ : ACL_WRITE,
            .topic = tries[i].topic};
        int may = rules_try(&o, a, &q, out);
        fclose(out);
        if (may != tries[i].may || !strstr(told, tries[i].told)) fail_msg("row %zu: %s", i, told);
    }
    acl_free(&a);
    options_fini(&o);
}

static void rules_are_shown_as_they_were_understood(void **state)
{
    char told[1024] = "";
    FILE *out = fmemopen(told, sizeof told - 1, "w");
    struct options o;
    struct acl *a;

    (void)state;
    assert_int_equal(load(&o, example), 0);
    assert_int_equal(options_acl(&o, &a), 0);
    rules_print(&o, a, out);
    fclose(out);
    assert_non_null(strstr(told, "deny all, from 10.0.0.0/8 fd00::/8, topics secret/#\n"));
    assert_non_null(strstr(told, "allow write, client dev-*, listener 127.0.0.1:1883, topics"));
    assert_non_null(strstr(told, "else: deny all\n"));
    acl_free(&a);
    options_fini(&o);
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
        cmocka_unit_test(rules_are_read_in_their_order_with_their_lines),
        cmocka_unit_test(what_is_wrong_in_a_rule_is_told_with_its_line),
        cmocka_unit_test(rules_are_in_force_once_something_is_configured),
        cmocka_unit_test(a_question_is_answered_with_the_rule),
        cmocka_unit_test(rules_are_shown_as_they_were_understood),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
