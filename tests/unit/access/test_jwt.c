/* SPDX-License-Identifier: BSD-3-Clause */
/* test_jwt.c -- tokens that an issuer of the test's own signs, RFC 7515's examples, and
 * PyJWT's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/assert.h"
#include "broker/access/jwt.h"
#include "unit/access/rig.h"

enum { NOW = 1700000000 };

#define SECRET "0123456789abcdef0123456789abcdef"
#define HS256 "{\"alg\":\"HS256\"}"
#define GOOD "{\"sub\":\"alice\",\"exp\":1700000100}"

/* All that a test needs: keys of each kind, and a judge who knows one of them. */
struct rig {
    struct folder folder;
    struct issuer hmac, rsa, ec;
    struct jwt_options options;
};

static struct rig rig;

static int make_keys(void **state)
{
    (void)state;
    rig.hmac.secret = BYTES(SECRET);
    rig.rsa.key = EVP_RSA_gen(2048);
    rig.ec.key = EVP_EC_gen("P-256");
    return rig.rsa.key && rig.ec.key ? 0 : -1;
}

static int free_keys(void **state)
{
    (void)state;
    EVP_PKEY_free(rig.rsa.key);
    EVP_PKEY_free(rig.ec.key);
    return 0;
}

static int set_up(void **state)
{
    rig.folder = folder_new();
    rig.options = (struct jwt_options)JWT_OPTIONS_DEFAULT;
    *state = &rig;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    folder_free(&rig.folder);
    return 0;
}

static struct jwt *judge(struct rig *r)
{
    char error[512] = "";
    struct jwt *j = jwt_new(&r->options, error, sizeof error);
    if (!j) fail_msg("%s", error);
    return j;
}

static struct jwt *judge_by_secret(struct rig *r)
{
    const char *path = folder_put(&r->folder, BYTES(SECRET), 0600);
    snprintf(r->options.secret_file, JWT_TEXT_MAX, "%s", path);
    return judge(r);
}

static struct jwt *judge_by_public(struct rig *r, const struct issuer *i)
{
    char pem[2048];
    const char *path = folder_put(&r->folder, pem_of(i->key, pem, sizeof pem), 0644);
    snprintf(r->options.key_file, JWT_TEXT_MAX, "%s", path);
    return judge(r);
}

static struct jwt *judge_by_set(struct rig *r, const char *set)
{
    const char *path = folder_put(&r->folder, bytes_str(set), 0600);
    snprintf(r->options.jwks_file, JWT_TEXT_MAX, "%s", path);
    return judge(r);
}

/* A copy of exactly the token's size, so that a sanitizer sees every byte too far. */
static enum jwt_refusal verify_at(const struct jwt *j, struct bytes token, int64_t now_s,
                                  struct jwt_identity *out)
{
    uint8_t *exact = malloc(token.n ? token.n : 1);
    assert_non_null(exact);
    if (token.n) memcpy(exact, token.p, token.n);
    struct jwt_login l = {bytes_of(exact, token.n), BYTES("sensor-1"), now_s};
    enum jwt_refusal why = jwt_verify(j, &l, out);
    free(exact);
    return why;
}

static enum jwt_refusal verdict(const struct jwt *j, struct bytes token)
{
    struct jwt_identity i;
    enum jwt_refusal why = verify_at(j, token, NOW, &i);
    if (why == JWT_GOOD) assert_true(i.user.n > 0);
    if (why != JWT_GOOD) assert_true(!i.user.p && !i.rules.rule);
    jwt_identity_free(&i);
    return why;
}

#define EXPECT(j, token, expected)                                                                 \
    do {                                                                                           \
        enum jwt_refusal got_ = verdict(j, token);                                                 \
        if (got_ != (expected))                                                                    \
            fail_msg("line %d: %s instead of %s", __LINE__, jwt_refusal_word(got_),                \
                     jwt_refusal_word(expected));                                                  \
    } while (0)

/* ---- signatures -------------------------------------------------------------------------------
 */

static void each_algorithm_is_taken_with_a_key_of_its_own(void **state)
{
    struct rig *r = *state;
    struct jwt *j = judge_by_secret(r);
    EXPECT(j, issue_token(&r->hmac, HS256, GOOD), JWT_GOOD);
    jwt_free(&j);
    *r->options.secret_file = '\0';
    j = judge_by_public(r, &r->rsa);
    EXPECT(j, issue_token(&r->rsa, "{\"alg\":\"RS256\",\"typ\":\"JWT\"}", GOOD), JWT_GOOD);
    jwt_free(&j);
    j = judge_by_public(r, &r->ec);
    EXPECT(j, issue_token(&r->ec, "{\"alg\":\"ES256\",\"kid\":\"any\"}", GOOD), JWT_GOOD);
    jwt_free(&j);
}

static void token_without_signature_is_refused_whatever_it_says(void **state)
{
    struct rig *r = *state;
    struct jwt *j = judge_by_secret(r);
    static const char *const headers[] = {
        "{\"alg\":\"none\"}", "{\"alg\":\"None\"}",   "{\"alg\":\"NONE\"}", "{\"alg\":\"\"}", "{}",
        "{\"alg\":null}",     "{\"alg\":[\"HS256\"]}"};
    for (unsigned i = 0; i < ARRAY_LEN(headers); i++) {
        EXPECT(j, issue_token(&r->hmac, headers[i], GOOD), JWT_REFUSED_KEY);
        struct bytes token = issue_token(&r->hmac, headers[i], GOOD);
        const uint8_t *dot = memrchr(token.p, '.', token.n);
        token.n = (size_t)(dot - token.p) + 1; /* nothing behind the second dot */
        EXPECT(j, token, JWT_REFUSED_MALFORMED);
    }
    struct bytes token = issue_token(&r->hmac, HS256, GOOD);
    const uint8_t *dot = memrchr(token.p, '.', token.n);
    EXPECT(j, bytes_of(token.p, (size_t)(dot - token.p)), JWT_REFUSED_MALFORMED);
    jwt_free(&j);
}

/* Whoever knows the public key signs with it as if it were a secret. */
static void public_key_is_no_secret_for_hmac(void **state)
{
    struct rig *r = *state;
    struct issuer *const owners[] = {&r->rsa, &r->ec};
    for (unsigned i = 0; i < ARRAY_LEN(owners); i++) {
        char pem[2048];
        struct issuer thief = {.secret = pem_of(owners[i]->key, pem, sizeof pem)};
        struct jwt *j = judge_by_public(r, owners[i]);
        EXPECT(j, issue_token(&thief, HS256, GOOD), JWT_REFUSED_KEY);
        jwt_free(&j);
    }
}

static void algorithm_is_the_keys_and_not_the_tokens(void **state)
{
    struct rig *r = *state;
    struct jwt *j = judge_by_public(r, &r->rsa);
    static const char *const others[] = {"HS256", "HS384", "HS512", "RS384", "RS512", "PS256",
                                         "ES256", "ES384", "EdDSA", "rs256", "RS256 "};
    char header[64];
    for (unsigned i = 0; i < ARRAY_LEN(others); i++) {
        snprintf(header, sizeof header, "{\"alg\":\"%s\"}", others[i]);
        EXPECT(j, issue_token(&r->rsa, header, GOOD), JWT_REFUSED_KEY);
    }
    EXPECT(j, issue_token(&r->rsa, "{\"alg\":\"RS256\"}", GOOD), JWT_GOOD);
    jwt_free(&j);
}

static void signature_of_somebody_else_is_refused(void **state)
{
    struct rig *r = *state;
    struct issuer other = {.secret = BYTES("another secret of thirty-two byte")};
    struct issuer other_ec = {.key = EVP_EC_gen("P-256")};
    struct jwt *j = judge_by_secret(r);
    EXPECT(j, issue_token(&other, HS256, GOOD), JWT_REFUSED_SIGNATURE);
    jwt_free(&j);
    *r->options.secret_file = '\0';
    j = judge_by_public(r, &r->ec);
    EXPECT(j, issue_token(&other_ec, "{\"alg\":\"ES256\"}", GOOD), JWT_REFUSED_SIGNATURE);
    jwt_free(&j);
    EVP_PKEY_free(other_ec.key);
}

/* [RFC7518-3.4]: zero is neither r nor s, and would satisfy a careless equation. */
static void signature_of_zeros_is_refused(void **state)
{
    struct rig *r = *state;
    struct jwt *j = judge_by_public(r, &r->ec);
    struct bytes token = issue_token(&r->ec, "{\"alg\":\"ES256\"}", GOOD);
    char zeros[RIG_TOKEN];
    memcpy(zeros, token.p, token.n);
    memset(zeros + token.n - 86, 'A', 86);
    EXPECT(j, bytes_of(zeros, token.n), JWT_REFUSED_SIGNATURE);
    jwt_free(&j);
}

static void every_changed_character_is_noticed(void **state)
{
    struct rig *r = *state;
    struct jwt *j = judge_by_secret(r);
    struct bytes token = issue_token(&r->hmac, HS256, GOOD);
    uint8_t changed[RIG_TOKEN];
    for (size_t i = 0; i < token.n; i++) {
        memcpy(changed, token.p, token.n);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        assert_int_not_equal(verdict(j, bytes_of(changed, token.n)), JWT_GOOD);
    }
    jwt_free(&j);
}

static void every_cut_and_every_longer_token_is_refused(void **state)
{
    struct rig *r = *state;
    struct jwt *j = judge_by_secret(r);
    struct bytes token = issue_token(&r->hmac, HS256, GOOD);
    for (size_t n = 0; n < token.n; n++)
        assert_int_not_equal(verdict(j, bytes_of(token.p, n)), JWT_GOOD);
    static const char tails[] = {'A', '=', '\n', ' ', '.', '\0'};
    uint8_t longer[RIG_TOKEN];
    memcpy(longer, token.p, token.n);
    for (unsigned i = 0; i < sizeof tails; i++) {
        longer[token.n] = (uint8_t)tails[i];
        assert_int_not_equal(verdict(j, bytes_of(longer, token.n + 1)), JWT_GOOD);
    }
    jwt_free(&j);
}

static void huge_token_is_refused_before_it_is_read(void **state)
{
    struct rig *r = *state;
    struct jwt *j = judge_by_secret(r);
    static char claims[JWT_TOKEN_MAX];
    snprintf(claims, sizeof claims, "{\"sub\":\"%0*d\",\"exp\":1700000100}", 12400, 0);
    EXPECT(j, issue_token(&r->hmac, HS256, claims), JWT_REFUSED_TOO_LARGE);
    snprintf(claims, sizeof claims, "{\"sub\":\"%0*d\",\"exp\":1700000100}", 12000, 0);
    EXPECT(j, issue_token(&r->hmac, HS256, claims), JWT_GOOD);
    jwt_free(&j);
}

/* ---- header ------------------------------------------------------------------------------------
 */

static void header_that_asks_for_more_is_refused(void **state)
{
    static const struct {
        const char *header;
        enum jwt_refusal verdict;
    } rows[] = {
        {"{\"alg\":\"HS256\",\"crit\":[\"exp\"],\"exp\":1}", JWT_REFUSED_HEADER},
        {"{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}", JWT_REFUSED_HEADER},
        {"{\"alg\":\"HS256\",\"crit\":[]}", JWT_REFUSED_HEADER},
        {"{\"alg\":\"HS256\",\"crit\":null}", JWT_REFUSED_HEADER},
        {"{\"alg\":\"HS256\",\"typ\":\"logout+jwt\"}", JWT_REFUSED_HEADER},
        {"{\"alg\":\"HS256\",\"typ\":1}", JWT_REFUSED_HEADER},
        {"{\"alg\":\"HS256\",\"kid\":1}", JWT_REFUSED_HEADER},
        {"{\"alg\":\"HS256\",\"typ\":\"jwt\"}", JWT_GOOD},
        {"{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}", JWT_GOOD},
        {"{\"alg\":\"HS256\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AA\"},\"jku\":\"http://x\"}",
         JWT_GOOD},
        {"{\"alg\":\"HS256\",\"alg\":\"HS256\"}", JWT_REFUSED_MALFORMED},
        {"{\"alg\":\"HS256\",\"alg\":\"none\"}", JWT_REFUSED_MALFORMED},
        {"{\"alg\":\"HS256\"}x", JWT_REFUSED_MALFORMED},
        {"[\"HS256\"]", JWT_REFUSED_MALFORMED},
        {"\"HS256\"", JWT_REFUSED_MALFORMED},
        {"", JWT_REFUSED_MALFORMED},
        {"{\"alg\":\"HS256\",\"x\":[[[[[[[[1]]]]]]]]}", JWT_REFUSED_MALFORMED},
        {"{\"alg\":\"HS256\",\"x\":\"\\u0000\"}", JWT_REFUSED_MALFORMED},
        {"{\"alg\":\"HS256\",\"x\":\"\xFF\"}", JWT_REFUSED_MALFORMED},
    };
    struct rig *r = *state;
    struct jwt *j = judge_by_secret(r);
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        enum jwt_refusal got = verdict(j, issue_token(&r->hmac, rows[i].header, GOOD));
        if (got != rows[i].verdict) fail_msg("%s: %s", rows[i].header, jwt_refusal_word(got));
    }
    jwt_free(&j);
}

static void only_a_token_looks_like_one(void **state)
{
    (void)state;
    assert_true(jwt_is_token(BYTES("eyJhbGciOiJIUzI1NiJ9.e30.AAAA")));
    assert_true(jwt_is_token(BYTES("ewogImFsZyI6MX0.e30.")));
    assert_false(jwt_is_token(BYTES("")));
    assert_false(jwt_is_token(BYTES("secret")));
    assert_false(jwt_is_token(BYTES("my.secret.word")));
    assert_false(jwt_is_token(BYTES("eyJhbGciOiJIUzI1NiJ9.e30")));
    assert_false(jwt_is_token(BYTES("eyJhbGciOiJIUzI1NiJ9.e30.A.A")));
    assert_false(jwt_is_token(BYTES("ey..")));
}

/* ---- claims
 * -------------------------------------------------------------------------------------- */

static void claims_are_judged_by_time(void **state)
{
    static const struct {
        const char *claims;
        enum jwt_refusal verdict;
    } rows[] = {
        {"{\"sub\":\"a\"}", JWT_REFUSED_NO_EXPIRY},
        {"{\"sub\":\"a\",\"exp\":1700000000}", JWT_GOOD}, /* within the leeway of 60 s */
        {"{\"sub\":\"a\",\"exp\":1699999941}", JWT_GOOD},
        {"{\"sub\":\"a\",\"exp\":1699999940}", JWT_REFUSED_EXPIRED},
        {"{\"sub\":\"a\",\"exp\":1699999941.5}", JWT_GOOD},
        {"{\"sub\":\"a\",\"exp\":0}", JWT_REFUSED_EXPIRED},
        {"{\"sub\":\"a\",\"exp\":-1}", JWT_REFUSED_CLAIM},
        {"{\"sub\":\"a\",\"exp\":\"1700000100\"}", JWT_REFUSED_CLAIM},
        {"{\"sub\":\"a\",\"exp\":null}", JWT_REFUSED_CLAIM},
        {"{\"sub\":\"a\",\"exp\":true}", JWT_REFUSED_CLAIM},
        {"{\"sub\":\"a\",\"exp\":1e300}", JWT_REFUSED_CLAIM},
        {"{\"sub\":\"a\",\"exp\":1e999}", JWT_REFUSED_MALFORMED},
        {"{\"sub\":\"a\",\"exp\":9223372036854775807}", JWT_REFUSED_CLAIM},
        {"{\"sub\":\"a\",\"exp\":9223372036854775808}", JWT_REFUSED_MALFORMED},
        {"{\"sub\":\"a\",\"exp\":1700000100,\"exp\":1700000100}", JWT_REFUSED_MALFORMED},
        {"{\"sub\":\"a\",\"exp\":1700000100,\"nbf\":1700000060}", JWT_GOOD},
        {"{\"sub\":\"a\",\"exp\":1700000100,\"nbf\":1700000061}", JWT_REFUSED_NOT_YET},
        {"{\"sub\":\"a\",\"exp\":1700000100,\"nbf\":\"0\"}", JWT_REFUSED_CLAIM},
        {"{\"sub\":\"a\",\"exp\":1700000100,\"iat\":1700000060}", JWT_GOOD},
        {"{\"sub\":\"a\",\"exp\":1700000100,\"iat\":1700000061}", JWT_REFUSED_NOT_YET},
        {"{\"sub\":\"a\",\"exp\":1700000100,\"iat\":[]}", JWT_REFUSED_CLAIM},
        {"{\"sub\":\"\",\"exp\":1700000100}", JWT_REFUSED_USER},
        {"{\"sub\":7,\"exp\":1700000100}", JWT_REFUSED_USER},
        {"{\"exp\":1700000100}", JWT_REFUSED_USER},
        {"[]", JWT_REFUSED_MALFORMED},
        {"{\"sub\":\"a\",\"exp\":1700000100", JWT_REFUSED_MALFORMED},
    };
    struct rig *r = *state;
    struct jwt *j = judge_by_secret(r);
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        enum jwt_refusal got = verdict(j, issue_token(&r->hmac, HS256, rows[i].claims));
        if (got != rows[i].verdict) fail_msg("%s: %s", rows[i].claims, jwt_refusal_word(got));
    }
    jwt_free(&j);
}

static void expiry_may_be_left_out_if_configured(void **state)
{
    struct rig *r = *state;
    struct jwt_identity i;
    r->options.expiry_optional = true;
    struct jwt *j = judge_by_secret(r);
    struct bytes token = issue_token(&r->hmac, HS256, "{\"sub\":\"a\"}");
    assert_int_equal(verify_at(j, token, NOW, &i), JWT_GOOD);
    assert_true(i.expires_s == INT64_MAX);
    jwt_identity_free(&i);
    EXPECT(j, issue_token(&r->hmac, HS256, "{\"sub\":\"a\",\"exp\":1}"), JWT_REFUSED_EXPIRED);
    jwt_free(&j);
}

static void issuer_and_audience_must_be_the_configured_ones(void **state)
{
    static const struct {
        const char *audience, *claims;
        enum jwt_refusal verdict;
    } rows[] = {
        {"", "\"iss\":\"me\"", JWT_GOOD},
        {"", "\"x\":1", JWT_REFUSED_ISSUER},
        {"", "\"iss\":\"you\"", JWT_REFUSED_ISSUER},
        {"", "\"iss\":[\"me\"]", JWT_REFUSED_ISSUER},
        {"", "\"iss\":\"me\",\"aud\":\"pinion\"", JWT_REFUSED_AUDIENCE},
        {"pinion", "\"iss\":\"me\"", JWT_REFUSED_AUDIENCE},
        {"pinion", "\"iss\":\"me\",\"aud\":\"pinion\"", JWT_GOOD},
        {"pinion", "\"iss\":\"me\",\"aud\":\"pinion2\"", JWT_REFUSED_AUDIENCE},
        {"pinion", "\"iss\":\"me\",\"aud\":[\"x\",\"pinion\"]", JWT_GOOD},
        {"pinion", "\"iss\":\"me\",\"aud\":[]", JWT_REFUSED_AUDIENCE},
        {"pinion", "\"iss\":\"me\",\"aud\":{\"pinion\":1}", JWT_REFUSED_AUDIENCE},
        {"pinion", "\"iss\":\"me\",\"aud\":[[\"pinion\"]]", JWT_REFUSED_AUDIENCE},
    };
    struct rig *r = *state;
    char claims[256];
    struct jwt *first = judge_by_secret(r); /* leaves its file for those below */
    jwt_free(&first);
    snprintf(r->options.issuer, JWT_TEXT_MAX, "me");
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        snprintf(r->options.audience, JWT_TEXT_MAX, "%s", rows[i].audience);
        struct jwt *j = judge(r);
        snprintf(claims, sizeof claims, "{\"sub\":\"a\",\"exp\":1700000100,%s}", rows[i].claims);
        enum jwt_refusal got = verdict(j, issue_token(&r->hmac, HS256, claims));
        if (got != rows[i].verdict) fail_msg("%s: %s", claims, jwt_refusal_word(got));
        jwt_free(&j);
    }
}

static void claims_tell_the_user_the_client_and_the_rules(void **state)
{
    struct rig *r = *state;
    struct jwt_identity i;
    snprintf(r->options.user_claim, JWT_TEXT_MAX, "https://example.org/name");
    snprintf(r->options.client_claim, JWT_TEXT_MAX, "cid");
    struct jwt *j = judge_by_secret(r);
    struct bytes token = issue_token(
        &r->hmac, HS256,
        "{\"https://example.org/name\":\"b\xC3\xB6rk\",\"exp\":1700000100,\"cid\":\"sensor-1\","
        "\"acl\":[{\"deny\":\"write\",\"topics\":[\"up/x\"]},{\"allow\":\"all\",\"topics\":"
        "[\"up/+\",\"#\"]}]}");
    assert_int_equal(verify_at(j, token, NOW, &i), JWT_GOOD);
    assert_true(bytes_eq(i.user, BYTES("b\xC3\xB6rk")));
    assert_int_equal(i.expires_s, 1700000100 + 60); /* with the leeway */
    assert_true(i.rules.given);
    assert_int_equal(i.rules.n, 2);
    assert_false(i.rules.rule[0].allow);
    assert_int_equal(i.rules.rule[1].ntopics, 2);
    assert_true(bytes_eq(i.rules.rule[1].topics[1], BYTES("#")));
    jwt_identity_free(&i);
    EXPECT(j,
           issue_token(&r->hmac, HS256,
                       "{\"https://example.org/name\":\"b\",\"exp\":1700000100,\"cid\":\"other\"}"),
           JWT_REFUSED_CLIENT_ID);
    EXPECT(j,
           issue_token(&r->hmac, HS256, "{\"https://example.org/name\":\"b\",\"exp\":1700000100}"),
           JWT_REFUSED_CLIENT_ID);
    jwt_free(&j);
}

static void rules_that_are_not_understood_let_nobody_in(void **state)
{
    static const char *const rules[] = {"1",
                                        "\"#\"",
                                        "null",
                                        "{\"pub\":\"#\"}",
                                        "{\"publish\":[\"#\"]}",
                                        "{\"pub\":[\"a/#/b\"]}",
                                        "[{\"allow\":\"all\",\"deny\":\"all\",\"topics\":[]}]"};
    struct rig *r = *state;
    char claims[256];
    struct jwt *j = judge_by_secret(r);
    for (unsigned i = 0; i < ARRAY_LEN(rules); i++) {
        snprintf(claims, sizeof claims, "{\"sub\":\"a\",\"exp\":1700000100,\"acl\":%s}", rules[i]);
        EXPECT(j, issue_token(&r->hmac, HS256, claims), JWT_REFUSED_RULES);
    }
    jwt_free(&j);
}

/* ---- vectors of others
 * --------------------------------------------------------------------------- */

#define A_CLAIMS                                                                                   \
    ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnV" \
    "lfQ."

static void examples_of_rfc_7515_are_good_till_they_expire(void **state)
{
    static const char set[] =
        "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH7"
        "5aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\"},{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb"
        "4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNM"
        "sD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS"
        "-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAc"
        "o9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\",\"e\":\"AQAB\"},{\"kty\":\"EC\","
        "\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m"
        "36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}";
    static const char *const tokens[] = {
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9" A_CLAIMS
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", /* A.1 */
        "eyJhbGciOiJSUzI1NiJ9" A_CLAIMS
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2"
        "Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjt"
        "QBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6"
        "IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw", /* A.2 */
        "eyJhbGciOiJFUzI1NiJ9" A_CLAIMS
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    };
    struct rig *r = *state;
    struct jwt_identity i;
    snprintf(r->options.user_claim, JWT_TEXT_MAX, "iss");
    struct jwt *j = judge_by_set(r, set);
    assert_int_equal(jwt_keys_count(j), 3);
    for (unsigned t = 0; t < ARRAY_LEN(tokens); t++) {
        assert_int_equal(verify_at(j, bytes_str(tokens[t]), 1300819379, &i), JWT_GOOD);
        assert_true(bytes_eq(i.user, BYTES("joe")));
        jwt_identity_free(&i);
        assert_int_equal(verify_at(j, bytes_str(tokens[t]), NOW, &i), JWT_REFUSED_EXPIRED);
    }
    /* A.5 is not signed. */
    EXPECT(j, BYTES("eyJhbGciOiJub25lIn0" A_CLAIMS), JWT_REFUSED_MALFORMED);
    jwt_free(&j);
}

static void tokens_of_pyjwt_are_taken(void **state)
{
    static const char set[] =
#define SET(text) text
#define TOKEN(alg, text)
#include "vectors/jwt/pyjwt.def"
#undef SET
#undef TOKEN
        ;
    static const char *const tokens[] = {
#define SET(text)
#define TOKEN(alg, text) text,
#include "vectors/jwt/pyjwt.def"
#undef SET
#undef TOKEN
    };
    struct rig *r = *state;
    snprintf(r->options.audience, JWT_TEXT_MAX, "pinion");
    snprintf(r->options.issuer, JWT_TEXT_MAX, "https://id.example");
    snprintf(r->options.client_claim, JWT_TEXT_MAX, "client_id");
    struct jwt *j = judge_by_set(r, set);
    assert_string_equal(jwt_notes(j), "");
    for (unsigned t = 0; t < ARRAY_LEN(tokens); t++) {
        struct jwt_identity i;
        assert_true(jwt_is_token(bytes_str(tokens[t])));
        assert_int_equal(verify_at(j, bytes_str(tokens[t]), NOW, &i), JWT_GOOD);
        assert_true(bytes_eq(i.user, BYTES("alice")));
        assert_int_equal(i.rules.n, 2);
        assert_int_equal(i.rules.rule[0].actions, ACL_WRITE);
        assert_true(bytes_eq(i.rules.rule[0].topics[0], BYTES("up/%u")));
        jwt_identity_free(&i);
    }
    jwt_free(&j);
}

static void kid_chooses_the_key(void **state)
{
    static const char set[] =
        "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"old\",\"k\":"
        "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"},{\"kty\":\"oct\",\"kid\":\"new\",\"k\":"
        "\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"}]}";
    struct rig *r = *state;
    struct jwt *j = judge_by_set(r, set);
    EXPECT(j, issue_token(&r->hmac, "{\"alg\":\"HS256\",\"kid\":\"new\"}", GOOD), JWT_GOOD);
    EXPECT(j, issue_token(&r->hmac, "{\"alg\":\"HS256\",\"kid\":\"old\"}", GOOD),
           JWT_REFUSED_SIGNATURE);
    EXPECT(j, issue_token(&r->hmac, "{\"alg\":\"HS256\",\"kid\":\"\"}", GOOD), JWT_REFUSED_KEY);
    EXPECT(j, issue_token(&r->hmac, "{\"alg\":\"HS256\",\"kid\":\"x\"}", GOOD), JWT_REFUSED_KEY);
    EXPECT(j, issue_token(&r->hmac, HS256, GOOD), JWT_GOOD);
    jwt_free(&j);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_algorithm_is_taken_with_a_key_of_its_own),
        TEST(token_without_signature_is_refused_whatever_it_says),
        TEST(public_key_is_no_secret_for_hmac),
        TEST(algorithm_is_the_keys_and_not_the_tokens),
        TEST(signature_of_somebody_else_is_refused),
        TEST(signature_of_zeros_is_refused),
        TEST(every_changed_character_is_noticed),
        TEST(every_cut_and_every_longer_token_is_refused),
        TEST(huge_token_is_refused_before_it_is_read),
        TEST(header_that_asks_for_more_is_refused),
        TEST(only_a_token_looks_like_one),
        TEST(claims_are_judged_by_time),
        TEST(expiry_may_be_left_out_if_configured),
        TEST(issuer_and_audience_must_be_the_configured_ones),
        TEST(claims_tell_the_user_the_client_and_the_rules),
        TEST(rules_that_are_not_understood_let_nobody_in),
        TEST(examples_of_rfc_7515_are_good_till_they_expire),
        TEST(tokens_of_pyjwt_are_taken),
        TEST(kid_chooses_the_key),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
