/* SPDX-License-Identifier: BSD-3-Clause */
/* A header is judged the same at once as in pieces, and never takes a byte that came after it. */
#include <stdlib.h>

#include "base/assert.h"
#include "net/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t read_in_pieces(struct proxy *p, const uint8_t *in, size_t n, size_t piece)
{
    size_t used = 0;

    for (size_t i = 0; i < n && p->state == PROXY_MORE; i += piece) {
        size_t now = piece < n - i ? piece : n - i;
        uint8_t *block =
            malloc(now); /* of its exact length, so that the sanitizer sees every step */
        ASSERT(block);
        memcpy(block, in + i, now);
        size_t took = proxy_read(p, bytes_of(block, now));
        ASSERT(took <= now && (took == now || p->state != PROXY_MORE));
        used += took;
        free(block);
    }
    return used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    struct proxy whole = {.state = PROXY_MORE}, cut = {.state = PROXY_MORE};
    char text[PEER_TEXT];

    size_t a = read_in_pieces(&whole, data + 1, size - 1, size - 1);
    size_t b = read_in_pieces(&cut, data + 1, size - 1, 1u + data[0] % 32);
    ASSERT(a == b && whole.state == cut.state && whole.known == cut.known);
    ASSERT(memcmp(whole.source.ip, cut.source.ip, sizeof whole.source.ip) == 0);
    ASSERT(whole.source.port == cut.source.port);
    ASSERT(whole.state != PROXY_BAD || (whole.why && strcmp(whole.why, cut.why) == 0));
    if (whole.state == PROXY_DONE) peer_text(&whole.source, text);
    return 0;
}
