/* SPDX-License-Identifier: BSD-3-Clause */
/* What a decoder of the log's records takes is written again byte by byte as it was read. Input:
 * type, length of the key, key, body. */
#include "unit/journal/records.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In blocks of their own, so that the sanitizer sees a step too far. */
static struct store_record split(const uint8_t *data, size_t size)
{
    const struct bytes in = bytes_of(data + 2, size - 2);
    const size_t key = data[1] < in.n ? data[1] : in.n;
    const struct bytes body = bytes_skip(in, key);
    struct record_buf b = {.put = {.type = (uint8_t)(1 + data[0] % RECORD_ORIGIN),
                                   .version = 1,
                                   .key = bytes_of(in.p, key),
                                   .part = &body,
                                   .nparts = 1}};
    return record_stored(&b, (struct store_ref){.pos = 8, .bytes = 64});
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    struct store_record s = split(data, size);
    struct record_buf b;
    int err = record_reencode(&s, &b);

    ASSERT(err == 0 || err == -ERR_CORRUPT);
    if (err == 0) {
        struct store_record again = record_stored(&b, s.ref);
        ASSERT(again.type == s.type && again.version == s.version);
        ASSERT(bytes_eq(again.key, s.key) && bytes_eq(again.body, s.body));
        record_stored_free(&again);
    }
    record_stored_free(&s);
    return 0;
}
