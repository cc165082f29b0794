/* SPDX-License-Identifier: BSD-3-Clause */
#include "unit/net/tls_rig.h"

static void assert_refused(const struct tls_options *o, const char *about)
{
    char error[256] = "";
    struct tls_context *x = tls_context_new(o, error, sizeof error);
    assert_null(x);
    if (!strstr(error, about)) fail_msg("\"%s\" does not speak of %s", error, about);
}

static void what_is_wrong_with_the_files_is_said(void **state)
{
    struct authority *a = authority_new();
    const struct tls_options good = server_options(a);
    struct tls_options o = good;
    FILE *f = fopen(file_in(a, "bad.pem"), "w");

    (void)state;
    assert_non_null(f);
    fputs("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", f);
    fclose(f);
    o.pair.certificate = "/nowhere/at.all";
    assert_refused(&o, "certificate /nowhere/at.all");
    o.pair.certificate = file_in(a, "bad.pem");
    assert_refused(&o, "bad.pem");
    o = good;
    o.pair.key = file_in(a, "other.key");
    assert_refused(&o, "key");
    o = good;
    o.ciphers = "NO-SUCH-CIPHER";
    assert_refused(&o, "ciphers");
    o = good;
    o.client = TLS_CLIENT_REQUIRED;
    assert_refused(&o, "ca");
    o.ca = file_in(a, "bad.pem");
    assert_refused(&o, "ca ");
    o.ca = file_in(a, "ca.pem");
    o.crl = file_in(a, "ca.pem");
    assert_refused(&o, "crl");
    o = good;
    o.names[o.nnames++] = (struct tls_pair){file_in(a, "other.pem"), file_in(a, "server.key")};
    assert_refused(&o, "key");
    authority_free(a);
}

static void the_end_of_the_first_certificate_is_known(void **state)
{
    struct authority *a = authority_new();
    struct tls_options o = server_options(a);
    struct tls_context *x = context_of(&o);
    int64_t left = tls_context_expiry(x) - (int64_t)time(NULL);

    (void)state;
    assert_true(left > 23 * 3600 && left <= 24 * 3600);
    assert_int_equal(tls_context_crl_expiry(x), 0);
    tls_context_free(&x);

    struct issued early = issue(a, "early.test", 30);
    X509_gmtime_adj(X509_getm_notAfter(early.cert), 3600);
    write_issued(a, &early, "early");
    o.names[o.nnames++] = (struct tls_pair){file_in(a, "early.pem"), file_in(a, "early.key")};
    x = context_of(&o);
    assert_true(tls_context_expiry(x) - (int64_t)time(NULL) <= 3600);
    tls_context_free(&x);
    issued_free(&early);
    authority_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrong_with_the_files_is_said),
        cmocka_unit_test(the_end_of_the_first_certificate_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
