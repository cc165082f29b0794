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

/* Sees every handshake message, to count those that cost us work after the handshake. */
void tls_on_message(int ours, int version, int type, const void *p, size_t n, SSL *ssl, void *arg);
