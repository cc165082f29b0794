/* SPDX-License-Identifier: BSD-3-Clause */
/* tls_rig.h -- a throw-away authority with certificates, written to a new folder, and an
 * OpenSSL client on the other end of a rig's socket pair. */
#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "net/net_internal.h"
#include "net/transport.h"
#include "unit/net/rig.h"

enum { FOLDER_TEXT = 64, FILE_TEXT = 128, FILES = 32 };

struct issued {
    X509 *cert;
    EVP_PKEY *key;
};

struct authority {
    char folder[FOLDER_TEXT];
    struct issued ca;
    char file[FILES][FILE_TEXT];
};

/* Where `name` lies; the text lives as long as the authority. */
static inline const char *file_in(struct authority *a, const char *name)
{
    char path[FILE_TEXT];
    int i = 0;
    snprintf(path, sizeof path, "%s/%s", a->folder, name);
    while (a->file[i][0] && strcmp(a->file[i], path) != 0)
        assert_true(++i < FILES);
    memcpy(a->file[i], path, sizeof path);
    return a->file[i];
}

static inline void write_issued(struct authority *a, const struct issued *i, const char *name)
{
    char file[32];
    snprintf(file, sizeof file, "%s.pem", name);
    FILE *f = fopen(file_in(a, file), "w");
    assert_non_null(f);
    assert_int_equal(PEM_write_X509(f, i->cert), 1);
    fclose(f);
    snprintf(file, sizeof file, "%s.key", name);
    f = fopen(file_in(a, file), "w");
    assert_non_null(f);
    assert_int_equal(PEM_write_PrivateKey(f, i->key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(f);
}

static inline void add_extension(X509 *cert, int nid, const char *text)
{
    X509_EXTENSION *x = X509V3_EXT_conf_nid(NULL, NULL, nid, text);
    assert_non_null(x);
    assert_int_equal(X509_add_ext(cert, x, -1), 1);
    X509_EXTENSION_free(x);
}

/* A certificate for `cn`, signed by `by` (NULL: by itself), which may sign others if `is_ca`. */
static inline struct issued issue_by(const struct issued *by, const char *cn, long serial,
                                     bool is_ca)
{
    struct issued i = {.cert = X509_new(), .key = EVP_EC_gen("P-256")};
    char alt[80];

    assert_true(i.cert && i.key);
    X509_set_version(i.cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(i.cert), serial);
    X509_gmtime_adj(X509_getm_notBefore(i.cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(i.cert), 24 * 3600);
    X509_set_pubkey(i.cert, i.key);
    X509_NAME *name = X509_get_subject_name(i.cert);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)cn, -1, -1, 0);
    X509_set_issuer_name(i.cert, by ? X509_get_subject_name(by->cert) : name);
    snprintf(alt, sizeof alt, "DNS:%s", cn);
    if (is_ca)
        add_extension(i.cert, NID_basic_constraints, "critical,CA:TRUE");
    else
        add_extension(i.cert, NID_subject_alt_name, alt);
    assert_true(X509_sign(i.cert, by ? by->key : i.key, EVP_sha256()) > 0);
    return i;
}

/* Of the authority; the first is the authority itself. */
static inline struct issued issue(struct authority *a, const char *cn, long serial)
{
    return issue_by(a->ca.cert ? &a->ca : NULL, cn, serial, a->ca.cert == NULL);
}

static inline void issued_free(struct issued *i)
{
    X509_free(i->cert);
    EVP_PKEY_free(i->key);
}

/* Adds to `name` a list of what `by` has called back (NULL: nothing), good for `seconds`. */
static inline void add_crl(struct authority *a, const char *name, const struct issued *by,
                           const struct issued *revoked, long seconds)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *then = X509_gmtime_adj(NULL, -3600), *end = X509_gmtime_adj(NULL, seconds);

    X509_CRL_set_version(crl, X509_CRL_VERSION_2);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(by->cert));
    X509_CRL_set1_lastUpdate(crl, then);
    X509_CRL_set1_nextUpdate(crl, end);
    if (revoked) {
        X509_REVOKED *entry = X509_REVOKED_new();
        X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(revoked->cert));
        X509_REVOKED_set_revocationDate(entry, then);
        X509_CRL_add0_revoked(crl, entry);
    }
    assert_true(X509_CRL_sign(crl, by->key, EVP_sha256()) > 0);
    FILE *f = fopen(file_in(a, name), "a");
    assert_non_null(f);
    assert_int_equal(PEM_write_X509_CRL(f, crl), 1);
    fclose(f);
    ASN1_TIME_free(then);
    ASN1_TIME_free(end);
    X509_CRL_free(crl);
}

/* ca, server (localhost), other (other.test), good and revoked (clients), crl.pem. */
static inline struct authority *authority_new(void)
{
    static const char *const names[] = {"server", "other", "good", "revoked"};
    static const char *const subjects[] = {"localhost", "other.test", "good client", "bad client"};
    struct authority *a = calloc(1, sizeof *a);

    assert_non_null(a);
    snprintf(a->folder, sizeof a->folder, "/tmp/pinion-test-XXXXXX");
    assert_non_null(mkdtemp(a->folder));
    a->ca = issue(a, "test authority", 1);
    write_issued(a, &a->ca, "ca");
    for (int k = 0; k < 4; k++) {
        struct issued i = issue(a, subjects[k], 2 + k);
        write_issued(a, &i, names[k]);
        if (k == 3) add_crl(a, "crl.pem", &a->ca, &i, 3600);
        issued_free(&i);
    }
    return a;
}

static inline void authority_free(struct authority *a)
{
    for (int i = 0; i < FILES && a->file[i][0]; i++)
        unlink(a->file[i]);
    rmdir(a->folder);
    issued_free(&a->ca);
    free(a);
}

/* The server's certificate and nothing else. */
static inline struct tls_options server_options(struct authority *a)
{
    return (struct tls_options){
        .pair = {.certificate = file_in(a, "server.pem"), .key = file_in(a, "server.key")},
        .alpn = "mqtt",
    };
}

static inline struct tls_context *context_of(const struct tls_options *o)
{
    char error[256] = "";
    struct tls_context *x = tls_context_new(o, error, sizeof error);
    if (!x) fail_msg("%s", error);
    return x;
}

/* ---- a client ----------------------------------------------------------------------------- */

struct visitor {
    SSL_CTX *ctx;
    SSL *ssl;
    int fd;
    SSL_SESSION *session;
};

/* Records that have arrived and were not read yet. */
static inline unsigned records_waiting(int fd)
{
    uint8_t buf[65536];
    long n = recv(fd, buf, sizeof buf, MSG_PEEK | MSG_DONTWAIT);
    unsigned records = 0;
    for (long i = 0; i + 5 <= n; i += 5 + buf[i + 3] * 256 + buf[i + 4])
        records++;
    return records;
}

static inline int on_ticket(SSL *ssl, SSL_SESSION *s)
{
    struct visitor *t = SSL_get_app_data(ssl);
    SSL_SESSION_free(t->session);
    t->session = s;
    return 1;
}

static inline struct visitor *client_new(struct authority *a, int fd)
{
    struct visitor *t = calloc(1, sizeof *t);
    assert_non_null(t);
    t->fd = fd;
    t->ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(t->ctx, on_ticket);
    assert_int_equal(SSL_CTX_load_verify_file(t->ctx, file_in(a, "ca.pem")), 1);
    SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, NULL);
    t->ssl = SSL_new(t->ctx);
    SSL_set_fd(t->ssl, fd);
    SSL_set_app_data(t->ssl, t);
    SSL_set_connect_state(t->ssl);
    SSL_set1_host(t->ssl, "localhost");
    SSL_set_tlsext_host_name(t->ssl, "localhost");
    return t;
}

static inline void client_free(struct visitor *t)
{
    SSL_SESSION_free(t->session);
    SSL_free(t->ssl);
    SSL_CTX_free(t->ctx);
    close(t->fd);
    free(t);
    ERR_clear_error();
}

/* The handshake, turn by turn. True if it succeeded at the client's end. */
static inline bool client_greet(struct rig *r, struct visitor *t)
{
    for (int i = 0; i < 20; i++) {
        ERR_clear_error();
        int ok = SSL_do_handshake(t->ssl);
        if (ok == 1) {
            rig_turn(r, 2);
            return true;
        }
        int why = SSL_get_error(t->ssl, ok);
        if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) return false;
        rig_turn(r, 1);
    }
    return false;
}

static inline void client_say(struct visitor *t, const void *p, size_t n)
{
    size_t put = 0;
    assert_int_equal(SSL_write_ex(t->ssl, p, n, &put), 1);
    assert_int_equal(put, n);
}

/* What has arrived, up to `n` bytes. */
static inline size_t client_hear(struct visitor *t, uint8_t *p, size_t n)
{
    size_t got = 0, now = 0;
    ERR_clear_error();
    while (got < n && SSL_read_ex(t->ssl, p + got, n - got, &now) == 1)
        got += now;
    return got;
}
