/* SPDX-License-Identifier: BSD-3-Clause */
/* test_login.c -- who may come in without a name, and whose name counts. */
#include "broker/access/login.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "broker/access/access.h"
#include "unit/broker/cluster.h"

#include "unit/access/rig.h" /* it asserts by what came before */

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

/* ---- addresses ------------------------------------------------------------------------------- */

static enum login_verdict come_from(struct cluster *k, const struct access_door *door,
                                    const uint8_t ip[16], struct guard_pass **pass)
{
    struct login_claim c = {.door = door};
    struct login_answer answer;
    memcpy(c.ip, ip, 16);
    assert_null(login_begin(k->broker[0], &c, NULL, NULL, &answer));
    *pass = answer.pass;
    identity_free(&answer.identity);
    return answer.verdict;
}

static void all_of_an_ipv6_network_of_64_bits_is_one_address(void **state)
{
    (void)state;
    static const struct {
        uint8_t a[16], b[16];
        enum login_verdict second;
    } rows[] = {
        {{0x20, 1, [15] = 1}, {0x20, 1, [8] = 7, [15] = 2}, LOGIN_TOO_MANY},
        {{0x20, 1, [15] = 1}, {0x20, 1, [7] = 1, [15] = 1}, LOGIN_TAKEN},
        {{[10] = 0xFF, 0xFF, 10, 0, 0, 1}, {[10] = 0xFF, 0xFF, 10, 0, 0, 2}, LOGIN_TAKEN},
        {{[10] = 0xFF, 0xFF, 10, 0, 0, 1}, {[10] = 0xFF, 0xFF, 10, 0, 0, 1}, LOGIN_TOO_MANY},
    };
    struct access_door door = {.anonymous = DOOR_ALLOWED};
    struct broker_options o = BROKER_OPTIONS_DEFAULT;
    o.guard.address_connections = 1;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct cluster *k = cluster_new(1, &o);
        struct guard_pass *a, *b;
        assert_int_equal(come_from(k, &door, rows[i].a, &a), LOGIN_TAKEN);
        assert_int_equal(come_from(k, &door, rows[i].b, &b), rows[i].second);
        guard_drop(&a, false);
        guard_drop(&b, false);
        cluster_free(k);
    }
}

/* ---- exchanges ------------------------------------------------------------------------------- */

#define SALT "0123456789abcdef"
#define SALT_64 "MDEyMzQ1Njc4OWFiY2RlZg=="

enum { ROUNDS = 4096 };

static void hmac_of(const uint8_t key[32], const char *text, uint8_t out[32])
{
    assert_non_null(HMAC(EVP_sha256(), key, 32, (const uint8_t *)text, strlen(text), out, NULL));
}

/* The client's key, and the one that the server stores. */
static void keys_of(const char *password, uint8_t client[32], uint8_t stored[32],
                    uint8_t server[32])
{
    uint8_t salted[32];
    assert_int_equal(PKCS5_PBKDF2_HMAC(password, -1, (const uint8_t *)SALT, 16, ROUNDS,
                                       EVP_sha256(), 32, salted),
                     1);
    hmac_of(salted, "Client Key", client);
    hmac_of(salted, "Server Key", server);
    assert_int_equal(EVP_Digest(client, 32, stored, NULL, EVP_sha256(), NULL), 1);
}

static struct access *access_of_ann(void)
{
    uint8_t client[32], stored[32], server[32];
    char a[64], b[64], line[256], error[ACCESS_ERROR];
    struct folder f = folder_new();
    keys_of("secret", client, stored, server);
    EVP_EncodeBlock((uint8_t *)a, stored, 32);
    EVP_EncodeBlock((uint8_t *)b, server, 32);
    snprintf(line, sizeof line, "ann:SCRAM-SHA-256$%d:%s$%s:%s\n", ROUNDS, SALT_64, a, b);
    struct access_options o = {.passwords = folder_put(&f, bytes_str(line), 0600)};
    struct access *access = access_new(&o, error);
    if (!access) fail_msg("%s", error);
    folder_free(&f);
    return access;
}

static void never(void *asker, const struct login_answer *a)
{
    (void)asker;
    (void)a;
    fail();
}

#define BARE "n=ann,r=abcdefgh"

/* What ann has to say when the server has said `a`. */
static const char *proof_of_ann(const struct login_answer *a, char out[512])
{
    uint8_t client[32], stored[32], server[32], sign[32];
    char said[1024], without[256], text[64];
    int n = (int)a->nsay, nonce = (int)strcspn((const char *)a->say, ",");
    keys_of("secret", client, stored, server);
    snprintf(without, sizeof without, "c=biws,%.*s", nonce, (const char *)a->say);
    snprintf(said, sizeof said, BARE ",%.*s,%s", n, (const char *)a->say, without);
    hmac_of(stored, said, sign);
    for (unsigned i = 0; i < 32; i++)
        client[i] ^= sign[i];
    EVP_EncodeBlock((uint8_t *)text, client, 32);
    snprintf(out, 512, "%s,p=%s", without, text);
    return out;
}

static struct cluster *cluster_of_ann(void)
{
    struct cluster *k = cluster_new(1, NULL);
    broker_set_access(k->broker[0], access_of_ann());
    return k;
}

/* ann proves that she is it; `reload`: meanwhile the configuration is replaced. */
static struct login_answer exchange(const struct access_door *door, const char *certificate,
                                    bool reload)
{
    char last[512];
    struct cluster *k = cluster_of_ann();
    struct login_answer a;
    struct login_claim c = {.door = door,
                            .has_method = true,
                            .method = LOGIN_SCRAM,
                            .data = BYTES("n,," BARE),
                            .certificate = bytes_str(certificate)};
    struct login *l = login_begin(k->broker[0], &c, never, NULL, &a);
    assert_non_null(l);
    assert_int_equal(a.verdict, LOGIN_GOES_ON);
    if (reload) broker_set_access(k->broker[0], access_of_ann());
    assert_null(login_say(l, bytes_str(proof_of_ann(&a, last)), &a));
    guard_drop(&a.pass, false);
    cluster_free(k);
    return a;
}

static void an_exchange_tells_who_it_is(void **state)
{
    (void)state;
    struct login_answer a = exchange(NULL, "", false);
    assert_int_equal(a.verdict, LOGIN_TAKEN);
    assert_true(bytes_eq(identity_user(a.identity), BYTES("ann")));
    identity_free(&a.identity);
}

static void an_exchange_is_void_when_the_configuration_changes(void **state)
{
    (void)state;
    struct login_answer a = exchange(NULL, "", true);
    assert_int_equal(a.verdict, LOGIN_UNAVAILABLE);
    assert_null(a.identity);
}

static void an_exchange_beside_a_certificate_is_about_the_same_user(void **state)
{
    (void)state;
    struct access_door door = {.certificate_is_user = true};
    struct login_answer a = exchange(&door, "ann", false);
    assert_int_equal(a.verdict, LOGIN_TAKEN);
    identity_free(&a.identity);
    assert_int_equal(exchange(&door, "bob", false).verdict, LOGIN_WRONG);
    a = exchange(&door, "", false);
    assert_int_equal(a.verdict, LOGIN_TAKEN);
    identity_free(&a.identity);
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
        cmocka_unit_test(all_of_an_ipv6_network_of_64_bits_is_one_address),
        cmocka_unit_test(an_exchange_tells_who_it_is),
        cmocka_unit_test(an_exchange_is_void_when_the_configuration_changes),
        cmocka_unit_test(an_exchange_beside_a_certificate_is_about_the_same_user),
        cmocka_unit_test(every_verdict_has_its_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
