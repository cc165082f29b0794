/* SPDX-License-Identifier: BSD-3-Clause */
/* ws.h -- a WebSocket on a connection: first its handshake, then frames.
 *
 * What it has to say by itself (the answer to the handshake, a pong, a close frame) waits in
 * it as flags until net's one send of the turn, so a flood of pings costs no memory.
 *
 * malloc'd: it moves with its connection. */
#pragma once

#include "net/ws_frame.h"
#include "net/ws_handshake.h"
#include "net/zip.h"

struct ws;

/* `o` is borrowed while it lives. NULL: no memory. */
struct ws *ws_new(const struct ws_options *o);
void ws_free(struct ws **w);

bool ws_is_open(const struct ws *w);

/* Takes `n` bytes at `p`, leaves the payload at its front and returns how much that is.
 * *end: 0; -ERR_CLOSED if the peer has closed, or -ERR_X if it broke a rule. */
size_t ws_read(struct ws *w, uint8_t *p, size_t n, int *end);

/* Was it agreed that messages may be compressed? Then ws_read leaves frames as they are, behind
 * the request, and they are opened here, one message at a time: `n` bytes at `p`, which it changes.
 * Payload is added to `out`; a compressed message that stands for more than `max` bytes is refused.
 * Returns the bytes of `p` that were used; the rest wants another call. */
bool ws_is_zipping(const struct ws *w);
struct ws_unzip {
    struct zip *zip;
    struct zip_out *out;
    size_t max;
};
size_t ws_unzip(struct ws *w, const struct ws_unzip *to, uint8_t *p, size_t n, int *end);

/* The frame around `plain`, compressed if that makes it smaller. Needs room for it as it is. */
void ws_put_zipped(const struct ws *w, struct zip *z, struct writer *out, struct bytes plain);

/* Has it anything to say, but for the close frame? Writes it; all of it fits in WS_SAY_MAX bytes.
 */
enum { WS_SAY_MAX = WS_ANSWER_MAX + 2 * (WS_CONTROL_MAX + WS_PUT_HEADER_MAX) };
bool ws_has_words(const struct ws *w);
void ws_say(struct ws *w, struct writer *out);

/* The header of a frame around the next `n` bytes. */
void ws_put_header(struct writer *out, size_t n);

/* The connection closes for `why`: chooses the code of the close frame, unless it is known;
 * then writes that frame, behind which nothing may follow. */
void ws_end(struct ws *w, int why);
void ws_say_close(struct ws *w, struct writer *out);

/* Why the handshake failed. */
const char *ws_reason(const struct ws *w);
