/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/ws_frame.h"

#include "base/utf8.h"

enum { FIN = 0x80, RSV = 0x70, OPCODE = 0x0F, MASKED = 0x80, CONTROL = 0x08, LENGTH = 0x7F };

static bool is_control(uint8_t opcode)
{
    return opcode & CONTROL;
}

/* ---- headers --------------------------------------------------------------------------- */

static size_t header_bytes(uint8_t second)
{
    uint8_t length = second & LENGTH;

    return 2 + (length == 126 ? 2u : length == 127 ? 8u : 0u) + 4;
}

static uint64_t payload_bytes(struct bytes header)
{
    struct reader r = rd_of(bytes_skip(header, 1));
    uint8_t length = rd_u8(&r) & LENGTH;

    if (length == 126) return rd_u16be(&r);
    if (length < 126) return length;
    uint64_t high = rd_u32be(&r);
    return high << 32 | rd_u32be(&r);
}

/* The shortest form must be used (section 5.2). */
static bool is_minimal(uint8_t second, uint64_t n)
{
    uint8_t length = second & LENGTH;

    return length < 126 || (length == 126 && n >= 126) || (length == 127 && n > UINT16_MAX);
}

/* What is wrong with the first two bytes; 0: nothing. */
static uint16_t judge_start(const struct ws_frames *f, uint8_t first, uint8_t second)
{
    uint8_t opcode = first & OPCODE;

    bool may_be_zipped = f->deflate && (opcode == WS_TEXT || opcode == WS_BINARY);
    unsigned reserved = may_be_zipped ? RSV & ~(unsigned)WS_ZIPPED : RSV;

    if (first & reserved) return WS_PROTOCOL_ERROR;   /* no extension gives it a meaning (5.2) */
    if (!(second & MASKED)) return WS_PROTOCOL_ERROR; /* section 5.1 */
    if (is_control(opcode)) {
        if (opcode > WS_PONG) return WS_PROTOCOL_ERROR;
        bool whole = first & FIN && (second & LENGTH) <= WS_CONTROL_MAX; /* section 5.5 */
        return whole ? 0 : WS_PROTOCOL_ERROR;
    }
    if (opcode > WS_BINARY) return WS_PROTOCOL_ERROR;
    if ((opcode == WS_CONTINUATION) != f->in_message) return WS_PROTOCOL_ERROR; /* section 5.4 */
    return opcode == WS_TEXT ? WS_WRONG_TYPE : 0;                               /* [MQTT-6.0.0-1] */
}

static uint16_t judge_length(const struct ws_frames *f, uint8_t second, uint64_t n)
{
    if (n >> 63 || !is_minimal(second, n)) return WS_PROTOCOL_ERROR;
    if (n > WS_FRAME_MAX) return WS_TOO_LARGE;
    return n == 0 && f->empty >= WS_EMPTY_MAX ? WS_POLICY : 0;
}

static void begin_frame(struct ws_frames *f, uint8_t first)
{
    if (is_control(f->opcode)) {
        f->ncontrol = 0;
        return;
    }
    if (f->opcode != WS_CONTINUATION) f->zipped = first & WS_ZIPPED;
    f->in_message = !(first & FIN);
}

/* Adds bytes to the header until it is complete or has an error. Returns the bytes taken. */
static size_t read_header(struct ws_frames *f, const uint8_t *p, size_t n)
{
    size_t used = 0;

    while (used < n) {
        f->head[f->nhead++] = p[used++];
        if (f->nhead < 2) continue;
        if (f->nhead == 2) f->error = judge_start(f, f->head[0], f->head[1]);
        if (f->error) return used;
        size_t all = header_bytes(f->head[1]);
        if (f->nhead < all) continue;

        f->left = payload_bytes(bytes_of(f->head, all));
        f->error = judge_length(f, f->head[1], f->left);
        f->opcode = f->head[0] & OPCODE;
        f->in_frame = true;
        f->nhead = 0;
        memcpy(f->mask, f->head + all - 4, 4);
        memcpy(f->mask + 4, f->head + all - 4, 4);
        f->empty = f->left ? 0 : (uint16_t)(f->empty + 1);
        begin_frame(f, f->head[0]);
        return used;
    }
    return used;
}

/* ---- payload ------------------------------------------------------------------------------ */

/* Unmasks `n` bytes from `from` to `to`, which is the same place or one before it. */
static void unmask(struct ws_frames *f, uint8_t *to, const uint8_t *from, size_t n)
{
    uint64_t mask, eight;
    size_t i = 0;

    memcpy(&mask, f->mask, sizeof mask);
    for (; i + 8 <= n; i += 8) {
        memcpy(&eight, from + i, 8);
        eight ^= mask;
        memcpy(to + i, &eight, 8);
    }
    for (; i < n; i++)
        to[i] = from[i] ^ f->mask[i % 4];

    uint8_t turned[8];
    for (size_t k = 0; k < 8; k++)
        turned[k] = f->mask[(n + k) % 4];
    memcpy(f->mask, turned, sizeof turned);
}

/* Codes that may stand in a close frame (section 7.4). */
static bool is_code(unsigned code)
{
    if (code >= 3000) return code <= 4999;
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

static void on_close(struct ws_frames *f)
{
    struct reader r = rd_of(bytes_of(f->control, f->ncontrol));

    f->peer_code = WS_NO_CODE;
    if (f->ncontrol == 0) return;
    f->peer_code = rd_u16be(&r);
    if (r.bad || !is_code(f->peer_code))
        f->error = WS_PROTOCOL_ERROR;
    else if (!utf8_valid(rd_rest(&r)))
        f->error = WS_BAD_TEXT;
}

static void on_control(struct ws_frames *f)
{
    if (f->opcode == WS_CLOSE) on_close(f);
    if (f->opcode != WS_PING) return;
    memcpy(f->pong, f->control, f->ncontrol); /* only the last one need be answered (5.5.3) */
    f->npong = f->ncontrol;
    f->pong_due = true;
}

/* Reads on until the bytes end, or with `one` a message does; *used is how far that was. */
static size_t read_frames(struct ws_frames *f, uint8_t *p, size_t n, bool one, size_t *used)
{
    size_t kept = 0, i = 0;

    f->ended = false;
    while (!f->error && !f->peer_code && !(one && f->ended)) {
        if (!f->in_frame) {
            if (i == n) break;
            i += read_header(f, p + i, n - i);
            if (f->error || !f->in_frame) continue;
        }
        size_t now = f->left < n - i ? (size_t)f->left : n - i;
        if (is_control(f->opcode)) {
            unmask(f, f->control + f->ncontrol, p + i, now);
            f->ncontrol = (uint8_t)(f->ncontrol + now);
        } else {
            unmask(f, p + kept, p + i, now);
            kept += now;
        }
        i += now;
        f->left -= now;
        if (f->left > 0) break;
        f->in_frame = false;
        if (is_control(f->opcode))
            on_control(f);
        else
            f->ended = !f->in_message;
    }
    *used = i;
    return kept;
}

size_t ws_frames_read(struct ws_frames *f, uint8_t *p, size_t n)
{
    size_t used;

    return read_frames(f, p, n, false, &used);
}

size_t ws_frames_message(struct ws_frames *f, uint8_t *p, size_t n, size_t *used)
{
    return read_frames(f, p, n, true, used);
}

/* ---- out ------------------------------------------------------------------------------------ */

void ws_frame_put_header(struct writer *w, unsigned opcode, uint64_t n)
{
    wr_u8(w, (uint8_t)(FIN | opcode));
    if (n < 126) {
        wr_u8(w, (uint8_t)n);
    } else if (n <= UINT16_MAX) {
        wr_u8(w, 126);
        wr_u16be(w, (uint16_t)n);
    } else {
        wr_u8(w, 127);
        wr_u32be(w, (uint32_t)(n >> 32));
        wr_u32be(w, (uint32_t)n);
    }
}
