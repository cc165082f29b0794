/* SPDX-License-Identifier: BSD-3-Clause */
/* passwd_store.h -- a file that is replaced as a whole, or not at all.
 *
 * The new text goes to PATH.new, to the disk, and then takes the old one's name; a broker that
 * reads meanwhile sees one or the other. PATH.new can be made by one process only, so that two who
 * change the file at once don't undo each other's work. */
#pragma once

#include <limits.h>
#include <stdbool.h>

#include "base/file.h"

enum { PASSWD_ERROR = PATH_MAX + 128 };

struct passwd_store {
    char path[PATH_MAX]; /* where it really is: links are followed */
    char fresh[PATH_MAX];
    int fd;                /* of `fresh` */
    struct file_text text; /* what the file holds now; empty if it is new */
    bool is_new;
    char error[PASSWD_ERROR];
};

/* Reads the file and reserves the right to change it. 0, or -ERR_X with s->error; -ERR_ABSENT if
 * there is none and `make` is false. */
int passwd_store_open(struct passwd_store *s, const char *path, bool make);

/* The file holds `text` now, with owner and group of before and no more rights than 0640; a new one
 * has 0600. 0, or -ERR_X with s->error: it is as it was. */
int passwd_store_commit(struct passwd_store *s, struct bytes text);

/* Forgets everything, and the right. Always called at the end. */
void passwd_store_close(struct passwd_store *s);
