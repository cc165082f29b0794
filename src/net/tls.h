/* SPDX-License-Identifier: BSD-3-Clause */
/* tls.h -- TLS between two buffers: records in, plaintext out, and the other way round.
 *
 * It knows no socket: net hands over what one recv brought and gets back what one send
 * should carry, so that the frames of a turn share a record, and its price.
 *
 * A context holds a listener's certificate and rules; it is made by the main thread, never
 * changes, and is read by all cores. A connection's half (struct tls) is malloc'd, so that
 * it can move to another core; one core uses it at a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum { TLS_RECORD_MAX = 16384, TLS_NAMES_MAX = 8, TLS_REASON = 160 };

enum tls_client { TLS_CLIENT_NONE, TLS_CLIENT_OPTIONAL, TLS_CLIENT_REQUIRED };

/* A certificate chain and its key, files in PEM. */
struct tls_pair {
    const char *certificate, *key;
};

struct tls_options {
    struct tls_pair pair;
    struct tls_pair names[TLS_NAMES_MAX]; /* for clients that ask for a name in one of these */
    unsigned nnames;
    const char *ca;      /* who signs the clients' certificates; NULL: nobody */
    const char *crl;     /* certificates that were called back; NULL: none */
    const char *ciphers; /* OpenSSL's list for TLS 1.2; NULL: ECDHE with AEAD */
    const char *alpn;    /* the protocol's name in the hello ("mqtt", "http/1.1") */
    uint8_t client;      /* enum tls_client */
    bool only_v13;
};

struct tls_context;

/* Reads the files. NULL, with a sentence in error[n], if they don't make sense together. */
struct tls_context *tls_context_new(const struct tls_options *o, char *error, size_t n);
void tls_context_free(struct tls_context **x); /* with all that it has replaced */

/* Puts `fresh` in the place of *x, which lives on as long as `fresh` does: cores may be about
 * to use it, and connections do. */
void tls_context_replace(struct tls_context **x, struct tls_context *fresh);

/* When the first of its certificates ends, those between them and their roots included, and the
 * first of its lists of what was called back; in seconds since 1970, 0 if there is none. */
int64_t tls_context_expiry(const struct tls_context *x);
int64_t tls_context_crl_expiry(const struct tls_context *x);

/* ---- a connection ------------------------------------------------------------------- */

struct tls;

/* `x` is borrowed while it lives. NULL: no memory. */
struct tls *tls_new(const struct tls_context *x);
void tls_free(struct tls **t);

/* Is the handshake over? */
bool tls_is_open(const struct tls *t);
bool tls_was_resumed(const struct tls *t);

/* Takes all of `in` and writes plaintext to `out`, which has room for in.n + TLS_RECORD_MAX
 * bytes; what TLS itself has to say (handshake, alerts) goes to `say`. Returns the bytes of
 * plaintext. *end is 0, or -ERR_CLOSED after the peer's close_notify, or -ERR_X: then no
 * more may be read. */
size_t tls_read(struct tls *t, struct bytes in, uint8_t *out, struct writer *say, int *end);

/* Seals `plain` into records. `say` needs room for it and TLS_OVERHEAD for every
 * TLS_RECORD_MAX bytes begun. -ERR_X. */
enum { TLS_OVERHEAD = 128 };
int tls_write(struct tls *t, struct bytes plain, struct writer *say);

/* Says goodbye (close_notify), unless the connection has failed. */
void tls_end(struct tls *t, struct writer *say);

/* Why it failed, in words, into out[TLS_REASON]; returns out. */
const char *tls_reason(const struct tls *t, char *out);

/* The common name in the peer's certificate, if it was verified, into out[n]; returns its length,
 * 0 if there is none or it does not fit. */
size_t tls_peer_name(const struct tls *t, char *out, size_t n);
