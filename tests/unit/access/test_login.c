/* SPDX-License-Identifier: BSD-3-Clause */
/* test_login.c -- who may come in without a name, and whose name counts. */
#include "broker/access/login.h"

#include "broker/access/access.h"
#include "unit/broker/cluster.h"

/* Asks a broker of one core that knows nobody; it answers at once. */
static struct login_answer ask(const struct login_claim *c)
{
    struct cluster *k = cluster_new(1, NULL);
    char error[ACCESS_ERROR];
    struct access *a = access_new(&(struct access_options){.passwords = NULL}, error);
    struct login_answer answer;
    assert_non_null(a);
    broker_set_access(k->broker[0], a);
    assert_null(login_begin(k->broker[0], c, NULL, NULL, &answer));
    guard_drop(&answer.pass, false);
    cluster_free(k);
    return answer;
}

static void anonymous_clients_come_in_where_the_door_lets_them(void **state)
{
    (void)state;
    static const struct {
        uint8_t anonymous;
        bool loopback;
        enum login_verdict verdict;
    } rows[] = {
        {DOOR_AUTO, true, LOGIN_TAKEN},        {DOOR_AUTO, false, LOGIN_NO_IDENTITY},
        {DOOR_ALLOWED, true, LOGIN_TAKEN},     {DOOR_ALLOWED, false, LOGIN_TAKEN},
        {DOOR_NEVER, true, LOGIN_NO_IDENTITY}, {DOOR_NEVER, false, LOGIN_NO_IDENTITY},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct access_door door = {.anonymous = rows[i].anonymous, .loopback = rows[i].loopback};
        struct login_answer a = ask(&(struct login_claim){.door = &door});
        assert_int_equal(a.verdict, rows[i].verdict);
        assert_null(a.identity);
        if (a.verdict == LOGIN_TAKEN)
            assert_null(a.setting);
        else
            assert_non_null(a.setting);
    }
}

static void a_name_that_nobody_can_check_is_no_name(void **state)
{
    (void)state;
    struct access_door door = {.loopback = true};
    struct login_claim c = {.door = &door,
                            .has_user = true,
                            .user = BYTES("root"),
                            .has_password = true,
                            .password = BYTES("x")};
    struct login_answer a = ask(&c);
    assert_int_equal(a.verdict, LOGIN_TAKEN);
    assert_null(a.identity);
    door.loopback = false;
    assert_int_equal(ask(&c).verdict, LOGIN_NO_IDENTITY);
}

static void the_name_in_a_certificate_is_the_user(void **state)
{
    (void)state;
    struct access_door door = {.anonymous = DOOR_NEVER, .certificate_is_user = true};
    struct login_claim c = {.door = &door, .certificate = BYTES("pump-7"), .ip = {[15] = 9}};
    struct login_answer a = ask(&c);
    assert_int_equal(a.verdict, LOGIN_TAKEN);
    assert_true(bytes_eq(identity_user(a.identity), BYTES("pump-7")));
    assert_int_equal(a.identity->ip[15], 9);
    assert_ptr_equal(a.identity->door, &door);
    identity_free(&a.identity);

    door.certificate_is_user = false;
    assert_int_equal(ask(&c).verdict, LOGIN_NO_IDENTITY);
}

static void a_user_name_beside_a_certificate_must_be_the_same(void **state)
{
    (void)state;
    struct access_door door = {.certificate_is_user = true};
    struct login_claim c = {
        .door = &door, .certificate = BYTES("pump-7"), .has_user = true, .user = BYTES("pump-7")};
    struct login_answer a = ask(&c);
    assert_int_equal(a.verdict, LOGIN_TAKEN);
    identity_free(&a.identity);
    c.user = BYTES("pump-70");
    assert_int_equal(ask(&c).verdict, LOGIN_WRONG);
    c.user = bytes_of("pump-7\0", 7);
    assert_int_equal(ask(&c).verdict, LOGIN_WRONG);
}

static void every_verdict_has_its_words(void **state)
{
    (void)state;
    for (unsigned v = 0; v < LOGIN_VERDICTS; v++)
        assert_non_null(login_text((enum login_verdict)v));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(anonymous_clients_come_in_where_the_door_lets_them),
        cmocka_unit_test(a_name_that_nobody_can_check_is_no_name),
        cmocka_unit_test(the_name_in_a_certificate_is_the_user),
        cmocka_unit_test(a_user_name_beside_a_certificate_must_be_the_same),
        cmocka_unit_test(every_verdict_has_its_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
