/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages with a byte FF between them: each has an answer that fits, a refusal says so, and only
 * the user of the file can come in. Luck is always the same, so that proofs can be found in the
 * corpus. */
#include <stdlib.h>

#include "base/assert.h"
#include "broker/access/scram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The user and the password of RFC 7677. */
static const char people[] =
    "user:SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
    ":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=\n";

static enum scram_turn take(struct scram *s, const struct password_file *f, struct bytes in)
{
    uint8_t room[SCRAM_ANSWER_MAX], *p = malloc(in.n ? in.n : 1);
    struct writer w = wr_of(room, sizeof room);

    ASSERT(p);
    if (in.n) memcpy(p, in.p, in.n);
    enum scram_turn turn = scram_take(s, f, bytes_of(p, in.n), &w);
    free(p);
    ASSERT(!w.bad && wr_len(&w) > 2);
    ASSERT((turn == SCRAM_REFUSES) == (room[0] == 'e'));
    ASSERT(turn != SCRAM_KNOWS || bytes_eq(scram_user(s), BYTES("user")));
    return turn;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t luck[SCRAM_LUCK];
    char error[PASSWORD_FILE_ERROR];
    struct password_file *f = password_file_parse(bytes_str(people), error, sizeof error);
    struct scram *s = scram_new(luck);
    enum scram_turn before = SCRAM_GOES_ON;

    ASSERT(f && s);
    for (size_t i = 0, n; i <= size; i += n + 1) {
        const uint8_t *end = i < size ? memchr(data + i, 0xFF, size - i) : NULL;
        n = end ? (size_t)(end - data) - i : size - i;
        enum scram_turn turn = take(s, f, bytes_of(data + i, n));
        ASSERT(before == SCRAM_GOES_ON || turn == SCRAM_REFUSES);
        before = turn;
    }
    scram_free(&s);
    password_file_free(&f);
    return 0;
}
