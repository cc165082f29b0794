/* SPDX-License-Identifier: BSD-3-Clause */
/* tls.c -- one connection's TLS. OpenSSL reads and writes through a BIO that is no more
 * than a view of the caller's two buffers, so nothing is copied twice, and what OpenSSL
 * keeps is at most one incomplete record. */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/err.h"
#include "net/tls_internal.h"

/* A new key costs us a derivation and an answer, and the peer nothing (CVE-2026-39304). Who sends
 * much has reason to change it, though: an AES key is good for 2^24 records (RFC 8446, 5.5). */
enum {
    STEPS_MAX = 3 * 16, /* an update is three steps, one that asks for ours is more */
    CALM_BYTES = 1 << 20,
};

struct tls {
    SSL *ssl;
    /* During a call only: */
    struct bytes in;
    struct writer *say;

    unsigned long error; /* OpenSSL's, of the failure */
    uint32_t calm;       /* bytes that came since `steps` was last 0 */
    uint16_t steps;      /* of OpenSSL's state machine since the handshake: key updates */
    bool open;
    bool failed;
};

/* ---- buffers as a BIO ----------------------------------------------------------------- */

static int bio_read(BIO *bio, char *to, size_t room, size_t *got)
{
    struct tls *t = BIO_get_data(bio);
    size_t n = room < t->in.n ? room : t->in.n;

    BIO_clear_retry_flags(bio);
    *got = n;
    if (n == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    memcpy(to, t->in.p, n);
    t->in = bytes_skip(t->in, n);
    return 1;
}

static int bio_write(BIO *bio, const char *p, size_t n, size_t *put)
{
    struct tls *t = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    *put = 0;
    if (!t->say) return 0;
    wr_bytes(t->say, bytes_of(p, n));
    if (t->say->bad) return 0; /* callers leave room for all that TLS may say */
    *put = n;
    return 1;
}

static long bio_ctrl(BIO *bio, int what, long n, void *p)
{
    (void)bio;
    (void)n;
    (void)p;
    return what == BIO_CTRL_FLUSH;
}

BIO_METHOD *tls_bio_new(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "buffers");

    if (!m) return NULL;
    BIO_meth_set_read_ex(m, bio_read);
    BIO_meth_set_write_ex(m, bio_write);
    BIO_meth_set_ctrl(m, bio_ctrl);
    return m;
}

/* ---- life ------------------------------------------------------------------------------- */

void tls_on_step(const SSL *ssl, int where, int value)
{
    struct tls *t = SSL_get_app_data(ssl);

    (void)value;
    if (t->open && (where & SSL_CB_ACCEPT_LOOP) == SSL_CB_ACCEPT_LOOP) t->steps++;
}

struct tls *tls_new(const struct tls_context *x)
{
    struct tls *t = calloc(1, sizeof *t);

    if (!t) return NULL;
    t->ssl = SSL_new(x->ssl);
    BIO *bio = t->ssl ? BIO_new(x->bio) : NULL;
    if (!bio) {
        tls_free(&t);
        return NULL;
    }
    BIO_set_data(bio, t);
    BIO_set_init(bio, 1);
    SSL_set_bio(t->ssl, bio, bio);
    SSL_set_app_data(t->ssl, t);
    SSL_set_accept_state(t->ssl);
    return t;
}

void tls_free(struct tls **tp)
{
    struct tls *t = *tp;

    if (!t) return;
    *tp = NULL;
    SSL_free(t->ssl);
    free(t);
}

bool tls_is_open(const struct tls *t)
{
    return t->open;
}

bool tls_was_resumed(const struct tls *t)
{
    return SSL_session_reused(t->ssl) == 1;
}

/* ---- bytes -------------------------------------------------------------------------------- */

/* What a call that did not succeed means: 0 (it wants more), or the end. */
static int judge(struct tls *t, int result)
{
    switch (SSL_get_error(t->ssl, result)) {
    case SSL_ERROR_WANT_READ: return 0;
    case SSL_ERROR_ZERO_RETURN: return -ERR_CLOSED;
    default:
        t->error = ERR_peek_last_error();
        t->failed = true;
        return -ERR_PROTOCOL;
    }
}

static void begin(struct tls *t, struct bytes in, struct writer *say)
{
    ERR_clear_error(); /* SSL_get_error() looks at what this thread's queue holds */
    t->in = in;
    t->say = say;
}

/* Is there anything that OpenSSL has not seen or not handed out? To ask costs less than a read
 * in vain, which would be half of all. */
static bool has_more(const struct tls *t)
{
    return t->in.n > 0 || SSL_has_pending(t->ssl);
}

static void note_calm(struct tls *t, size_t bytes)
{
    t->calm += (uint32_t)bytes; /* of one record */
    if (t->calm < CALM_BYTES) return;
    t->calm = 0;
    t->steps = 0;
}

size_t tls_read(struct tls *t, struct bytes in, uint8_t *out, struct writer *say, int *end)
{
    size_t room = in.n + TLS_RECORD_MAX;
    size_t got = 0;
    int result = 1;

    *end = t->failed ? -ERR_PROTOCOL : 0;
    if (t->failed) return 0;
    begin(t, in, say);
    if (!t->open) {
        result = SSL_do_handshake(t->ssl);
        t->open = result == 1;
    }
    while (result == 1 && has_more(t)) {
        size_t n = 0;
        result = SSL_read_ex(t->ssl, out + got, room - got, &n);
        got += n;
        note_calm(t, n);
        if (t->steps <= STEPS_MAX) continue;
        t->failed = true;
        break;
    }
    *end = t->failed ? -ERR_PROTOCOL : result == 1 ? 0 : judge(t, result);
    ASSERT(*end != 0 || t->in.n == 0); /* it waits, so it has seen everything */
    t->say = NULL;
    return got;
}

int tls_write(struct tls *t, struct bytes plain, struct writer *say)
{
    size_t put = 0;

    if (!t->open || t->failed) return -ERR_CLOSED;
    if (plain.n == 0) return 0;
    begin(t, bytes_of(NULL, 0), say);
    int result = SSL_write_ex(t->ssl, plain.p, plain.n, &put);
    if (result != 1) {
        t->error = ERR_peek_last_error();
        t->failed = true;
    }
    t->say = NULL;
    return result == 1 ? 0 : -ERR_PROTOCOL;
}

void tls_end(struct tls *t, struct writer *say)
{
    if (!t->open || t->failed) return;
    begin(t, bytes_of(NULL, 0), say);
    SSL_shutdown(t->ssl); /* only says it; nobody waits for the answer */
    t->say = NULL;
}

/* ---- who and why ------------------------------------------------------------------------- */

const char *tls_reason(const struct tls *t, char *out)
{
    long verdict = SSL_get_verify_result(t->ssl);
    const char *text = t->error ? ERR_reason_error_string(t->error) : NULL;

    if (t->steps > STEPS_MAX) text = "too many key updates";
    if (!text) text = "broken off";
    if (verdict == X509_V_OK)
        snprintf(out, TLS_REASON, "%s", text);
    else
        snprintf(out, TLS_REASON, "%s: %s", text, tls_verdict_text(verdict));
    return out;
}

size_t tls_peer_name(const struct tls *t, char *out, size_t n)
{
    if (!t->open || SSL_get_verify_result(t->ssl) != X509_V_OK) return 0;
    X509 *cert = SSL_get0_peer_certificate(t->ssl);
    const X509_NAME *subject = cert ? X509_get_subject_name(cert) : NULL;
    int i = subject ? X509_NAME_get_index_by_NID(subject, NID_commonName, -1) : -1;
    if (i < 0) return 0;

    unsigned char *utf8 = NULL;
    int len = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, i)));
    size_t used = len > 0 && (size_t)len < n ? (size_t)len : 0;
    if (used) memcpy(out, utf8, used);
    if (n > 0) out[used] = '\0';
    OPENSSL_free(utf8);
    return used;
}
