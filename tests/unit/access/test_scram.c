/* SPDX-License-Identifier: BSD-3-Clause */
/* test_scram.c -- the dialogue of SCRAM-SHA-256, against the example of its specification and a
 * client of the test's own. */
#include "broker/access/scram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"

/* The user and password of [RFC7677-3]; the salt and rounds are those of the example. */
#define CREDENTIAL                                                                                 \
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"    \
    "wfPL"                                                                                         \
    "wcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
#define PLAIN "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
#define NO_LUCK "AAAAAAAAAAAAAAAAAAAAAAAA"

static const uint8_t no_luck[SCRAM_LUCK];

static struct password_file *people(void)
{
    char error[PASSWORD_FILE_ERROR];
    struct password_file *f = password_file_parse(
        BYTES("user:" CREDENTIAL "\nplain:" PLAIN "\na,b=c:" CREDENTIAL "\n"), error, sizeof error);
    if (!f) fail_msg("%s", error);
    return f;
}

/* One dialogue, and what was said last. */
struct talk {
    struct password_file *f;
    struct scram *s;
    char said[SCRAM_ANSWER_MAX + 1];
};

static struct talk talk_new(void)
{
    struct talk t = {.f = people(), .s = scram_new(no_luck)};
    assert_non_null(t.s);
    return t;
}

static enum scram_turn say_bytes(struct talk *t, struct bytes in)
{
    uint8_t *copy = malloc(in.n ? in.n : 1); /* a block of its own: the sanitizer sees its end */
    struct writer w = wr_of(t->said, SCRAM_ANSWER_MAX);

    assert_non_null(copy);
    if (in.n) memcpy(copy, in.p, in.n);
    enum scram_turn turn = scram_take(t->s, t->f, bytes_of(copy, in.n), &w);
    free(copy);
    assert_false(w.bad);
    t->said[wr_len(&w)] = '\0';
    assert_int_equal(turn == SCRAM_REFUSES, t->said[0] == 'e');
    return turn;
}

static enum scram_turn say(struct talk *t, const char *text)
{
    return say_bytes(t, bytes_str(text));
}

static void talk_end(struct talk *t)
{
    scram_free(&t->s);
    assert_null(t->s);
    scram_free(&t->s);
    password_file_free(&t->f);
}

/* ---- a client of the test's own -----------------------------------------------------------------
 */

static void hmac(const uint8_t key[32], const char *text, uint8_t out[32])
{
    assert_non_null(HMAC(EVP_sha256(), key, 32, (const uint8_t *)text, strlen(text), out, NULL));
}

/* What a client computes. */
struct client {
    char last[4096];   /* its last message */
    char expects[128]; /* the server's answer to it */
};

static void salted_password(uint8_t salted[32], const char *password, const char *server_first)
{
    const char *s = strstr(server_first, ",s=") + 3, *i = strstr(server_first, ",i=") + 3;
    int n = (int)(strchr(s, ',') - s);
    uint8_t salt[100];
    char text[100];

    snprintf(text, sizeof text, "%.*s", n, s);
    int salt_n = EVP_DecodeBlock(salt, (const uint8_t *)text, n);
    salt_n -= (text[n - 1] == '=') + (text[n - 2] == '=');
    assert_int_equal(PKCS5_PBKDF2_HMAC(password, (int)strlen(password), salt, salt_n, atoi(i),
                                       EVP_sha256(), 32, salted),
                     1);
}

/* said: client-first-message-bare, server-first-message, client-final-message-without-proof. */
static void prove(struct client *c, const char *password, const char *const said[3])
{
    uint8_t salted[32], key[32], stored[32], signature[32];
    char message[4096], text[64];

    salted_password(salted, password, said[1]);
    hmac(salted, "Client Key", key);
    assert_int_equal(EVP_Digest(key, 32, stored, NULL, EVP_sha256(), NULL), 1);
    snprintf(message, sizeof message, "%s,%s,%s", said[0], said[1], said[2]);
    hmac(stored, message, signature);
    for (unsigned k = 0; k < 32; k++)
        key[k] ^= signature[k];
    EVP_EncodeBlock((uint8_t *)text, key, 32);
    snprintf(c->last, sizeof c->last, "%s,p=%s", said[2], text);
    hmac(salted, "Server Key", key);
    hmac(key, message, signature);
    EVP_EncodeBlock((uint8_t *)text, signature, 32);
    snprintf(c->expects, sizeof c->expects, "v=%s", text);
}

/* A whole login with gs2 and bare as the client's first words. */
static enum scram_turn log_in(struct talk *t, const char *gs2, const char *bare,
                              const char *password)
{
    char first[2048], server[SCRAM_ANSWER_MAX + 1], without[2048], binding[1024];
    struct client c;

    snprintf(first, sizeof first, "%s%s", gs2, bare);
    enum scram_turn turn = say(t, first);
    if (turn != SCRAM_GOES_ON) return turn;
    memcpy(server, t->said, sizeof server);
    EVP_EncodeBlock((uint8_t *)binding, (const uint8_t *)gs2, (int)strlen(gs2));
    snprintf(without, sizeof without, "c=%s,%.*s", binding, (int)strcspn(server, ","), server);
    prove(&c, password, (const char *[]){bare, server, without});
    turn = say(t, c.last);
    if (turn == SCRAM_KNOWS) assert_string_equal(t->said, c.expects);
    return turn;
}

/* ---- claims
 * --------------------------------------------------------------------------------------- */

static void the_user_of_the_specification_logs_in_and_knows_the_server(void **state)
{
    struct talk t = talk_new();

    (void)state;
    assert_int_equal(say(&t, "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"), SCRAM_GOES_ON);
    assert_string_equal(t.said,
                        "r=rOprNGfwEbeRWgbNEkqO" NO_LUCK ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
    assert_true(bytes_eq(scram_user(t.s), BYTES("user")));
    talk_end(&t);
    t = talk_new();
    assert_int_equal(log_in(&t, "n,,", "n=user,r=rOprNGfwEbeRWgbNEkqO", "pencil"), SCRAM_KNOWS);
    assert_true(bytes_eq(scram_user(t.s), BYTES("user")));
    talk_end(&t);
}

static void the_tests_client_computes_what_the_specification_does(void **state)
{
    const char *said[] = {
        "n=user,r=rOprNGfwEbeRWgbNEkqO",
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
    };
    struct client c;

    (void)state;
    prove(&c, "pencil", said);
    assert_string_equal(c.expects, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    assert_non_null(strstr(c.last, ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="));
}

static void every_password_but_the_right_one_is_refused(void **state)
{
    static const char *const wrong[] = {"", "penci", "pencil ", "Pencil", "pencil1"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct talk t = talk_new();
        assert_int_equal(log_in(&t, "n,,", "n=user,r=abc", wrong[i]), SCRAM_REFUSES);
        assert_string_equal(t.said, "e=invalid-proof");
        talk_end(&t);
    }
}

static void escaped_names_and_extensions_log_in(void **state)
{
    struct talk t = talk_new();

    (void)state;
    assert_int_equal(log_in(&t, "n,,", "n=a=2Cb=3Dc,r=abc,x=y", "pencil"), SCRAM_KNOWS);
    assert_true(bytes_eq(scram_user(t.s), BYTES("a,b=c")));
    talk_end(&t);
}

static void a_client_that_could_bind_to_the_channel_logs_in_without(void **state)
{
    struct talk t = talk_new();

    (void)state;
    assert_int_equal(log_in(&t, "y,,", "n=user,r=abc", "pencil"), SCRAM_KNOWS);
    talk_end(&t);
    t = talk_new();
    assert_int_equal(say(&t, "p=tls-unique,,n=user,r=abc"), SCRAM_REFUSES);
    assert_string_equal(t.said, "e=channel-binding-not-supported");
    talk_end(&t);
}

static void whoever_changes_the_binding_under_way_is_noticed(void **state)
{
    static const char *const bindings[] = {"eSws",
                                           "biwsYQ==", "biw=", "biws=", "cD10bHMtdW5pcXVlLCw="};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bindings); i++) {
        struct talk t = talk_new();
        char last[256];
        assert_int_equal(say(&t, "n,,n=user,r=abc"), SCRAM_GOES_ON);
        snprintf(last, sizeof last, "c=%s,r=abc" NO_LUCK ",p=%s", bindings[i],
                 "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
        assert_int_equal(say(&t, last), SCRAM_REFUSES);
        assert_string_equal(t.said, "e=channel-bindings-dont-match");
        talk_end(&t);
    }
}

static void nobody_acts_as_somebody_else(void **state)
{
    struct talk t = talk_new();

    (void)state;
    assert_int_equal(log_in(&t, "n,a=user,", "n=user,r=abc", "pencil"), SCRAM_KNOWS);
    talk_end(&t);
    t = talk_new();
    assert_int_equal(say(&t, "n,a=root,n=user,r=abc"), SCRAM_REFUSES);
    talk_end(&t);
}

static void a_nonce_that_is_not_both_of_ours_is_refused(void **state)
{
    static const char *const nonces[] = {
        "abc", ("abc" NO_LUCK "A"), NO_LUCK, ("abd" NO_LUCK), "abcAAAAAAAAAAAAAAAAAAAAAAA",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(nonces); i++) {
        struct talk t = talk_new();
        char without[256], server[SCRAM_ANSWER_MAX + 1];
        struct client c;
        assert_int_equal(say(&t, "n,,n=user,r=abc"), SCRAM_GOES_ON);
        memcpy(server, t.said, sizeof server);
        snprintf(without, sizeof without, "c=biws,r=%s", nonces[i]);
        prove(&c, "pencil", (const char *[]){"n=user,r=abc", server, without});
        assert_int_equal(say(&t, c.last), SCRAM_REFUSES);
        assert_string_equal(t.said, "e=other-error");
        talk_end(&t);
    }
}

static void users_that_are_not_there_can_not_be_told_from_others(void **state)
{
    static const char *const nobody[] = {"nobody", "plain", "use", "a=2Cb", "x\x01y"};
    char salts[ARRAY_LEN(nobody)][SCRAM_ANSWER_MAX + 1], first[64];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(nobody); i++) {
        for (unsigned again = 0; again < 2; again++) {
            struct talk t = talk_new();
            snprintf(first, sizeof first, "n,,n=%s,r=abc", nobody[i]);
            assert_int_equal(say(&t, first), SCRAM_GOES_ON);
            assert_int_equal(strlen(t.said),
                             strlen("r=abc" NO_LUCK ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"));
            assert_non_null(strstr(t.said, ",i=4096"));
            if (again) assert_string_equal(t.said, salts[i]); /* the same each time */
            memcpy(salts[i], t.said, sizeof salts[i]);
            talk_end(&t);
            t = talk_new();
            assert_int_equal(log_in(&t, "n,,", first + 3, "pencil"), SCRAM_REFUSES);
            assert_string_equal(t.said, "e=invalid-proof");
            talk_end(&t);
        }
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(salts[i], salts[j]);
    }
}

static void an_empty_file_lets_nobody_in(void **state)
{
    char error[PASSWORD_FILE_ERROR];
    struct talk t = talk_new();

    (void)state;
    password_file_free(&t.f);
    t.f = password_file_parse(BYTES(""), error, sizeof error);
    assert_non_null(t.f);
    assert_int_equal(log_in(&t, "n,,", "n=user,r=abc", "pencil"), SCRAM_REFUSES);
    talk_end(&t);
}

static void after_the_end_nothing_is_taken(void **state)
{
    struct talk t = talk_new();

    (void)state;
    assert_int_equal(log_in(&t, "n,,", "n=user,r=abc", "pencil"), SCRAM_KNOWS);
    assert_int_equal(say(&t, "n,,n=user,r=abc"), SCRAM_REFUSES);
    talk_end(&t);
    t = talk_new();
    assert_int_equal(say(&t, "n,,n=user"), SCRAM_REFUSES);
    assert_int_equal(say(&t, "n,,n=user,r=abc"), SCRAM_REFUSES);
    talk_end(&t);
}

static void a_last_message_can_not_come_first_nor_a_first_one_last(void **state)
{
    struct talk t = talk_new();

    (void)state;
    assert_int_equal(say(&t, "c=biws,r=abc,p=AA=="), SCRAM_REFUSES);
    talk_end(&t);
    t = talk_new();
    assert_int_equal(say(&t, "n,,n=user,r=abc"), SCRAM_GOES_ON);
    assert_int_equal(say(&t, "n,,n=user,r=abc"), SCRAM_REFUSES);
    talk_end(&t);
}

static void a_message_that_is_cut_gets_nobody_in(void **state)
{
    struct client c;
    const char first[] = "n,,n=user,r=abc";

    (void)state;
    for (size_t n = 0; n < sizeof first - 2; n++) { /* the nonce may be shorter */
        struct talk t = talk_new();
        enum scram_turn turn = say_bytes(&t, bytes_of(first, n));
        assert_int_equal(turn, n >= sizeof "n,,n=user,r=a" - 1 ? SCRAM_GOES_ON : SCRAM_REFUSES);
        talk_end(&t);
    }
    struct talk t = talk_new();
    assert_int_equal(say(&t, first), SCRAM_GOES_ON);
    prove(&c, "pencil", (const char *[]){"n=user,r=abc", t.said, "c=biws,r=abc" NO_LUCK});
    talk_end(&t);
    for (size_t n = 0; n <= strlen(c.last); n++) {
        t = talk_new();
        assert_int_equal(say(&t, first), SCRAM_GOES_ON);
        assert_int_equal(say_bytes(&t, bytes_of(c.last, n)),
                         n == strlen(c.last) ? SCRAM_KNOWS : SCRAM_REFUSES);
        talk_end(&t);
    }
}

static void a_message_with_any_byte_changed_gets_nobody_in(void **state)
{
    struct client c;
    struct talk t = talk_new();

    (void)state;
    assert_int_equal(say(&t, "n,,n=user,r=abc"), SCRAM_GOES_ON);
    prove(&c, "pencil", (const char *[]){"n=user,r=abc", t.said, "c=biws,r=abc" NO_LUCK});
    talk_end(&t);
    for (size_t i = 0; c.last[i]; i++) {
        static const uint8_t flips[] = {0x01, 0x20, 0x80, 0xFF};
        for (size_t k = 0; k < ARRAY_LEN(flips); k++) {
            struct bytes in = bytes_str(c.last);
            t = talk_new();
            assert_int_equal(say(&t, "n,,n=user,r=abc"), SCRAM_GOES_ON);
            c.last[i] = (char)(c.last[i] ^ flips[k]);
            assert_int_equal(say_bytes(&t, in), SCRAM_REFUSES);
            c.last[i] = (char)(c.last[i] ^ flips[k]);
            talk_end(&t);
        }
    }
}

static void what_is_too_long_is_refused(void **state)
{
    static char text[SCRAM_FINAL_MAX + 16];
    struct talk t = talk_new();

    (void)state;
    memset(text, 'x', sizeof text);
    memcpy(text, "n,,n=user,r=", 12);
    assert_int_equal(say_bytes(&t, bytes_of(text, 12 + SCRAM_NONCE_MAX)), SCRAM_GOES_ON);
    assert_int_equal(say_bytes(&t, bytes_of(text, sizeof text)), SCRAM_REFUSES);
    talk_end(&t);
    t = talk_new();
    assert_int_equal(say_bytes(&t, bytes_of(text, 13 + SCRAM_NONCE_MAX)), SCRAM_REFUSES);
    talk_end(&t);
    t = talk_new();
    assert_int_equal(say_bytes(&t, bytes_of(text, SCRAM_FIRST_MAX + 1)), SCRAM_REFUSES);
    talk_end(&t);
    t = talk_new();
    memcpy(text + 5 + PASSWORD_USER_MAX + 1, ",r=abc", 6); /* a name of a byte too many */
    memset(text + 5, 'x', PASSWORD_USER_MAX + 1);
    assert_int_equal(say_bytes(&t, bytes_of(text, 5 + PASSWORD_USER_MAX + 7)), SCRAM_REFUSES);
    talk_end(&t);
}

static void two_nonces_differ_if_luck_does(void **state)
{
    static const uint8_t other[SCRAM_LUCK] = {1};
    struct talk a = talk_new(), b = talk_new();

    (void)state;
    scram_free(&b.s);
    b.s = scram_new(other);
    assert_int_equal(say(&a, "n,,n=user,r=abc"), SCRAM_GOES_ON);
    assert_int_equal(say(&b, "n,,n=user,r=abc"), SCRAM_GOES_ON);
    assert_string_not_equal(a.said, b.said);
    talk_end(&a);
    talk_end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_user_of_the_specification_logs_in_and_knows_the_server),
        cmocka_unit_test(the_tests_client_computes_what_the_specification_does),
        cmocka_unit_test(every_password_but_the_right_one_is_refused),
        cmocka_unit_test(escaped_names_and_extensions_log_in),
        cmocka_unit_test(a_client_that_could_bind_to_the_channel_logs_in_without),
        cmocka_unit_test(whoever_changes_the_binding_under_way_is_noticed),
        cmocka_unit_test(nobody_acts_as_somebody_else),
        cmocka_unit_test(a_nonce_that_is_not_both_of_ours_is_refused),
        cmocka_unit_test(users_that_are_not_there_can_not_be_told_from_others),
        cmocka_unit_test(an_empty_file_lets_nobody_in),
        cmocka_unit_test(after_the_end_nothing_is_taken),
        cmocka_unit_test(a_last_message_can_not_come_first_nor_a_first_one_last),
        cmocka_unit_test(a_message_that_is_cut_gets_nobody_in),
        cmocka_unit_test(a_message_with_any_byte_changed_gets_nobody_in),
        cmocka_unit_test(what_is_too_long_is_refused),
        cmocka_unit_test(two_nonces_differ_if_luck_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
