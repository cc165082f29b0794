/* SPDX-License-Identifier: BSD-3-Clause */
/* ws_frame.h -- the frames of a WebSocket (RFC 6455, section 5), as a server sees them.
 *
 * Payload streams through: it is unmasked and moved to the front of the buffer it came in,
 * whatever length a frame announces and however it is cut. Only control frames, of at most
 * 125 bytes, are collected. Pure: knows no connection. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum ws_opcode {
    WS_CONTINUATION = 0,
    WS_TEXT = 1,
    WS_BINARY = 2,
    WS_CLOSE = 8,
    WS_PING = 9,
    WS_PONG = 10,
};

enum ws_code {
    WS_NORMAL = 1000,
    WS_GOING_AWAY = 1001,
    WS_PROTOCOL_ERROR = 1002,
    WS_WRONG_TYPE = 1003,
    WS_NO_CODE = 1005, /* never on the wire: the peer's close frame had none */
    WS_BAD_TEXT = 1007,
    WS_POLICY = 1008,
    WS_TOO_LARGE = 1009,
    WS_OUR_ERROR = 1011,
};

enum {
    WS_CONTROL_MAX = 125,
    WS_HEADER_MAX = 14,     /* with a mask */
    WS_PUT_HEADER_MAX = 10, /* without one */
    WS_FRAME_MAX = 1 << 30, /* payload of one frame */
    WS_EMPTY_MAX = 1024,    /* frames in a row without payload */
    WS_ZIPPED = 0x40,       /* RSV1: the message is compressed (RFC 7692, section 6) */
};

struct ws_frames {
    uint64_t left;   /* payload of the frame under way that has not come yet */
    uint8_t mask[8]; /* twice the mask, turned so that it begins at the next byte */
    uint8_t head[WS_HEADER_MAX];
    uint8_t nhead;      /* bytes of an incomplete header */
    uint8_t opcode;     /* of the frame under way */
    bool in_frame;      /* its header is complete */
    bool in_message;    /* a fragment has come, but not the last one */
    bool deflate;       /* messages may be compressed: permessage-deflate was agreed on */
    bool zipped;        /* the message under way, or the last one, is */
    bool ended;         /* ws_frames_message has come to the end of one */
    uint16_t empty;     /* frames since the last payload */
    uint16_t peer_code; /* the peer closes, with this code; 0: it does not */
    uint16_t error;     /* the peer broke a rule: close with this code */
    uint8_t ncontrol;
    uint8_t npong;
    bool pong_due; /* a ping is to be answered with `pong` */
    uint8_t control[WS_CONTROL_MAX];
    uint8_t pong[WS_CONTROL_MAX];
};

/* Takes `n` bytes at `p` and leaves their payload at its front. Returns how many bytes that
 * are. After the peer's close frame or a mistake nothing more is read. */
size_t ws_frames_read(struct ws_frames *f, uint8_t *p, size_t n);

/* The same for bytes of no more than one message, so that it can be told which are compressed:
 * sets *used to the bytes taken. */
size_t ws_frames_message(struct ws_frames *f, uint8_t *p, size_t n, size_t *used);

/* The header of a frame that we send: final, without mask. `opcode` may have WS_ZIPPED. */
void ws_frame_put_header(struct writer *w, unsigned opcode, uint64_t n);
