/* SPDX-License-Identifier: BSD-3-Clause */
/* stderr.h -- what a function wrote to stderr, for tests of error messages. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct heard {
    int kept; /* the real stderr */
    FILE *file;
    char text[2048];
};

static inline void hear_start(struct heard *h)
{
    fflush(stderr);
    h->kept = dup(STDERR_FILENO);
    h->file = tmpfile();
    if (h->kept < 0 || !h->file || dup2(fileno(h->file), STDERR_FILENO) < 0) abort();
}

static inline const char *hear_end(struct heard *h)
{
    fflush(stderr);
    if (dup2(h->kept, STDERR_FILENO) < 0) abort();
    close(h->kept);
    rewind(h->file);
    h->text[fread(h->text, 1, sizeof h->text - 1, h->file)] = '\0';
    fclose(h->file);
    return h->text;
}
