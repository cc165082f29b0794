/* SPDX-License-Identifier: BSD-3-Clause */
/* file.h -- a small file (a key, a list of users) as one run of bytes.
 *
 * Bounded, and a regular file only: a device or a pipe in its place would never end. */
#pragma once

#include "base/bytes.h"

struct file_text {
    struct bytes text; /* owned */
    bool private;      /* nobody but its owner and group may read or change it */
};

/* 0, or -ERR_X with a sentence that begins with the path in error[n]. */
int file_read(struct file_text *f, const char *path, size_t bytes_max, char *error, size_t n);

/* Wipes and frees. */
void file_free(struct file_text *f);
