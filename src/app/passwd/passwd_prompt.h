/* SPDX-License-Identifier: BSD-3-Clause */
/* passwd_prompt.h -- a password from whoever sits at the terminal, or from standard input.
 *
 * Never from the command line, which every user of the machine can read. */
#pragma once

#include "base/bytes.h"

enum { PASSWD_SECRET_MAX = 4096 };

struct passwd_secret {
    uint8_t p[PASSWD_SECRET_MAX + 1];
    size_t n;
};

/* Asks on the terminal, without echo; a signal that comes meanwhile is obeyed once the terminal is
 * as it was. 0, or -ERR_X with a message on stderr. */
int passwd_ask(struct passwd_secret *s, const char *question);

/* The first line of standard input, without its end. */
int passwd_read_stdin(struct passwd_secret *s);

static inline struct bytes passwd_secret_bytes(const struct passwd_secret *s)
{
    return bytes_of(s->p, s->n);
}
