/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "broker/access/jwt_keys.h"
#include "unit/access/rig.h"

static struct jwt_keys keys;
static char error[512];

static int add_secret(struct folder *f, struct bytes text, mode_t mode)
{
    return jwt_keys_add_secret(&keys, folder_put(f, text, mode), error, sizeof error);
}

static int add_pem(struct folder *f, struct bytes text)
{
    return jwt_keys_add_pem(&keys, folder_put(f, text, 0644), error, sizeof error);
}

static void secret_is_the_files_bytes_but_for_a_line_end(void **state)
{
    const struct {
        struct bytes file, secret;
    } rows[] = {
        {BYTES("0123456789abcdef0123456789abcdef"), BYTES("0123456789abcdef0123456789abcdef")},
        {BYTES("0123456789abcdef0123456789abcdef\n"), BYTES("0123456789abcdef0123456789abcdef")},
        {BYTES("0123456789abcdef0123456789abcdef\r\n"), BYTES("0123456789abcdef0123456789abcdef")},
        {BYTES("\0001234567\xFF"
               "9abcdef0123456789abcdef\n"),
         BYTES("\0001234567\xFF"
               "9abcdef0123456789abcdef\n")},
    };
    struct folder f = folder_new();
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(add_secret(&f, rows[i].file, 0600), 0);
        assert_true(bytes_eq(keys.key[0].secret, rows[i].secret));
        assert_int_equal(keys.key[0].alg, JWT_HS256);
        jwt_keys_fini(&keys);
    }
    folder_free(&f);
}

static void secret_that_is_none_is_refused(void **state)
{
    struct folder f = folder_new();
    (void)state;
    assert_int_equal(add_secret(&f, BYTES("0123456789abcdef0123456789abcde"), 0600), -ERR_INVALID);
    assert_non_null(strstr(error, "32 bytes"));
    assert_int_equal(add_secret(&f, BYTES("0123456789abcdef0123456789abcde\n"), 0600),
                     -ERR_INVALID);
    assert_int_equal(add_secret(&f, BYTES("0123456789abcdef0123456789abcdef"), 0644), -ERR_INVALID);
    assert_non_null(strstr(error, "chmod 600"));
    assert_int_equal(
        add_secret(&f, BYTES("-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYI\n"), 0600),
        -ERR_INVALID);
    assert_int_equal(jwt_keys_add_secret(&keys, "/nonexistent", error, sizeof error), -ERR_OS);
    assert_int_equal(keys.n, 0);
    folder_free(&f);
}

static void all_public_keys_of_a_file_are_taken(void **state)
{
    char pem[4096];
    struct folder f = folder_new();
    EVP_PKEY *rsa = EVP_RSA_gen(2048), *ec = EVP_EC_gen("P-256");
    size_t n = pem_of(rsa, pem, sizeof pem).n;
    (void)state;
    n += pem_of(ec, pem + n, sizeof pem - n).n;
    assert_int_equal(add_pem(&f, bytes_of(pem, n)), 0);
    assert_int_equal(keys.n, 2);
    assert_int_equal(keys.key[0].alg, JWT_RS256);
    assert_int_equal(keys.key[1].alg, JWT_ES256);
    jwt_keys_fini(&keys);
    for (size_t cut = 0; cut < n; cut += 7) { /* the last lines may be missing their end */
        (void)add_pem(&f, bytes_of(pem, cut));
        jwt_keys_fini(&keys);
        unlink(f.file[--f.n]);
    }
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(ec);
    folder_free(&f);
}

static void key_that_no_algorithm_wants_is_refused(void **state)
{
    char pem[4096];
    struct folder f = folder_new();
    EVP_PKEY *const wrong[] = {EVP_RSA_gen(1024), EVP_EC_gen("P-384"), EVP_EC_gen("secp256k1"),
                               EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")};
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(wrong); i++) {
        assert_int_equal(add_pem(&f, pem_of(wrong[i], pem, sizeof pem)), -ERR_UNSUPPORTED);
        assert_int_equal(keys.n, 0);
        EVP_PKEY_free(wrong[i]);
    }
    assert_int_equal(add_pem(&f, BYTES("no key")), -ERR_MALFORMED);
    assert_int_equal(add_pem(&f, BYTES("")), -ERR_MALFORMED);
    folder_free(&f);
}

/* A file that is good only in its first half was not meant so. */
static void one_bad_key_of_a_file_spoils_it(void **state)
{
    char pem[4096];
    struct folder f = folder_new();
    EVP_PKEY *good = EVP_EC_gen("P-256"), *bad = EVP_EC_gen("P-384");
    size_t n = pem_of(good, pem, sizeof pem).n;
    (void)state;
    n += pem_of(bad, pem + n, sizeof pem - n).n;
    assert_int_equal(add_pem(&f, bytes_of(pem, n)), -ERR_UNSUPPORTED);
    assert_int_equal(keys.n, 0);
    EVP_PKEY_free(good);
    EVP_PKEY_free(bad);
    folder_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secret_is_the_files_bytes_but_for_a_line_end),
        cmocka_unit_test(secret_that_is_none_is_refused),
        cmocka_unit_test(all_public_keys_of_a_file_are_taken),
        cmocka_unit_test(key_that_no_algorithm_wants_is_refused),
        cmocka_unit_test(one_bad_key_of_a_file_spoils_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
