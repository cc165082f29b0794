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
    struct tls_context *older; /* replaced by this one; connections may still use it */
};

/* How OpenSSL reaches the buffers of the call under way. */
BIO_METHOD *tls_bio_new(void);

/* Sees every step of OpenSSL's state machine, to count those after the handshake: each message
 * that is no data is one, and our answer to it another. */
void tls_on_step(const SSL *ssl, int where, int value);
