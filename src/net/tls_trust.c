/* SPDX-License-Identifier: BSD-3-Clause */
/* tls_trust.c -- whose certificates count, which of them were called back, and when all of that
 * ends.
 *
 * Without a list of its issuer a certificate is refused, and so is one whose issuer's list has
 * ended: what can't be checked is not believed. */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <time.h>

#include "net/tls_internal.h"

/* ---- when it ends ------------------------------------------------------------------------ */

/* Seconds since 1970; 0 if that can't be told. */
static int64_t seconds_of(const ASN1_TIME *t)
{
    struct tm tm;

    return t && ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static void note_end(int64_t *first, const ASN1_TIME *t)
{
    int64_t end = seconds_of(t);

    if (end && (!*first || end < *first)) *first = end;
}

void tls_note_ends(struct tls_context *x, SSL_CTX *c)
{
    const X509 *own = SSL_CTX_get0_certificate(c);
    STACK_OF(X509) *chain = NULL;

    if (own) note_end(&x->expiry_s, X509_get0_notAfter(own));
    SSL_CTX_get0_chain_certs(c, &chain);
    for (int i = 0; i < sk_X509_num(chain); i++) /* -1 of none */
        note_end(&x->expiry_s, X509_get0_notAfter(sk_X509_value(chain, i)));
}

/* ---- lists of what was called back ------------------------------------------------------- */

/* Adds all lists of a file. Returns how many, with *several if they are not all of one issuer;
 * 0: OpenSSL knows why not. */
static int add_lists(struct tls_context *x, X509_STORE *store, BIO *in, bool *several)
{
    X509_NAME *first = NULL;
    X509_CRL *crl;
    int n = 0;

    while ((crl = PEM_read_bio_X509_CRL(in, NULL, NULL, NULL)) != NULL) {
        const X509_NAME *issuer = X509_CRL_get_issuer(crl);
        if (!first) first = X509_NAME_dup(issuer);
        if (!first || X509_NAME_cmp(first, issuer) != 0) *several = true;
        note_end(&x->crl_expiry_s, X509_CRL_get0_nextUpdate(crl));
        bool added = X509_STORE_add_crl(store, crl) == 1;
        X509_CRL_free(crl);
        if (!added) break;
        n++;
    }
    X509_NAME_free(first);
    bool at_end = n > 0 && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    return at_end ? n : 0;
}

/* With lists of several issuers the whole way to the root is checked, not its first step alone. */
static bool load_lists(struct tls_context *x, SSL_CTX *c, const char *file)
{
    X509_STORE *store = SSL_CTX_get_cert_store(c);
    BIO *in = BIO_new_file(file, "r");
    bool several = false;
    int n = in ? add_lists(x, store, in, &several) : 0;
    unsigned long how = X509_V_FLAG_CRL_CHECK | (several ? X509_V_FLAG_CRL_CHECK_ALL : 0);

    BIO_free(in);
    if (n == 0) return false;
    ERR_clear_error();
    return X509_STORE_set_flags(store, how) == 1;
}

/* ---- clients --------------------------------------------------------------------------------- */

bool tls_load_trust(struct tls_context *x, SSL_CTX *c, const struct tls_options *o, char *error,
                    size_t n)
{
    static const int modes[] = {
        [TLS_CLIENT_NONE] = SSL_VERIFY_NONE,
        [TLS_CLIENT_OPTIONAL] = SSL_VERIFY_PEER,
        [TLS_CLIENT_REQUIRED] = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
    };

    if (o->client == TLS_CLIENT_NONE) return true;
    ERR_clear_error();
    if (!o->ca) {
        snprintf(error, n, "client certificates need a ca to judge them by");
        return false;
    }
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(o->ca);
    if (!names || SSL_CTX_load_verify_file(c, o->ca) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return tls_refuse(error, n, "ca", o->ca);
    }
    SSL_CTX_set_client_CA_list(c, names); /* takes it */
    ERR_clear_error();
    if (o->crl && !load_lists(x, c, o->crl)) return tls_refuse(error, n, "crl", o->crl);
    SSL_CTX_set_verify(c, modes[o->client], NULL);
    return true;
}

const char *tls_verdict_text(long verdict)
{
    switch (verdict) {
    case X509_V_ERR_UNABLE_TO_GET_CRL: return "tls.crl has no list of who signed it";
    case X509_V_ERR_CRL_HAS_EXPIRED: return "the list of who signed it, in tls.crl, has ended";
    case X509_V_ERR_CRL_NOT_YET_VALID:
        return "the list of who signed it, in tls.crl, is of the future";
    default: return X509_verify_cert_error_string(verdict);
    }
}
