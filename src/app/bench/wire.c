/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/bench/wire.h"

#include <openssl/err.h>
#include <string.h>

#include "base/err.h"
#include "core/sock.h"

enum wire_state { WIRE_SECURING, WIRE_ASKING, WIRE_ANSWER, WIRE_UP };

enum { FIN_BINARY = 0x82, CLOSE = 8, CONTROL = 8, OPCODE = 0x0f, MASKED = 0x80 };

static const uint8_t mask[8] = {0x37, 0xfa, 0x21, 0x3d, 0x37, 0xfa, 0x21, 0x3d};

/* ---- rules --------------------------------------------------------------------------------- */

int wire_kind_find(const char *name)
{
    static const char *const names[WIRE_KINDS] = {"tcp", "tls", "ws", "wss"};

    for (int i = 0; i < WIRE_KINDS; i++)
        if (strcmp(names[i], name) == 0) return i;
    return -ERR_INVALID;
}

static int on_session(SSL *ssl, SSL_SESSION *s)
{
    struct wire *w = SSL_get_app_data(ssl);

    SSL_SESSION_free(w->session);
    w->session = s;
    return 1; /* kept */
}

int wire_rules_init(struct wire_rules *r, enum wire_kind kind, bool resume)
{
    *r = (struct wire_rules){.ws = kind == WIRE_WS || kind == WIRE_WSS, .resume = resume};
    if (kind != WIRE_TLS && kind != WIRE_WSS) return 0;
    r->ctx = SSL_CTX_new(TLS_client_method());
    if (!r->ctx) return -ERR_NOMEM;
    SSL_CTX_set_verify(r->ctx, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_mode(r->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(r->ctx, 1);
    SSL_CTX_set_session_cache_mode(r->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    if (resume) SSL_CTX_sess_set_new_cb(r->ctx, on_session);
    return 0;
}

void wire_rules_fini(struct wire_rules *r)
{
    SSL_CTX_free(r->ctx);
    r->ctx = NULL;
}

/* ---- life ---------------------------------------------------------------------------------- */

int wire_open(struct wire *w, const struct wire_rules *r, int fd)
{
    SSL_SESSION *session = w->session;

    *w = (struct wire){.rules = r, .fd = fd, .session = session, .state = WIRE_UP};
    if (r->ws) w->state = WIRE_ASKING;
    if (!r->ctx) return 0;
    w->state = WIRE_SECURING;
    w->ssl = SSL_new(r->ctx);
    if (!w->ssl || SSL_set_fd(w->ssl, fd) != 1) return -ERR_NOMEM;
    SSL_set_app_data(w->ssl, w);
    if (session) SSL_set_session(w->ssl, session);
    return 0;
}

void wire_close(struct wire *w)
{
    /* Else OpenSSL holds the session to be spoilt. */
    if (w->ssl) SSL_set_shutdown(w->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(w->ssl);
    w->ssl = NULL;
}

void wire_forget(struct wire *w)
{
    SSL_SESSION_free(w->session);
    w->session = NULL;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

/* Why a call of OpenSSL did not succeed. */
static int judge(const struct wire *w, int result)
{
    switch (SSL_get_error(w->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: return -ERR_AGAIN;
    case SSL_ERROR_ZERO_RETURN: return -ERR_CLOSED;
    case SSL_ERROR_SSL:
        return ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING
                   ? -ERR_CLOSED
                   : -ERR_PROTOCOL;
    default: return -ERR_RESET;
    }
}

long wire_send(struct wire *w, struct bytes b)
{
    struct iovec v = {.iov_base = (void *)(uintptr_t)b.p, .iov_len = b.n};
    size_t taken = 0, n;

    if (!w->ssl) return sock_send(w->fd, &v, 1);
    ERR_clear_error();
    while (taken < b.n) {
        int result = SSL_write_ex(w->ssl, b.p + taken, b.n - taken, &n);
        if (result == 1) {
            taken += n; /* a record at a time */
            continue;
        }
        int why = judge(w, result);
        return taken > 0 && why == -ERR_AGAIN ? (long)taken : why;
    }
    return (long)taken;
}

/* What the socket has, without TLS. */
static long take(struct wire *w, uint8_t *to, size_t n)
{
    size_t got = 0, now;
    int result = 1;

    if (!w->ssl) return sock_recv(w->fd, to, n);
    ERR_clear_error();
    while (got < n && (result = SSL_read_ex(w->ssl, to + got, n - got, &now)) == 1)
        got += now;
    return got > 0 ? (long)got : judge(w, result);
}

bool wire_has_more(const struct wire *w)
{
    return w->ssl && SSL_pending(w->ssl) > 0;
}

/* ---- WebSocket --------------------------------------------------------------------------------
 */

struct bytes wire_frame(const struct wire *w, uint8_t *to, struct bytes b)
{
    struct writer out = wr_of(to, WIRE_HEADER_MAX);
    size_t i = 0;

    if (!w->rules->ws) return b;
    wr_u8(&out, FIN_BINARY);
    if (b.n < 126) {
        wr_u8(&out, (uint8_t)(MASKED | b.n));
    } else if (b.n <= UINT16_MAX) {
        wr_u8(&out, MASKED | 126);
        wr_u16be(&out, (uint16_t)b.n);
    } else {
        wr_u8(&out, MASKED | 127);
        wr_u32be(&out, 0);
        wr_u32be(&out, (uint32_t)b.n);
    }
    wr_bytes(&out, bytes_of(mask, 4));
    for (uint64_t eight, key; i + 8 <= b.n; i += 8) {
        memcpy(&key, mask, 8);
        memcpy(&eight, b.p + i, 8);
        eight ^= key;
        memcpy(out.p + i, &eight, 8);
    }
    for (; i < b.n; i++)
        out.p[i] = b.p[i] ^ mask[i % 4];
    return bytes_of(to, wr_len(&out) + b.n);
}

/* Adds a byte to the header of the frame that comes; sets w->left when it is complete. */
static void add_to_header(struct wire *w, uint8_t byte)
{
    w->head[w->nhead++] = byte;
    if (w->nhead < 2) return;
    uint8_t length = w->head[1];
    unsigned more = length == 126 ? 2 : length == 127 ? 8 : 0;
    if (w->nhead < 2 + more) return;

    w->left = more ? 0 : length;
    for (unsigned i = 0; i < more; i++)
        w->left = w->left << 8 | w->head[2 + i];
    w->opcode = w->head[0] & OPCODE;
    w->nhead = 0;
}

/* Moves the payload among `n` bytes at `p` to the front. Returns its length, or -ERR_X. */
static long unframe(struct wire *w, uint8_t *p, size_t n)
{
    size_t kept = 0, i = 0;

    while (i < n) {
        if (w->left == 0) {
            add_to_header(w, p[i++]);
            if (w->nhead == 0 && w->opcode == CLOSE) return kept ? (long)kept : -ERR_CLOSED;
            continue;
        }
        size_t now = w->left < n - i ? (size_t)w->left : n - i;
        if (!(w->opcode & CONTROL)) {
            memmove(p + kept, p + i, now);
            kept += now;
        }
        i += now;
        w->left -= now;
    }
    return kept ? (long)kept : -ERR_AGAIN;
}

long wire_recv(struct wire *w, uint8_t *to, size_t n)
{
    long got = take(w, to, n);

    return got > 0 && w->rules->ws ? unframe(w, to, (size_t)got) : got;
}

/* ---- handshakes -------------------------------------------------------------------------------
 */

static int ask(struct wire *w)
{
    static const char request[] = "GET /mqtt HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\n"
                                  "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                  "Sec-WebSocket-Protocol: mqtt\r\n\r\n";
    long n = wire_send(w, bytes_of(request, sizeof request - 1));

    w->state = WIRE_ANSWER;
    if (n < 0) return (int)n;
    return (size_t)n == sizeof request - 1 ? 0 : -ERR_FULL; /* a new socket takes this much */
}

/* Reads the answer up to its empty line; nothing follows that before our CONNECT. */
static int hear_answer(struct wire *w)
{
    static const char first[] = "HTTP/1.1 101", end[] = "\r\n\r\n";
    enum { FIRST = sizeof first - 1, END = sizeof end - 1 };
    uint8_t buf[512];
    long n = take(w, buf, sizeof buf);

    for (long i = 0; i < n; i++) {
        uint8_t c = buf[i];
        if (w->matched < FIRST) {
            if (c != (uint8_t)first[w->matched]) return -ERR_PROTOCOL;
            w->matched++;
            continue;
        }
        unsigned at = w->matched - FIRST;
        w->matched = (uint8_t)(FIRST + (c == (uint8_t)end[at] ? at + 1 : c == '\r'));
        if (w->matched < FIRST + END) continue;
        w->state = WIRE_UP;
        return i + 1 == n ? 0 : -ERR_PROTOCOL;
    }
    return n < 0 ? (int)n : -ERR_AGAIN;
}

int wire_step(struct wire *w)
{
    if (w->state == WIRE_SECURING) {
        ERR_clear_error();
        int result = SSL_connect(w->ssl);
        if (result != 1) return judge(w, result);
        w->state = w->rules->ws ? WIRE_ASKING : WIRE_UP;
    }
    if (w->state == WIRE_ASKING) {
        int err = ask(w);
        if (err < 0) return err;
    }
    return w->state == WIRE_ANSWER ? hear_answer(w) : 0;
}
