/* SPDX-License-Identifier: BSD-3-Clause */
/* password_file.h -- who has a password, and what is kept of it.
 *
 *     # people
 *     alice:$argon2id$v=19$m=19456,t=2,p=1$...
 *     alice:SCRAM-SHA-256$16384:...
 *     pump-7:$7$101$...
 *
 * A line is a user name, a colon and a hash (password_hash.h). A user may have two lines: one
 * hash for passwords that are sent, one credential for SCRAM. Empty lines and lines that begin with
 * '#' mean nothing. One line that can't be understood, or says something twice, and the whole file
 * is refused: half a list of users is worse than the one of before.
 *
 * Made by the main thread, immutable, read by all cores and by helper threads. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"
#include "broker/access/password_hash.h"

enum {
    PASSWORD_FILE_MAX = 64 * 1024 * 1024,
    PASSWORD_USER_MAX = 1024, /* bytes of a user name */
    PASSWORD_FILE_ERROR = 512,
};

struct password_file;

/* One user. Borrows from the file. */
struct password_entry {
    struct bytes user;
    struct bytes hash;  /* text of a hash that password_hash_read() takes; empty: none */
    struct bytes scram; /* the same, for SCRAM; empty: none */
    unsigned hash_line, scram_line; /* where they stand */
};

/* NULL, with line and reason in error[n]. `text` is copied. */
struct password_file *password_file_parse(struct bytes text, char *error, size_t n);

/* The same for the file at `path`; the error begins with the path. *exposed: others than its owner
 * and group may read it, or others than its owner may change it, which is worth a warning. */
struct password_file *password_file_load(const char *path, bool *exposed, char *error, size_t n);

/* Wipes, frees and nulls the pointer. */
void password_file_free(struct password_file **f);

/* NULL: there is no such user. */
const struct password_entry *password_file_find(const struct password_file *f, struct bytes user);

unsigned password_file_users(const struct password_file *f);

/* What most users' hashes cost, so that unknown users cost the same. */
const struct password_cost *password_file_usual(const struct password_file *f);
const struct password_cost *password_file_usual_scram(const struct password_file *f);

/* Known to nobody who can't read the file, the same after a restart, and the same wherever this
 * file is used: SCRAM invents the salts of unknown users from it. */
struct bytes password_file_secret(const struct password_file *f);

/* The hash in what follows a line's colon: without the blanks that may end a line. */
struct bytes password_line_hash(struct bytes rest);

/* NULL if a line can begin with this name, else why not. */
const char *password_user_check(struct bytes user);
