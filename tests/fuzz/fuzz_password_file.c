/* SPDX-License-Identifier: BSD-3-Clause */
/* A file that is taken has users that are found by their names, each hash is written as it was
 * read, and a refusal has a reason. */
#include <stdlib.h>

#include "base/assert.h"
#include "broker/access/password_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void is_written_as_it_was_read(struct bytes text)
{
    struct password_hash h;
    uint8_t room[PASSWORD_TEXT_MAX];
    struct writer w = wr_of(room, sizeof room);

    if (text.n == 0 || password_hash_read(&h, text)) return;
    password_hash_put(&w, &h);
    ASSERT(!w.bad && bytes_eq(bytes_of(room, wr_len(&w)), text));
}

/* The line's user, which a file that was taken must know. */
static void is_known(const struct password_file *f, struct bytes line)
{
    const uint8_t *colon = line.n ? memchr(line.p, ':', line.n) : NULL;

    if (!colon || line.p[0] == '#') return;
    struct bytes user = bytes_of(line.p, (size_t)(colon - line.p));
    const struct password_entry *e = password_file_find(f, user);
    ASSERT(e && bytes_eq(e->user, user) && !password_user_check(user));
    ASSERT(e->hash.n > 0 || e->scram.n > 0);
    is_written_as_it_was_read(e->hash);
    is_written_as_it_was_read(e->scram);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char error[PASSWORD_FILE_ERROR] = "";
    uint8_t *p = malloc(size ? size : 1);

    ASSERT(p);
    if (size) memcpy(p, data, size);
    is_written_as_it_was_read(bytes_of(p, size));
    struct password_file *f = password_file_parse(bytes_of(p, size), error, sizeof error);
    free(p); /* the file has a copy of its own */
    ASSERT(f || error[0]);
    for (size_t i = 0, n; f && i < size; i += n + 1) {
        const uint8_t *end = memchr(data + i, '\n', size - i);
        n = end ? (size_t)(end - data) - i : size - i;
        is_known(f, bytes_of(data + i, n));
    }
    password_file_free(&f);
    return 0;
}
