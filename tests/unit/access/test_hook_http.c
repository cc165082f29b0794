/* SPDX-License-Identifier: BSD-3-Clause */
/* test_hook_http.c -- whom the hook trusts: certificates are made here, and sign themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/x509v3.h>
#include <signal.h>

#include "unit/access/hook_rig.h"
#include "unit/access/rig.h"

static struct {
    struct folder folder;
    struct mesh mesh;
    struct helpers *helpers;
    EVP_PKEY *key;
    X509 *good, *elsewhere, *late; /* for us, for another address, no longer valid */
} rig;

static X509 *certificate(const char *address, long ends_s)
{
    X509 *x = X509_new();
    assert_non_null(x);
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -7200);
    X509_gmtime_adj(X509_getm_notAfter(x), ends_s);
    X509_set_pubkey(x, rig.key);
    X509_NAME *name = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)"hook", -1, -1, 0);
    X509_set_issuer_name(x, name);
    X509_EXTENSION *alt = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, address);
    assert_int_equal(X509_add_ext(x, alt, -1), 1);
    X509_EXTENSION_free(alt);
    assert_true(X509_sign(x, rig.key, EVP_sha256()) > 0);
    return x;
}

static int set_up(void **state)
{
    int err;
    (void)state;
    rig.folder = folder_new();
    rig.helpers = helpers_new(1, 4, &rig.mesh, CORES, &err);
    rig.key = EVP_EC_gen("P-256");
    rig.good = certificate("IP:127.0.0.1", 3600);
    rig.elsewhere = certificate("DNS:elsewhere.test", 3600);
    rig.late = certificate("IP:127.0.0.1", -3600);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    helpers_free(&rig.helpers);
    X509_free(rig.good);
    X509_free(rig.elsewhere);
    X509_free(rig.late);
    EVP_PKEY_free(rig.key);
    folder_free(&rig.folder);
    return 0;
}

static const char *pem_file(X509 *x)
{
    char text[4096];
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_X509(bio, x), 1);
    int n = BIO_read(bio, text, sizeof text);
    BIO_free(bio);
    return folder_put(&rig.folder, bytes_of(text, (size_t)n), 0644);
}

static void on_done(struct hook_question *q)
{
    *(bool *)q->context = true;
}

/* How a question to a service with certificate `shown` goes if `trusted` (NULL: what the system
 * trusts) may vouch for it. */
static enum hook_origin ask_over_tls(X509 *shown, X509 *trusted, int version_max)
{
    struct hook_options o = HOOK_OPTIONS_DEFAULT;
    struct hook_text text = {.action = HOOK_LOGIN, .password = BYTES("secret")};
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    char error[512];
    bool done = false;

    assert_int_equal(SSL_CTX_use_certificate(tls, shown), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(tls, rig.key), 1);
    SSL_CTX_set_security_level(tls, 0);
    SSL_CTX_set_max_proto_version(tls, version_max);
    struct service *s = service_new(tls);
    snprintf(o.url, sizeof o.url, "https://127.0.0.1:%u/", s->port);
    if (trusted) snprintf(o.ca_file, sizeof o.ca_file, "%s", pem_file(trusted));
    struct hook *h = hook_new(&o, rig.helpers, error, sizeof error);
    if (!h) fail_msg("%s", error);
    struct hook_question *q = hook_question_new(&text, 0, on_done);
    assert_non_null(q);
    q->context = &done;
    hook_ask(h, q);
    while (!done) {
        helper_take(rig.helpers, 0);
        sched_yield();
    }
    enum hook_origin origin = q->answer.origin;
    bool told = service_saw(s, "secret");
    assert_int_equal(told, origin == HOOK_ANSWERED);
    hook_question_free(&q);
    hook_free(&h);
    service_free(&s);
    SSL_CTX_free(tls);
    return origin;
}

static void service_is_told_only_if_the_named_authority_vouches_for_it(void **state)
{
    (void)state;
    assert_int_equal(ask_over_tls(rig.good, rig.good, 0), HOOK_ANSWERED);
    assert_int_equal(ask_over_tls(rig.good, NULL, 0), HOOK_UNREACHABLE);
    assert_int_equal(ask_over_tls(rig.good, rig.elsewhere, 0), HOOK_UNREACHABLE);
}

static void certificate_for_another_name_or_time_is_none(void **state)
{
    (void)state;
    assert_int_equal(ask_over_tls(rig.elsewhere, rig.elsewhere, 0), HOOK_UNREACHABLE);
    assert_int_equal(ask_over_tls(rig.late, rig.late, 0), HOOK_UNREACHABLE);
}

static void tls_before_1_2_is_not_spoken(void **state)
{
    (void)state;
    assert_int_equal(ask_over_tls(rig.good, rig.good, TLS1_2_VERSION), HOOK_ANSWERED);
    assert_int_equal(ask_over_tls(rig.good, rig.good, TLS1_1_VERSION), HOOK_UNREACHABLE);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(service_is_told_only_if_the_named_authority_vouches_for_it),
        TEST(certificate_for_another_name_or_time_is_none),
        TEST(tls_before_1_2_is_not_spoken),
    };
    signal(SIGPIPE, SIG_IGN); /* the service's TLS writes to whoever hung up */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
