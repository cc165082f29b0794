/* SPDX-License-Identifier: BSD-3-Clause */
#include "app/passwd/passwd_edit.h"

bool passwd_next_line(struct bytes *text, struct bytes *line)
{
    if (text->n == 0) return false;
    const uint8_t *end = memchr(text->p, '\n', text->n);
    size_t n = end ? (size_t)(end - text->p) : text->n;
    *line = bytes_of(text->p, n);
    *text = bytes_skip(*text, end ? n + 1 : n);
    return true;
}

struct bytes passwd_line_user(struct bytes line)
{
    const uint8_t *colon = line.n ? memchr(line.p, ':', line.n) : NULL;

    if (!colon || line.p[0] == '#') return BYTES("");
    return bytes_of(line.p, (size_t)(colon - line.p));
}

size_t passwd_edit_room(struct bytes text, const struct passwd_lines *l)
{
    return text.n + 1 + 2 * (l->user.n + 2) + l->hash.n + l->scram.n;
}

static void put_line(struct writer *w, struct bytes user, struct bytes hash)
{
    if (hash.n == 0) return;
    wr_bytes(w, user);
    wr_u8(w, ':');
    wr_bytes(w, hash);
    wr_u8(w, '\n');
}

static void put_lines(struct writer *w, const struct passwd_lines *l)
{
    put_line(w, l->user, l->hash);
    put_line(w, l->user, l->scram);
}

unsigned passwd_edit(struct writer *w, struct bytes text, const struct passwd_lines *l)
{
    struct bytes line;
    unsigned found = 0;

    while (passwd_next_line(&text, &line)) {
        if (bytes_eq(passwd_line_user(line), l->user)) {
            if (found++ == 0) put_lines(w, l);
            continue;
        }
        wr_bytes(w, line);
        wr_u8(w, '\n');
    }
    if (found == 0) put_lines(w, l);
    return found;
}
