/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/ws_handshake.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <strings.h>

#include "base/assert.h"

enum { KEY_TEXT = 24, SHA1_BYTES = 20 };

/* What the headers said. */
struct headers {
    unsigned host, key, version, upgrade, connection, origin;
    bool wrong_version;
    bool body;
    bool foreign; /* an Origin that is not listed */
};

/* ---- text ------------------------------------------------------------------------------- */

/* RFC 9110, section 5.6.2. */
static bool is_token(uint8_t c)
{
    static const char others[] = "!#$%&'*+-.^_`|~";

    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return true;
    return c && strchr(others, c);
}

static bool is_word(struct bytes b, const char *word)
{
    return b.n == strlen(word) && strncasecmp((const char *)b.p, word, b.n) == 0;
}

static struct bytes trim(struct bytes b)
{
    while (b.n && (b.p[0] == ' ' || b.p[0] == '\t'))
        b = bytes_skip(b, 1);
    while (b.n && (b.p[b.n - 1] == ' ' || b.p[b.n - 1] == '\t'))
        b.n--;
    return b;
}

/* The first element of a list with commas; moves `list` behind it. */
static struct bytes next_element(struct bytes *list)
{
    const uint8_t *comma = list->n ? memchr(list->p, ',', list->n) : NULL;
    size_t n = comma ? (size_t)(comma - list->p) : list->n;
    struct bytes one = trim(bytes_of(list->p, n));

    *list = bytes_skip(*list, comma ? n + 1 : n);
    return one;
}

static bool lists(struct bytes value, const char *word)
{
    while (value.n > 0)
        if (is_word(next_element(&value), word)) return true;
    return false;
}

/* A line up to its CRLF; moves `in` behind that. Neither may stand alone. */
static bool next_line(struct bytes *in, struct bytes *line)
{
    const uint8_t *lf = in->n ? memchr(in->p, '\n', in->n) : NULL;

    if (!lf || lf == in->p || lf[-1] != '\r') return false;
    *line = bytes_of(in->p, (size_t)(lf - in->p) - 1);
    *in = bytes_skip(*in, line->n + 2);
    return true;
}

/* ---- headers ----------------------------------------------------------------------------- */

static bool decode_key(struct bytes text, uint8_t key[16])
{
    uint8_t out[KEY_TEXT];

    if (text.n != KEY_TEXT || text.p[22] != '=' || text.p[23] != '=' || text.p[21] == '=')
        return false;
    int n = EVP_DecodeBlock(out, text.p, KEY_TEXT); /* counts what '=' stands for */
    if (n != 18) return false;
    memcpy(key, out, 16);
    return true;
}

static void take_protocol(struct ws_request *r, struct bytes value)
{
    static const char *const known[] = {"mqtt", "mqttv3.1"};

    while (value.n > 0 && !r->protocol) { /* the first one that we speak */
        struct bytes one = next_element(&value);
        for (size_t i = 0; i < 2; i++)
            if (bytes_eq(one, bytes_str(known[i]))) r->protocol = known[i];
    }
}

static bool is_listed(const struct ws_options *o, struct bytes origin)
{
    bool listed = o->norigins == 0;

    for (unsigned i = 0; i < o->norigins; i++)
        listed |= is_word(origin, o->origins[i]);
    return listed;
}

/* False: the value can't be read. */
static bool take_header(struct ws_request *r, struct headers *h, const struct ws_options *o,
                        struct bytes name, struct bytes value)
{
    if (is_word(name, "Host")) {
        h->host++;
    } else if (is_word(name, "Upgrade")) {
        h->upgrade += lists(value, "websocket");
    } else if (is_word(name, "Connection")) {
        h->connection += lists(value, "upgrade");
    } else if (is_word(name, "Sec-WebSocket-Key")) {
        h->key++;
        return decode_key(value, r->key);
    } else if (is_word(name, "Sec-WebSocket-Version")) {
        h->version++;
        h->wrong_version = !is_word(value, "13");
    } else if (is_word(name, "Sec-WebSocket-Protocol")) {
        take_protocol(r, value);
    } else if (is_word(name, "Sec-WebSocket-Extensions")) {
        if (o->deflate) ws_offer_read(&r->deflate, value);
    } else if (is_word(name, "Origin")) {
        h->origin++;
        h->foreign = !is_listed(o, value);
    } else if (is_word(name, "Transfer-Encoding")) {
        h->body = true;
    } else if (is_word(name, "Content-Length")) {
        h->body |= !is_word(value, "0");
    }
    return true;
}

static bool split_header(struct bytes line, struct bytes *name, struct bytes *value)
{
    size_t n = 0;

    while (n < line.n && is_token(line.p[n]))
        n++;
    if (n == 0 || n == line.n || line.p[n] != ':') return false; /* a folded line too */
    *name = bytes_of(line.p, n);
    *value = trim(bytes_skip(line, n + 1));
    for (size_t i = 0; i < value->n; i++)
        if ((value->p[i] < ' ' && value->p[i] != '\t') || value->p[i] == 0x7F) return false;
    return true;
}

/* "GET /mqtt HTTP/1.1"; a query after the path is allowed, and ignored. */
static unsigned judge_request_line(const struct ws_options *o, struct bytes line)
{
    static const char version[] = " HTTP/1.1";
    size_t tail = sizeof version - 1;

    if (!bytes_starts(line, BYTES("GET "))) return 405;
    if (line.n < 4 + 1 + tail || memcmp(line.p + line.n - tail, version, tail) != 0) return 400;
    struct bytes path = bytes_of(line.p + 4, line.n - 4 - tail);
    for (size_t i = 0; i < path.n; i++)
        if (path.p[i] <= ' ' || path.p[i] >= 0x7F) return 400;
    const uint8_t *query = memchr(path.p, '?', path.n);
    if (query) path.n = (size_t)(query - path.p);
    return bytes_eq(path, bytes_str(o->path)) ? 0 : 404;
}

static unsigned judge_headers(const struct ws_request *r, const struct headers *h)
{
    if (h->host != 1 || h->body || h->origin > 1) return 400;
    if (h->upgrade == 0 || h->connection == 0) return 426;
    if (h->version != 1) return 400;
    if (h->wrong_version) return 426;            /* section 4.4 */
    if (h->key != 1 || !r->protocol) return 400; /* [MQTT-6.0.0-3] */
    return h->foreign ? 403 : 0;
}

static unsigned judge(struct ws_request *r, const struct ws_options *o, struct bytes head)
{
    struct headers h = {.host = 0};
    struct bytes line, name, value;
    unsigned lines = 0;

    if (!next_line(&head, &line)) return 400;
    unsigned bad = judge_request_line(o, line);
    while (!bad && next_line(&head, &line) && line.n > 0) {
        if (++lines > WS_HEADERS_MAX)
            bad = 431;
        else if (!split_header(line, &name, &value))
            bad = 400;
        else if (!take_header(r, &h, o, name, value))
            bad = 400;
    }
    if (!bad && line.n > 0) bad = 400; /* a CR or LF that stands alone */
    return bad ? bad : judge_headers(r, &h);
}

/* ---- the request as a whole -------------------------------------------------------------- */

/* The length of the head, its empty line included; 0: it is not complete. */
static size_t find_end(struct ws_request *r, struct bytes in)
{
    size_t i = r->seen > 3 ? r->seen - 3 : 0;

    for (; i + 4 <= in.n; i++)
        if (memcmp(in.p + i, "\r\n\r\n", 4) == 0) return i + 4;
    r->seen = in.n;
    return 0;
}

long ws_request_read(struct ws_request *r, const struct ws_options *o, struct bytes in)
{
    struct bytes start = bytes_of(in.p, in.n < 4 ? in.n : 4);

    if (!bytes_starts(BYTES("GET "), start)) return -405;
    struct bytes window = bytes_of(in.p, in.n < WS_REQUEST_MAX ? in.n : WS_REQUEST_MAX);
    size_t n = find_end(r, window);
    if (n == 0) return in.n >= WS_REQUEST_MAX ? -431 : 0;
    unsigned bad = judge(r, o, bytes_of(in.p, n));
    return bad ? -(long)bad : (long)n;
}

/* ---- the answer --------------------------------------------------------------------------- */

static void put_text(struct writer *w, const char *text)
{
    wr_bytes(w, bytes_str(text));
}

/* Section 4.2.2: base64(SHA-1(key as text, then a constant)). */
static void put_digest(struct writer *w, const uint8_t key[16])
{
    static const char constant[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    uint8_t text[KEY_TEXT + sizeof constant];
    uint8_t digest[EVP_MAX_MD_SIZE];
    uint8_t out[2 * SHA1_BYTES];

    EVP_EncodeBlock(text, key, 16);
    memcpy(text + KEY_TEXT, constant, sizeof constant);
    int ok = EVP_Digest(text, sizeof text - 1, digest, NULL, EVP_sha1(), NULL);
    if (ok != 1) w->bad = true; /* out of memory */
    if (w->bad) return;
    int n = EVP_EncodeBlock(out, digest, SHA1_BYTES);
    wr_bytes(w, bytes_of(out, (size_t)n));
}

void ws_put_accept(struct writer *w, const struct ws_request *r)
{
    put_text(w, "HTTP/1.1 101 Switching Protocols\r\n"
                "Upgrade: websocket\r\n"
                "Connection: Upgrade\r\n"
                "Sec-WebSocket-Accept: ");
    put_digest(w, r->key);
    put_text(w, "\r\nSec-WebSocket-Protocol: ");
    put_text(w, r->protocol);
    put_text(w, "\r\n");
    ws_offer_put(w, &r->deflate);
    put_text(w, "\r\n");
}

const char *ws_status_text(unsigned status)
{
    switch (status) {
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 426: return "Upgrade Required";
    case 431: return "Request Header Fields Too Large";
    default: return "Bad Request";
    }
}

void ws_put_refusal(struct writer *w, unsigned status)
{
    char text[WS_ANSWER_MAX];
    const char *more = status == 405   ? "Allow: GET\r\n"
                       : status == 426 ? "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                                       : "";

    snprintf(text, sizeof text,
             "HTTP/1.1 %u %s\r\n%sConnection: %sclose\r\nContent-Length: 0\r\n\r\n", status,
             ws_status_text(status), more, status == 426 ? "Upgrade, " : "");
    put_text(w, text);
}
