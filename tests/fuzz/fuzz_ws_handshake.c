/* SPDX-License-Identifier: BSD-3-Clause */
/* A request is judged the same at once as in pieces, and what is taken can be answered. */
#include <stdlib.h>

#include "base/assert.h"
#include "net/ws_handshake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct ws_options options = {
    .path = "/mqtt",
    .origins = {"https://a.example"},
    .norigins = 1,
};

static void can_be_answered(const struct ws_request *r, long result)
{
    uint8_t room[WS_ANSWER_MAX];
    struct writer w = wr_of(room, sizeof room);

    if (result > 0)
        ws_put_accept(&w, r);
    else
        ws_put_refusal(&w, (unsigned)-result);
    ASSERT(!w.bad);
}

static long in_pieces(const uint8_t *p, size_t n, size_t piece)
{
    struct ws_request r = {.seen = 0};
    long result = 0;

    for (size_t i = 0; result == 0 && i < n;) {
        i = piece < n - i ? i + piece : n;
        result = ws_request_read(&r, &options, bytes_of(p, i));
    }
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    size_t n = size - 1;
    uint8_t *p = malloc(n);
    struct ws_request r = {.seen = 0};

    ASSERT(p);
    memcpy(p, data + 1, n);
    long result = ws_request_read(&r, &options, bytes_of(p, n));
    ASSERT(result <= (long)n && result >= -431);
    ASSERT(result <= 0 || r.protocol);
    if (result) can_be_answered(&r, result);
    ASSERT(in_pieces(p, n, 1u + data[0]) == result);
    free(p);
    return 0;
}
