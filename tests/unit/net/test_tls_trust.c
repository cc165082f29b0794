/* SPDX-License-Identifier: BSD-3-Clause */
/* Which clients' certificates are believed. */
#include <time.h>

#include "net/tls_internal.h"
#include "unit/net/tls_rig.h"

/* Whether the server takes a client with that certificate (NULL: with none). */
static bool takes_client(struct authority *a, const struct tls_options *o, const char *name)
{
    char cert[32], key[32], who[32] = "";
    struct rig *r = rig_default();
    struct tls_context *x = context_of(o);

    atomic_store(&r->listener.tls, x);
    struct visitor *t = client_new(a, rig_stream(r));
    if (name) {
        snprintf(cert, sizeof cert, "%s.pem", name);
        snprintf(key, sizeof key, "%s.key", name);
        assert_int_equal(SSL_use_certificate_chain_file(t->ssl, file_in(a, cert)), 1);
        assert_int_equal(SSL_use_PrivateKey_file(t->ssl, file_in(a, key), SSL_FILETYPE_PEM), 1);
    }
    client_greet(r, t);
    bool taken = rig_count(r, 0, C_tls_handshakes) == 1;
    if (taken) {
        size_t n = tls_peer_name(r->probe.conn->transport->tls, who, sizeof who);
        assert_string_equal(who, name ? "good client" : "");
        assert_int_equal(n, strlen(who));
    }
    client_free(t);
    rig_free(r);
    tls_context_free(&x);
    return taken;
}

static void client_certificates_are_asked_for_as_configured(void **state)
{
    struct authority *a = authority_new();
    struct tls_options o = server_options(a);

    (void)state;
    o.ca = file_in(a, "ca.pem");
    o.crl = file_in(a, "crl.pem");
    o.client = TLS_CLIENT_REQUIRED;
    assert_true(takes_client(a, &o, "good"));
    assert_false(takes_client(a, &o, NULL));
    assert_false(takes_client(a, &o, "revoked"));
    o.client = TLS_CLIENT_OPTIONAL;
    assert_true(takes_client(a, &o, "good"));
    assert_true(takes_client(a, &o, NULL));
    assert_false(takes_client(a, &o, "revoked"));
    authority_free(a);
}

static void a_certificate_of_someone_unknown_is_refused(void **state)
{
    struct authority *a = authority_new(), *stranger = authority_new();
    struct tls_options o = server_options(a);

    (void)state;
    o.ca = file_in(stranger, "ca.pem");
    o.client = TLS_CLIENT_REQUIRED;
    assert_false(takes_client(a, &o, "good"));
    authority_free(a);
    authority_free(stranger);
}

/* A client certificate of an authority under ours, its chain in one file. */
static struct issued add_branch(struct authority *a)
{
    struct issued branch = issue_by(&a->ca, "branch", 20, true);
    struct issued client = issue_by(&branch, "good client", 21, false);

    write_issued(a, &client, "far");
    FILE *f = fopen(file_in(a, "far.pem"), "a");
    assert_non_null(f);
    assert_int_equal(PEM_write_X509(f, branch.cert), 1);
    fclose(f);
    issued_free(&client);
    return branch;
}

static void with_lists_of_several_the_whole_way_to_the_root_is_checked(void **state)
{
    struct authority *a = authority_new();
    struct tls_options o = server_options(a);
    struct issued branch = add_branch(a);

    (void)state;
    o.ca = file_in(a, "ca.pem");
    o.client = TLS_CLIENT_REQUIRED;
    assert_true(takes_client(a, &o, "far"));
    o.crl = file_in(a, "crl.pem"); /* of the root alone */
    assert_false(takes_client(a, &o, "far"));
    add_crl(a, "branch.pem", &branch, NULL, 3600);
    o.crl = file_in(a, "branch.pem"); /* of the branch alone: the branch itself is not checked */
    assert_true(takes_client(a, &o, "far"));
    add_crl(a, "both.pem", &branch, NULL, 3600);
    add_crl(a, "both.pem", &a->ca, NULL, 3600);
    o.crl = file_in(a, "both.pem");
    assert_true(takes_client(a, &o, "far"));
    add_crl(a, "called.pem", &branch, NULL, 3600);
    add_crl(a, "called.pem", &a->ca, &branch, 3600); /* the branch was called back */
    o.crl = file_in(a, "called.pem");
    assert_false(takes_client(a, &o, "far"));
    issued_free(&branch);
    authority_free(a);
}

static void a_list_that_has_ended_lets_nobody_in(void **state)
{
    struct authority *a = authority_new();
    struct tls_options o = server_options(a);

    (void)state;
    add_crl(a, "ended.pem", &a->ca, NULL, -60);
    o.ca = file_in(a, "ca.pem");
    o.crl = file_in(a, "ended.pem");
    o.client = TLS_CLIENT_REQUIRED;
    assert_false(takes_client(a, &o, "good"));
    struct tls_context *x = context_of(&o);
    assert_true(tls_context_crl_expiry(x) < (int64_t)time(NULL));
    tls_context_free(&x);
    authority_free(a);
}

static void a_file_without_lists_or_with_a_broken_one_is_refused(void **state)
{
    static const char *const rest[] = {"",
                                       "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"};
    struct authority *a = authority_new();
    struct tls_options o = server_options(a);
    char error[256];

    (void)state;
    o.ca = file_in(a, "ca.pem");
    o.client = TLS_CLIENT_REQUIRED;
    for (int i = 0; i < 2; i++) {
        const char *name = i ? "broken.pem" : "empty.pem";
        if (i) add_crl(a, name, &a->ca, NULL, 3600);
        FILE *f = fopen(file_in(a, name), "a");
        assert_non_null(f);
        fputs(rest[i], f);
        fclose(f);
        o.crl = file_in(a, name);
        assert_null(tls_context_new(&o, error, sizeof error));
        assert_non_null(strstr(error, name));
    }
    authority_free(a);
}

static void why_a_list_does_not_do_is_told_in_words(void **state)
{
    (void)state;
    assert_non_null(strstr(tls_verdict_text(X509_V_ERR_UNABLE_TO_GET_CRL), "tls.crl"));
    assert_non_null(strstr(tls_verdict_text(X509_V_ERR_CRL_HAS_EXPIRED), "ended"));
    assert_string_equal(tls_verdict_text(X509_V_ERR_CERT_REVOKED), "certificate revoked");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(client_certificates_are_asked_for_as_configured),
        cmocka_unit_test(a_certificate_of_someone_unknown_is_refused),
        cmocka_unit_test(with_lists_of_several_the_whole_way_to_the_root_is_checked),
        cmocka_unit_test(a_list_that_has_ended_lets_nobody_in),
        cmocka_unit_test(a_file_without_lists_or_with_a_broken_one_is_refused),
        cmocka_unit_test(why_a_list_does_not_do_is_told_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
