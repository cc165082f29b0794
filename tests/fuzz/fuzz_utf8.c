/* SPDX-License-Identifier: BSD-3-Clause */
/* utf8_valid() against a reader that decodes one code point after the other and judges
 * the number. */
#include "base/utf8.h"
#include "fuzz/fuzz.h"

/* Takes one code point off the reader; false if none stands there. */
static bool take_point(struct reader *r)
{
    static const uint32_t lowest[] = {0, 1, 0x80, 0x800, 0x10000};
    uint8_t lead = rd_u8(r);
    unsigned n = lead < 0x80       ? 1
                 : lead >> 5 == 6  ? 2
                 : lead >> 4 == 14 ? 3
                 : lead >> 3 == 30 ? 4
                                   : 0;
    if (n == 0) return false;
    uint32_t point = n == 1 ? lead : lead & (0x7Fu >> n);
    for (unsigned i = 1; i < n; i++) {
        uint8_t next = rd_u8(r);
        if (next >> 6 != 2) return false;
        point = point << 6 | (next & 0x3F);
    }
    return !r->bad && point >= lowest[n] && point <= 0x10FFFF && point >> 11 != 0x1B;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes s = fuzz_copy(bytes_of(data, size));
    struct reader r = rd_of(s);
    bool good = true;
    while (good && rd_left(&r))
        good = take_point(&r);
    ASSERT(utf8_valid(s) == good);
    fuzz_free(s);
    return 0;
}
