/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/err.h"
#include "broker/access/acl.h"

static struct acl_net net_of(const char *text)
{
    struct acl_net net;
    assert_int_equal(acl_net_parse(&net, bytes_str(text)), 0);
    return net;
}

/* ---- addresses ------------------------------------------------------------------------------- */

static const char *const good_nets[] = {
    "10.0.0.0/8", "0.0.0.0/0", "192.0.2.1", "192.0.2.1/32", "::/0",
    "::1",        "fd00::/8",  "unix",      "10.2.0.0/15",  "::1/128",
};
static const char *const bad_nets[] = {
    "",           "10",       "10.0.0.0/33", "10.0.0.0/",    "10.0.0.0/-1", "10.0.0.0/+8",
    "10.1.0.0/8", "::1/129",  "fd00::1/8",   "10.0.0.0/8/8", "unix/1",      "10.0.0.0/0008",
    "1.2.3.4 ",   " 1.2.3.4", "localhost",   "1.2.3.4:80",   "[::1]",       "01.2.3.4/8x",
};

static void addresses_are_read_or_refused(void **state)
{
    struct acl_net net;
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(good_nets); i++)
        assert_int_equal(acl_net_parse(&net, bytes_str(good_nets[i])), 0);
    for (unsigned i = 0; i < ARRAY_LEN(bad_nets); i++)
        assert_int_equal(acl_net_parse(&net, bytes_str(bad_nets[i])), -ERR_INVALID);
    assert_int_equal(acl_net_parse(&net, BYTES("10.0.0.1\0")), -ERR_INVALID);
}

static const struct {
    const char *net, *address;
    bool has;
} in_net[] = {
    {"10.0.0.0/8", "10.255.0.1", true},
    {"10.0.0.0/8", "11.0.0.1", false},
    {"10.2.0.0/15", "10.3.255.255", true},
    {"10.2.0.0/15", "10.4.0.0", false},
    {"192.0.2.1", "192.0.2.1", true},
    {"192.0.2.1", "192.0.2.2", false},
    {"0.0.0.0/0", "1.2.3.4", true},
    {"0.0.0.0/0", "::1", false},
    {"::/0", "::1", true},
    {"::/0", "1.2.3.4", false},
    {"fd00::/8", "fdff::1", true},
    {"fd00::/8", "fe00::1", false},
    {"::/0", "unix", false},
    {"0.0.0.0/0", "unix", false},
    {"unix", "unix", true},
    {"unix", "127.0.0.1", false},
    {"unix", "::1", false},
};

static void a_network_has_its_own_addresses_and_no_others(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(in_net); i++) {
        struct acl_net net = net_of(in_net[i].net), address = net_of(in_net[i].address);
        struct acl_rule r = {.actions = ACL_READ, .nets = &net, .nnets = 1};
        struct acl_subject who = {.client_id = BYTES("c")};
        memcpy(who.ip, address.ip, sizeof who.ip);
        if (acl_applies(&r, &who) != in_net[i].has) fail_msg("row %u", i);
    }
}

/* ---- selectors
 * ----------------------------------------------------------------------------------- */

static const struct {
    const char *rule, *user;
    bool fits;
} users[] = {
    {"", "", true},
    {"", "ann", true},
    {"ann", "ann", true},
    {"ann", "anna", false},
    {"ann", "", false},
    {"a*", "ann", true},
    {"*", "ann", true},
    {"*", "", false}, /* who has no name is no user */
    {"$anonymous", "", true},
    {"$anonymous", "ann", false},
    {"$anonymous", "$anonymous", false}, /* a name is not the word */
    {"$authenticated", "ann", true},
    {"$authenticated", "", false},
    {"$authenticated", "$anonymous", true},
    {"ann", "*", false},
    {"ann", "ANN", false},
};

static void a_user_fits_by_name_pattern_or_word(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(users); i++) {
        struct acl_rule r = {.actions = ACL_READ, .user = bytes_str(users[i].rule)};
        struct acl_subject who = {.user = bytes_str(users[i].user), .client_id = BYTES("c")};
        if (acl_applies(&r, &who) != users[i].fits) fail_msg("row %u", i);
    }
}

static void a_listener_fits_by_address_or_name(void **state)
{
    struct acl_subject who = {.listener = BYTES("[::1]:1883"), .listener_name = BYTES("inside")};
    struct acl_rule r = {.actions = ACL_READ, .listener = BYTES("[::1]:1883")};
    (void)state;
    assert_true(acl_applies(&r, &who));
    r.listener = BYTES("in*");
    assert_true(acl_applies(&r, &who));
    r.listener = BYTES("outside");
    assert_false(acl_applies(&r, &who));
    who.listener_name = who.listener = bytes_of(NULL, 0);
    r.listener = BYTES("*");
    assert_false(acl_applies(&r, &who)); /* a listener that is not known is none of the rule's */
}

static void every_selector_must_fit(void **state)
{
    struct acl_net net = net_of("10.0.0.0/8");
    struct acl_rule r = {.actions = ACL_READ,
                         .user = BYTES("ann"),
                         .client = BYTES("dev-*"),
                         .nets = &net,
                         .nnets = 1};
    struct acl_subject good = {.user = BYTES("ann"),
                               .client_id = BYTES("dev-1"),
                               .ip = {[10] = 0xFF, [11] = 0xFF, [12] = 10}};
    (void)state;
    assert_true(acl_applies(&r, &good));
    struct acl_subject bad = good;
    bad.user = BYTES("bob");
    assert_false(acl_applies(&r, &bad));
    bad = good;
    bad.client_id = BYTES("x");
    assert_false(acl_applies(&r, &bad));
    bad = good;
    bad.ip[12] = 11;
    assert_false(acl_applies(&r, &bad));
}

/* ---- what is refused
 * ------------------------------------------------------------------------------ */

static const char *const good_topics[] = {
    "a", "#", "+", "a/#", "+/+/#", "/", "//", "$SYS/#", "%u", "a/%c/%u/#", "%", "50%",
};
static const char *const bad_topics[] = {
    "",     "a#",  "#/a",   "a+",         "+a/b",   "a/#/b",          "dev-%c",
    "%u%c", "%%u", "x/%uy", "$share/g/a", "a/\xFF", "a/\xED\xA0\x80",
};

static void topics_are_taken_or_refused(void **state)
{
    char error[ACL_ERROR];
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(good_topics); i++) {
        struct bytes t = bytes_str(good_topics[i]);
        struct acl_rule r = {.actions = ACL_READ, .topics = &t, .ntopics = 1};
        if (acl_rule_check(&r, error) != 0) fail_msg("%s: %s", good_topics[i], error);
    }
    for (unsigned i = 0; i < ARRAY_LEN(bad_topics); i++) {
        struct bytes t = bytes_str(bad_topics[i]);
        struct acl_rule r = {.actions = ACL_READ, .topics = &t, .ntopics = 1};
        if (acl_rule_check(&r, error) != -ERR_INVALID) fail_msg("%s was taken", bad_topics[i]);
        assert_non_null(strstr(error, "topics"));
    }
}

static void the_sentence_names_what_is_wrong(void **state)
{
    char error[ACL_ERROR];
    char deep[2 * 129] = "";
    struct bytes t = bytes_of(deep, sizeof deep - 1);
    (void)state;
    struct acl_rule r = {.actions = ACL_READ, .user = BYTES("$all")};
    assert_int_equal(acl_rule_check(&r, error), -ERR_INVALID);
    assert_string_equal(error, "user: after $ stands anonymous or authenticated");
    r = (struct acl_rule){.actions = ACL_READ, .client = BYTES("\xFF")};
    assert_int_equal(acl_rule_check(&r, error), -ERR_INVALID);
    assert_string_equal(error, "client: it is not UTF-8");
    r = (struct acl_rule){.actions = 0};
    assert_int_equal(acl_rule_check(&r, error), -ERR_INVALID);
    memset(deep, '/', sizeof deep);
    r = (struct acl_rule){.actions = ACL_READ, .topics = &t, .ntopics = 1};
    assert_int_equal(acl_rule_check(&r, error), -ERR_INVALID);
    assert_non_null(strstr(error, "128 levels"));
}

/* ---- the block
 * -------------------------------------------------------------------------------------- */

static void rules_are_copied_whole(void **state)
{
    char user[] = "ann", topic[] = "a/#";
    struct acl_net net = net_of("10.0.0.0/8");
    struct bytes topics[2] = {bytes_str(topic), BYTES("b")};
    struct acl_rule rules[2] = {
        {.allow = true,
         .actions = ACL_READ,
         .place = 7,
         .user = bytes_str(user),
         .nets = &net,
         .nnets = 1,
         .topics = topics,
         .ntopics = 2},
        {.actions = ACL_ALL, .place = 9},
    };
    struct acl *a = acl_new(rules, 2, &(struct acl_options){.strict = true});
    unsigned n;
    (void)state;
    assert_non_null(a);
    memset(user, 'x', 3);
    memset(topic, 'x', 3);
    memset(&net, 0, sizeof net);
    topics[1] = BYTES("x");
    const struct acl_rule *own = acl_rules(a, &n);
    assert_int_equal(n, 2);
    assert_true(bytes_eq(own[0].user, BYTES("ann")));
    assert_true(bytes_eq(own[0].topics[0], BYTES("a/#")));
    assert_true(bytes_eq(own[0].topics[1], BYTES("b")));
    assert_int_equal(own[0].nets[0].bits, 104);
    assert_int_equal(own[1].place, 9);
    assert_int_equal(own[1].ntopics, 0);
    assert_true(acl_options(a)->strict);
    acl_free(&a);
    assert_null(a);
}

static void what_the_broker_alone_writes_is_known(void **state)
{
    (void)state;
    assert_true(acl_reserved(BYTES("$SYS")));
    assert_true(acl_reserved(BYTES("$SYS/broker/uptime")));
    assert_false(acl_reserved(BYTES("$SYSTEM/x")));
    assert_false(acl_reserved(BYTES("a/$SYS/x")));
    assert_false(acl_reserved(bytes_of(NULL, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read_or_refused),
        cmocka_unit_test(a_network_has_its_own_addresses_and_no_others),
        cmocka_unit_test(a_user_fits_by_name_pattern_or_word),
        cmocka_unit_test(a_listener_fits_by_address_or_name),
        cmocka_unit_test(every_selector_must_fit),
        cmocka_unit_test(topics_are_taken_or_refused),
        cmocka_unit_test(the_sentence_names_what_is_wrong),
        cmocka_unit_test(rules_are_copied_whole),
        cmocka_unit_test(what_the_broker_alone_writes_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
