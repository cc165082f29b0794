/* SPDX-License-Identifier: BSD-3-Clause */
/* A stream of frames gives the same payload and the same end, read at once or in pieces; never
 * more payload than there were bytes. */
#include <stdlib.h>

#include "base/assert.h"
#include "net/ws_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t read_in_pieces(struct ws_frames *f, const uint8_t *in, size_t n, uint8_t *out,
                             size_t piece)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i += piece) {
        size_t now = piece < n - i ? piece : n - i;
        uint8_t *p = malloc(now); /* of its exact length, so that the sanitizer sees every step */
        ASSERT(p);
        memcpy(p, in + i, now);
        size_t got = ws_frames_read(f, p, now);
        ASSERT(got <= now);
        memcpy(out + kept, p, got);
        kept += got;
        free(p);
    }
    return kept;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    size_t n = size - 1;
    struct ws_frames whole = {.left = 0}, cut = {.left = 0};
    uint8_t *a = malloc(n), *b = malloc(n);
    ASSERT(a && b);

    size_t na = read_in_pieces(&whole, data + 1, n, a, n);
    size_t nb = read_in_pieces(&cut, data + 1, n, b, 1u + data[0] % 32);
    ASSERT(na == nb && memcmp(a, b, na) == 0);
    ASSERT(whole.error == cut.error && whole.peer_code == cut.peer_code);
    ASSERT(whole.pong_due == cut.pong_due && whole.npong == cut.npong);
    ASSERT(whole.npong <= WS_CONTROL_MAX && memcmp(whole.pong, cut.pong, whole.npong) == 0);
    free(a);
    free(b);
    return 0;
}
