/* SPDX-License-Identifier: BSD-3-Clause */
/* test_scram_text.c -- the grammar of SCRAM's messages. */
#include "broker/access/scram_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/assert.h"

static void a_first_message_is_taken_apart(void **state)
{
    static const struct {
        const char *in, *gs2, *authzid, *user, *nonce;
    } rows[] = {
        {"n,,n=user,r=abc", "n,,", "", "user", "abc"},
        {"y,,n=user,r=abc", "y,,", "", "user", "abc"},
        {"n,a=boss,n=user,r=abc", "n,a=boss,", "boss", "user", "abc"},
        {"n,,n=u=2C=3D,r=!~", "n,,", "", "u=2C=3D", "!~"},
        {"n,,n=\xC3\xB6,r=a=b,x=1,Y=\xC3\xB6=", "n,,", "", "\xC3\xB6", "a=b"},
        {"n,,n=p=3Dx,r=r=", "n,,", "", "p=3Dx", "r="},
    };
    struct scram_client_first m;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bytes in = bytes_str(rows[i].in);
        const char *why = scram_read_first(&m, in);
        if (why) fail_msg("%s: %s", rows[i].in, why);
        assert_true(bytes_eq(m.gs2, bytes_str(rows[i].gs2)));
        assert_true(bytes_eq(m.bare, bytes_skip(in, m.gs2.n)));
        assert_true(bytes_eq(m.authzid, bytes_str(rows[i].authzid)));
        assert_true(bytes_eq(m.user, bytes_str(rows[i].user)));
        assert_true(bytes_eq(m.nonce, bytes_str(rows[i].nonce)));
    }
}

static void what_is_no_first_message_is_refused_for_its_reason(void **state)
{
    static const struct {
        const char *in, *why;
    } rows[] = {
        {"", SCRAM_E_OTHER},
        {"n", SCRAM_E_OTHER},
        {"n,", SCRAM_E_OTHER},
        {"n,,", SCRAM_E_OTHER},
        {"x,,n=user,r=abc", SCRAM_E_OTHER},
        {"N,,n=user,r=abc", SCRAM_E_OTHER},
        {"n,n=user,r=abc", SCRAM_E_OTHER},
        {"n,a=,n=user,r=abc", SCRAM_E_OTHER},
        {"n,b=boss,n=user,r=abc", SCRAM_E_OTHER},
        {"p=tls-unique,,n=user,r=abc", SCRAM_E_BINDING},
        {"p=tls-exporter,a=x,n=user,r=abc", SCRAM_E_BINDING},
        {"n,,m=must,n=user,r=abc", SCRAM_E_EXTENSION},
        {"n,,n=,r=abc", SCRAM_E_OTHER},
        {"n,,n=user", SCRAM_E_OTHER},
        {"n,,n=user,r=", SCRAM_E_OTHER},
        {"n,,r=abc,n=user", SCRAM_E_OTHER},
        {"n,,x=1,n=user,r=abc", SCRAM_E_OTHER},
        {"n,,n=user,x=1,r=abc", SCRAM_E_OTHER},
        {"n,,n=user,r=a bc", SCRAM_E_OTHER},
        {"n,,n=user,r=a\tbc", SCRAM_E_OTHER},
        {"n,,n=user,r=a\x7F", SCRAM_E_OTHER},
        {"n,,n=user,r=\xC3\xB6", SCRAM_E_OTHER},
        {"n,,n=user,r=abc,", SCRAM_E_OTHER},
        {"n,,n=user,r=abc,x", SCRAM_E_OTHER},
        {"n,,n=user,r=abc,x=", SCRAM_E_OTHER},
        {"n,,n=user,r=abc,1=x", SCRAM_E_OTHER},
        {"n,,n=user,r=abc,m=must", SCRAM_E_OTHER},
        {"n,,n=us\xC3,r=abc", SCRAM_E_ENCODING},
    };
    struct scram_client_first m;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *why = scram_read_first(&m, bytes_str(rows[i].in));
        if (!why || strcmp(why, rows[i].why) != 0) fail_msg("%s: %s", rows[i].in, why);
    }
    assert_non_null(scram_read_first(&m, BYTES("n,,n=us\0er,r=abc")));
}

static void a_name_is_unescaped_or_refused(void **state)
{
    static const struct {
        const char *in, *name;
    } rows[] = {
        {"user", "user"},
        {"=2C", ","},
        {"=3D", "="},
        {"a=2Cb=3Dc", "a,b=c"},
        {"=3D2C", "=2C"},
        {"=", NULL},
        {"a=", NULL},
        {"=2", NULL},
        {"=2c", NULL},
        {"=3d", NULL},
        {"==", NULL},
        {"a=b", NULL},
        {"\xC3\xB6", "\xC3\xB6"},
        {"=2D", NULL},
        {"", ""},
    };
    uint8_t room[16];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct writer w = wr_of(room, sizeof room);
        bool ok = scram_put_name(&w, bytes_str(rows[i].in));
        if (ok != (rows[i].name != NULL)) fail_msg("%s", rows[i].in);
        if (ok) assert_true(bytes_eq(bytes_of(room, wr_len(&w)), bytes_str(rows[i].name)));
    }
    struct writer small = wr_of(room, 3);
    assert_false(scram_put_name(&small, BYTES("four")));
}

static void a_last_message_is_taken_apart(void **state)
{
    static const struct {
        const char *in, *without, *binding, *nonce, *proof;
    } rows[] = {
        {"c=biws,r=abc,p=AA==", "c=biws,r=abc", "biws", "abc", "AA=="},
        {"c=biws,r=abc,x=1,p=AA==", "c=biws,r=abc,x=1", "biws", "abc", "AA=="},
        {"c=biws,r=p=,p=p=", "c=biws,r=p=", "biws", "p=", "p="},
    };
    struct scram_client_final m;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *why = scram_read_final(&m, bytes_str(rows[i].in));
        if (why) fail_msg("%s: %s", rows[i].in, why);
        assert_true(bytes_eq(m.without_proof, bytes_str(rows[i].without)));
        assert_true(bytes_eq(m.binding, bytes_str(rows[i].binding)));
        assert_true(bytes_eq(m.nonce, bytes_str(rows[i].nonce)));
        assert_true(bytes_eq(m.proof, bytes_str(rows[i].proof)));
    }
}

static void what_is_no_last_message_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "c=biws",
        "c=biws,r=abc",
        "c=biws,r=abc,p=",
        "c=biws,r=abc,p=A,",
        "c=biws,r=abc,p=A,x=1",
        "c=biws,p=A,r=abc",
        "r=abc,c=biws,p=A",
        "c=,r=abc,p=A",
        "c=biws,r=,p=A",
        "c=biws,x=1,r=abc,p=A",
        "c=biws,r=abc,x,p=A",
        "c=biws,r=abc,m=x,p=A",
        "c=biws,r=abc,,p=A",
        "m=x,c=biws,r=abc,p=A",
        "c=biws,r=abc,p=A\xFF",
    };
    struct scram_client_final m;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (!scram_read_final(&m, bytes_str(bad[i]))) fail_msg("taken: %s", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_first_message_is_taken_apart),
        cmocka_unit_test(what_is_no_first_message_is_refused_for_its_reason),
        cmocka_unit_test(a_name_is_unescaped_or_refused),
        cmocka_unit_test(a_last_message_is_taken_apart),
        cmocka_unit_test(what_is_no_last_message_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
