/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/proxy.h"

#include <arpa/inet.h>

enum step {
    STEP_START,   /* which version? */
    STEP_LINE,    /* version 1, up to its line feed */
    STEP_FIXED,   /* version 2: signature, command, family, length */
    STEP_ADDRESS, /* its addresses */
    STEP_TLV,     /* type and length of an addition */
    STEP_VALUE,   /* an addition that nobody needs */
    STEP_SUM,     /* the one that is a checksum */
    STEP_REST,    /* all of it, if nothing of it counts */
};

enum { FIXED = 16, TLV_HEAD = 3, SUM_BYTES = 4, TYPE_CRC32C = 3 };
enum { LOCAL = 0x20, PROXY = 0x21 };
enum { UNSPEC, INET, INET6, UNIX, FAMILIES };
enum { PROTOCOLS = 3 };

static const uint8_t v1_start[6] = {'P', 'R', 'O', 'X', 'Y', ' '};
static const uint8_t v2_start[12] = {'\r', '\n', '\r', '\n', 0,   '\r',
                                     '\n', 'Q',  'U',  'I',  'T', '\n'};
static const uint8_t address_bytes[FAMILIES] = {0, 12, 36, 216};

static void fail(struct proxy *p, const char *why)
{
    p->state = PROXY_BAD;
    p->why = why;
}

/* A source that says nothing would pass for a Unix socket. */
static void set_v6(struct proxy *p, const uint8_t ip[16], uint16_t port)
{
    static const uint8_t none[16];

    memcpy(p->source.ip, ip, 16);
    p->source.port = port;
    p->known = true;
    if (memcmp(ip, none, sizeof none) == 0) fail(p, "the client has no address");
}

static void set_v4(struct proxy *p, const uint8_t ip[4], uint16_t port)
{
    uint8_t mapped[16] = {[10] = 0xFF, [11] = 0xFF};

    memcpy(mapped + 12, ip, 4);
    set_v6(p, mapped, port);
}

/* ---- version 1 --------------------------------------------------------------------------- */

/* The next word, up to a single space or the end; moves `line` behind it. */
static struct bytes next_word(struct bytes *line)
{
    const uint8_t *space = line->n ? memchr(line->p, ' ', line->n) : NULL;
    struct bytes word = bytes_of(line->p, space ? (size_t)(space - line->p) : line->n);

    *line = bytes_skip(*line, word.n + (space ? 1 : 0));
    return word;
}

/* 0 to 65535 without leading zeros [PROXY-2.1]; -1. */
static long port_of(struct bytes word)
{
    long port = 0;

    if (word.n == 0 || word.n > 5 || (word.n > 1 && word.p[0] == '0')) return -1;
    for (size_t i = 0; i < word.n; i++) {
        if (word.p[i] < '0' || word.p[i] > '9') return -1;
        port = port * 10 + (word.p[i] - '0');
    }
    return port <= UINT16_MAX ? port : -1;
}

static bool address_of(struct bytes word, int family, uint8_t ip[16])
{
    char text[INET6_ADDRSTRLEN];

    if (word.n >= sizeof text || memchr(word.p, 0, word.n)) return false;
    memcpy(text, word.p, word.n);
    text[word.n] = '\0';
    return inet_pton(family, text, ip) == 1;
}

static void judge_line(struct proxy *p, struct bytes line)
{
    struct bytes protocol = next_word(&line);
    bool v4 = bytes_eq(protocol, BYTES("TCP4")), v6 = bytes_eq(protocol, BYTES("TCP6"));
    uint8_t from[16], to[16];

    p->state = PROXY_DONE;
    if (bytes_eq(protocol, BYTES("UNKNOWN"))) return; /* the rest is ignored [PROXY-2.1] */
    if (!v4 && !v6) {
        fail(p, "neither TCP4 nor TCP6 nor UNKNOWN");
        return;
    }
    bool good = address_of(next_word(&line), v4 ? AF_INET : AF_INET6, from);
    good = address_of(next_word(&line), v4 ? AF_INET : AF_INET6, to) && good;
    long port = port_of(next_word(&line));
    good = good && port >= 0 && memchr(line.p, ' ', line.n) == NULL && port_of(line) >= 0;
    if (!good)
        fail(p, "an address or a port is wrong");
    else if (v4)
        set_v4(p, from, (uint16_t)port);
    else
        set_v6(p, from, (uint16_t)port);
}

/* One byte of a line that ends with CR LF and in which neither stands alone [PROXY-2.1]. */
static size_t take_in_line(struct proxy *p, uint8_t byte)
{
    bool after_cr = p->part[p->got - 1] == '\r';

    p->part[p->got++] = byte;
    if (after_cr != (byte == '\n'))
        fail(p, "a line that does not end with CRLF");
    else if (byte == '\n')
        judge_line(p, bytes_of(p->part + sizeof v1_start, p->got - sizeof v1_start - 2));
    else if (p->got == PROXY_LINE_MAX)
        fail(p, "a line of more than 107 bytes");
    return 1;
}

/* ---- version 2 ------------------------------------------------------------------------------- */

/* CRC32C, a bit at a time: few bytes, and once in a connection's life. */
static uint32_t sum_byte(uint32_t sum, uint8_t byte)
{
    sum ^= byte;
    for (int bit = 0; bit < 8; bit++)
        sum = sum >> 1 ^ (sum & 1 ? 0x82F63B78u : 0);
    return sum;
}

static void end_piece(struct proxy *p);

static void begin_piece(struct proxy *p, enum step step, uint16_t bytes)
{
    p->step = (uint8_t)step;
    p->want = bytes;
    p->got = 0;
    if (bytes == 0) end_piece(p);
}

static void begin_addition(struct proxy *p)
{
    if (p->left == 0) {
        p->state = PROXY_DONE;
        if (p->has_sum && ~p->sum != p->sum_wanted)
            fail(p, "the checksum is wrong"); /* [PROXY-2.2.3] */
    } else if (p->left < TLV_HEAD) {
        fail(p, "an addition is cut off");
    } else {
        begin_piece(p, STEP_TLV, TLV_HEAD);
    }
}

static void end_fixed(struct proxy *p)
{
    uint8_t command = p->part[12];
    uint8_t family = p->part[13] >> 4, protocol = p->part[13] & 0x0F;

    p->left = (uint16_t)(p->part[14] << 8 | p->part[15]);
    if (command != LOCAL && command != PROXY) {
        fail(p, "a version or command that is unknown"); /* [PROXY-2.2] */
    } else if (command == LOCAL) {
        begin_piece(p, STEP_REST, p->left); /* "including the family which is ignored" */
    } else if (family >= FAMILIES || protocol >= PROTOCOLS) {
        fail(p, "a family or protocol that is unknown"); /* [PROXY-2.2] */
    } else if (family == UNSPEC || protocol == UNSPEC) {
        begin_piece(p, STEP_REST, p->left); /* the proxy's own address holds [PROXY-2.2] */
    } else if (p->left < address_bytes[family]) {
        fail(p, "shorter than its addresses");
    } else {
        begin_piece(p, STEP_ADDRESS, address_bytes[family]);
    }
}

static void end_address(struct proxy *p)
{
    const uint8_t *a = p->part;

    switch (p->want) {
    case 12: set_v4(p, a, (uint16_t)(a[8] << 8 | a[9])); break;
    case 36: set_v6(p, a, (uint16_t)(a[32] << 8 | a[33])); break;
    default: p->known = true;
    }
    if (p->state == PROXY_MORE) begin_addition(p);
}

static void end_tlv(struct proxy *p)
{
    uint16_t bytes = (uint16_t)(p->part[1] << 8 | p->part[2]);

    if (bytes > p->left)
        fail(p, "an addition is cut off");
    else if (p->part[0] != TYPE_CRC32C)
        begin_piece(p, STEP_VALUE, bytes);
    else if (bytes != SUM_BYTES || p->has_sum)
        fail(p, "a checksum that is none");
    else
        begin_piece(p, STEP_SUM, bytes);
}

static void end_sum(struct proxy *p)
{
    struct reader r = rd_of(bytes_of(p->part, SUM_BYTES));

    p->has_sum = true;
    p->sum_wanted = rd_u32be(&r);
    begin_addition(p);
}

static void end_piece(struct proxy *p)
{
    switch (p->step) {
    case STEP_FIXED: end_fixed(p); break;
    case STEP_ADDRESS: end_address(p); break;
    case STEP_TLV: end_tlv(p); break;
    case STEP_SUM: end_sum(p); break;
    case STEP_VALUE: begin_addition(p); break;
    default: p->state = PROXY_DONE;
    }
}

/* As much of the piece under way as there is. Only its beginning is kept. */
static size_t take_piece(struct proxy *p, struct bytes in)
{
    size_t now = in.n < (size_t)(p->want - p->got) ? in.n : (size_t)(p->want - p->got);

    for (size_t i = 0; i < now; i++) {
        p->sum = sum_byte(p->sum, p->step == STEP_SUM ? 0 : in.p[i]); /* [PROXY-2.2.3] */
        if (p->got + i < sizeof p->part) p->part[p->got + i] = in.p[i];
    }
    p->got = (uint16_t)(p->got + now);
    if (p->step != STEP_FIXED) p->left = (uint16_t)(p->left - now);
    if (p->got == p->want) end_piece(p);
    return now;
}

/* ---- both ---------------------------------------------------------------------------------------
 */

/* One byte of what tells the versions apart [PROXY-2.2]. */
static size_t take_start(struct proxy *p, uint8_t byte)
{
    bool v1 = (p->got ? p->part[0] : byte) == v1_start[0];
    const uint8_t *start = v1 ? v1_start : v2_start;

    if (byte != start[p->got]) {
        fail(p, "no PROXY header");
        return 1;
    }
    p->part[p->got++] = byte;
    if (p->got == 1) p->sum = UINT32_MAX;
    p->sum = sum_byte(p->sum, byte);
    if (v1 && p->got == sizeof v1_start) p->step = STEP_LINE;
    if (!v1 && p->got == sizeof v2_start) {
        p->step = STEP_FIXED;
        p->want = FIXED;
    }
    return 1;
}

size_t proxy_read(struct proxy *p, struct bytes in)
{
    size_t used = 0;

    while (p->state == PROXY_MORE && used < in.n) {
        struct bytes rest = bytes_skip(in, used);
        if (p->step == STEP_START)
            used += take_start(p, rest.p[0]);
        else if (p->step == STEP_LINE)
            used += take_in_line(p, rest.p[0]);
        else
            used += take_piece(p, rest);
    }
    return used;
}
