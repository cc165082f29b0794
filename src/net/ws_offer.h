/* SPDX-License-Identifier: BSD-3-Clause */
/* ws_offer.h -- what a client offers in Sec-WebSocket-Extensions (RFC 6455, section 9.1): of it
 * we know permessage-deflate (RFC 7692). Pure. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"

/* What was agreed on. Neither side keeps a window from one message to the next. */
struct ws_deflate {
    bool agreed;
    bool bits_said;      /* the client asked how many, so it is told */
    uint8_t window_bits; /* of what we compress, 9 to 15 */
};

/* Takes the first offer in `value` that we can keep, unless there is one already. */
void ws_offer_read(struct ws_deflate *d, struct bytes value);

/* The header that accepts it; nothing if nothing was agreed on. */
enum { WS_OFFER_ANSWER_MAX = 144 };
void ws_offer_put(struct writer *w, const struct ws_deflate *d);
