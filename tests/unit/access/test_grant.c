/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit/access/access_rig.h"

#define NAME(s)                                                                                    \
    {                                                                                              \
        (const uint8_t *)("" s), sizeof(s) - 1                                                     \
    }

static const struct acl_options usual = {.allow_rest = false};
static const struct acl_subject ann = {.user = NAME("ann"), .client_id = NAME("c1")};

static bool reads(const struct grant *g, const char *topic)
{
    return grant_may(g, ACL_READ, bytes_str(topic));
}

static bool writes(const struct grant *g, const char *topic)
{
    return grant_may(g, ACL_WRITE, bytes_str(topic));
}

/* ---- which rule decides
 * -------------------------------------------------------------------------- */

static void the_first_rule_that_matches_decides(void **state)
{
    const struct grant *g =
        rig_grant(RULES("-rw a/secret/#", "+r a/#", "+w a/in", "-r a/late"), NULL, ann, usual);
    (void)state;
    assert_true(reads(g, "a/x"));
    assert_true(reads(g, "a"));
    assert_true(reads(g, "a/late"));
    assert_false(reads(g, "a/secret"));
    assert_false(reads(g, "a/secret/x"));
    assert_false(writes(g, "a/x"));
    assert_true(writes(g, "a/in"));
    assert_false(reads(g, "b"));
    struct grant_verdict v = grant_judge(g, ACL_READ, BYTES("a/secret/x"));
    assert_int_equal(v.place, 1);
    v = grant_judge(g, ACL_READ, BYTES("b"));
    assert_int_equal(v.place, 0);
    grant_free(&g);
    assert_null(g);
}

static void what_no_rule_matches_is_denied_unless_configured_otherwise(void **state)
{
    const struct acl_options open = {.allow_rest = true};
    const struct grant *g = rig_grant(RULES("-r a"), NULL, ann, open);
    (void)state;
    assert_false(reads(g, "a"));
    assert_true(writes(g, "a"));
    assert_true(reads(g, "b"));
    assert_false(reads(g, "$SYS/x")); /* needs a rule all the same */
    assert_false(reads(g, "$x"));
    grant_free(&g);
}

static void without_rules_everything_is_allowed(void **state)
{
    const struct grant *g = rig_grant(NULL, NULL, ann, usual);
    (void)state;
    assert_null(g);
    assert_true(reads(g, "$SYS/x"));
    assert_true(grant_may_subscribe(g, BYTES("#")));
}

static void an_empty_list_of_rules_denies_everything(void **state)
{
    struct acl *a = acl_new(NULL, 0, &usual);
    const struct grant *g;
    (void)state;
    assert_int_equal(grant_new(&g, a, &ann), 0);
    assert_non_null(g);
    assert_false(reads(g, "a"));
    assert_false(grant_may_subscribe(g, BYTES("#")));
    grant_free(&g);
    acl_free(&a);
}

static void who_may_do_everything_has_no_grant(void **state)
{
    struct acl_subject root = ann;
    root.superuser = true;
    (void)state;
    assert_null(rig_grant(RULES("-rw"), NULL, root, usual));
}

static void rules_of_others_are_left_out(void **state)
{
    const char *const *rules =
        RULES("user=bob +rw b/#", "user=$anonymous +r pub", "client=c* +r c");
    const struct grant *g = rig_grant(rules, NULL, ann, usual);
    (void)state;
    assert_false(reads(g, "b/x"));
    assert_false(reads(g, "pub"));
    assert_true(reads(g, "c"));
    grant_free(&g);
    g = rig_grant(rules, NULL, (struct acl_subject){.client_id = BYTES("x")}, usual);
    assert_true(reads(g, "pub"));
    assert_false(reads(g, "c"));
    grant_free(&g);
}

static void wildcards_do_not_reach_dollar_topics(void **state)
{
    const struct grant *g = rig_grant(RULES("+r #", "+r +/x"), NULL, ann, usual);
    (void)state;
    assert_true(reads(g, "a/b"));
    assert_false(reads(g, "$SYS/x")); /* [MQTT-4.7.2-1] */
    grant_free(&g);
    g = rig_grant(RULES("+r", "+r $SYS/#"), NULL, ann, usual);
    assert_true(reads(g, "$SYS/x"));
    assert_false(reads(g, "$other"));
    grant_free(&g);
    g = rig_grant(RULES("-r", "+r $SYS/#"), NULL, ann, usual); /* without topics: really all */
    assert_false(reads(g, "$SYS/x"));
    grant_free(&g);
}

/* ---- names filled in ---------------------------------------------------------------------------
 */

static void names_are_filled_in_as_levels(void **state)
{
    const struct grant *g = rig_grant(RULES("+rw u/%u/#", "+r c/%c", "+r %u"), NULL, ann, usual);
    (void)state;
    assert_true(writes(g, "u/ann/x"));
    assert_false(writes(g, "u/bob/x"));
    assert_false(writes(g, "u/%u/x"));
    assert_true(reads(g, "c/c1"));
    assert_false(reads(g, "c/ann"));
    assert_true(reads(g, "ann"));
    grant_free(&g);
}

static void a_name_is_not_read_for_variables_again(void **state)
{
    struct acl_subject who = {.user = BYTES("%c"), .client_id = BYTES("c1")};
    const struct grant *g = rig_grant(RULES("+r u/%u"), NULL, who, usual);
    (void)state;
    assert_true(reads(g, "u/%c"));
    assert_false(reads(g, "u/c1"));
    grant_free(&g);
}

static const struct bytes unfit[] = {
    NAME("#"),  NAME("+"),    NAME("a/b"), NAME("/"),    NAME(""),         NAME("a+"),
    NAME("a#"), NAME("x\0y"), NAME("\0"),  NAME("\xFF"), NAME("\xC0\x80"), NAME("../#"),
};

/* CVE-2017-7650, and what else a name could do. */
static void a_name_that_is_no_level_opens_nothing(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(unfit); i++) {
        struct acl_subject who = {.user = unfit[i], .client_id = BYTES("c1")};
        const struct grant *g = rig_grant(RULES("+rw u/%u/#", "+r u/%u"), NULL, who, usual);
        const char *const topics[] = {"u/a/x", "u/x", "u//x", "u", "u/", "u/a/b/x", "u/a"};
        for (unsigned k = 0; k < ARRAY_LEN(topics); k++)
            if (reads(g, topics[k])) fail_msg("name %u reads %s", i, topics[k]);
        assert_false(grant_may_subscribe(g, BYTES("#")));
        grant_free(&g);
    }
}

static void a_name_that_is_no_level_is_denied_all_that_it_could_mean(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(unfit); i++) {
        struct acl_subject who = {.user = unfit[i], .client_id = BYTES("c1")};
        const struct grant *g = rig_grant(RULES("-r u/%u/private", "+r #"), NULL, who, usual);
        assert_false(reads(g, "u/a/private"));
        assert_false(reads(g, "u/a/b/private"));
        assert_false(reads(g, "u"));
        assert_true(reads(g, "v"));
        grant_free(&g);
        g = rig_grant(RULES("-r %u/x", "+r #", "+r $SYS/#"), NULL, who, usual);
        assert_false(reads(g, "a"));
        assert_false(reads(g, "$SYS/x"));
        grant_free(&g);
    }
}

static void a_name_never_opens_dollar_topics(void **state)
{
    struct acl_subject who = {.user = BYTES("$SYS"), .client_id = BYTES("$SYS")};
    const struct grant *g = rig_grant(RULES("+rw %u/#", "+r %c/x", "+r a/%u"), NULL, who, usual);
    (void)state;
    assert_false(reads(g, "$SYS/x"));
    assert_true(reads(g, "a/$SYS"));
    grant_free(&g);
    g = rig_grant(RULES("-r %u/x", "+r $SYS/#"), NULL, who, usual);
    assert_false(reads(g, "$SYS/x"));
    assert_true(reads(g, "$SYS/y"));
    grant_free(&g);
}

static void a_long_name_is_no_level(void **state)
{
    static char name[60000];
    struct acl_subject who = {.user = bytes_of(name, sizeof name), .client_id = BYTES("c")};
    (void)state;
    memset(name, 'a', sizeof name);
    const struct grant *g = rig_grant(RULES("-r d/%u", "+r a/%u", "+r d/#"), NULL, who, usual);
    static char topic[60002] = "a/";
    memcpy(topic + 2, name, sizeof name);
    assert_false(grant_may(g, ACL_READ, bytes_of(topic, sizeof topic)));
    assert_false(reads(g, "d/x"));
    grant_free(&g);
}

/* ---- rules of his own
 * ------------------------------------------------------------------------------ */

static void own_rules_are_all_that_he_gets(void **state)
{
    const struct grant *g =
        rig_grant(RULES("-r a/no", "+r b"), RULES("-r a/x", "+r a/#", "+r c"), ann, usual);
    (void)state;
    assert_true(reads(g, "a/y"));
    assert_false(reads(g, "a/x"));
    assert_false(reads(g, "a/no")); /* what is configured takes away ... */
    assert_false(reads(g, "b"));    /* ... and does not give */
    assert_true(reads(g, "c"));
    struct grant_verdict v = grant_judge(g, ACL_READ, BYTES("a/y"));
    assert_true(v.own && v.place == 2);
    v = grant_judge(g, ACL_READ, BYTES("a/no"));
    assert_true(!v.own && v.place == 1);
    grant_free(&g);
}

static void own_rules_hold_without_configured_ones(void **state)
{
    const struct grant *g = rig_grant(NULL, RULES("+r a"), ann, usual);
    (void)state;
    assert_true(reads(g, "a"));
    assert_false(reads(g, "b"));
    grant_free(&g);
    g = rig_grant(NULL, (const char *const[]){NULL}, ann, usual);
    assert_non_null(g); /* he brought a list, and it is empty */
    assert_false(reads(g, "a"));
    grant_free(&g);
}

/* ---- filters
 * ------------------------------------------------------------------------------------------ */

static void a_filter_is_granted_if_something_of_it_may_be_read(void **state)
{
    const struct grant *g = rig_grant(RULES("-r secret/#", "+r a/+/x", "+r b"), NULL, ann, usual);
    static const char *const yes[] = {"#", "+", "b", "a/#", "a/+/+", "+/+/x", "a/q/#", "b/#"};
    static const char *const no[] = {"secret/#", "secret/+", "c",      "c/#",
                                     "a/+",      "a",        "$SYS/#", "a/+/y"};
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(yes); i++)
        if (!grant_may_subscribe(g, bytes_str(yes[i]))) fail_msg("%s", yes[i]);
    for (unsigned i = 0; i < ARRAY_LEN(no); i++)
        if (grant_may_subscribe(g, bytes_str(no[i]))) fail_msg("%s", no[i]);
    grant_free(&g);
}

static void the_strict_mode_grants_only_what_may_all_be_read(void **state)
{
    const struct acl_options strict = {.strict = true};
    const struct grant *g = rig_grant(RULES("-r a/secret", "+r a/#", "+r b/+"), NULL, ann, strict);
    static const char *const yes[] = {"a/x/#", "a/x", "b/+", "b/c", "a", "a/+/+"};
    static const char *const no[] = {"#", "a/#", "a/+", "b/#", "a/secret", "+/x", "c"};
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(yes); i++)
        if (!grant_may_subscribe(g, bytes_str(yes[i]))) fail_msg("%s", yes[i]);
    for (unsigned i = 0; i < ARRAY_LEN(no); i++)
        if (grant_may_subscribe(g, bytes_str(no[i]))) fail_msg("%s", no[i]);
    grant_free(&g);
}

/* 2,000 rules of which each must be looked at with each other: the bound holds, and errs safely. */
static void the_work_for_a_filter_is_bounded(void **state)
{
    enum { MANY = 2000 };
    static char text[MANY][16];
    static struct bytes topic[MANY];
    static struct acl_rule rule[MANY];
    (void)state;
    for (unsigned i = 0; i < MANY; i++) {
        topic[i] = bytes_of(text[i], (size_t)snprintf(text[i], sizeof text[i], "t/%u", i / 2));
        rule[i] = (struct acl_rule){
            .allow = i % 2, .actions = ACL_READ, .topics = &topic[i], .ntopics = 1};
    }
    for (unsigned strict = 0; strict < 2; strict++) {
        const struct grant *g;
        struct acl *a = acl_new(rule, MANY, &(struct acl_options){.strict = strict});
        assert_int_equal(grant_new(&g, a, &ann), 0);
        assert_int_equal(grant_may_subscribe(g, BYTES("t/#")), !strict);
        grant_free(&g);
        acl_free(&a);
    }
}

/* ---- the rest
 * --------------------------------------------------------------------------------------- */

static void equal_grants_are_known_as_such(void **state)
{
    const struct grant *a = rig_grant(RULES("+r a/%u", "user=bob -r x"), NULL, ann, usual);
    const struct grant *b = rig_grant(RULES("+r a/ann"), NULL, ann, usual);
    const struct grant *c = rig_grant(RULES("+rw a/ann"), NULL, ann, usual);
    const struct grant *d = rig_grant(RULES("+r a/anx"), NULL, ann, usual);
    (void)state;
    assert_true(grant_eq(a, b));
    assert_false(grant_eq(a, c));
    assert_false(grant_eq(a, d));
    assert_false(grant_eq(a, NULL));
    assert_true(grant_eq(NULL, NULL));
    grant_free(&a);
    grant_free(&b);
    grant_free(&c);
    grant_free(&d);
}

static void nothing_denies_everything_and_is_nobodys(void **state)
{
    const struct grant *g = grant_nothing();
    (void)state;
    assert_false(reads(g, "a"));
    assert_false(writes(g, "$SYS/x"));
    assert_false(grant_may_subscribe(g, BYTES("#")));
    grant_free(&g);
    assert_null(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_rule_that_matches_decides),
        cmocka_unit_test(what_no_rule_matches_is_denied_unless_configured_otherwise),
        cmocka_unit_test(without_rules_everything_is_allowed),
        cmocka_unit_test(an_empty_list_of_rules_denies_everything),
        cmocka_unit_test(who_may_do_everything_has_no_grant),
        cmocka_unit_test(rules_of_others_are_left_out),
        cmocka_unit_test(wildcards_do_not_reach_dollar_topics),
        cmocka_unit_test(names_are_filled_in_as_levels),
        cmocka_unit_test(a_name_is_not_read_for_variables_again),
        cmocka_unit_test(a_name_that_is_no_level_opens_nothing),
        cmocka_unit_test(a_name_that_is_no_level_is_denied_all_that_it_could_mean),
        cmocka_unit_test(a_name_never_opens_dollar_topics),
        cmocka_unit_test(a_long_name_is_no_level),
        cmocka_unit_test(own_rules_are_all_that_he_gets),
        cmocka_unit_test(own_rules_hold_without_configured_ones),
        cmocka_unit_test(a_filter_is_granted_if_something_of_it_may_be_read),
        cmocka_unit_test(the_strict_mode_grants_only_what_may_all_be_read),
        cmocka_unit_test(the_work_for_a_filter_is_bounded),
        cmocka_unit_test(equal_grants_are_known_as_such),
        cmocka_unit_test(nothing_denies_everything_and_is_nobodys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
