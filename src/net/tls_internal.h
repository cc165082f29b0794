/* SPDX-License-Identifier: BSD-3-Clause */
/* tls_internal.h -- what tls.c and tls_context.c share. */
#pragma once

#include <openssl/ssl.h>

#include "net/tls.h"

struct tls_context {
    SSL_CTX *ssl;
    SSL_CTX *named[TLS_NAMES_MAX]; /* the same rules with another certificate */
    unsigned nnamed;
    BIO_METHOD *bio;
    char alpn[16];             /* length byte, then the name */
    int64_t expiry_s;          /* when the first of its certificates ends */
    int64_t crl_expiry_s;      /* and the first of its lists */
    struct tls_context *older; /* replaced by this one; connections may still use it */
};

/* Writes "WHAT FILE: why" to error[n], with OpenSSL's reason; returns false. */
bool tls_refuse(char *error, size_t n, const char *what, const char *file);

/* ---- tls_trust.c ------------------------------------------------------------------------ */

/* How the certificates of clients are judged. False with a sentence in error[n]. */
bool tls_load_trust(struct tls_context *x, SSL_CTX *c, const struct tls_options *o, char *error,
                    size_t n);

/* Looks when the certificates of `c` end. */
void tls_note_ends(struct tls_context *x, SSL_CTX *c);

/* What was wrong with a client's certificate. */
const char *tls_verdict_text(long verdict);

/* ---- tls.c ------------------------------------------------------------------------------ */

/* How OpenSSL reaches the buffers of the call under way. */
BIO_METHOD *tls_bio_new(void);

/* Sees every step of OpenSSL's state machine, to count those after the handshake: each message
 * that is no data is one, and our answer to it another. */
void tls_on_step(const SSL *ssl, int where, int value);
