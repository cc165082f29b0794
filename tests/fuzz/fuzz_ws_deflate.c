/* SPDX-License-Identifier: BSD-3-Clause */
/* Compressed frames open to the same bytes and the same end, read at once or in pieces, and to no
 * more than a message may have; an offer is answered in the room there is. */
#include <stdlib.h>

#include "base/assert.h"
#include "net/ws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MESSAGE_MAX = 4096, OUT_MAX = 1 << 24 };

static const char request[] =
    "GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: mqtt\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
static const struct ws_options options = {.path = "/mqtt", .deflate = true};

static struct ws *open_one(void)
{
    struct ws *w = ws_new(&options);
    char text[sizeof request];
    int end;

    ASSERT(w);
    memcpy(text, request, sizeof text);
    ASSERT(ws_read(w, (uint8_t *)text, sizeof text - 1, &end) == 0 && end == 0);
    ASSERT(ws_is_zipping(w));
    return w;
}

/* The end; all payload goes to `out`. */
static int read_in_pieces(struct zip *z, const uint8_t *in, size_t n, struct zip_out *out,
                          size_t piece)
{
    struct ws *w = open_one();
    const struct ws_unzip to = {.zip = z, .out = out, .max = MESSAGE_MAX};
    int end = 0;

    for (size_t i = 0; end == 0 && i < n; i += piece) {
        size_t now = piece < n - i ? piece : n - i;
        uint8_t *p = malloc(now); /* of its exact length, so that the sanitizer sees every step */
        ASSERT(p);
        memcpy(p, in + i, now);
        for (size_t used = 0; end == 0 && used < now;) {
            size_t before = out->n;
            size_t took = ws_unzip(w, &to, p + used, now - used, &end);
            ASSERT(took > 0 && took <= now - used);
            ASSERT(out->n - before <= MESSAGE_MAX + now && out->n < OUT_MAX);
            used += took;
        }
        free(p);
    }
    ws_free(&w);
    return end;
}

static void offer(struct bytes text)
{
    uint8_t room[WS_OFFER_ANSWER_MAX];
    struct writer w = wr_of(room, sizeof room);
    struct ws_deflate d = {.agreed = false};

    ws_offer_read(&d, text);
    ws_offer_put(&w, &d);
    ASSERT(!w.bad && d.agreed == (wr_len(&w) > 0));
    ASSERT(!d.agreed || (d.window_bits >= 9 && d.window_bits <= 15));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    struct zip *z = zip_new();
    struct zip_out whole = {.p = NULL}, cut = {.p = NULL};
    ASSERT(z);

    offer(bytes_of(data + 1, size - 1));
    int a = read_in_pieces(z, data + 1, size - 1, &whole, size - 1);
    int b = read_in_pieces(z, data + 1, size - 1, &cut, 1u + data[0] % 32);
    ASSERT(a == b);
    /* Of an uncompressed message that breaks off, pieces may have come through before. */
    if (a == 0) ASSERT(whole.n == cut.n && (whole.n == 0 || memcmp(whole.p, cut.p, whole.n) == 0));
    free(whole.p);
    free(cut.p);
    zip_free(&z);
    return 0;
}
