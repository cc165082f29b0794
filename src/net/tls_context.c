/* SPDX-License-Identifier: BSD-3-Clause */
/* tls_context.c -- a listener's certificate, key and rules, read from files.
 *
 * Sessions are resumed by tickets alone: nothing is kept on our side that cores would have
 * to share. The tickets' key is made with the context, so a reload ends them. */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/tls_internal.h"

/* RFC 9325, section 4.2: forward secrecy and AEAD. TLS 1.3 has nothing else. */
static const char ciphers_v12[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

/* Those of TLS 1.3 in the same order: 128 bits are enough, and seal a quarter faster than 256. */
static const char ciphers_v13[] =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

bool tls_refuse(char *error, size_t n, const char *what, const char *file)
{
    const char *why = ERR_reason_error_string(ERR_peek_last_error());

    if (file)
        snprintf(error, n, "%s %s: %s", what, file, why ? why : "can't be read");
    else
        snprintf(error, n, "%s: %s", what, why ? why : "refused");
    return false;
}

/* ---- rules --------------------------------------------------------------------------- */

/* tidy: OpenSSL says what its callbacks take */
static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n,
                       const unsigned char *in, unsigned n, void *arg)
{
    const struct tls_context *x = arg;
    unsigned char *chosen;

    (void)ssl;
    int found = SSL_select_next_proto(&chosen, out_n, (const unsigned char *)x->alpn,
                                      1u + (unsigned char)x->alpn[0], in, n);
    *out = chosen;
    return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* Another certificate if the client asks for a name that it is for; else the first. */
static int choose_name(SSL *ssl, int *alert, void *arg)
{
    const struct tls_context *x = arg;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    (void)alert;
    for (unsigned i = 0; name && i < x->nnamed; i++) {
        X509 *cert = SSL_CTX_get0_certificate(x->named[i]);
        if (X509_check_host(cert, name, 0, 0, NULL) != 1) continue;
        SSL_set_SSL_CTX(ssl, x->named[i]);
        break;
    }
    return SSL_TLSEXT_ERR_OK;
}

static bool set_rules(SSL_CTX *c, struct tls_context *x, const struct tls_options *o, char *error,
                      size_t n)
{
    SSL_CTX_set_min_proto_version(c, o->only_v13 ? TLS1_3_VERSION : TLS1_2_VERSION);
    SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                               SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS); /* an idle connection keeps none */
    SSL_CTX_set_read_ahead(c, 1);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_session_id_context(c, (const unsigned char *)"pinion", 6);
    SSL_CTX_set_num_tickets(c, 1);
    SSL_CTX_set_info_callback(c, tls_on_step);
    SSL_CTX_set_alpn_select_cb(c, choose_alpn, x);
    ERR_clear_error();
    if (SSL_CTX_set_ciphersuites(c, ciphers_v13) == 1 &&
        SSL_CTX_set_cipher_list(c, o->ciphers ? o->ciphers : ciphers_v12) == 1)
        return true;
    return tls_refuse(error, n, "ciphers", NULL);
}

/* ---- files ------------------------------------------------------------------------------ */

static bool load_pair(SSL_CTX *c, const struct tls_pair *p, char *error, size_t n)
{
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(c, p->certificate) != 1)
        return tls_refuse(error, n, "certificate", p->certificate);
    if (SSL_CTX_use_PrivateKey_file(c, p->key, SSL_FILETYPE_PEM) != 1)
        return tls_refuse(error, n, "key", p->key);
    if (SSL_CTX_check_private_key(c) != 1) return tls_refuse(error, n, "key", p->key);
    return true;
}

static SSL_CTX *make(struct tls_context *x, const struct tls_options *o, const struct tls_pair *p,
                     char *error, size_t n)
{
    SSL_CTX *c = SSL_CTX_new(TLS_server_method());

    if (!c) {
        snprintf(error, n, "out of memory");
        return NULL;
    }
    if (set_rules(c, x, o, error, n) && load_pair(c, p, error, n) &&
        tls_load_trust(x, c, o, error, n)) {
        tls_note_ends(x, c);
        return c;
    }
    SSL_CTX_free(c);
    return NULL;
}

/* ---- all together ------------------------------------------------------------------------ */

static bool fill(struct tls_context *x, const struct tls_options *o, char *error, size_t n)
{
    size_t len = strlen(o->alpn);

    if (len + 1 > sizeof x->alpn) return tls_refuse(error, n, "alpn", NULL);
    x->alpn[0] = (char)len;
    memcpy(x->alpn + 1, o->alpn, len);
    x->bio = tls_bio_new();
    if (!x->bio) return tls_refuse(error, n, "memory", NULL);
    x->ssl = make(x, o, &o->pair, error, n);
    if (!x->ssl) return false;
    for (; x->nnamed < o->nnames; x->nnamed++) {
        x->named[x->nnamed] = make(x, o, &o->names[x->nnamed], error, n);
        if (!x->named[x->nnamed]) return false;
    }
    SSL_CTX_set_tlsext_servername_callback(x->ssl, choose_name);
    SSL_CTX_set_tlsext_servername_arg(x->ssl, x);
    return true;
}

struct tls_context *tls_context_new(const struct tls_options *o, char *error, size_t n)
{
    struct tls_context *x = calloc(1, sizeof *x);

    if (!x) {
        snprintf(error, n, "out of memory");
        return NULL;
    }
    if (!fill(x, o, error, n)) tls_context_free(&x);
    return x;
}

void tls_context_free(struct tls_context **xp)
{
    struct tls_context *older;

    for (struct tls_context *x = *xp; x; x = older) {
        older = x->older;
        SSL_CTX_free(x->ssl);
        for (unsigned i = 0; i < x->nnamed; i++)
            SSL_CTX_free(x->named[i]);
        BIO_meth_free(x->bio);
        free(x);
    }
    *xp = NULL;
}

void tls_context_replace(struct tls_context **x, struct tls_context *fresh)
{
    fresh->older = *x;
    *x = fresh;
}

int64_t tls_context_expiry(const struct tls_context *x)
{
    return x->expiry_s;
}

int64_t tls_context_crl_expiry(const struct tls_context *x)
{
    return x->crl_expiry_s;
}
