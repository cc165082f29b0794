/* SPDX-License-Identifier: BSD-3-Clause */
/* passwd_edit.h -- a user's lines in the text of a password file; everything else stays as it is,
 * comments and order too. Pure. */
#pragma once

#include "base/bytes.h"

/* What the user's lines shall say. */
struct passwd_lines {
    struct bytes user;
    struct bytes hash, scram; /* hashes as text; an empty one has no line */
};

/* Room for what `text` becomes. */
size_t passwd_edit_room(struct bytes text, const struct passwd_lines *lines);

/* Writes `text` to `w` with these lines in the place of the user's first one, or at the end, and
 * without the user's others. Returns how many lines were the user's. */
unsigned passwd_edit(struct writer *w, struct bytes text, const struct passwd_lines *lines);

/* The next line of a password file, without its end; moves `text` behind it. False: no more. */
bool passwd_next_line(struct bytes *text, struct bytes *line);

/* Whose line it is; empty: nobody's. */
struct bytes passwd_line_user(struct bytes line);
